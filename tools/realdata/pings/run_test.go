package pings

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"pgregory.net/rapid"

	"github.com/order-tracking/order-tracking/config"
	"github.com/order-tracking/order-tracking/internal/app"
	"github.com/order-tracking/order-tracking/internal/domain"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// product runs the product in this process and returns its addresses.
func product(t *testing.T) flags {
	t.Helper()
	dir := t.TempDir()
	cfg, err := config.Load([]string{
		"--http-addr=127.0.0.1:0", "--grpc-addr=127.0.0.1:0", "--kafka-listen=127.0.0.1:0",
		"--database-url=sqlite://" + filepath.ToSlash(filepath.Join(dir, "orders.db")), "--set=kafka.dir=" + filepath.Join(dir, "kafka"),
	}, nil)
	require.NoError(t, err)
	a, err := app.New(t.Context(), cfg, zap.NewNop(), "test")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	return flags{
		http: a.HTTPAddr(), grpc: a.GRPCAddr(), connections: 3, batch: 4, within: 20 * time.Second, file: filepath.Join(dir, "pings.csv"),
	}
}

// day is invented: cabs that drive in circles, one of them with jumps and holes.
func day(cabs, minutes int) string {
	var b strings.Builder
	b.WriteString(strings.Join(columns, ",") + "\n")
	for m := range minutes {
		for c := range cabs {
			lat, lon := 37.7+math.Sin(float64(m)/20)/100, -122.4+math.Cos(float64(m)/20)/100
			if c == 1 && m%17 == 5 {
				lat += 3 // through the wall
			}
			if c == 1 && m%29 == 7 {
				lat, lon = 0, 0
			}
			fmt.Fprintf(&b, "%d,cab%03d,%.5f,%.5f,%d\n", 1211353200+60*m+c, c, lat, lon, m/20%2)
		}
	}
	return b.String()
}

func TestTheProductDoesWhatIsExpected(t *testing.T) {
	f := product(t)
	require.NoError(t, os.WriteFile(f.file, []byte(day(6, 100)), 0o600))
	for _, f.via = range []string{"grpc", "osmand"} {
		var out bytes.Buffer
		ok, err := run(t.Context(), f, &out)
		http.DefaultClient.CloseIdleConnections()
		require.NoError(t, err)
		require.True(t, ok, out.String())
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		require.Regexp(t, `^PASS \d{3} positions of 6 cabs: \d+ in the history, \d+ dropped, as expected$`, lines[len(lines)-1])
		for _, reason := range []fate{duplicate, history, impossibleSpeed, nullIsland} {
			require.Contains(t, lines[1], string(reason))
		}
	}
}

// The oracle, written from the documented rules, agrees with the product's plausibility
// filter on arbitrary input.
func TestOracleAgreesWithTheJudge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
		limits := domain.Plausibility{MaxSpeed: maxSpeed, MaxAccuracy: 1000}
		var judge domain.PlausibilityFilter
		var o oracle
		for range rapid.IntRange(1, 60).Draw(t, "n") {
			p := ping{
				lat: rapid.SampledFrom([]float64{0, 37.7, 37.701, 37.705, 37.75, 38}).Draw(t, "lat"),
				lon: rapid.SampledFrom([]float64{0, -122.4, -122.41}).Draw(t, "lon"),
				at:  now.Add(rapid.SampledFrom([]time.Duration{-49 * time.Hour, 6 * time.Minute, 0}).Draw(t, "far") - time.Duration(rapid.IntRange(1, 60).Draw(t, "s"))*time.Second),
			}
			drop, moved := judge.Take(domain.Position{Lat: p.lat, Lon: p.lon, RecordedAt: p.at, ReceivedAt: now}, now, limits)
			want := fate(drop)
			switch {
			case drop == "" && moved:
				want = moves
			case drop == "":
				want = history
			}
			if got := o.judge(p, now); got != want {
				t.Fatalf("%v: the oracle says %s, the judge %s", p, got, want)
			}
		}
	})
}

// Every kind of difference is detected.
func TestDifferencesAreFound(t *testing.T) {
	f := product(t)
	f.via = "grpc"
	require.NoError(t, os.WriteFile(f.file, []byte(day(2, 70)), 0o600))
	for name, tamper := range map[string]func(d *driver, cabs []*cab){
		"a ping less in the history": func(_ *driver, cabs []*cab) { delete(cabs[1].oracle.kept, cabs[1].oracle.newest.at.Unix()) },
		"another newest position":    func(_ *driver, cabs []*cab) { cabs[1].oracle.newest.lat += 1e-5 },
		"another counter":            func(d *driver, _ []*cab) { d.fates[duplicate]++ },
		"another answer":             func(d *driver, _ []*cab) { d.sent++ },
		"shown from long before":     func(d *driver, _ []*cab) { d.parcel.positions.Store(1) },
		"nothing":                    func(*driver, []*cab) {},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			ok, err := runWith(t.Context(), f, &out, tamper)
			require.NoError(t, err)
			require.Equal(t, name == "nothing", ok, out.String())
		})
	}
}

func TestBadInput(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"empty": "", "columns": "a,b\n1,2\n", "no rows": "t,cab,lat,lng,occ\n", "a word": "t,cab,lat,lng,occ\nnoon,c,1,2,0\n", "few": "t,cab,lat,lng,occ\n1,c\n",
	} {
		path := filepath.Join(dir, "x.csv")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		_, err := readFile(path, 0, time.Now())
		require.Error(t, err, name)
	}
	for _, args := range [][]string{{}, {"--file", "x", "--via", "pigeon"}, {"--file", "x", "y"}, {"--file", "x", "--batch", "0"}} {
		_, err := parse(args)
		require.Error(t, err)
	}
	require.Equal(t, 0, Main(t.Context(), []string{"--help"}))
	require.Equal(t, 1, Main(t.Context(), []string{"--file", filepath.Join(dir, "none")}))
}
