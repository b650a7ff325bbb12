package tests

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	emulate "github.com/order-tracking/order-tracking/internal/carrier/emulator"
	"github.com/order-tracking/order-tracking/internal/carrier/yandex/sandbox"
)

// manyCarriers are the flags of a server with emulated accounts of several companies.
func manyCarriers(t testing.TB) []string {
	file := filepath.Join(t.TempDir(), "accounts.yaml")
	require.NoError(t, os.WriteFile(file, []byte(`accounts:
  - {carrier: easypost, name: world, account: main, secret: key, base_url: emulator}
  - {carrier: yandex, name: moscow, account: main, secret: token, base_url: emulator, from_city: Москва, from_address: "ул. Складская, 1", sender_name: Shop, sender_phone: "+74951234567"}
`), 0o600))
	return []string{"--sandbox-carriers", "--set=carriers.accounts_file=" + file}
}

// A number of UPS, given without a company, is followed through EasyPost to its delivery:
// over REST, the timeline and Kafka.
func TestANumberFromAnywhere(t *testing.T) {
	t.Parallel() // it waits for most of its time
	s := start(t, manyCarriers(t)...)
	create := func() string {
		resp, body := s.rest(t, "POST", "/order", encode(t, object{"customer": object{"name": "Anna"}, "dropoff": object{"address": "Main St 1"}}), nil)
		require.Equal(t, 201, resp.StatusCode, "%s", body)
		return str(decode(t, body), "id")
	}
	id := create()
	follow := func(id, number string) (int, object) {
		resp, body := s.rest(t, "POST", "/order/"+id+"/shipment", encode(t, object{"tracking_number": number}), nil)
		return resp.StatusCode, decode(t, body)
	}
	status, body := follow(id, "1106094897") // CDEK's, or DHL's
	require.Equal(t, 422, status, "%v", body)
	require.Equal(t, "cdek", str(list(body["errors"])[0], "detail"))
	require.Equal(t, "candidate", str(list(body["errors"])[0], "code"))
	status, body = follow(id, "LK123456785FI")
	require.Equal(t, 422, status, "nobody follows the Finnish post: %v", body)

	status, body = follow(id, "1z 999 aa1 0123456784")
	require.Equal(t, 202, status, "%v", body)
	require.Equal(t, "easypost", str(body, "carrier"))
	require.Equal(t, "1Z999AA10123456784", str(body, "tracking_number"))
	require.Eventually(t, func() bool {
		_, body := s.rest(t, "GET", "/order/"+id+"/status", nil, nil)
		return str(decode(t, body), "status") == "delivered"
	}, time.Minute, 200*time.Millisecond)
	require.Equal(t, []string{"created", "picked_up", "in_transit", "out_for_delivery", "delivered"}, timeline(t, s, id))
	requireOnKafka(t, s, id, "delivered")
}

// A claim of Yandex Delivery is booked, accepted, carried and delivered: over REST, the
// timeline and Kafka; the journal and the webhooks make the server look in time.
func TestExpressClaim(t *testing.T) {
	t.Parallel() // it waits for most of its time
	s := start(t, manyCarriers(t)...)
	resp, body := s.rest(t, "POST", "/order", encode(t, object{
		"customer": object{"name": "Anna", "phone": "+79161234567"}, "dropoff": object{"address": "Москва, ул. Ленина, 1"},
		"items": []any{object{"name": "Чай", "quantity": 2}},
	}), nil)
	require.Equal(t, 201, resp.StatusCode, "%s", body)
	id := str(decode(t, body), "id")
	resp, body = s.rest(t, "POST", "/order/"+id+"/shipment", encode(t, object{"carrier": "yandex", "to": object{"point": "X"}}), nil)
	require.Equal(t, 422, resp.StatusCode, "%s", body)
	resp, body = s.rest(t, "POST", "/order/"+id+"/shipment", encode(t, object{"carrier": "yandex", "tariff": "express"}), nil)
	require.Equal(t, 202, resp.StatusCode, "%s", body)
	require.Eventually(t, func() bool {
		_, body := s.rest(t, "GET", "/order/"+id+"/status", nil, nil)
		return str(decode(t, body), "status") == "delivered"
	}, time.Minute, 200*time.Millisecond)
	told := timeline(t, s, id)
	require.Equal(t, []string{"created", "assigned", "picked_up", "out_for_delivery", "at_dropoff", "delivered"}, told)
	_, body = s.rest(t, "GET", "/order/"+id+"/shipment", nil, nil)
	shipment := decode(t, body)
	require.Equal(t, "318.60", fmt.Sprintf("%.2f", get(shipment, "price", "amount").(float64)/100))
	require.True(t, slices.ContainsFunc(list(shipment["events"]), func(ev any) bool {
		return str(ev, "kind") == "courier" && strings.Contains(str(ev, "value"), "Lada")
	}), "who carries it: %s", body)
	requireOnKafka(t, s, id, "delivered")
}

// yandexServer is a server whose only company is an emulator of Yandex Delivery.
func yandexServer(t *testing.T, o sandbox.Options) (*sandbox.Server, *server) {
	life, end := context.WithCancel(context.WithoutCancel(t.Context()))
	emulator := sandbox.New(o)
	base, done, err := emulator.Listen(life)
	require.NoError(t, err)
	t.Cleanup(func() { end(); <-done })
	file := filepath.Join(t.TempDir(), "accounts.yaml")
	require.NoError(t, os.WriteFile(file, []byte(`accounts:
  - {carrier: yandex, name: moscow, account: main, secret: token, base_url: "`+base+`", from_address: "ул. Складская, 1", sender_name: Shop, sender_phone: "+74951234567"}
`), 0o600))
	return emulator, start(t, "--set=carriers.accounts_file="+file)
}

// A customer sees the carrier's courier, by first name, while he carries the order, and neither before nor after.
func TestACarriersCourierIsSeen(t *testing.T) {
	t.Parallel() // it waits for most of its time
	emulator, s := yandexServer(t, sandbox.Options{Travel: []sandbox.Step{{Status: "performer_lookup"}, {Status: "performer_found"}, {After: time.Second, Status: "pickuped"}}})
	_, body := s.rest(t, "POST", "/order", encode(t, object{
		"customer": object{"name": "Anna", "phone": "+79161234567"}, "dropoff": object{"address": "Москва, ул. Ленина, 1"},
	}), nil)
	id := str(decode(t, body), "id")
	_, body = s.rest(t, "POST", "/order/"+id+"/share", []byte(`{}`), nil)
	token := "?token=" + str(decode(t, body), "token")
	customer, _ := dial(t, s, "/order/"+id+"/ws"+token)
	resp, body := s.rest(t, "POST", "/order/"+id+"/shipment", encode(t, object{"tariff": "express"}), nil)
	require.Equal(t, 202, resp.StatusCode, "%s", body)
	status := ""
	for f := customer.next(t); f["type"] != "position"; f = customer.next(t) {
		if told := str(f, "data", "status"); told != "" {
			status = told
		}
	}
	require.Contains(t, []string{"picked_up", "out_for_delivery"}, status)
	for _, who := range []string{token, ""} {
		eventually(t, "REST tells it, too", func() bool {
			_, body := s.rest(t, "GET", "/order/"+id+"/track"+who, nil, nil)
			return str(decode(t, body), "courier", "name") == "Иван" && get(decode(t, body), "position", "lat") != nil
		})
	}
	again, _ := dial(t, s, "/order/"+id+"/ws"+token)
	require.NotNil(t, get(again.next(t), "data", "position"))
	require.True(t, emulator.Report(emulator.Claims()[0].ID, "delivered_finish"))
	for range customer.frames { // until the end
		continue
	}
	_, body = s.rest(t, "GET", "/order/"+id+"/track"+token, nil, nil)
	require.Nil(t, decode(t, body)["position"], "not after the end: %s", body)
}

// A dispatcher who opens an order sees the carrier's courier on its map, and no longer when it has ended.
func TestTheBoardShowsACarriersCourier(t *testing.T) {
	emulator, s := yandexServer(t, sandbox.Options{Travel: []sandbox.Step{{Status: "performer_lookup"}, {Status: "performer_found"}, {Status: "pickuped"}}})
	_, body := s.rest(t, "POST", "/order", encode(t, object{
		"customer": object{"name": "Anna", "phone": "+79161234567"},
		"dropoff":  object{"address": "Москва, ул. Ленина, 1", "location": object{"lat": 55.76, "lon": 37.64}},
	}), nil)
	id := str(decode(t, body), "id")
	p := look(t, "http://"+s.http+"/?lang=en&order="+id, 1280, "")
	p.until(`document.querySelector(".small-map .pin.home")`)
	resp, body := s.rest(t, "POST", "/order/"+id+"/shipment", encode(t, object{"tariff": "express"}), nil)
	require.Equal(t, 202, resp.StatusCode, "%s", body)
	p.until(`document.querySelector(".small-map .pin.courier")`)
	require.True(t, emulator.Report(emulator.Claims()[0].ID, "delivered_finish"))
	p.until(`!document.querySelector(".small-map .pin.courier")`)
	p.calm()
}

// A claim whose answer is lost is made again at once, and is the same one.
func TestAClaimWithoutAnAnswerIsOne(t *testing.T) {
	t.Parallel() // it waits for most of its time
	emulator, s := yandexServer(t, sandbox.Options{})
	resp, body := s.rest(t, "POST", "/order", encode(t, object{
		"customer": object{"name": "Anna", "phone": "+79161234567"}, "dropoff": object{"address": "Москва, ул. Ленина, 1"},
	}), nil)
	require.Equal(t, 201, resp.StatusCode, "%s", body)
	id := str(decode(t, body), "id")
	emulator.Fail(emulate.Fault{Kind: emulate.Lost, Path: "/claims/create", Times: 3})
	resp, body = s.rest(t, "POST", "/order/"+id+"/shipment", encode(t, object{"tariff": "express"}), nil)
	require.Equal(t, 202, resp.StatusCode, "%s", body)
	require.Eventually(t, func() bool {
		_, body := s.rest(t, "GET", "/order/"+id+"/shipment", nil, nil)
		return str(decode(t, body), "phase") == "registered"
	}, time.Minute, 200*time.Millisecond)
	require.Len(t, emulator.Claims(), 1)
	require.True(t, emulator.Report(emulator.Claims()[0].ID, "pickup_arrived"))
	eventually(t, "the courier has come", func() bool {
		_, body := s.rest(t, "GET", "/order/"+id+"/status", nil, nil)
		return str(decode(t, body), "status") == "assigned"
	})
	resp, body = s.rest(t, "DELETE", "/order/"+id, nil, nil)
	require.Equal(t, 409, resp.StatusCode)
	require.Equal(t, "paid_cancel_required", str(decode(t, body), "code"))
	price := get(decode(t, body), "terms", "price")
	require.Zero(t, emulator.Paid())
	resp, body = s.rest(t, "POST", "/order/"+id+"/shipment/refusal", encode(t, object{"confirm": true}), nil)
	require.Equal(t, 409, resp.StatusCode, "the price must be repeated: %s", body)
	resp, body = s.rest(t, "POST", "/order/"+id+"/shipment/refusal", encode(t, object{"confirm": true, "price": price}), nil)
	require.Equal(t, 202, resp.StatusCode, "%s", body)
	require.Equal(t, 1, emulator.Paid())
	eventually(t, "the order waits for another company", func() bool {
		_, body := s.rest(t, "GET", "/order/"+id, nil, nil)
		return str(decode(t, body), "status") == "confirmed" && str(decode(t, body), "shipment", "phase") == "cancelled"
	})
}

// timeline returns the statuses of an order's history.
func timeline(t testing.TB, s *server, id string) (out []string) {
	_, body := s.rest(t, "GET", "/order/"+id+"/events", nil, nil)
	for _, ev := range list(decode(t, body)["events"]) {
		if status := str(ev, "status"); status != "" && (len(out) == 0 || out[len(out)-1] != status) {
			out = append(out, status)
		}
	}
	return out
}

// requireOnKafka waits until Kafka has an order's event with the status.
func requireOnKafka(t testing.TB, s *server, id, status string) {
	records(t, s, func(rs []*kgo.Record) bool {
		return slices.ContainsFunc(rs, func(r *kgo.Record) bool {
			return string(r.Key) == id && str(decode(t, r.Value), "status") == status
		})
	}, "order_updated")
}
