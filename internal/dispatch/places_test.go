package dispatch_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/dispatch"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/infrastructure/geocoding"
)

const asksEvery = 30 * time.Millisecond

// town is a geocoder's server. It knows a few addresses.
type town struct {
	*httptest.Server
	mu     sync.Mutex
	broken string // what it answers instead, with the status
	status int
	asked  []string
	times  []time.Time
}

func newTown(t *testing.T) *town {
	w := &town{}
	house := func(lat float64, number string) string {
		return fmt.Sprintf(`{"lat":"%[1]v","lon":"37.6","place_rank":30,"display_name":"house %[2]s","address":{"house_number":"%[2]s"}}`, lat, number)
	}
	known := map[string]string{
		"Lenina 5": house(55.751, "5"), "Lenina 12 a": house(55.752, "12A"), "Lenina 1": house(55.753, "17"), "Lenina 50": house(55.753, "5"),
		"Mira 3": house(55.75, "3") + "," + house(55.85, "3"), "Mira": `{"lat":"55.75","lon":"37.6","place_rank":26}`, "Farther 7": house(59.9, "7"),
		"Shop": house(55.754, ""), "Shop 2": house(55.754, ""),
	}
	w.Server = httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		defer w.mu.Unlock()
		q := r.URL.Query().Get("q")
		w.asked, w.times = append(w.asked, q), append(w.times, time.Now())
		if w.status != 0 {
			out.WriteHeader(w.status)
			_, _ = fmt.Fprint(out, w.broken)
			return
		}
		_, _ = fmt.Fprint(out, "["+known[q]+"]")
	}))
	t.Cleanup(w.Close)
	return w
}

func (w *town) requests() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string{}, w.asked...)
}

// finding is a fleet with a geocoder; run starts a replica and returns what kills it.
func finding(t *testing.T, w *town) (f *fleet, run func() (kill func())) {
	f = newFleet(t, nil)
	g := geocoding.New(geocoding.Options{URL: w.URL, API: geocoding.Nominatim})
	t.Cleanup(g.Close)
	f.deps.Geocoder, f.deps.GeocodeEvery, f.deps.Mode = g, asksEvery, dispatch.ModeManual
	f.deps.Clock = running{f.clock, time.Now()}
	// Both replicas of these tests share the services below, so they are made before one runs.
	replicas := []*dispatch.Service{dispatch.New(f.deps), dispatch.New(f.deps)}
	return f, func() func() {
		f.Service, replicas = replicas[0], replicas[1:]
		service := f.Service
		ctx, cancel := context.WithCancel(f.ctx)
		var running sync.WaitGroup
		running.Go(func() { service.Work(ctx) })
		return func() { cancel(); running.Wait() }
	}
}

// running is a clock that goes on by itself, too, as turns at the geocoder do.
type running struct {
	*clock
	start time.Time
}

func (r running) Now() time.Time { return r.clock.Now().Add(time.Since(r.start)) }

// Who enters orders finds addresses, in turn with the orders that wait for their locations, and is told when there is no
// geocoder, or none that answers.
func TestPeopleFindAddresses(t *testing.T) {
	none, err := newFleet(t, nil).SearchPlaces(t.Context(), "Lenina 5")
	require.NoError(t, err)
	require.Equal(t, dispatch.PlaceSearch{Places: []dispatch.Spot{}}, none)
	w := newTown(t)
	f, run := finding(t, w)
	defer run()()
	nothing, err := f.SearchPlaces(f.ctx, "  ")
	require.NoError(t, err)
	require.Equal(t, dispatch.PlaceSearch{Configured: true, Places: []dispatch.Spot{}}, nothing)
	require.Empty(t, w.requests(), "nothing was asked for")
	order := f.to("Lenina 12 a")
	for range 3 {
		found, err := f.SearchPlaces(f.ctx, " Mira 3 ")
		require.NoError(t, err)
		require.Equal(t, []dispatch.Spot{
			{Address: "house 3", Location: domain.Point{Lat: 55.75, Lon: 37.6}, Quality: domain.PlaceHouse},
			{Address: "house 3", Location: domain.Point{Lat: 55.85, Lon: 37.6}, Quality: domain.PlaceHouse},
		}, found.Places)
	}
	f.found(order)
	w.mu.Lock()
	n := len(w.times)
	require.Equal(t, 4, n)
	require.GreaterOrEqual(t, w.times[n-1].Sub(w.times[0]), time.Duration(n-2)*asksEvery, "the rate is kept, but for the time on the way")
	w.status, w.broken = 500, "no"
	w.mu.Unlock()
	_, err = f.SearchPlaces(f.ctx, "Lenina 5")
	require.Equal(t, domain.CodeUnavailable, domain.CodeOf(err))
}

func (f *fleet) to(address string) *domain.Order {
	return f.order(domain.Draft{Dropoff: &domain.Place{Address: address}})
}

func (f *fleet) found(o *domain.Order) {
	f.t.Helper()
	require.Eventually(f.t, func() bool { return f.get(o).Dropoff.Location != nil }, 20*time.Second, 5*time.Millisecond)
}

func TestAddressesAreFound(t *testing.T) {
	w := newTown(t)
	f, run := finding(t, w)
	early := f.to("Lenina 5") // before the process was killed
	defer run()()
	f.found(early)
	require.Equal(t, domain.Point{Lat: 55.751, Lon: 37.6}, *f.get(early).Dropoff.Location)
	events := f.events(early)
	last := events[len(events)-1]
	require.Equal(t, "geocoding", last.Source)
	require.Equal(t, "house", last.Data["quality"])

	unsure := map[string]*domain.Order{}
	for _, address := range []string{"Lenina 1", "Lenina 50", "Mira 3", "Mira", "Nowhere 1", "Shop 2"} {
		unsure[address] = f.to(address)
	}
	tooFar := f.order(domain.Draft{Pickup: from(domain.Point{Lat: 55.75, Lon: 37.6}), Dropoff: &domain.Place{Address: "Farther 7"}})
	both := f.order(domain.Draft{Pickup: &domain.Place{Address: "Shop"}, Dropoff: &domain.Place{Address: "Lenina 12 a"}})
	again := f.to("  LENINA   5 ")
	f.found(both)
	f.found(again)
	require.Eventually(t, func() bool { return f.get(both).Pickup.Location != nil }, 20*time.Second, 5*time.Millisecond)
	require.Len(t, w.requests(), 10, "each address once")
	for address, o := range unsure {
		require.Nil(t, f.get(o).Dropoff.Location, address)
	}
	require.Nil(t, f.get(tooFar).Dropoff.Location)
	p, err := f.Plan(f.ctx, dispatch.Ask{OrderIDs: []string{unsure["Mira"].ID}})
	require.NoError(t, err)
	require.Equal(t, dispatch.ReasonNoLocation, p.Unassigned[0].Reason)
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := 1; i < len(w.times); i++ {
		require.GreaterOrEqual(t, w.times[i].Sub(w.times[i-1]), asksEvery*9/10, "the rate is kept") // the way there takes its time, too
	}
}

// What a person sets is not changed, and nothing is asked for it.
func TestAPersonsPinStays(t *testing.T) {
	w := newTown(t)
	f, run := finding(t, w)
	o, moved := f.to("Lenina 5"), f.to("Mira")
	pin := metres(10, 20)
	for order, place := range map[*domain.Order]domain.Place{o: {Address: "Lenina 5", Location: &pin}, moved: {Address: "Lenina 12 a"}} {
		_, err := f.orders.Edit(f.ctx, order.ID, domain.Edit{Dropoff: &place}, 0)
		require.NoError(t, err)
	}
	defer run()()
	f.found(moved)
	require.Equal(t, 55.752, f.get(moved).Dropoff.Location.Lat)
	require.Equal(t, pin, *f.get(o).Dropoff.Location)
	require.Equal(t, []string{"Lenina 12 a"}, w.requests())
}

// While the server is away or talks nonsense nothing is found, kept or lost.
func TestAGeocoderThatFails(t *testing.T) {
	for name, status := range map[string]int{"HTML": 200, "too many requests": 429, "broken": 500} {
		t.Run(name, func(t *testing.T) {
			w := newTown(t)
			w.status, w.broken = status, "<html>"
			f, run := finding(t, w)
			kill := run()
			o := f.to("Lenina 5")
			require.Eventually(t, func() bool { return len(w.requests()) > 0 }, 20*time.Second, 5*time.Millisecond)
			kill()
			require.Len(t, w.requests(), 1, "it is left alone for a while")
			w.mu.Lock()
			w.status = 0
			w.mu.Unlock()
			f.clock.pass(time.Minute) // the lease of the killed one ends
			defer run()()
			f.found(o)
		})
	}
}

// Two replicas share the work and never ask at the same time.
func TestOneReplicaAsks(t *testing.T) {
	w := newTown(t)
	f, run := finding(t, w)
	o := f.to("Lenina 5")
	first := run()
	f.found(o)
	defer run()()
	f.to("Nowhere 1")
	next := f.to("Lenina 12 a")
	first()
	f.clock.pass(time.Minute)
	f.found(next)
	require.Contains(t, []int{3, 4}, len(w.requests())) // one may have been asked for when the first was stopped
}
