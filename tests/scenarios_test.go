package tests

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var draft = object{
	"external_id": "A-1", "customer": object{"name": "Анна", "phone": "+7 916 123-45-67", "email": "anna@example.com", "locale": "ru"},
	"pickup":  object{"address": "Tverskaya 7", "location": object{"lat": 55.7597, "lon": 37.6103}},
	"dropoff": object{"address": "Arbat 12", "location": object{"lat": 55.7507, "lon": 37.5956}, "notes": "ring twice"},
	"items":   []any{object{"name": "Pizza", "quantity": 2, "price": object{"amount": 79900, "currency": "RUB"}, "weight_g": 450}},
	"total":   object{"amount": 159800, "currency": "RUB"}, "notes": "hot", "metadata": object{"table": "7"},
}

func ok(t testing.TB, a answer) object {
	t.Helper()
	require.Empty(t, a.code, "%+v", a)
	return a.body
}

func fails(t testing.TB, a answer, code string, pointers ...string) answer {
	t.Helper()
	require.Equal(t, code, a.code, "%+v", a)
	require.ElementsMatch(t, pointers, a.pointers)
	return a
}

func create(t testing.TB, d api) string {
	t.Helper()
	return str(ok(t, d.do(t, call{op: "CreateOrder", in: without(draft, "external_id")})), "order", "id")
}

func move(t testing.TB, d api, id, status string) object {
	t.Helper()
	return ok(t, d.do(t, call{op: "UpdateOrderStatus", in: object{"order_id": id, "status": status}}))
}

func (s *server) courier(t testing.TB, in object) string {
	t.Helper()
	resp, body := s.rest(t, "POST", "/couriers", encode(t, in), nil)
	require.Equal(t, 201, resp.StatusCode, "%s", body)
	return str(decode(t, body), "id")
}

// locate reports a courier's position.
func (s *server) locate(t testing.TB, courier string, lat, lon float64) {
	t.Helper()
	resp, body := s.rest(t, "POST", "/courier/"+courier+"/location", encode(t, object{"lat": lat, "lon": lon}), nil)
	require.Equal(t, 202, resp.StatusCode, "%s", body)
}

func TestFromCreationToDelivery(t *testing.T) {
	bothAPIs(t, func(t *testing.T, s *server, d api) {
		o := get(ok(t, d.do(t, call{op: "CreateOrder", in: draft})), "order").(object)
		id := str(o, "id")
		require.Equal(t, "created", o["status"])
		require.EqualValues(t, 1, o["version"])
		require.Equal(t, "+79161234567", str(o, "customer", "phone"), "E.164")
		require.Equal(t, "route", str(o, "eta", "method"))

		courier := s.courier(t, object{"name": "Boris", "vehicle": "bicycle"})
		o = get(ok(t, d.do(t, call{op: "AssignCourier", in: object{"order_id": id, "courier_id": courier}})), "order").(object)
		require.Equal(t, "assigned", o["status"])
		require.Equal(t, courier, o["courier_id"])
		move(t, d, id, "at_pickup")
		move(t, d, id, "picked_up")
		s.locate(t, courier, 55.755, 37.60)
		got := ok(t, d.do(t, call{op: "GetCourierLocation", in: object{"courier_id": courier}}))
		require.Equal(t, 55.755, get(got, "position", "lat"))
		require.Nil(t, got["stale"])

		estimate := ok(t, d.do(t, call{op: "EstimateDelivery", in: object{"order_id": id}}))
		require.Equal(t, "live", str(estimate, "estimate", "method"))
		status := ok(t, d.do(t, call{op: "GetOrderStatus", in: object{"order_id": id}}))
		require.Equal(t, []any{"in_transit", "out_for_delivery", "delivered", "returning", "failed"}, status["allowed_transitions"])
		require.EqualValues(t, 4, status["version"])

		track := ok(t, d.do(t, call{op: "TrackOrder", in: object{"order_id": id}}))
		require.Equal(t, 37.6, get(track, "position", "lon"))
		require.Len(t, track["timeline"], 4)
		eventually(t, "the trail is kept", func() bool {
			resp, body := s.rest(t, "GET", "/order/"+id+"/track", nil, nil)
			return resp.StatusCode == 200 && len(list(decode(t, body)["trail"])) == 1
		})

		move(t, d, id, "out_for_delivery")
		proof := object{"recipient": "Anna", "code": "1234"}
		delivered := time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)
		o = get(ok(t, d.do(t, call{op: "UpdateOrderStatus", in: object{
			"order_id": id, "status": "delivered", "proof": proof, "occurred_at": delivered, "reason": "at the door",
		}})), "order").(object)
		require.Equal(t, "delivered", o["status"])
		require.EqualValues(t, 1, o["attempts"])
		estimate = ok(t, d.do(t, call{op: "EstimateDelivery", in: object{"order_id": id}}))
		require.Equal(t, "actual", str(estimate, "estimate", "method"))
		require.Equal(t, str(estimate, "estimate", "earliest"), str(estimate, "estimate", "latest"))

		track = ok(t, d.do(t, call{op: "TrackOrder", in: object{"order_id": id}}))
		require.Nil(t, track["position"], "where the courier is now is nobody's business any more")
		last := list(track["timeline"])[5]
		require.Equal(t, "at the door", str(last, "reason"))
		require.Equal(t, "1234", str(last, "data", "proof", "code"))
		require.Equal(t, "out_for_delivery", str(last, "previous_status"))
		a := fails(t, d.do(t, call{op: "UpdateOrderStatus", in: object{"order_id": id, "status": "returning"}}), "illegal_transition")
		require.Empty(t, a.allowed)
		require.Equal(t, "delivered", str(move(t, d, id, "delivered"), "order", "status"), "asking for the state it is in is fine")
	})
}

func TestIllegalSteps(t *testing.T) {
	bothAPIs(t, func(t *testing.T, s *server, d api) {
		id := create(t, d)
		a := fails(t, d.do(t, call{op: "UpdateOrderStatus", in: object{"order_id": id, "status": "delivered"}}), "illegal_transition")
		require.Equal(t, []string{"confirmed", "assigned", "cancelled"}, a.allowed)
		fails(t, d.do(t, call{op: "UpdateOrderStatus", in: object{"order_id": id, "status": "assigned"}}), "validation_failed", "/status")
		ok(t, d.do(t, call{op: "AssignCourier", in: object{"order_id": id, "courier_id": s.courier(t, object{"name": "B"})}}))
		o := get(move(t, d, id, "confirmed"), "order").(object)
		require.Nil(t, o["courier_id"], "declined")
		ok(t, d.do(t, call{op: "AssignCourier", in: object{"order_id": id, "courier_id": s.courier(t, object{"name": "C"})}}))
		move(t, d, id, "picked_up")
		a = fails(t, d.do(t, call{op: "CancelOrder", in: object{"order_id": id}}), "cancel_after_pickup")
		require.Contains(t, a.allowed, "returning")
		move(t, d, id, "returning")
		fails(t, d.do(t, call{op: "EstimateDelivery", in: object{"order_id": id}}), "order_finished")
		move(t, d, id, "returned")
	})
}

func TestCancel(t *testing.T) {
	bothAPIs(t, func(t *testing.T, s *server, d api) {
		id := create(t, d)
		fails(t, d.do(t, call{op: "CancelOrder", in: object{"order_id": id}, expected: 7}), "version_conflict")
		o := get(ok(t, d.do(t, call{op: "CancelOrder", in: object{"order_id": id, "reason": "changed my mind"}, expected: 1})), "order").(object)
		require.Equal(t, "cancelled", o["status"])
		require.NotEmpty(t, o["cancelled_at"])
		again := get(ok(t, d.do(t, call{op: "CancelOrder", in: object{"order_id": id}})), "order").(object)
		require.Equal(t, o["version"], again["version"], "cancelled once")
		fails(t, d.do(t, call{op: "EstimateDelivery", in: object{"order_id": id}}), "order_finished")
	})
}

func TestAssignment(t *testing.T) {
	bothAPIs(t, func(t *testing.T, s *server, d api) {
		id := create(t, d)
		fails(t, d.do(t, call{op: "AssignCourier", in: object{"order_id": id, "auto": true}}), "no_courier_available")
		fails(t, d.do(t, call{op: "AssignCourier", in: object{"order_id": id}}), "validation_failed", "/courier_id")
		fails(t, d.do(t, call{op: "AssignCourier", in: object{"order_id": id, "courier_id": newID()}}), "courier_not_found")
		far, near := s.courier(t, object{"name": "Far"}), s.courier(t, object{"name": "Near", "capacity": 1})
		off := s.courier(t, object{"name": "Nearer, off duty", "on_duty": false})
		s.locate(t, far, 55.80, 37.70)
		s.locate(t, near, 55.7600, 37.6110)
		s.locate(t, off, 55.7597, 37.6103)
		o := get(ok(t, d.do(t, call{op: "AssignCourier", in: object{"order_id": id, "auto": true}})), "order").(object)
		require.Equal(t, near, o["courier_id"])

		second := create(t, d)
		fails(t, d.do(t, call{op: "AssignCourier", in: object{"order_id": second, "courier_id": near}}), "courier_busy")
		o = get(ok(t, d.do(t, call{op: "AssignCourier", in: object{"order_id": second, "auto": true}})), "order").(object)
		require.Equal(t, far, o["courier_id"], "the near one is full")
		orders := ok(t, d.do(t, call{op: "ListCourierOrders", in: object{"courier_id": far}}))
		require.Equal(t, second, str(orders, "orders", 0, "id"))
	})
}

func TestIdempotency(t *testing.T) {
	bothAPIs(t, func(t *testing.T, s *server, d api) {
		c := call{op: "CreateOrder", in: draft, key: "k-1"}
		first := d.do(t, c)
		id := str(ok(t, first), "order", "id")
		require.False(t, first.replayed)
		again := d.do(t, c)
		require.True(t, again.replayed)
		require.Equal(t, id, str(ok(t, again), "order", "id"))
		other := call{op: "CreateOrder", in: without(draft, "notes"), key: "k-1"}
		fails(t, d.do(t, other), "idempotency_key_reused")
		fails(t, d.do(t, call{op: "CreateOrder", in: draft}), "duplicate_external_id")
		s.restart(t)
		require.True(t, d.do(t, c).replayed, "also after a restart")

		note := call{op: "NotifyCustomer", in: object{"order_id": id, "text": "soon"}, key: "k-2"}
		n := ok(t, d.do(t, note))
		require.Equal(t, n["notification_id"], ok(t, d.do(t, note))["notification_id"])
	})
}

func TestLists(t *testing.T) {
	bothAPIs(t, func(t *testing.T, s *server, d api) {
		var ids []string
		for i := range 7 {
			in := without(draft)
			in["external_id"], in["merchant_id"] = fmt.Sprint("X", i), fmt.Sprint("m", i%2)
			ids = append(ids, str(ok(t, d.do(t, call{op: "CreateOrder", in: in})), "order", "id"))
		}
		ok(t, d.do(t, call{op: "CancelOrder", in: object{"order_id": ids[0]}}))

		var seen []string
		in := object{"page_size": 3}
		for {
			page := ok(t, d.do(t, call{op: "GetOrders", in: in}))
			for _, o := range list(page["orders"]) {
				seen = append([]string{str(o, "id")}, seen...)
			}
			token := str(page, "next_page_token")
			if token == "" {
				break
			}
			in = object{"page_size": 3, "page_token": token}
			fails(t, d.do(t, call{op: "GetOrders", in: object{"page_size": 3, "page_token": token, "merchant_id": "m1"}}), "malformed")
		}
		require.Equal(t, ids, seen, "newest first, every one once")

		count := func(in object) int {
			return len(list(ok(t, d.do(t, call{op: "GetOrders", in: in}))["orders"]))
		}
		require.Equal(t, 3, count(object{"merchant_id": "m1"}))
		require.Equal(t, 1, count(object{"external_id": "X3"}))
		require.Equal(t, 7, count(object{"customer_phone": "+7 916 1234567"}))
		require.Equal(t, 7, count(object{"q": "аНН"}))
		require.Equal(t, 0, count(object{"q": "nobody"}))
		require.Equal(t, 6, count(object{"active": true}))
		require.Equal(t, 1, count(object{"status": []any{"cancelled", "delivered"}}))
		require.Equal(t, 0, count(object{"created_from": time.Now().Add(time.Hour).UTC().Format(time.RFC3339)}))
		require.Equal(t, 7, count(object{"created_to": time.Now().Add(time.Hour).UTC().Format(time.RFC3339)}))

		fails(t, d.do(t, call{op: "GetOrders", in: object{"page_size": 501}}), "validation_failed", "/page_size")
		fails(t, d.do(t, call{op: "GetOrders", in: object{"customer_phone": "x"}}), "validation_failed", "/customer_phone")
		fails(t, d.do(t, call{op: "GetOrders", in: object{"courier_id": "7"}}), "validation_failed", "/courier_id")
		fails(t, d.do(t, call{op: "GetOrders", in: object{"page_token": "AAAA"}}), "malformed")
	})
}

func TestUnknownAndBadIDs(t *testing.T) {
	bothAPIs(t, func(t *testing.T, _ *server, d api) {
		for _, op := range []string{"GetOrder", "GetOrderStatus", "TrackOrder", "EstimateDelivery", "CancelOrder", "NotifyCustomer"} {
			fails(t, d.do(t, call{op: op, in: object{"order_id": newID()}}), "order_not_found")
			fails(t, d.do(t, call{op: op, in: object{"order_id": "seven"}}), "validation_failed", "/order_id")
		}
		for _, op := range []string{"GetCourierLocation", "ListCourierOrders"} {
			fails(t, d.do(t, call{op: op, in: object{"courier_id": newID()}}), "courier_not_found")
			fails(t, d.do(t, call{op: op, in: object{"courier_id": "seven"}}), "validation_failed", "/courier_id")
		}
		fails(t, d.do(t, call{op: "UpdateOrderStatus", in: object{"order_id": newID(), "status": "confirmed"}}), "order_not_found")
		fails(t, d.do(t, call{op: "AssignCourier", in: object{"order_id": newID(), "auto": true}}), "order_not_found")
	})
}

func TestNoPositionYet(t *testing.T) {
	bothAPIs(t, func(t *testing.T, s *server, d api) {
		courier := s.courier(t, object{"name": "Boris"})
		fails(t, d.do(t, call{op: "GetCourierLocation", in: object{"courier_id": courier}}), "position_not_found")
	})
}

func TestNotify(t *testing.T) {
	bothAPIs(t, func(t *testing.T, _ *server, d api) {
		id := create(t, d)
		n := ok(t, d.do(t, call{op: "NotifyCustomer", in: object{"order_id": id, "template": "delayed"}}))
		require.Equal(t, "live", str(n, "deliveries", 0, "channel"))
		require.Equal(t, "nobody_watching", str(n, "deliveries", 0, "status"))
		ok(t, d.do(t, call{op: "NotifyCustomer", in: object{"order_id": id}}))
		fails(t, d.do(t, call{op: "NotifyCustomer", in: object{"order_id": id, "channel": "pigeon"}}), "validation_failed", "/channel")
		fails(t, d.do(t, call{op: "NotifyCustomer", in: object{"order_id": id, "template": "love"}}), "validation_failed", "/template")
		track := ok(t, d.do(t, call{op: "TrackOrder", in: object{"order_id": id}}))
		note := list(track["timeline"])[1]
		require.Equal(t, "order.notified", str(note, "type"))
		require.Contains(t, str(note, "data", "text"), "задерживается", "in the customer's language")
		require.EqualValues(t, 1, get(note, "version"), "a note leaves the version alone")
		require.EqualValues(t, 2, get(note, "seq"))
	})
}
