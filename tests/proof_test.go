package tests

import (
	"bytes"
	"image"
	"image/jpeg"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/metadata"

	"github.com/order-tracking/order-tracking/internal/domain"
	ordertrackingv1 "github.com/order-tracking/order-tracking/proto/ordertracking/v1"
)

// photo is a small JPEG with a comment.
func photo(t testing.TB) []byte {
	var b bytes.Buffer
	require.NoError(t, jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 40, 30)), nil))
	return append([]byte("\xff\xd8\xff\xfe\x00\x09PLANTED"), b.Bytes()[2:]...)
}

// as makes a request whose answer must match the OpenAPI document.
func (w *town) as(t testing.TB, key, method, path string, body any, header http.Header) (*http.Response, object) {
	t.Helper()
	raw, isForm := body.([]byte)
	if body != nil && !isForm {
		raw = encode(t, body)
	}
	h := header.Clone()
	if h == nil {
		h = http.Header{}
	}
	h.Set("Authorization", "Bearer "+key)
	resp, got := w.rest(t, method, path, raw, h)
	if strings.Contains(resp.Header.Get("Content-Type"), "json") {
		return resp, decode(t, got)
	}
	return resp, object{"text": string(got)}
}

// onItsWay makes an order of m1 that its courier has, and a link to it.
func (w *town) onItsWay(t testing.TB, more object) (id, share string) {
	in := object{"merchant_id": "m1", "customer": object{"name": "Anna", "phone": "+79165550000"}, "dropoff": object{"address": "Here 1"}}
	for k, v := range more {
		in[k] = v
	}
	id = str(w.made(t, adminKey, "/order", in), "id")
	w.made(t, adminKey, "/order/"+id+"/assign-courier", object{"courier_id": w.couriers[own]})
	for _, status := range []string{"picked_up", "out_for_delivery"} {
		resp, got := w.as(t, w.keys[domain.RoleCourier], http.MethodPatch, "/order/"+id+"/status", object{"status": status}, nil)
		require.Equal(t, http.StatusOK, resp.StatusCode, "%v", got)
	}
	return id, str(w.made(t, adminKey, "/order/"+id+"/share", object{}), "token")
}

// form is a multipart body and its header.
func form(t testing.TB, fields map[string]string, files map[string][]byte) ([]byte, http.Header) {
	var b bytes.Buffer
	f := multipart.NewWriter(&b)
	for name, value := range fields {
		require.NoError(t, f.WriteField(name, value))
	}
	for name, data := range files {
		part, err := f.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="` + name + `"; filename="x"`}, "Content-Type": {"image/svg+xml"}})
		require.NoError(t, err)
		_, err = part.Write(data)
		require.NoError(t, err)
	}
	require.NoError(t, f.Close())
	return b.Bytes(), http.Header{"Content-Type": {f.FormDataContentType()}}
}

// TestDeliveriesNeedTheirProof: on every door, and only what is missing.
func TestDeliveriesNeedTheirProof(t *testing.T) {
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t, m)
			courier := w.keys[domain.RoleCourier]
			id, share := w.onItsWay(t, object{"proof_required": []string{"photo", "pin"}})
			deliver := object{"status": "delivered"}

			resp, got := w.as(t, courier, http.MethodPatch, "/order/"+id+"/status", deliver, nil)
			require.Equal(t, http.StatusConflict, resp.StatusCode, "%v", got)
			require.Equal(t, []any{"proof_required", []any{"photo", "pin"}}, []any{got["code"], got["missing"]})
			ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+courier)
			_, err := ordertrackingv1.NewOrderServiceClient(w.conn).UpdateOrderStatus(ctx, &ordertrackingv1.UpdateOrderStatusRequest{
				OrderId: id, Status: ordertrackingv1.OrderStatus_ORDER_STATUS_DELIVERED,
			})
			require.Equal(t, "proof_required", grpcFailure(t, err).code)
			resp, got = w.as(t, w.keys[domain.RoleDispatcher], http.MethodPatch, "/order/"+id+"/status", deliver, nil)
			require.Equal(t, http.StatusConflict, resp.StatusCode, "a dispatcher says why: %v", got)

			_, seen := w.as(t, share, http.MethodGet, "/order/"+id, nil, nil)
			pin := str(seen, "pin")
			require.Regexp(t, `^\d{4}$`, pin)
			proof := newID()
			send := func(fields map[string]string) (int, object) {
				fields["id"], fields["occurred_at"] = proof, time.Now().UTC().Format(time.RFC3339)
				body, header := form(t, fields, map[string][]byte{"photo": photo(t)})
				resp, got := w.as(t, courier, http.MethodPost, "/order/"+id+"/proof", body, header)
				return resp.StatusCode, got
			}
			wrong := map[bool]string{true: "1234", false: "4321"}[pin != "1234"]
			code, got := send(map[string]string{"pin": wrong})
			require.Equal(t, http.StatusUnprocessableEntity, code, "%v", got)
			require.Equal(t, []any{"/pin", "wrong_pin"}, []any{get(got, "errors", 0, "pointer"), get(got, "errors", 0, "code")})
			code, first := send(map[string]string{"pin": pin, "recipient": "Anna"})
			require.Equal(t, http.StatusCreated, code, "%v", first)
			require.Equal(t, []any{"photo", "pin"}, first["kinds"])
			code, again := send(map[string]string{"pin": wrong, "recipient": "Somebody else"})
			require.Equal(t, http.StatusCreated, code, "%v", again)
			require.Equal(t, first, again, "its id had an answer")

			resp, got = w.as(t, courier, http.MethodPatch, "/order/"+id+"/status", deliver, nil)
			require.Equal(t, http.StatusOK, resp.StatusCode, "%v", got)
			_, events := w.as(t, adminKey, http.MethodGet, "/order/"+id+"/events", nil, nil)
			text := string(encode(t, events))
			require.Equal(t, 1, strings.Count(text, `"proof.added"`), text)
			require.NotContains(t, text, pin)
			_, seen = w.as(t, share, http.MethodGet, "/order/"+id, nil, nil)
			require.Nil(t, seen["pin"], "it is delivered")
			w.whoSeesImages(t, str(first, "photo_url"), share)

			id, _ = w.onItsWay(t, object{"proof_required": []string{"signature"}})
			resp, got = w.as(t, w.keys[domain.RoleDispatcher], http.MethodPatch, "/order/"+id+"/status", object{"status": "delivered", "reason": "told by phone"}, nil)
			require.Equal(t, http.StatusOK, resp.StatusCode, "%v", got)
		})
	}
}

func (w *town) whoSeesImages(t *testing.T, path, share string) {
	w.keys["link"] = share
	for role, want := range map[domain.Role]int{
		domain.RoleAdmin: 200, domain.RoleDispatcher: 200, domain.RoleMerchant: 200, domain.RoleCourier: 200, "link": 200,
		domain.RoleCustomer: 404, domain.RolePartner: 403, domain.RoleMonitor: 403,
	} {
		resp, got := w.as(t, w.keys[role], http.MethodGet, path, nil, nil)
		require.Equal(t, want, resp.StatusCode, "%s: %v", role, got)
		if want == http.StatusOK {
			require.Equal(t, "image/jpeg", resp.Header.Get("Content-Type"))
			_, kind, err := image.DecodeConfig(strings.NewReader(str(got, "text")))
			require.NoError(t, err)
			require.Equal(t, "jpeg", kind)
			require.NotContains(t, str(got, "text"), "PLANTED")
		}
	}
	other := str(w.made(t, adminKey, "/keys", object{"name": "other", "role": "courier", "courier_id": w.couriers[foreign]}), "key")
	for key, want := range map[string]int{other: 404, adminKey: 404} {
		address := path
		if key == adminKey {
			address = strings.Replace(path, "/photo", "/signature", 1)
		}
		resp, got := w.as(t, key, http.MethodGet, address, nil, nil)
		require.Equal(t, want, resp.StatusCode, "%v", got)
	}
	code, _ := w.ask(t, "", http.MethodGet, path+"?token="+share, nil)
	require.Equal(t, http.StatusOK, code, "as the customer's page shows it")
}

// TestThePINIsTheCustomers: nobody else sees it, and wrong ones are counted exactly.
func TestThePINIsTheCustomers(t *testing.T) {
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t, m)
			id, share := w.onItsWay(t, object{"proof_required": []string{"pin"}})
			_, seen := w.as(t, share, http.MethodGet, "/order/"+id, nil, nil)
			pin := str(seen, "pin")
			for _, role := range []domain.Role{domain.RoleAdmin, domain.RoleDispatcher, domain.RoleMerchant, domain.RoleCourier, domain.RolePartner} {
				_, got := w.as(t, w.keys[role], http.MethodGet, "/order/"+id, nil, nil)
				require.Equal(t, []any{"pin"}, got["proof_required"], role)
				require.NotContains(t, got, "pin", role)
			}
			wrong := map[bool]string{true: "0001", false: "0002"}[pin != "0001"]
			var tries sync.WaitGroup
			codes := make([]string, 20)
			for n := range codes {
				tries.Go(func() {
					resp, got := w.as(t, w.keys[domain.RoleCourier], http.MethodPost, "/order/"+id+"/proof", object{"pin": wrong}, nil)
					codes[n] = str(got, "code")
					if codes[n] == "pin_locked" && (resp.StatusCode != http.StatusLocked || resp.Header.Get("Retry-After") == "") {
						codes[n] = "without Retry-After"
					}
				})
			}
			tries.Wait()
			counted := map[string]int{}
			for _, code := range codes {
				counted[code]++
			}
			require.Equal(t, map[string]int{"validation_failed": 4, "pin_locked": 16}, counted)
			resp, got := w.as(t, w.keys[domain.RoleCourier], http.MethodPatch, "/order/"+id+"/status",
				object{"status": "delivered", "proof": object{"pin": pin}}, nil)
			require.Equal(t, http.StatusLocked, resp.StatusCode, "the right one too: %v", got)
			_, incidents := w.as(t, w.keys[domain.RoleDispatcher], http.MethodGet, "/order/"+id+"/incidents", nil, nil)
			require.Len(t, incidents["incidents"], 1, "one alert: %v", incidents)
			require.Equal(t, "pin_locked", get(incidents, "incidents", 0, "code"))
			_, events := w.as(t, adminKey, http.MethodGet, "/order/"+id+"/events", nil, nil)
			require.NotContains(t, string(encode(t, events)), `"`+wrong+`"`)

			// In one step, and where there was no network.
			id, share = w.onItsWay(t, object{"proof_required": []string{"pin"}})
			_, seen = w.as(t, share, http.MethodGet, "/order/"+id, nil, nil)
			resp, got = w.as(t, w.keys[domain.RoleCourier], http.MethodPatch, "/order/"+id+"/status",
				object{"status": "delivered", "proof": object{"code": str(seen, "pin"), "recipient": "Anna"}}, nil)
			require.Equal(t, http.StatusOK, resp.StatusCode, "%v", got)
			_, events = w.as(t, adminKey, http.MethodGet, "/order/"+id+"/events", nil, nil)
			require.NotContains(t, string(encode(t, events)), `"`+str(seen, "pin")+`"`)
			id, _ = w.onItsWay(t, object{"proof_required": []string{"pin"}})
			resp, got = w.as(t, w.keys[domain.RoleCourier], http.MethodPatch, "/order/"+id+"/status",
				object{"status": "delivered", "proof": object{"photo": photo(t), "offline": true}}, nil)
			require.Equal(t, http.StatusOK, resp.StatusCode, "%v", got)
			_, proofs := w.as(t, adminKey, http.MethodGet, "/order/"+id+"/proof", nil, nil)
			require.Equal(t, true, get(proofs, "proofs", 0, "offline"))
		})
	}
}

func TestAPhotoStandsInForAPINOnlyWhereItMay(t *testing.T) {
	w := newTown(t, mode{"refuse", func(testing.TB) []string { return []string{"--set=proof.offline=refuse"} }})
	id, _ := w.onItsWay(t, object{"proof_required": []string{"pin"}})
	resp, got := w.as(t, w.keys[domain.RoleCourier], http.MethodPatch, "/order/"+id+"/status",
		object{"status": "delivered", "proof": object{"photo": photo(t), "offline": true}}, nil)
	require.Equal(t, []any{http.StatusConflict, "proof_required"}, []any{resp.StatusCode, got["code"]}, "%v", got)
}

func TestMerchantsRequireProof(t *testing.T) {
	w := newTown(t, modes()[0])
	code, got := w.ask(t, adminKey, http.MethodPatch, "/merchants/m1", object{"proof_required": []string{"signature"}})
	require.Equal(t, http.StatusOK, code, "%v", got)
	eventually(t, "the setting is known", func() bool {
		id, _ := w.onItsWay(t, nil)
		_, got := w.as(t, adminKey, http.MethodGet, "/order/"+id, nil, nil)
		return len(list(got["proof_required"])) == 1
	})
	id, _ := w.onItsWay(t, object{"proof_required": []string{}})
	resp, got := w.as(t, w.keys[domain.RoleCourier], http.MethodPatch, "/order/"+id+"/status", object{"status": "delivered"}, nil)
	require.Equal(t, http.StatusOK, resp.StatusCode, "the order says none: %v", got)
	id, _ = w.onItsWay(t, nil)
	resp, got = w.as(t, w.keys[domain.RoleMerchant], http.MethodPatch, "/order/"+id, object{"proof_required": []string{"photo", "photo"}}, nil)
	require.Equal(t, http.StatusUnprocessableEntity, resp.StatusCode, "%v", got)
	resp, got = w.as(t, w.keys[domain.RoleMerchant], http.MethodPatch, "/order/"+id, object{"proof_required": nil}, nil)
	require.Equal(t, http.StatusOK, resp.StatusCode, "%v", got)
	require.Nil(t, got["proof_required"])
}

func TestProofsThatAreNone(t *testing.T) {
	w := newTown(t, modes()[0])
	id, _ := w.onItsWay(t, nil)
	svg := []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`)
	body, header := form(t, nil, map[string][]byte{"photo": svg})
	twice, twiceHeader := form(t, map[string]string{"note": "a", "recipient": "b"}, nil)
	twice = bytes.Replace(twice, []byte(`"recipient"`), []byte(`"note"`), 1)
	unknown, unknownHeader := form(t, map[string]string{"colour": "red"}, nil)
	maybe, maybeHeader := form(t, map[string]string{"note": "x", "offline": "perhaps"}, nil)
	for name, c := range map[string]struct {
		body   any
		header http.Header
		status int
		text   string
	}{
		"nothing":          {object{}, nil, 422, "required"},
		"SVG":              {body, header, 422, "invalid_image"},
		"SVG in JSON":      {object{"photo": svg}, nil, 422, "invalid_image"},
		"no base64":        {object{"photo": "?"}, nil, 422, "/photo"},
		"a PIN for none":   {object{"pin": "1234"}, nil, 422, "no_pin"},
		"no id":            {object{"id": "1", "note": "x"}, nil, 422, "/id"},
		"elsewhere":        {object{"photo_url": "https://example.com/x.jpg"}, nil, 422, "unknown_field"},
		"an unknown part":  {unknown, unknownHeader, 422, "colour"},
		"neither true":     {maybe, maybeHeader, 422, "/offline"},
		"a part twice":     {twice, twiceHeader, 400, "twice"},
		"no form":          {[]byte("x"), header, 400, "form"},
		"another type":     {[]byte("x"), http.Header{"Content-Type": {"text/plain"}}, 415, ""},
		"too large":        {object{"photo": make([]byte, 14<<20)}, nil, 413, ""},
		"a clock of words": {object{"note": "x"}, http.Header{"Device-Time": {"noon"}}, 422, "/Device-Time"},
		"the future":       {object{"note": "x", "occurred_at": time.Now().Add(time.Hour)}, nil, 422, "/occurred_at"},
	} {
		resp, got := w.as(t, w.keys[domain.RoleCourier], http.MethodPost, "/order/"+id+"/proof", c.body, c.header)
		require.Equal(t, c.status, resp.StatusCode, "%s: %v", name, got)
		require.Contains(t, string(encode(t, got)), c.text, name)
	}
	_, proofs := w.as(t, adminKey, http.MethodGet, "/order/"+id+"/proof", nil, nil)
	require.Empty(t, proofs["proofs"])
}

// TestClocksOfPhonesAreCorrected: what the phone says happened a minute ago did, whatever its clock shows.
func TestClocksOfPhonesAreCorrected(t *testing.T) {
	w := newTown(t, modes()[0])
	id, _ := w.onItsWay(t, nil)
	ahead := time.Now().Add(3 * time.Hour).UTC()
	header := http.Header{"Device-Time": {ahead.Format(time.RFC3339)}}
	at := ahead.Add(-time.Minute).Format(time.RFC3339)
	_, proof := w.as(t, w.keys[domain.RoleCourier], http.MethodPost, "/order/"+id+"/proof", object{"note": "x", "occurred_at": at}, header)
	_, incident := w.as(t, w.keys[domain.RoleCourier], http.MethodPost, "/order/"+id+"/incidents", object{"code": "x", "occurred_at": at}, header)
	_, order := w.as(t, w.keys[domain.RoleCourier], http.MethodPatch, "/order/"+id+"/status", object{"status": "delivered", "occurred_at": at}, header)
	for _, got := range []string{str(proof, "occurred_at"), str(incident, "occurred_at"), str(order, "delivered_at")} {
		happened, err := time.Parse(time.RFC3339, got)
		require.NoError(t, err, "%v %v %v", proof, incident, order)
		require.WithinDuration(t, time.Now().Add(-time.Minute), happened, 30*time.Second)
	}
	path := "/courier/" + w.couriers[own] + "/location"
	resp, got := w.as(t, w.keys[domain.RoleCourier], http.MethodPost, path, object{"lat": 55.751, "lon": 37.621, "recorded_at": ahead.Add(-time.Second)}, header)
	require.Equal(t, http.StatusAccepted, resp.StatusCode, "%v", got)
	require.Equal(t, 1.0, got["accepted"], "%v", got)
	_, position := w.as(t, adminKey, http.MethodGet, path, nil, nil)
	recorded, err := time.Parse(time.RFC3339, str(position, "recorded_at"))
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), recorded, 30*time.Second)
}

// TestWhoSeesIncidents: dispatchers, the merchant and the courier who reported it, who close it.
func TestWhoSeesIncidents(t *testing.T) {
	w := newTown(t, modes()[0])
	id, share := w.onItsWay(t, nil)
	path := "/order/" + id + "/incidents"
	incident := newID()
	body, header := form(t, map[string]string{"id": incident, "code": "not_there", "text": "nobody opens"}, map[string][]byte{"photo": photo(t)})
	for range 2 {
		resp, got := w.as(t, w.keys[domain.RoleCourier], http.MethodPost, path, body, header)
		require.Equal(t, http.StatusCreated, resp.StatusCode, "%v", got)
		require.Equal(t, incident, str(got, "id"))
	}
	for key, want := range map[string]int{adminKey: 1, w.keys[domain.RoleMerchant]: 1, w.keys[domain.RolePartner]: 0} {
		_, got := w.as(t, key, http.MethodGet, "/orders?incident=true", nil, nil)
		require.Len(t, got["orders"], want)
	}
	seen := func(key string) int {
		_, got := w.as(t, key, http.MethodGet, path, nil, nil)
		return len(list(got["incidents"]))
	}
	for _, role := range []domain.Role{domain.RoleAdmin, domain.RoleDispatcher, domain.RoleMerchant, domain.RoleCourier} {
		require.Equal(t, 1, seen(w.keys[role]), role)
		resp, got := w.as(t, w.keys[role], http.MethodGet, path+"/"+incident+"/photo", nil, nil)
		require.Equal(t, http.StatusOK, resp.StatusCode, "%s: %v", role, got)
	}
	for key, hidden := range map[string]bool{w.keys[domain.RoleMerchant]: false, w.keys[domain.RolePartner]: true, share: true} {
		_, got := w.as(t, key, http.MethodGet, "/order/"+id+"/events", nil, nil)
		require.Equal(t, !hidden, strings.Contains(string(encode(t, got)), "incident.opened"))
	}
	for _, role := range []domain.Role{domain.RolePartner, domain.RoleMonitor} {
		resp, _ := w.as(t, w.keys[role], http.MethodGet, path, nil, nil)
		require.Equal(t, http.StatusForbidden, resp.StatusCode, role)
	}

	// One that a dispatcher opened is not the courier's.
	theirs := str(w.made(t, adminKey, path, object{"code": "wrong_address"}), "id")
	require.Equal(t, []int{2, 1}, []int{seen(adminKey), seen(w.keys[domain.RoleCourier])})
	resp, got := w.as(t, w.keys[domain.RoleCourier], http.MethodPost, path+"/"+theirs+"/close", object{}, nil)
	require.Equal(t, http.StatusNotFound, resp.StatusCode, "%v", got)
	resp, got = w.as(t, w.keys[domain.RoleMerchant], http.MethodPost, path+"/"+theirs+"/close", object{}, nil)
	require.Equal(t, http.StatusForbidden, resp.StatusCode, "%v", got)
	for range 2 {
		resp, got = w.as(t, w.keys[domain.RoleCourier], http.MethodPost, path+"/"+incident+"/close", object{"text": "he came"}, nil)
		require.Equal(t, http.StatusOK, resp.StatusCode, "%v", got)
		require.NotEmpty(t, got["closed_at"])
	}
	_, events := w.as(t, adminKey, http.MethodGet, "/order/"+id+"/events", nil, nil)
	text := string(encode(t, events))
	require.Equal(t, []int{2, 1}, []int{strings.Count(text, `"incident.opened"`), strings.Count(text, `"incident.closed"`)})
}

// TestIncidentsReachWatchers as notes, which the AsyncAPI document describes.
func TestIncidentsReachWatchers(t *testing.T) {
	eachStream(t, func(t *testing.T, s *server, open func(id string, since int64) *stream) {
		post := func(path string, in object) object {
			resp, got := s.rest(t, http.MethodPost, path, encode(t, in), nil)
			require.Less(t, resp.StatusCode, 300, "%s", got)
			return decode(t, got)
		}
		id := str(post("/order", object{"customer": object{"name": "Anna"}, "dropoff": object{"address": "Here 1"}}), "id")
		watched := open(id, -1)
		require.Equal(t, "snapshot", str(watched.next(t), "type"))
		incident := str(post("/order/"+id+"/incidents", object{"code": "damaged", "text": "wet"}), "id")
		post("/order/"+id+"/incidents/"+incident+"/close", object{})
		for _, kind := range []string{"incident.opened", "incident.closed"} {
			note := watched.until(t, "note")
			require.Equal(t, kind, str(note, "data", "type"), "%v", note)
			require.Equal(t, incident, str(note, "data", "data", "incident_id"), "%v", note)
		}
	})
}
