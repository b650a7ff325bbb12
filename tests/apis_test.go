package tests

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	ordertrackingv1 "github.com/order-tracking/order-tracking/proto/ordertracking/v1"
)

// call is one operation, named as in gRPC, with the request as that message's JSON.
type call struct {
	op       string
	in       object
	key      string // idempotency key
	expected int64  // version that the order must have, If-Match
}

// answer is an API's normalised response: its non-empty fields, or the error.
type answer struct {
	body     object
	code     string
	allowed  []string
	pointers []string // of the faults
	protocol string   // HTTP status or gRPC code
	replayed bool
}

// api is one of the two APIs of the product.
type api interface {
	do(t testing.TB, c call) answer
}

// bothAPIs runs a scenario over REST and gRPC, in every mode and each on its own server,
// and compares the responses step by step.
func bothAPIs(t *testing.T, scenario func(t *testing.T, s *server, d api)) {
	bothAPIsWith(t, func(testing.TB) []string { return nil }, scenario)
}

// bothAPIsWith is the same with further flags of the servers.
func bothAPIsWith(t *testing.T, flags func(t testing.TB) []string, scenario func(t *testing.T, s *server, d api)) {
	var first []answer
	for _, m := range modes() {
		for _, name := range []string{"REST", "gRPC"} {
			t.Run(m.name+"/"+name, func(t *testing.T) {
				s := start(t, append(m.args(t), flags(t)...)...)
				rec := &recorder{api: s.api(name)}
				scenario(t, s, rec)
				if first == nil {
					first = rec.said
				}
				if diff := cmp.Diff(first, rec.said, cmp.AllowUnexported(answer{}), cmpopts.IgnoreFields(answer{}, "protocol")); diff != "" {
					t.Errorf("embedded REST (-) said other than this (+):\n%s", diff)
				}
			})
		}
	}
}

// recorder records an API's responses, with values that differ between runs masked.
type recorder struct {
	api
	said []answer
}

func (r *recorder) do(t testing.TB, c call) answer {
	a := r.api.do(t, c)
	kept := a
	if a.body != nil {
		kept.body = mask("", a.body).(object)
	}
	slices.Sort(kept.pointers)
	r.said = append(r.said, kept)
	return a
}

// mask replaces values that differ between runs: ids, times and values derived from them.
func mask(key string, v any) any {
	switch v := v.(type) {
	case object:
		out := object{}
		for k, x := range v {
			// Which positions are in the history yet is a matter of time, and so is whether an age is 0, and whether the company
			// told its price and its period before a booking was answered.
			_, parcel := v["phase"]
			asked := parcel && (k == "expected" || k == "price" && v["phase"] == "pending")
			if k != "trail" && k != "polyline" && k != "age_seconds" && !asked {
				out[k] = mask(k, x)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = mask(key, v[i])
		}
		return out
	}
	switch key {
	case "id", "order_id", "courier_id", "previous_courier_id", "notification_id", "number", "next_page_token",
		"eta", "earliest", "latest", "minutes_remaining", "text", "tracking_number", "return_number", "reference", "label_url", "date", "expected":
		return "<" + key + ">"
	}
	if strings.HasSuffix(key, "_at") || key == "since" {
		return "<time>"
	}
	return v
}

func (s *server) api(name string) api {
	if name == "REST" {
		return restAPI{s}
	}
	return grpcAPI{s}
}

// restAPI speaks HTTP.
type restAPI struct{ s *server }

// route maps an operation to REST: the request fields in the path, whether the rest is
// query or body, and the name of the resource in the gRPC response.
var routes = map[string]struct{ method, path, rest, wrap string }{
	"CreateOrder":        {"POST", "/order", "body", "order"},
	"GetOrder":           {"GET", "/order/{order_id}", "", "order"},
	"GetOrders":          {"GET", "/orders", "query", ""},
	"GetOrderStatus":     {"GET", "/order/{order_id}/status", "", ""},
	"UpdateOrderStatus":  {"PATCH", "/order/{order_id}/status", "body", "order"},
	"TrackOrder":         {"GET", "/order/{order_id}/track", "", ""},
	"CancelOrder":        {"DELETE", "/order/{order_id}", "body", "order"},
	"EstimateDelivery":   {"GET", "/order/{order_id}/delivery-time", "", "estimate"},
	"AssignCourier":      {"POST", "/order/{order_id}/assign-courier", "body", "order"},
	"GetCourierLocation": {"GET", "/courier/{courier_id}/location", "", ""},
	"ListCourierOrders":  {"GET", "/courier/{courier_id}/orders", "query", ""},
	"NotifyCustomer":     {"POST", "/order/{order_id}/notify", "body", ""},

	"BookShipment":          {"POST", "/order/{order_id}/shipment", "body", "shipment"},
	"GetShipment":           {"GET", "/order/{order_id}/shipment", "", "shipment"},
	"EditShipment":          {"PATCH", "/order/{order_id}/shipment", "body", "shipment"},
	"RefuseShipment":        {"POST", "/order/{order_id}/shipment/refusal", "body", "shipment"},
	"ResolveShipment":       {"POST", "/order/{order_id}/shipment/resolution", "body", "shipment"},
	"BookIntake":            {"POST", "/order/{order_id}/shipment/intake", "body", "shipment"},
	"CancelIntake":          {"DELETE", "/order/{order_id}/shipment/intake", "", "shipment"},
	"ReturnShipment":        {"POST", "/order/{order_id}/shipment/return", "body", "shipment"},
	"AgreeDelivery":         {"POST", "/order/{order_id}/shipment/agreement", "body", "shipment"},
	"QuoteShipment":         {"GET", "/carriers/{carrier}/quote", "query", ""},
	"ListDeliveryIntervals": {"GET", "/order/{order_id}/shipment/intervals", "", ""},
	"ListPoints":            {"GET", "/carriers/{carrier}/points", "query", ""},
}

func (d restAPI) do(t testing.TB, c call) answer {
	r := routes[c.op]
	path, rest := r.path, object{}
	for k, v := range c.in {
		if hole := "{" + k + "}"; strings.Contains(path, hole) {
			path = strings.ReplaceAll(path, hole, url.PathEscape(fmt.Sprint(v)))
		} else {
			rest[k] = v
		}
	}
	header := http.Header{}
	if c.key != "" {
		header.Set("Idempotency-Key", `"`+c.key+`"`)
	}
	if c.expected != 0 {
		header.Set("If-Match", fmt.Sprintf(`"v%d"`, c.expected))
	}
	var body []byte
	if r.rest == "query" {
		q := url.Values{}
		for k, v := range rest {
			if list, ok := v.([]any); ok {
				for _, one := range list {
					q.Add(k, fmt.Sprint(one))
				}
			} else {
				q.Set(k, fmt.Sprint(v))
			}
		}
		path += "?" + q.Encode()
	} else if len(rest) > 0 {
		body = encode(t, rest)
	}
	resp, raw := d.s.rest(t, r.method, path, body, header)
	a := answer{replayed: resp.Header.Get("Idempotent-Replayed") == "true", protocol: fmt.Sprint(resp.StatusCode)}
	var got object
	require.NoError(t, json.Unmarshal(raw, &got), "%s", raw)
	if resp.StatusCode >= 400 {
		require.Equal(t, "application/problem+json", resp.Header.Get("Content-Type"))
		a.code = str(got, "code")
		for _, s := range list(got["allowed_transitions"]) {
			a.allowed = append(a.allowed, s.(string))
		}
		for _, e := range list(got["errors"]) {
			a.pointers = append(a.pointers, str(e, "pointer"))
		}
		return a
	}
	if c.op == "GetCourierLocation" { // REST has the position's fields beside its age
		got = object{"age_seconds": got["age_seconds"], "stale": got["stale"], "position": without(got, "age_seconds", "stale")}
	}
	if r.wrap != "" {
		got = object{r.wrap: got}
	}
	a.body = tidy(got).(object)
	return a
}

// rest makes one HTTP request and returns the response with its body, which must match
// the OpenAPI document.
func (s *server) rest(t testing.TB, method, path string, body []byte, header http.Header) (*http.Response, []byte) {
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.http+path, bytes.NewReader(body))
	require.NoError(t, err)
	if body == nil {
		req.Body = nil
	} else {
		req.Header.Set("Content-Type", "application/json")
	}
	for k, v := range header {
		req.Header[k] = v
	}
	if s.key != "" && req.Header.Get("Authorization") == "" {
		req.Header.Set("Authorization", "Bearer "+s.key)
	}
	if len(body) > 256<<10 { // what is refused unread may end in a reset otherwise, before the answer is seen
		req.Header.Set("Expect", "100-continue")
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, ExpectContinueTimeout: 20 * time.Second}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	s.contract(t).answers(t, req, resp, raw)
	return resp, raw
}

// grpcAPI speaks gRPC.
type grpcAPI struct{ s *server }

var service = ordertrackingv1.File_ordertracking_v1_order_service_proto.Services().ByName("OrderService")

var parcelService = ordertrackingv1.File_ordertracking_v1_shipment_proto.Services().ByName("ShipmentService")

func (d grpcAPI) do(t testing.TB, c call) answer {
	service := service
	m := service.Methods().ByName(protoreflect.Name(c.op))
	if m == nil {
		service = parcelService
		m = service.Methods().ByName(protoreflect.Name(c.op))
	}
	require.NotNil(t, m, c.op)
	in := object{}
	for k, v := range c.in {
		in[k] = v
	}
	if v, ok := in["status"]; ok {
		in["status"] = enumNames(v)
	}
	ctx := t.Context()
	if c.key != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "idempotency-key", c.key)
	}
	if c.expected != 0 {
		in["if_match"] = c.expected
	}
	req, reply := dynamicpb.NewMessage(m.Input()), dynamicpb.NewMessage(m.Output())
	require.NoError(t, protojson.Unmarshal(encode(t, in), req))
	var header metadata.MD
	err := d.s.conn.Invoke(ctx, fmt.Sprintf("/%s/%s", service.FullName(), m.Name()), req, reply, grpc.Header(&header))
	if err != nil {
		return grpcFailure(t, err)
	}
	raw, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(reply)
	require.NoError(t, err)
	got := object{}
	require.NoError(t, json.Unmarshal(raw, &got))
	replayed := header.Get("idempotent-replayed")
	return answer{body: tidy(got).(object), protocol: "OK", replayed: len(replayed) == 1 && replayed[0] == "true"}
}

func grpcFailure(t testing.TB, err error) answer {
	st := status.Convert(err)
	a := answer{protocol: st.Code().String()}
	for _, detail := range st.Details() {
		switch d := detail.(type) {
		case *errdetails.ErrorInfo:
			a.code = d.Reason
			if s := d.Metadata["allowed_transitions"]; s != "" {
				a.allowed = strings.Split(s, ",")
			}
		case *errdetails.BadRequest:
			for _, v := range d.FieldViolations {
				a.pointers = append(a.pointers, pointer(v.Field))
			}
		}
	}
	require.NotEmpty(t, a.code, "every failure names its code: %v", err)
	return a
}

// pointer converts a proto field path to a JSON pointer.
func pointer(field string) string {
	if field == "" { // the message as a whole
		return ""
	}
	return "/" + strings.NewReplacer(".", "/", "[", "/", "]", "").Replace(field)
}

func enumNames(v any) any {
	switch v := v.(type) {
	case string:
		return "ORDER_STATUS_" + strings.ToUpper(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = enumNames(v[i])
		}
		return out
	}
	return v
}

// int64 fields, which protojson writes as strings.
var whole = map[string]bool{"version": true, "seq": true, "amount": true, "accepted": true, "dropped": true}

// tidy normalises responses of both APIs: empty values omitted, times to the microsecond,
// statuses and integers as in REST.
func tidy(v any) any {
	switch v := v.(type) {
	case object:
		out := object{}
		for k, x := range v {
			if s, ok := x.(string); ok && whole[k] {
				var n json.Number = json.Number(s)
				f, err := n.Float64()
				if err == nil {
					x = f
				}
			}
			if x = tidy(x); x != nil {
				out[k] = x
			}
		}
		return out
	case []any:
		if len(v) == 0 {
			return nil
		}
		out := make([]any, len(v))
		for i := range v {
			out[i] = tidy(v[i])
		}
		return out
	case string:
		if v == "" {
			return nil
		}
		if rest, ok := strings.CutPrefix(v, "ORDER_STATUS_"); ok {
			return strings.ToLower(rest)
		}
		if at, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return at.UTC().Format("2006-01-02T15:04:05.000000Z")
		}
	case float64:
		if v == 0 {
			return nil
		}
	case bool:
		if !v {
			return nil
		}
	}
	return v
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

func without(o object, keys ...string) object {
	out := object{}
	for k, v := range o {
		out[k] = v
	}
	for _, k := range keys {
		delete(out, k)
	}
	return out
}
