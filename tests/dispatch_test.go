package tests

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/lxzan/gws"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/metadata"

	ordertrackingv1 "github.com/order-tracking/order-tracking/proto/ordertracking/v1"
)

// watch opens a socket on a server and subscribes it to topics.
func (s *server) watch(t testing.TB, topics ...string) *stream {
	st, conn := dial(t, s, "/ws")
	require.NoError(t, conn.WriteMessage(gws.OpcodeText, encode(t, object{"subscribe": topics})))
	for range topics {
		st.until(t, "snapshot")
	}
	return st
}

// routed waits for a route with these stops, in this order.
func (s *stream) routed(t testing.TB, orders ...string) object {
	t.Helper()
	for {
		f := s.until(t, "route")
		var got []string
		for _, stop := range get(f, "data", "stops").([]any) {
			got = append(got, str(stop, "kind")+" "+str(stop, "order_id"))
		}
		var want []string
		for _, id := range orders {
			want = append(want, "dropoff "+id)
		}
		if slices.Equal(got, want) {
			return f
		}
	}
}

// offered waits for an offer's status.
func (s *stream) offered(t testing.TB, orderID, status string) string {
	t.Helper()
	f := s.until(t, "offer")
	for str(f, "data", "order_id") != orderID || str(f, "data", "status") != status {
		f = s.until(t, "offer")
	}
	require.Equal(t, orderID, str(f, "order_id"))
	return str(f, "data", "id")
}

// Offers and routes reach those who watch a courier, and offers those who watch the fleet,
// whichever replica they and those who change something are at.
func TestOffersAndRoutesAreLive(t *testing.T) {
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			s, other := m.pair(t)
			boris, vera := s.courier(t, object{"name": "Boris"}), s.courier(t, object{"name": "Vera"})
			s.locate(t, boris, 55.75, 37.60)
			d := s.api("REST")
			at := func(lat float64) string {
				return str(ok(t, d.do(t, call{op: "CreateOrder", in: object{
					"customer": object{"name": "Anna"}, "dropoff": object{"location": object{"lat": lat, "lon": 37.60}},
				}})), "order", "id")
			}
			near, far := at(55.751), at(55.76)
			here, there := s.watch(t, "courier:"+boris), other.watch(t, "courier:"+boris)
			hers, fleet := other.watch(t, "courier:"+vera), other.watch(t, "fleet")
			for _, st := range []*stream{here, there, hers} {
				st.routed(t)
			}

			resp, body := s.rest(t, "POST", "/order/"+far+"/offers", encode(t, object{"courier_ids": []string{boris, vera}}), nil)
			require.Equal(t, 201, resp.StatusCode, "%s", body)
			id := here.offered(t, far, "open")
			require.Equal(t, id, there.offered(t, far, "open"))
			require.NotEqual(t, id, hers.offered(t, far, "open"))
			fleet.offered(t, far, "open")
			resp, body = other.rest(t, "POST", "/offer/"+id+"/accept", nil, nil)
			require.Equal(t, 200, resp.StatusCode, "%s", body)
			fleet.offered(t, far, "accepted")
			hers.offered(t, far, "withdrawn")
			for _, st := range []*stream{here, there} {
				st.routed(t, far)
			}
			ok(t, d.do(t, call{op: "AssignCourier", in: object{"order_id": near, "courier_id": boris}}))
			for _, st := range []*stream{here, there} {
				st.routed(t, near, far)
			}
			resp, body = other.rest(t, "PUT", "/courier/"+boris+"/route", encode(t, object{"stops": []object{{"order_id": far, "kind": "dropoff"}}}), nil)
			require.Equal(t, 200, resp.StatusCode, "%s", body)
			for _, st := range []*stream{here, there} {
				st.routed(t, far, near)
			}
			require.Equal(t, "route", other.watch(t, "courier:"+boris).next(t)["type"], "who comes late gets it too")
			ok(t, d.do(t, call{op: "CancelOrder", in: object{"order_id": far}}))
			for _, st := range []*stream{here, there} {
				st.routed(t, near)
			}
		})
	}
}

// The third customer of a tour waits for the first two: their ways and hand-overs are in the
// estimate, which is the same asked for, pushed and on the route, at each replica.
func TestEstimatesCountTheStopsBefore(t *testing.T) {
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			s, other := m.pair(t)
			boris := s.courier(t, object{"name": "Boris", "vehicle": "foot"})
			d := s.api("REST")
			var orders []string
			for n := range 3 {
				id := str(ok(t, d.do(t, call{op: "CreateOrder", in: object{
					"customer": object{"name": "Anna"}, "dropoff": object{"location": object{"lat": 55.75 + .01*float64(n+1), "lon": 37.60}},
				}})), "order", "id")
				ok(t, d.do(t, call{op: "AssignCourier", in: object{"order_id": id, "courier_id": boris}}))
				move(t, d, id, "picked_up")
				orders = append(orders, id)
			}
			expected := func(at *server, id string) time.Time {
				resp, body := at.rest(t, "GET", "/order/"+id+"/delivery-time", nil, nil)
				require.Equal(t, 200, resp.StatusCode, "%s", body)
				when, err := time.Parse(time.RFC3339Nano, str(decode(t, body), "eta"))
				require.NoError(t, err)
				return when
			}
			last := webSocket(t, other, orders[2], -1)
			s.locate(t, boris, 55.75, 37.60)
			pushed, err := time.Parse(time.RFC3339Nano, str(last.until(t, "eta"), "data", "eta"))
			require.NoError(t, err)
			for _, at := range []*server{s, other} {
				require.Equal(t, pushed, expected(at, orders[2]), "asked for as pushed")
				alone := expected(at, orders[1]).Sub(expected(at, orders[0])) // a kilometre and a hand-over
				require.InDelta(t, alone.Seconds(), pushed.Sub(expected(at, orders[1])).Seconds(), 5)
				require.Greater(t, alone, 10*time.Minute, "a kilometre on foot")
			}
			resp, body := s.rest(t, "GET", "/courier/"+boris+"/route", nil, nil)
			require.Equal(t, 200, resp.StatusCode, "%s", body)
			require.Equal(t, `"v1"`, resp.Header.Get("ETag"))
			require.Equal(t, orders[2], str(decode(t, body), "stops", 2, "order_id"))
			onRoute, err := time.Parse(time.RFC3339Nano, str(decode(t, body), "stops", 2, "eta"))
			require.NoError(t, err)
			require.Equal(t, pushed, onRoute)

			first := encode(t, object{"stops": []object{{"order_id": orders[2], "kind": "dropoff"}}})
			resp, body = other.rest(t, "PUT", "/courier/"+boris+"/route", first, http.Header{"If-Match": {`"v2"`}})
			require.Equal(t, 412, resp.StatusCode, "%s", body)
			resp, body = other.rest(t, "PUT", "/courier/"+boris+"/route", first, http.Header{"If-Match": {`"v1"`}})
			require.Equal(t, 200, resp.StatusCode, "%s", body)
			require.Equal(t, `"v2"`, resp.Header.Get("ETag"))
			for _, at := range []*server{s, other} {
				eventually(t, "the order that was set counts", func() bool { return expected(at, orders[2]).Before(expected(at, orders[0])) })
			}
		})
	}
}

// Under stops_before:0 the customer sees the courier, by whichever way, only once nobody is
// served before.
func TestNobodyBeforeTheCustomer(t *testing.T) {
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			s, other := m.pair(t, "--set=privacy.show_courier=stops_before:0")
			boris := s.courier(t, object{"name": "Boris", "vehicle": "foot"})
			d := s.api("REST")
			var orders []string
			for n := range 2 {
				id := str(ok(t, d.do(t, call{op: "CreateOrder", in: object{
					"customer": object{"name": "Anna"}, "dropoff": object{"location": object{"lat": 55.75 + .01*float64(n+1), "lon": 37.60}},
				}})), "order", "id")
				ok(t, d.do(t, call{op: "AssignCourier", in: object{"order_id": id, "courier_id": boris}}))
				move(t, d, id, "picked_up")
				orders = append(orders, id)
			}
			id := orders[1]
			_, body := s.rest(t, "POST", "/order/"+id+"/share", []byte(`{}`), nil)
			token := str(decode(t, body), "token")
			shown := func(at *server) map[string]bool {
				out := map[string]bool{}
				for _, path := range []string{"/order/" + id + "/track", "/order/" + id + "/delivery-time"} {
					_, body := at.rest(t, "GET", path+"?token="+token, nil, nil)
					out[path] = get(decode(t, body), "position") != nil || get(decode(t, body), "distance_m") != nil || get(decode(t, body), "eta", "distance_m") != nil
					require.Empty(t, get(decode(t, body), "trail"))
				}
				ws, _ := dial(t, at, "/order/"+id+"/ws?token="+token)
				out["WebSocket"] = get(ws.until(t, "snapshot"), "data", "position") != nil
				ws.close()
				ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
				track, err := ordertrackingv1.NewOrderServiceClient(at.conn).TrackOrder(ctx, &ordertrackingv1.TrackOrderRequest{OrderId: id})
				require.NoError(t, err)
				out["gRPC"] = track.GetPosition() != nil
				return out
			}
			watching, _ := dial(t, other, "/order/"+id+"/ws?token="+token)
			watching.until(t, "snapshot")
			s.locate(t, boris, 55.75, 37.60)
			eta := watching.next(t)
			require.Equal(t, "eta", eta["type"], "and no position")
			require.Nil(t, get(eta, "data", "distance_m"))
			for _, at := range []*server{s, other} {
				for way, is := range shown(at) {
					require.False(t, is, way)
				}
			}
			move(t, d, orders[0], "delivered")
			for _, at := range []*server{s, other} {
				for way, is := range shown(at) {
					require.True(t, is, way)
				}
			}
			s.locate(t, boris, 55.751, 37.60)
			watching.until(t, "position")
		})
	}
}
