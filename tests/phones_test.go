package tests

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/order-tracking/order-tracking/proto/ordertracking/v1"
)

// phone is a courier's phone with its token.
type phone struct {
	s              *server
	courier, token string
}

func (s *server) phone(t testing.TB) phone {
	t.Helper()
	p := phone{s: s, courier: s.courier(t, object{"name": "Boris"})}
	resp, body := s.rest(t, "POST", "/courier/"+p.courier+"/onboarding", nil, nil)
	require.Equal(t, 201, resp.StatusCode, "%s", body)
	p.token = str(decode(t, body), "token")
	return p
}

// osmand and owntracks report a position and require the apps' response.
func (p phone) osmand(t testing.TB, method, query, body string) {
	t.Helper()
	resp, got := p.s.rest(t, method, "/ingest/osmand/"+p.token+query, raw(body), http.Header{"Content-Type": {"text/plain"}})
	require.Equal(t, 200, resp.StatusCode, "%s", got)
	require.Empty(t, got)
}

func (p phone) owntracks(t testing.TB, body string) {
	t.Helper()
	resp, got := p.s.rest(t, "POST", "/ingest/owntracks/"+p.token, raw(body), http.Header{"X-Limit-U": {"boris"}, "X-Limit-D": {"phone"}})
	require.Equal(t, 200, resp.StatusCode, "%s", got)
	require.Equal(t, "[]", string(got))
}

func raw(body string) []byte {
	if body == "" {
		return nil
	}
	return []byte(body)
}

// trail returns the stored trail once it has the given number of points.
func (p phone) trail(t testing.TB, n int) []any {
	t.Helper()
	var trail []any
	eventually(t, fmt.Sprint("a way of ", n), func() bool {
		resp, body := p.s.rest(t, "GET", "/courier/"+p.courier+"/track", nil, nil)
		require.Equal(t, 200, resp.StatusCode, "%s", body)
		trail = list(decode(t, body)["trail"])
		return len(trail) >= n
	})
	require.Len(t, trail, n)
	return trail
}

// One position in each form that phones use: the same place in the same units.
func TestPhonesSpeakTheirOwnWay(t *testing.T) {
	s := start(t)
	p := s.phone(t)
	now := time.Now().Truncate(time.Second).UTC()
	at := func(seconds int) time.Time { return now.Add(time.Duration(seconds-60) * time.Second) }
	form := func(seconds int) string {
		return url.Values{
			"id": {"1"}, "lat": {"55.75"}, "lon": {"37.6"}, "speed": {"19.438445"}, "bearing": {"90"}, "altitude": {"150"}, "accuracy": {"5"},
			"batt": {"57"}, "timestamp": {fmt.Sprint(at(seconds).Unix())}, "charge": {"true"},
		}.Encode()
	}
	p.osmand(t, "GET", "?"+form(1), "")
	p.osmand(t, "POST", "?"+form(2), "")
	p.osmand(t, "POST", "", form(3))
	p.osmand(t, "POST", "", fmt.Sprintf(`{"device_id":"1","location":{"timestamp":%q,"coords":{"latitude":55.75,"longitude":37.6,"accuracy":5,"speed":10,
		"heading":90,"altitude":150},"battery":{"level":0.57,"is_charging":true}}}`, at(4).Format("2006-01-02T15:04:05.000Z")))
	p.owntracks(t, fmt.Sprintf(`{"_type":"location","lat":55.75,"lon":37.6,"tst":%d,"acc":5,"alt":150,"vel":36,"cog":90,"batt":57,"tid":"ab"}`, at(5).Unix()))
	for i, place := range p.trail(t, 5) {
		for field, want := range map[string]float64{"lat": 55.75, "lon": 37.6, "speed": 10, "heading": 90, "altitude": 150, "accuracy": 5, "battery": 57} {
			got, _ := get(place, field).(float64)
			require.InDelta(t, want, got, 1e-5, "%s of %d", field, i)
		}
		require.Equal(t, at(i+1).Format(time.RFC3339), str(place, "recorded_at"))
		if i < 4 {
			require.Equal(t, object{"charge": true}, get(place, "attributes"))
		} else {
			require.Equal(t, object{"tid": "ab", "user": "boris", "device": "phone"}, get(place, "attributes"))
		}
	}
	s.restart(t)
	resp, body := s.rest(t, "GET", "/courier/"+p.courier+"/location", nil, nil)
	require.Equal(t, 200, resp.StatusCode)
	require.Equal(t, at(5).Format(time.RFC3339), str(decode(t, body), "recorded_at"), "also after a restart")
	p.osmand(t, "GET", "?"+form(6), "")
	p.trail(t, 6)
}

// Useless positions are acknowledged, so that apps don't resend them, but not stored.
func TestPhonesAreNeverToldToTryAgainInVain(t *testing.T) {
	s := start(t)
	p := s.phone(t)
	second := time.Now().Add(-time.Minute).Unix()
	stamp := func(offset int64) string { return fmt.Sprint(second + offset) }
	for _, query := range []string{
		"lat=0&lon=0", "lat=91&lon=0", "lat=NaN&lon=1", "lat=1", "lat=x&lon=y", "lat=1&lon=2&timestamp=0", "lat=1&lon=2&timestamp=2147483648000",
		"lat=1&lon=2&timestamp=2147483647", "lat=1&lon=2&timestamp=noon", "lat=1&lon=2&valid=false", "lat=1&lon=2&accuracy=5000", "id=1", "%zz",
		"lat=1&lon=2&timestamp=" + stamp(-49*3600), "lat=1&lon=2&timestamp=" + stamp(3600),
	} {
		p.osmand(t, "GET", "?"+query, "")
		p.osmand(t, "POST", "", query)
	}
	for _, body := range []string{"", "{", "[]", "null", "7", `{"_type":"encrypted","data":"x"}`, `{"_type":"location"}`, `{"location":{}}`, `{"location":{"coords":{"latitude":-91,"longitude":0}}}`} {
		p.osmand(t, "POST", "", body)
		p.owntracks(t, body)
	}
	resp, body := s.rest(t, "GET", "/courier/"+p.courier+"/location", nil, nil)
	require.Equal(t, 404, resp.StatusCode, "%s", body)

	p.osmand(t, "GET", "?lat=55,75&lon=37,6&speed=-1&batt=-1&timestamp="+stamp(0), "") // decimal commas; unknown measurements
	p.osmand(t, "GET", "?lat=55.7501&lon=37.6&timestamp="+stamp(10), "")               // the next
	p.osmand(t, "GET", "?lat=55.7502&lon=37.6&timestamp="+stamp(5), "")                // out of order: history
	p.osmand(t, "GET", "?lat=56&lon=38&timestamp="+stamp(10), "")                      // the same moment again
	p.osmand(t, "GET", "?lat=57&lon=37.6&timestamp="+stamp(11), "")                    // 140 km in a second
	p.osmand(t, "GET", "?lat=55.75&lon=37.6&accuracy=5000&timestamp="+stamp(12), "")   // somewhere in town
	p.osmand(t, "POST", "", `{"location":{"timestamp":`+stamp(13)+`,"coords":{"latitude":55.7503,"longitude":37.6,"speed":-1,"heading":-1},"battery":{"level":0.5}}}`)
	var lats []float64
	for _, place := range p.trail(t, 4) {
		lats = append(lats, get(place, "lat").(float64))
		require.Nil(t, get(place, "speed"))
	}
	require.Equal(t, []float64{55.75, 55.7502, 55.7501, 55.7503}, lats)
	resp, body = s.rest(t, "GET", "/courier/"+p.courier+"/location", nil, nil)
	require.Equal(t, 200, resp.StatusCode)
	require.Equal(t, 50.0, decode(t, body)["battery"])

	resp, _ = s.rest(t, "PATCH", "/courier/"+p.courier, encode(t, object{"on_duty": false}), nil)
	require.Equal(t, 200, resp.StatusCode)
	p.osmand(t, "GET", "?lat=55.76&lon=37.6&timestamp="+stamp(30), "")
	resp, _ = s.rest(t, "DELETE", "/courier/"+p.courier+"/onboarding", nil, nil)
	require.Equal(t, 200, resp.StatusCode)
	for _, app := range []string{"osmand", "owntracks"} {
		resp, body = s.rest(t, "POST", "/ingest/"+app+"/"+p.token, []byte(`{}`), nil)
		require.Equal(t, 401, resp.StatusCode, "%s", body)
	}
	p.trail(t, 4)
}

// A phone's transition event moves the order to at_dropoff, never to delivered.
func TestPhoneNoticesTheDropOff(t *testing.T) {
	s := start(t, "--set=arrival.automatic=true")
	d := s.api("REST")
	p := s.phone(t)
	id := create(t, d)
	ok(t, d.do(t, call{op: "AssignCourier", in: object{"order_id": id, "courier_id": p.courier}}))
	arrive := func(lat, lon float64) {
		p.owntracks(t, fmt.Sprintf(`{"_type":"transition","event":"enter","desc":"door","lat":%v,"lon":%v,"acc":10,"tst":%d,"wtst":1}`, lat, lon, time.Now().Unix()))
	}
	arrive(55.7507, 37.5956) // it has nothing in hand yet
	move(t, d, id, "picked_up")
	move(t, d, id, "out_for_delivery")
	arrive(55.76, 37.5956) // another door
	require.Equal(t, "out_for_delivery", str(ok(t, d.do(t, call{op: "GetOrderStatus", in: object{"order_id": id}})), "status"))
	arrive(55.7508, 37.5956)
	eventually(t, "the order is at the drop-off", func() bool {
		return str(ok(t, d.do(t, call{op: "GetOrderStatus", in: object{"order_id": id}})), "status") == "at_dropoff"
	})
	require.Equal(t, "delivered", str(move(t, d, id, "delivered"), "order", "status"))
}

// An order shows only its own part of the trail, over both APIs.
func TestTrailOfAnOrder(t *testing.T) {
	bothAPIs(t, func(t *testing.T, s *server, d api) {
		p := s.phone(t)
		id := create(t, d)
		ok(t, d.do(t, call{op: "AssignCourier", in: object{"order_id": id, "courier_id": p.courier}}))
		from := time.Now().Add(-3 * time.Hour).Truncate(time.Second).UTC()
		var way []string
		for i := range 2000 {
			way = append(way, fmt.Sprintf(`{"lat":%.6f,"lon":37.6,"recorded_at":%q}`, 55.5+float64(i)/1e4, from.Add(time.Duration(i*5)*time.Second).Format(time.RFC3339)))
		}
		resp, body := s.rest(t, "POST", "/courier/"+p.courier+"/location", []byte("["+strings.Join(way, ",")+"]"), nil)
		require.Equal(t, 202, resp.StatusCode, "%s", body)
		require.Equal(t, object{"accepted": 2000.0, "dropped": 0.0}, decode(t, body))
		for status, i := range map[string]int{"picked_up": 500} {
			ok(t, d.do(t, call{op: "UpdateOrderStatus", in: object{"order_id": id, "status": status, "occurred_at": from.Add(time.Duration(i*5) * time.Second).Format(time.RFC3339)}}))
		}
		ok(t, d.do(t, call{op: "UpdateOrderStatus", in: object{"order_id": id, "status": "delivered", "occurred_at": from.Add(1500 * 5 * time.Second).Format(time.RFC3339)}}))
		p.trail(t, 2000)
		track := ok(t, d.do(t, call{op: "TrackOrder", in: object{"order_id": id}}))
		trail := list(track["trail"])
		require.LessOrEqual(t, len(trail), 500)
		require.GreaterOrEqual(t, len(trail), 2)
		require.InDelta(t, 55.55, get(trail[0], "lat"), 1e-9, "from the handover")
		require.InDelta(t, 55.65, get(trail[len(trail)-1], "lat"), 1e-9, "to the end")
		require.NotEmpty(t, track["polyline"])
		require.True(t, strings.HasPrefix(str(track, "polyline"), "or`rI_wndF"), track["polyline"])
	})
}

// A million positions at once are rejected as a whole, with a readable response.
func TestAMillionPositions(t *testing.T) {
	s := start(t)
	courier := s.courier(t, object{"name": "Boris"})
	resp, body := s.rest(t, "POST", "/courier/"+courier+"/location", []byte("["+strings.Repeat(`{"lat":1,"lon":2},`, 999_999)+`{"lat":1,"lon":2}]`),
		http.Header{"Expect": {"100-continue"}, "Content-Type": {"application/json"}})
	require.Equal(t, 413, resp.StatusCode, "%s", body)
	resp, body = s.rest(t, "POST", "/courier/"+courier+"/location", []byte("["+strings.Repeat(`{"lat":1,"lon":2},`, 10_000)+`{"lat":1,"lon":2}]`), nil)
	require.Equal(t, 422, resp.StatusCode, "%s", body)
	require.Equal(t, "too_many", str(decode(t, body), "errors", 0, "code"))

	send := func(n int) codes.Code {
		stream, err := pb.NewOrderServiceClient(s.conn).ReportLocations(t.Context())
		require.NoError(t, err)
		positions := make([]*pb.Position, n)
		for i := range positions {
			positions[i] = &pb.Position{Lat: 1, Lon: 2}
		}
		_ = stream.Send(&pb.ReportLocationsRequest{CourierId: courier, Positions: positions}) // the answer tells
		_, err = stream.CloseAndRecv()
		return status.Code(err)
	}
	require.Equal(t, codes.ResourceExhausted, send(1_000_000))
	require.Equal(t, codes.InvalidArgument, send(10_001))
	require.Equal(t, codes.OK, send(10_000))
}

// A courier's own app and a phone app report at different replicas: the phone app's positions are shown, those of the other are
// in the history, marked.
func TestThePhoneAppLeadsOnEveryReplica(t *testing.T) {
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			s, other := m.pair(t)
			p := s.phone(t)
			resp, body := s.rest(t, "POST", "/keys", encode(t, object{"name": "app", "role": "courier", "courier_id": p.courier}), nil)
			require.Equal(t, 201, resp.StatusCode, "%s", body)
			app := http.Header{"Authorization": {"Bearer " + str(decode(t, body), "key")}}
			own := func(lat float64, at time.Time) {
				resp, body := other.rest(t, "POST", "/courier/"+p.courier+"/location", encode(t, []object{{"lat": lat, "lon": 37.6, "recorded_at": at}}), app)
				require.Equal(t, 202, resp.StatusCode, "%s", body)
				require.EqualValues(t, 1, decode(t, body)["accepted"])
			}
			shown := func() any {
				_, body := other.rest(t, "GET", "/courier/"+p.courier+"/location", nil, nil)
				return decode(t, body)["lat"]
			}
			now := time.Now().UTC().Truncate(time.Second).Add(-10 * time.Minute)
			own(55.71, now)
			require.EqualValues(t, 55.71, shown())
			p.osmand(t, "POST", fmt.Sprintf("?lat=55.72&lon=37.6&timestamp=%d", now.Add(10*time.Second).Unix()), "")
			require.EqualValues(t, 55.72, shown())
			own(55.73, now.Add(15*time.Second))
			require.EqualValues(t, 55.72, shown(), "the phone app leads")
			own(55.74, now.Add(5*time.Minute))
			require.EqualValues(t, 55.74, shown(), "the phone app has been silent")
			secondary := func() (out []any) {
				for _, at := range p.trail(t, 4) {
					out = append(out, at.(object)["attributes"] != nil)
				}
				return out
			}
			require.Equal(t, []any{false, false, true, false}, secondary())
		})
	}
}
