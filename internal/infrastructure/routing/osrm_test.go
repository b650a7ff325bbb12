package routing

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

var _ domain.Router = (*OSRM)(nil)

// router answers every request with the text, and counts requests.
type router struct {
	*httptest.Server
	asked atomic.Int64
	last  atomic.Value
}

func answering(t *testing.T, status int, text string) *router {
	r := &router{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.asked.Add(1)
		r.last.Store(req.URL.String())
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, text)
	}))
	t.Cleanup(r.Close)
	return r
}

func client(t *testing.T, url string, timeout time.Duration) *OSRM {
	o := New(Options{URL: url, Timeout: timeout})
	t.Cleanup(o.Close)
	return o
}

var (
	arbat   = domain.Point{Lat: 55.7507, Lon: 37.5956}
	kremlin = domain.Point{Lat: 55.7520, Lon: 37.6175}
	island  = domain.Point{Lat: 68.9, Lon: 33.1}
)

func TestTable(t *testing.T) {
	r := answering(t, 200, `{"code":"Ok","durations":[[123.4],[null],[0]]}`)
	from := []domain.Point{arbat, island, kremlin}
	got, err := client(t, r.URL+"/", 0).Table(t.Context(), from, []domain.Point{kremlin})
	require.NoError(t, err)
	require.Equal(t, [][]time.Duration{{123400 * time.Millisecond}, {-1}, {0}}, got)
	require.Equal(t, "/table/v1/driving/37.595600,55.750700;33.100000,68.900000;37.617500,55.752000;37.617500,55.752000?annotations=duration&sources=0;1;2&destinations=3", r.last.Load())
	got, err = client(t, r.URL, 0).Table(t.Context(), nil, []domain.Point{kremlin})
	require.NoError(t, err)
	require.Empty(t, got)
	require.EqualValues(t, 1, r.asked.Load(), "nothing to ask")
}

func TestRoute(t *testing.T) {
	r := answering(t, 200, `{"code":"Ok","routes":[{"duration":600,"distance":3500.5,"geometry":"_p~iF~ps|U"},{"duration":700,"distance":1}]}`)
	road, err := client(t, r.URL, 0).Route(t.Context(), []domain.Point{arbat, kremlin})
	require.NoError(t, err)
	require.Equal(t, &domain.Road{Duration: 10 * time.Minute, DistanceM: 3500.5, Polyline: "_p~iF~ps|U"}, road)
	require.Equal(t, "/route/v1/driving/37.595600,55.750700;37.617500,55.752000?overview=full&geometries=polyline", r.last.Load())

	none := answering(t, 400, `{"code":"NoRoute","message":"Impossible route"}`)
	road, err = client(t, none.URL, 0).Route(t.Context(), []domain.Point{arbat, island})
	require.NoError(t, err)
	require.Nil(t, road)
}

func TestWhatIsNoAnswer(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON": "<html>", "empty": "", "another code": `{"code":"TooBig","message":"m"}`, "no table": `{"code":"Ok"}`,
		"too few rows": `{"code":"Ok","durations":[[1]]}`, "a wide row": `{"code":"Ok","durations":[[1,2],[1,2]]}`,
		"backwards": `{"code":"Ok","durations":[[-5],[1]]}`, "for ever": `{"code":"Ok","durations":[[1e300],[1]]}`,
		"words": `{"code":"Ok","durations":[["a"],[1]]}`,
	} {
		t.Run(name, func(t *testing.T) {
			r := answering(t, 200, text)
			_, err := client(t, r.URL, 0).Table(t.Context(), []domain.Point{arbat, island}, []domain.Point{kremlin})
			require.Equal(t, domain.CodeUnavailable, domain.CodeOf(err))
		})
	}
	for name, text := range map[string]string{
		"no route": `{"code":"Ok","routes":[]}`, "backwards": `{"code":"Ok","routes":[{"duration":-1,"distance":1}]}`,
		"less than nothing": `{"code":"Ok","routes":[{"duration":1,"distance":-1}]}`,
	} {
		t.Run("route: "+name, func(t *testing.T) {
			r := answering(t, 200, text)
			_, err := client(t, r.URL, 0).Route(t.Context(), []domain.Point{arbat, kremlin})
			require.Equal(t, domain.CodeUnavailable, domain.CodeOf(err))
		})
	}
}

// A hanging router costs its timeout, and after several failures nothing.
func TestRouterThatHangs(t *testing.T) {
	release := make(chan struct{})
	var asked atomic.Int64
	r := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1); <-release }))
	t.Cleanup(func() { close(release); r.Close() })
	o := client(t, r.URL, 20*time.Millisecond)
	for range 10 {
		_, err := o.Table(t.Context(), []domain.Point{arbat}, []domain.Point{kremlin})
		require.Equal(t, domain.CodeUnavailable, domain.CodeOf(err))
	}
	require.EqualValues(t, failures, asked.Load())
}

func TestCallersThatGoAreNoFailures(t *testing.T) {
	r := answering(t, 200, `{"code":"Ok","durations":[[1]]}`)
	o := client(t, r.URL, time.Second)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 * failures {
		_, err := o.Table(gone, []domain.Point{arbat}, []domain.Point{kremlin})
		require.Equal(t, domain.CodeUnavailable, domain.CodeOf(err))
	}
	_, err := o.Table(t.Context(), []domain.Point{arbat}, []domain.Point{kremlin})
	require.NoError(t, err)
}
