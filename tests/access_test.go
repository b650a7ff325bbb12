package tests

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/order-tracking/order-tracking/internal/access"
	"github.com/order-tracking/order-tracking/internal/domain"
)

const adminKey = "walk-walk-walk-walk-walk-walk-walk-walk"

// possession tells whose resource a request is about.
type possession string

const (
	own     possession = "own"
	foreign possession = "foreign"
	absent  possession = "absent"
)

// town is a server with two of each resource, and a caller of each role who owns the first.
type town struct {
	*server
	keys     map[domain.Role]string
	orders   map[possession]string
	couriers map[possession]string
	offers   map[possession]string
}

func newTown(t testing.TB, m mode) *town {
	return townOn(t, &server{dir: t.TempDir(), args: m.args(t), key: adminKey})
}

// townOn is newTown on a server that is not up yet.
func townOn(t testing.TB, s *server) *town {
	t.Cleanup(func() { s.down(t) })
	s.up(t)
	w := &town{
		server: s, keys: map[domain.Role]string{}, orders: map[possession]string{absent: newID()},
		couriers: map[possession]string{absent: newID()}, offers: map[possession]string{absent: newID()},
	}
	for whose, merchant := range map[possession]string{own: "m1", foreign: "m2"} {
		courier := str(w.made(t, adminKey, "/couriers", object{"name": "Oleg " + merchant, "phone": "+79160000001"}), "id")
		w.couriers[whose] = courier
		order := str(w.made(t, adminKey, "/order", object{
			"merchant_id": merchant, "external_id": "ext-" + merchant, "metadata": object{"note": "SECRET"}, "notes": "SECRET",
			"customer": object{"name": "Anna " + merchant, "phone": "+79161234567", "email": "anna@example.com"},
			"dropoff":  object{"address": "Tverskaya 7", "location": object{"lat": 55.76, "lon": 37.61}},
		}), "id")
		w.orders[whose] = order
		w.made(t, adminKey, "/order/"+order+"/assign-courier", object{"courier_id": courier})
		for _, status := range []string{"picked_up", "out_for_delivery"} {
			code, body := w.ask(t, adminKey, http.MethodPatch, "/order/"+order+"/status", object{"status": status, "reason": "SECRET"})
			require.Equal(t, http.StatusOK, code, "%v", body)
		}
		open := str(w.made(t, adminKey, "/order", object{
			"merchant_id": merchant, "customer": object{"name": "Another"}, "dropoff": object{"location": object{"lat": 55.76, "lon": 37.61}},
		}), "id")
		w.offers[whose] = str(w.made(t, adminKey, "/order/"+open+"/offers", object{"courier_ids": []string{courier}}), "id")
		code, body := w.ask(t, adminKey, http.MethodPatch, "/merchants/"+merchant, object{"name": "Shop " + merchant})
		require.Equal(t, http.StatusOK, code, "%v", body)
		w.made(t, adminKey, "/courier/"+courier+"/location", object{"lat": 55.75, "lon": 37.62, "battery": 71})
	}
	for _, k := range []object{
		{"role": "admin"}, {"role": "dispatcher"}, {"role": "merchant", "merchant_id": "m1"}, {"role": "partner", "merchant_id": "m1"},
		{"role": "courier", "courier_id": w.couriers[own]}, {"role": "monitor"},
	} {
		k["name"] = "walker"
		w.keys[domain.Role(str(k, "role"))] = str(w.made(t, adminKey, "/keys", k), "key")
	}
	w.keys[domain.RoleCustomer] = str(w.made(t, adminKey, "/order/"+w.orders[own]+"/share", object{}), "token")
	return w
}

// ask makes one request with the key.
func (w *town) ask(t testing.TB, key, method, path string, body any) (int, object) {
	t.Helper()
	var raw io.Reader
	if body != nil {
		raw = bytes.NewReader(encode(t, body))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+w.http+path, raw)
	require.NoError(t, err)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	var text []byte
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") { // it would go on
		buf := make([]byte, 64<<10)
		n, _ := resp.Body.Read(buf)
		text = buf[:n]
	} else if text, err = io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	var got object
	if json.Unmarshal(text, &got) != nil { // what is no object stays a text
		got = object{"text": string(text)}
	}
	return resp.StatusCode, got
}

func (w *town) made(t testing.TB, key, path string, body any) object {
	t.Helper()
	code, got := w.ask(t, key, http.MethodPost, path, body)
	require.Less(t, code, 300, "%s %v", path, got)
	return got
}

// roles lists the roles, most powerful first.
func roles() []domain.Role {
	return []domain.Role{
		domain.RoleAdmin, domain.RoleDispatcher, domain.RoleMerchant, domain.RolePartner, domain.RoleCourier,
		domain.RoleCustomer, domain.RoleMonitor,
	}
}

// bodies are valid request bodies by operation; {} is valid for the others.
func (w *town) bodies(whose possession) map[string]any {
	merchant := map[possession]string{own: "m1", foreign: "m2", absent: "m3"}[whose]
	draft := object{"merchant_id": merchant, "customer": object{"name": "New"}, "dropoff": object{"address": "Here 1"}}
	return map[string]any{
		"createOrder": draft, "editOrder": object{"notes": "SECRET"}, "updateOrderStatus": object{"status": "out_for_delivery"},
		"assignCourier": object{"courier_id": w.couriers[own]}, "notifyCustomer": object{"text": "Hello"},
		"createCourier": object{"name": "Another"}, "editCourier": object{"on_duty": true},
		"reportLocation": object{"lat": 55.75, "lon": 37.62}, "createKey": object{"name": "more", "role": "monitor"},
		"connectCustomer": object{"channel": "webpush"}, "putNotificationRules": object{"channels": object{"email": object{"enabled": false}}}, "previewNotification": object{"name": "late"},
		"createWebhook": object{"url": "https://192.0.43.8/hook", "merchant_id": merchant},
		"bookShipment":  object{"carrier": "cdek"}, "rateOrder": object{"stars": 5}, "addProof": object{"recipient": "Anna"}, "openIncident": object{"code": "not_there"}, "setRoute": object{"stops": []any{}}, "setShifts": object{"shifts": []any{}}, "instructCourier": object{"text": "Ring twice"}, "offerOrder": object{"courier_ids": []string{w.couriers[own]}},
	}
}

// queries are the required query parameters by operation.
var queries = map[string]string{
	"nearCouriers": "?lat=55.75&lon=37.62", "listPoints": "?city=Moscow", "trackCourier": "?from=2026-01-01T00:00:00Z",
}

// TestEveryRouteForEveryRole calls every route as every role, for the caller's own,
// somebody else's and missing resources, and compares with the permission table. A route
// without a row fails.
func TestEveryRouteForEveryRole(t *testing.T) {
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t, m)
			_, document := w.ask(t, "", http.MethodGet, "/openapi.json", nil)
			walked := map[string]bool{}
			for path, item := range get(document, "paths").(object) {
				for method, operation := range item.(object) {
					id := str(operation, "operationId")
					if id == "" { // parameters of the path
						continue
					}
					walked[id] = true
					op := access.OperationOf(id)
					require.Equal(t, id, op.ID, "%s %s has no row in the table of permissions", method, path)
					w.walkRoute(t, op, strings.ToUpper(method), path)
				}
			}
			for _, op := range access.Table() {
				require.True(t, op.ID == "" || walked[op.ID], "%s has a row and no route", op.ID)
			}
		})
	}
}

func (w *town) walkRoute(t *testing.T, op *access.Operation, method, path string) {
	if op.ID == "watchOrder" || op.ID == "watchMany" || op.ID == "importOrders" {
		return // their own tests
	}
	if code, _ := w.ask(t, "", method, w.address(path, own)+queries[op.ID], w.bodies(own)[op.ID]); !op.Open {
		require.Equal(t, http.StatusUnauthorized, code, "%s without a key", op.ID)
	}
	for _, role := range roles() {
		if op.Open {
			continue
		}
		answers := map[possession]string{}
		for _, whose := range []possession{absent, foreign, own} {
			var body any
			if method != http.MethodGet {
				if body = w.bodies(whose)[op.ID]; body == nil {
					body = object{}
				}
			}
			address := w.address(path, whose)
			code, got := w.ask(t, w.keys[role], method, address+queries[op.ID], body)
			answers[whose] = fmt.Sprint(code, " ", str(got, "code"), " ", strings.NewReplacer(lastID(address), "ID", `"m2"`, `"ID"`).Replace(str(got, "detail")))
			say := fmt.Sprintf("%s as %s about what is %s: %d %v", op.ID, role, whose, code, got)
			hidden := code == http.StatusNotFound && (slices.Contains(hiddenCodes, str(got, "code")) ||
				op.Object == access.TheMerchant && str(got, "code") == "not_found")
			switch {
			case !op.Allows(role):
				require.Equal(t, http.StatusForbidden, code, say)
			case role == domain.RoleAdmin || role == domain.RoleDispatcher || whose == own:
				require.NotContains(t, []int{http.StatusUnauthorized, http.StatusForbidden}, code, say)
				require.Equal(t, whose == absent && w.about(op) && op.ID != "editMerchant", hidden, say) // which sets one up
			case op.Object == access.AMerchant:
				require.GreaterOrEqual(t, code, 400, say)
			case w.about(op):
				require.True(t, hidden, say)
			}
			if code < 500 && role != domain.RoleAdmin && role != domain.RoleDispatcher {
				requireNothingOf(t, got, w, role, say)
			}
		}
		if op.Allows(role) && w.about(op) && role != domain.RoleAdmin && role != domain.RoleDispatcher {
			require.Equal(t, answers[absent], answers[foreign], "%s as %s: what is somebody else's answers like what is not there", op.ID, role)
		}
	}
}

// about reports whether the operation is about one order or courier.
func (w *town) about(op *access.Operation) bool {
	return slices.Contains([]access.Object{access.AnOrder, access.ACourier, access.AnOffer, access.TheMerchant}, op.Object)
}

// hiddenCodes are the error codes for missing resources.
var hiddenCodes = []string{"order_not_found", "courier_not_found", "offer_not_found"}

// requireNothingOf requires a response without anything of somebody else's, and with only
// those of the caller's own fields that the role may see.
func requireNothingOf(t testing.TB, got object, w *town, role domain.Role, say string) {
	text := string(encode(t, without(got, "instance", "detail")))
	for _, foreign := range []string{w.orders[foreign], w.couriers[foreign], "Anna m2", "Oleg m2", "Shop m2", "ext-m2"} {
		require.NotContains(t, text, foreign, say)
	}
	switch role {
	case domain.RoleCustomer:
		for _, secret := range []string{"SECRET", "+7916", "anna@", w.couriers[own], `"actor":{"`, "m1 ", "battery", "Oleg m"} {
			require.NotContains(t, text, secret, say)
		}
	case domain.RolePartner:
		require.NotContains(t, text, "+7916", say)
		require.NotContains(t, text, "anna@", say)
	}
}

func (w *town) address(path string, whose possession) string {
	return strings.NewReplacer("{order_id}", w.orders[whose], "{courier_id}", w.couriers[whose], "{carrier}", "cdek",
		"{offer_id}", w.offers[whose], "{merchant_id}", map[possession]string{own: "m1", foreign: "m2", absent: newID()}[whose], "{key_id}", w.orders[absent], "{webhook_id}", w.orders[absent], "{delivery_id}", w.orders[absent], "{share_id}", w.orders[absent], "{proof_id}", w.orders[absent], "{image}", "photo", "{incident_id}", w.orders[absent], "{token_id}", w.orders[absent], "{token}", "x").Replace(path)
}

func lastID(path string) string {
	for part := range strings.SplitSeq(path, "/") {
		if len(part) == 36 {
			return part
		}
	}
	return "nothing"
}

// TestEveryMethodForEveryRole is the same over gRPC.
func TestEveryMethodForEveryRole(t *testing.T) {
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t, m)
			for _, method := range allMethods() {
				op, known := access.OperationOfRPC(string(method.Name()))
				require.True(t, known, "%s has no row in the table of permissions", method.Name())
				for _, role := range roles() {
					for _, whose := range []possession{own, foreign, absent} {
						w.walkMethod(t, op, method, role, whose)
					}
				}
			}
		})
	}
}

// allMethods lists the methods of all our services.
func allMethods() (out []protoreflect.MethodDescriptor) {
	protoregistry.GlobalFiles.RangeFilesByPackage("ordertracking.v1", func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				out = append(out, methods.Get(j))
			}
		}
		return true
	})
	return out
}

func (w *town) walkMethod(t *testing.T, op *access.Operation, method protoreflect.MethodDescriptor, role domain.Role, whose possession) {
	a := w.call(t, method, role, whose)
	say := fmt.Sprintf("%s as %s about what is %s: %s %v", method.Name(), role, whose, a.code, a.body)
	staff := role == domain.RoleAdmin || role == domain.RoleDispatcher
	hidden := slices.Contains(hiddenCodes, a.code)
	switch {
	case !op.Allows(role):
		require.Equal(t, "forbidden", a.code, say)
	case staff || whose == own:
		require.NotContains(t, []string{"unauthenticated", "forbidden"}, a.code, say)
		require.Equal(t, whose == absent && w.about(op), hidden, say)
	case op.Object == access.AMerchant && a.body != nil: // a batch names the fault of each
		require.Contains(t, string(encode(t, a.body)), "not_yours", say)
	case op.Object == access.AMerchant:
		require.Equal(t, "validation_failed", a.code, say)
	case w.about(op):
		require.True(t, hidden, say)
	}
	if a.body != nil && !staff {
		requireNothingOf(t, a.body, w, role, say)
	}
}

// call calls a method with a valid request about somebody's resource.
func (w *town) call(t *testing.T, m protoreflect.MethodDescriptor, role domain.Role, whose possession) answer {
	in := object{}
	for name, value := range map[string]any{
		"order_id": w.orders[whose], "offer_id": w.offers[whose], "courier_id": w.couriers[whose], "status": "ORDER_STATUS_OUT_FOR_DELIVERY", "text": "Hello",
		"customer": object{"name": "New"}, "dropoff": object{"address": "Here 1"},
		"merchant_id": map[possession]string{own: "m1", foreign: "m2", absent: "m3"}[whose],
		"positions":   []any{object{"lat": 55.75, "lon": 37.62}},
	} {
		if m.Input().Fields().ByName(protoreflect.Name(name)) != nil {
			in[name] = value
		}
	}
	switch m.Name() {
	case "GetOrders", "QuoteShipment": // the order of a quote is optional
		in = object{}
	case "OfferOrder":
		in["courier_ids"] = []string{w.couriers[own]}
	case "AssignCourier":
		in["courier_id"] = w.couriers[own]
	case "CreateOrders":
		in = object{"orders": []any{object{"merchant_id": map[possession]string{own: "m1", foreign: "m2", absent: "m3"}[whose],
			"customer": object{"name": "New"}, "dropoff": object{"address": "Here 1"}}}}
	}
	req, reply := dynamicpb.NewMessage(m.Input()), dynamicpb.NewMessage(m.Output())
	require.NoError(t, protojson.Unmarshal(encode(t, in), req), "%s", m.Name())
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+w.keys[role]), 20*time.Second)
	defer cancel()
	name := fmt.Sprintf("/%s/%s", m.Parent().FullName(), m.Name())
	var err error
	if m.IsStreamingClient() || m.IsStreamingServer() {
		err = w.streamed(ctx, m, name, req, reply)
	} else {
		err = w.conn.Invoke(ctx, name, req, reply)
	}
	if err != nil {
		return grpcFailure(t, err)
	}
	raw, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(reply)
	require.NoError(t, err)
	return answer{body: decode(t, raw)}
}

// streamed sends one message and receives one.
func (w *town) streamed(ctx context.Context, m protoreflect.MethodDescriptor, name string, req, reply any) error {
	stream, err := w.conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: m.IsStreamingClient(), ServerStreams: m.IsStreamingServer()}, name)
	if err != nil {
		return err
	}
	if err := stream.SendMsg(req); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	return stream.RecvMsg(reply)
}

// TestListsLeaveOutWhatIsNotTheCallers tries to find somebody else's order with every
// list and search.
func TestListsLeaveOutWhatIsNotTheCallers(t *testing.T) {
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t, m)
			for _, role := range []domain.Role{domain.RoleMerchant, domain.RolePartner, domain.RoleDispatcher} {
				for _, query := range []string{
					"", "?q=anna", "?q=tverskaya", "?customer_phone=%2B79161234567", "?status=out_for_delivery", "?active=true",
					"?merchant_id=m2", "?external_id=ext-m2", "?courier_id=" + w.couriers[foreign], "?page_size=1",
				} {
					var found []string
					for page, more := "", true; more; {
						joint := "?"
						if query != "" {
							joint = "&"
						}
						address := "/orders" + query
						if page != "" {
							address += joint + "page_token=" + page
						}
						code, got := w.ask(t, w.keys[role], http.MethodGet, address, nil)
						require.Equal(t, http.StatusOK, code, "%v", got)
						for _, o := range list(got["orders"]) {
							found = append(found, str(o, "id"))
						}
						page = str(got, "next_page_token")
						more = page != ""
					}
					require.Equal(t, role == domain.RoleDispatcher, slices.Contains(found, w.orders[foreign]), "%s as %s", query, role)
				}
			}
		})
	}
}

// TestTopicsForEveryRole subscribes to everything over /ws as every role.
func TestTopicsForEveryRole(t *testing.T) {
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t, m)
			for _, role := range roles() {
				code, issued := w.ask(t, w.keys[role], http.MethodPost, "/ws/ticket", nil)
				if role == domain.RoleMonitor {
					require.Equal(t, http.StatusForbidden, code)
					continue
				}
				if !access.OperationOf("watchMany").Allows(role) {
					code, _ := w.ask(t, w.keys[role], http.MethodGet, "/ws", nil)
					require.Equal(t, http.StatusForbidden, code)
					continue
				}
				stream, conn := dial(t, w.server, "/ws?ticket="+str(issued, "ticket"))
				staff := role == domain.RoleAdmin || role == domain.RoleDispatcher
				for topic, seen := range map[string]bool{
					"order:" + w.orders[own]: true, "order:" + w.orders[foreign]: staff, "order:" + w.orders[absent]: false,
					"courier:" + w.couriers[own]: staff || role == domain.RoleCourier, "courier:" + w.couriers[foreign]: staff,
					"courier:" + w.couriers[absent]: false, "fleet": staff,
				} {
					require.NoError(t, conn.WriteString(string(encode(t, object{"subscribe": []string{topic}}))))
					got := stream.next(t)
					if !seen {
						require.Equal(t, "error", got["type"], "%s as %s: %v", topic, role, got)
						require.Contains(t, []string{"order_not_found", "courier_not_found", "forbidden"}, str(got, "data", "code"))
						got = stream.next(t)
					}
					require.Equal(t, "ack", got["type"])
					if seen {
						require.Equal(t, "snapshot", stream.until(t, "snapshot")["type"], "%s as %s", topic, role)
					}
					require.NoError(t, conn.WriteString(string(encode(t, object{"unsubscribe": []string{topic}}))))
					require.Equal(t, "ack", stream.until(t, "ack")["type"])
				}
				stream.close()
			}
		})
	}
}

// TestRevokedStreamsEndWithinASecond opens every kind of stream with a key and a link on
// one replica and revokes both on another.
func TestRevokedStreamsEndWithinASecond(t *testing.T) {
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t, m)
			there := w.server
			if m.name == "replica" {
				there = &server{dir: t.TempDir(), args: w.args, key: adminKey}
				t.Cleanup(func() { there.down(t) })
				there.up(t)
			}
			order := w.orders[own]
			key := w.made(t, adminKey, "/keys", object{"name": "short", "role": "merchant", "merchant_id": "m1"})
			link := w.made(t, adminKey, "/order/"+order+"/share", object{})
			for name, c := range map[string]struct{ credential, revoke string }{
				"key":  {str(key, "key"), "/keys/" + str(key, "id")},
				"link": {str(link, "token"), "/order/" + order + "/share/" + str(link, "id")},
			} {
				ended := make(chan string, 3)
				ws, _ := dial(t, there, "/order/"+order+"/ws?ticket="+w.ticketAt(t, there, c.credential))
				ws.until(t, "snapshot")
				go func() { ended <- fmt.Sprint("WebSocket ", <-ws.end) }()
				events := w.openSSE(t, there, c.credential, order)
				go func() { _, err := io.Copy(io.Discard, events); ended <- fmt.Sprint("SSE ", err == nil) }()
				grpcEnd := w.openWatch(t, there, c.credential, order)
				go func() { ended <- "WatchOrder " + grpcEnd() }()
				begun := time.Now()
				code, body := w.ask(t, adminKey, http.MethodDelete, c.revoke, nil)
				require.Equal(t, http.StatusNoContent, code, "%v", body)
				var got []string
				for range 3 {
					got = append(got, <-ended)
				}
				require.Less(t, time.Since(begun), 5*time.Second, "%s: a second, but for a busy machine", name)
				slices.Sort(got)
				require.Equal(t, []string{"SSE true", "WatchOrder unauthenticated", "WebSocket 4002"}, got, name)
				code, _ = w.ask(t, c.credential, http.MethodGet, "/order/"+order, nil)
				require.Equal(t, http.StatusUnauthorized, code, name)
			}
		})
	}
}

func (w *town) ticketAt(t testing.TB, s *server, credential string) string {
	at := &town{server: s}
	return str(at.made(t, credential, "/ws/ticket", object{}), "ticket")
}

// openSSE opens a stream with a token in the URL and returns it after its first frame.
func (w *town) openSSE(t testing.TB, s *server, credential, order string) io.Reader {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.http+"/order/"+order+"/stream", nil)
	require.NoError(t, err)
	if strings.HasPrefix(credential, "ot_shr_") {
		req.URL.RawQuery = "token=" + credential
	} else {
		req.Header.Set("Authorization", "Bearer "+credential)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	require.NoError(t, err)
	t.Cleanup(func() { _ = resp.Body.Close() })
	require.Equal(t, http.StatusOK, resp.StatusCode)
	return resp.Body
}

// openWatch opens a stream over gRPC and returns a function that waits for its end and returns its error.
func (w *town) openWatch(t testing.TB, s *server, credential, order string) (end func() string) {
	m := service.Methods().ByName("WatchOrder")
	req, reply := dynamicpb.NewMessage(m.Input()), dynamicpb.NewMessage(m.Output())
	require.NoError(t, protojson.Unmarshal(encode(t, object{"order_id": order}), req))
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+credential)
	stream, err := s.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, fmt.Sprintf("/%s/%s", service.FullName(), m.Name()))
	require.NoError(t, err)
	require.NoError(t, stream.SendMsg(req))
	require.NoError(t, stream.CloseSend())
	require.NoError(t, stream.RecvMsg(reply))
	return func() string {
		for {
			if err := stream.RecvMsg(reply); err != nil {
				return grpcFailure(t, err).code
			}
		}
	}
}
