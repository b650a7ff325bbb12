package cli

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/order-tracking/order-tracking/pkg/client"
)

func TestSimulate(t *testing.T) {
	r := start(t)
	got := r.run("simulate", "--couriers", "3", "--orders", "4", "--radius", "20", "--speed", "80", "--every", "10ms",
		"--handover", "30ms", "--seed", "7", "--json").json()
	require.EqualValues(t, 4, got["delivered"])
	require.Greater(t, got["accepted"], 8.0)
	orders := 0
	for o, err := range r.client.Orders(t.Context(), client.OrderFilter{}) {
		require.NoError(t, err)
		orders++
		require.Equal(t, client.StatusDelivered, o.Status)
		events, err := r.client.Events(t.Context(), o.ID)
		require.NoError(t, err)
		var steps []client.Status
		for _, e := range events {
			if e.Version > 0 && (e.Type == "order.created" || e.Type == "order.status_changed") {
				steps = append(steps, e.Status)
			}
		}
		require.Equal(t, []client.Status{"created", "assigned", "at_pickup", "picked_up", "out_for_delivery", "at_dropoff", "delivered"}, steps)
	}
	require.Equal(t, 4, orders)
	require.Contains(t, r.run("simulate", "--couriers", "1", "--orders", "0").ok(), "Couriers")
	for _, args := range [][]string{
		{"--couriers", "0"}, {"--speed", "0"}, {"--speed", "91"}, {"--radius", "0"}, {"--every", "0s"}, {"--center", "x"}, {"--gpx", "none.gpx"}, {"--orders", "-1"},
	} {
		r.run(append([]string{"simulate"}, args...)...).fails("")
	}
}

// The time left is shown from the first second, computed before anything is delivered
// and measured afterwards.
func TestSimulationTellsHowLongItTakes(t *testing.T) {
	s := &simulation{couriers: 5, orders: 12, radius: 1500, speed: 10, every: 2 * time.Second, handover: 5 * time.Second}
	// Two ways of 0.9054 radii, 4/π times that along streets, at 10 m/s.
	require.InDelta(t, 2*0.9054*1500*4/math.Pi/10+2*5+2, s.computedOrderTime().Seconds(), 0.1)
	require.Equal(t, "0 of 12 delivered, about 17m54s left", s.progressLine(0))
	s.delivered.Store(4)
	s.driven.Store(int64(4 * 5 * time.Minute))
	require.Equal(t, "4 of 12 delivered, about 9m0s left", s.progressLine(6*time.Minute))
	require.Equal(t, "4 of 12 delivered, nearly done", s.progressLine(time.Hour))
	s.trails = [][]client.Point{{{Lat: 55, Lon: 37}, offset(client.Point{Lat: 55, Lon: 37}, 3000, 0)}}
	require.InDelta(t, 0.9054*1500*4/math.Pi/10+300+2*5+2, s.computedOrderTime().Seconds(), 0.5)
	s.forever = true
	require.Equal(t, "4 delivered, 0 positions sent", s.progressLine(0))

	r := start(t)
	o := r.run("simulate", "--couriers", "1", "--orders", "1", "--radius", "1", "--speed", "80", "--every", "5ms", "--handover", "0s")
	o.ok()
	require.Contains(t, o.errors, "1 courier, 1 order around 55.751200,37.618400; Ctrl-C ends it\n0 of 1 delivered, ")
}

const gpx = `<?xml version="1.0"?><gpx version="1.1" creator="x" xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>
<trkpt lat="55.7500" lon="37.6000"><ele>150</ele><time>2026-05-04T12:00:00Z</time></trkpt>
<trkpt lat="55.7501" lon="37.6000"><time>2026-05-04T12:00:02Z</time></trkpt></trkseg><trkseg>
<trkpt lat="55.7502" lon="37.6001"><time>2026-05-04T12:00:04Z</time></trkpt></trkseg></trk></gpx>`

func TestReplay(t *testing.T) {
	r := start(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	file := write("a.gpx", gpx)
	got := r.run("replay", file, "--speed", "100", "--json").json()
	require.EqualValues(t, 3, got["accepted"])
	id := got["courier_id"].(string)
	at, err := r.client.CourierLocation(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, 55.7502, at.Lat)
	require.WithinDuration(t, time.Now(), at.RecordedAt, time.Minute)

	r.run("courier", "create", "--name", "Ivan").ok()
	csv := write("b.csv", "time,latitude,lng\n1777896000,55.75,37.6\n1777896010,55.7501,37.6\n1777896010.5,55.7502,37.6\n")
	require.EqualValues(t, 3, r.run("replay", csv, "--courier", "Ivan", "--speed", "0", "--json").json()["accepted"])
	require.EqualValues(t, 3, r.run("replay", write("c.CSV", "lat,lon\n1,2\n1.0001,2\n1.0002,2\n"), "--speed", "0", "--json").json()["accepted"], "without times")

	for name, text := range map[string]string{
		"empty.gpx": "", "no places.gpx": "<gpx></gpx>", "one place.csv": "lat,lon\n1,2\n", "no columns.csv": "a,b\n1,2\n", "words.csv": "lat,lon\nx,2\n1,2\n",
		"off the globe.csv": "lat,lon\n91,2\n1,2\n", "text.txt": "1,2", "half timed.csv": "lat,lon,t\n1,2,5\n1,2,\n", "backwards.csv": "lat,lon,t\n1,2,5\n1,2,4\n",
		"bad time.gpx": strings.Replace(gpx, "2026-05-04T12:00:00Z", "noon", 1), "NaN.csv": "lat,lon\nNaN,2\n1,2\n",
	} {
		r.run("replay", write(name, text)).fails("")
	}
	r.run("replay", filepath.Join(dir, "none.gpx")).fails("none.gpx")
	r.run("replay", file, "--speed", "-1").fails("--speed")
	r.run("replay", file, "--courier", "Nobody").fails(`"Nobody"`)
}

// A route through the town has the right ends, turns only at corners, and a walker
// reaches its end.
func TestStreets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := client.Point{Lat: rapid.Float64Range(-80, 80).Draw(t, "lat"), Lon: rapid.Float64Range(-180, 180).Draw(t, "lon")}
		b := offset(a, rapid.Float64Range(-2000, 2000).Draw(t, "north"), rapid.Float64Range(-2000, 2000).Draw(t, "east"))
		way := streets(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)), a, b)
		if way[0] != a || way[len(way)-1] != b {
			t.Fatalf("from %v to %v", way[0], way[len(way)-1])
		}
		length := 0.0
		for i := 1; i < len(way); i++ {
			leg := distanceM(way[i-1], way[i])
			if leg > 125 {
				t.Fatalf("a block of %.0f metres", leg)
			}
			length += leg
		}
		if straight := distanceM(a, b); length < straight*0.99-1 || length > straight*1.5+10 {
			t.Fatalf("%.0f metres for %.0f", length, straight)
		}
		w, steps := newWalker(way), 0
		for more := true; more; steps++ {
			var at client.Point
			if at, _, more = w.walk(7); !more && at != b {
				t.Fatalf("ends at %v", at)
			}
		}
		if math.Abs(float64(steps)*7-length) > 8 {
			t.Fatalf("%d steps for %.0f metres", steps, length)
		}
	})
}

func TestHeading(t *testing.T) {
	o := client.Point{Lat: 55, Lon: 37}
	for want, to := range map[float64]client.Point{
		0: offset(o, 100, 0), 90: offset(o, 0, 100), 180: offset(o, -100, 0), 270: offset(o, 0, -100), 45: offset(o, 100, 100),
	} {
		require.InDelta(t, want, headingOf(o, to), 0.5, fmt.Sprint(to))
	}
}
