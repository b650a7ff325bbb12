package dispatch_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/dispatch"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/eta"
	"github.com/order-tracking/order-tracking/internal/idempotency"
	"github.com/order-tracking/order-tracking/internal/infrastructure/cache"
	"github.com/order-tracking/order-tracking/internal/infrastructure/database"
	"github.com/order-tracking/order-tracking/internal/infrastructure/routing"
	"github.com/order-tracking/order-tracking/internal/orders"
)

// clock stands still until moved.
type clock struct{ later atomic.Int64 }

func (c *clock) Now() time.Time { return noon.Add(time.Duration(c.later.Load())) }

func (c *clock) pass(d time.Duration) { c.later.Add(int64(d)) }

// fleet is couriers and orders over a real store.
type fleet struct {
	*dispatch.Service
	orders *orders.Service
	store  *database.Store
	live   domain.LiveStore
	deps   dispatch.Deps
	clock  *clock
	ctx    context.Context
	t      *testing.T
}

func newFleet(t *testing.T, router domain.Router) *fleet {
	t.Helper()
	store, err := database.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "orders.db"), database.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	f := &fleet{
		t: t, ctx: domain.WithActor(t.Context(), domain.Actor{Kind: domain.RoleAdmin, ID: "test"}),
		store: store, live: cache.NewMemory(cache.MemoryOptions{}),
	}
	f.clock = &clock{}
	keys := idempotency.NewKeys(store, f.clock)
	f.orders = orders.New(orders.Deps{Store: store, Live: f.live, Clock: f.clock, Log: zap.NewNop(), Keys: keys, Estimate: eta.Config{
		Speeds: map[domain.Vehicle]float64{domain.VehicleMotorbike: 10}, Detour: 1, Handover: time.Minute, Dispatch: time.Minute,
		Default: time.Hour, FreshFor: time.Hour,
	}})
	f.deps = dispatch.Deps{
		Store: store, Live: f.live, Clock: f.clock, Log: zap.NewNop(), Keys: keys, Orders: f.orders, Config: dispatch.DefaultConfig(),
		Mode: dispatch.ModeAssign, Learned: straight, Router: router, FreshFor: time.Hour,
		Offers: dispatch.OfferConfig{ExpiresIn: 30 * time.Second, Total: 2 * time.Minute, AtOnce: 1, OnNoTaker: dispatch.NoTakerAlert},
	}
	f.Service = dispatch.New(f.deps)
	return f
}

// at creates a courier at a location.
func (f *fleet) at(name string, where domain.Point, edit domain.CourierEdit) string {
	f.t.Helper()
	edit.Name = &name
	c, err := domain.NewCourier(edit, "", noon)
	require.NoError(f.t, err)
	require.NoError(f.t, f.store.CreateCourier(f.ctx, c, nil))
	_, err = f.live.PutFixes(f.ctx, []domain.Fix{{CourierID: c.ID, Position: domain.Position{Lat: where.Lat, Lon: where.Lon, RecordedAt: noon}}})
	require.NoError(f.t, err)
	return c.ID
}

func (f *fleet) order(d domain.Draft) *domain.Order {
	f.t.Helper()
	d.Customer.Name = "Ann"
	if d.Dropoff == nil {
		d.Dropoff = &domain.Place{Location: new(metres(1000, 0))}
	}
	o, err := f.orders.Create(f.ctx, d)
	require.NoError(f.t, err)
	return o
}

func from(at domain.Point) *domain.Place { return &domain.Place{Location: &at} }

func (f *fleet) auto(o *domain.Order) (string, error) {
	o, err := f.orders.Assign(f.ctx, o.ID, orders.Assignment{Auto: true}, 0)
	if err != nil {
		return "", err
	}
	return o.CourierID, nil
}

// The nearest courier is across the river: the order goes to the shortest road route, and
// while the router is down or wrong, the straight line decides.
func TestAutoGoesByRoad(t *testing.T) {
	answer := ""
	router := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("sources") == "0" { // from the pick-up to the drop-off
			_, _ = fmt.Fprint(w, `{"code":"Ok","durations":[[100]]}`)
			return
		}
		if answer == "" {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_, _ = fmt.Fprintf(w, `{"code":"Ok","durations":%s}`, answer)
	}))
	defer router.Close()
	for name, c := range map[string]struct{ answer, want string }{
		"by road":            {`[[200],[900],[null]]`, "far"}, // newest courier first
		"the router is away": {``, "island"},
		"it lies":            {`[[0],[0],[0]]`, "island"},
		"a row is missing":   {`[[1],[1]]`, "island"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, routing.New(routing.Options{URL: router.URL, Timeout: 5 * time.Second}))
			answer = c.answer
			ids := map[string]string{
				"island": f.at("island", metres(100, 0), domain.CourierEdit{}),
				"across": f.at("across the river", metres(200, 0), domain.CourierEdit{}),
				"far":    f.at("far", metres(900, 0), domain.CourierEdit{}),
			}
			got, err := f.auto(f.order(domain.Draft{Pickup: from(metres(0, 0))}))
			require.NoError(t, err)
			require.Equal(t, ids[c.want], got)
		})
	}
}

// Plans and routes count with the stays and the drives that deliveries have taught.
func TestPlansUseWhatWasLearned(t *testing.T) {
	f := newFleet(t, nil)
	learned := straight
	learned.Book = eta.NewBook()
	f.deps.Learned = learned
	f.Service = dispatch.New(f.deps)
	id := f.at("Ivan", metres(0, 0), domain.CourierEdit{})
	o := f.order(domain.Draft{Pickup: from(metres(0, 0)), Dropoff: from(metres(3000, 0))})
	planned := func() (pickup, dropoff time.Duration) {
		p, err := f.Plan(f.ctx, dispatch.Ask{})
		require.NoError(t, err)
		require.Len(t, p.Assignments, 1)
		return p.Assignments[0].PickupAt.Sub(noon), p.Assignments[0].DropoffAt.Sub(noon)
	}
	pickup, dropoff := planned()
	require.Equal(t, 30*time.Second, pickup)
	require.Equal(t, 30*time.Second+30*time.Second+300*time.Second+30*time.Second, dropoff)
	for n := range 40 {
		took := func(s eta.Stage, took time.Duration) eta.Lesson {
			return eta.Finish(s, eta.Case{Trip: eta.Trip{At: noon}, Took: took})
		}
		learned.Book.Learn(int64(n+1), fmt.Sprint(n), noon, []eta.Lesson{
			took(eta.StagePickup, 8*time.Minute), took(eta.StageDoor, 4*time.Minute), took(eta.StageDrive, time.Minute), // as usual, 4.6 m/s
		})
	}
	pickup, dropoff = planned()
	require.InEpsilon(t, 4*time.Minute, pickup, .1)
	require.InEpsilon(t, 8*time.Minute+3000*10/46*time.Second+2*time.Minute, dropoff, .1)

	_, err := f.orders.Assign(f.ctx, o.ID, orders.Assignment{CourierID: id}, 0)
	require.NoError(t, err)
	r, err := f.Route(f.ctx, id)
	require.NoError(t, err)
	require.InEpsilon(t, 4*time.Minute, r.Stops[0].ETA.Sub(noon), .1)
}

func TestAutoTakesWhoHasRoomAndSuits(t *testing.T) {
	f := newFleet(t, nil)
	here := metres(0, 0)
	one := f.at("near", here, domain.CourierEdit{Capacity: new(1)})
	two := f.at("far", metres(5000, 0), domain.CourierEdit{Skills: &[]string{"fridge"}})
	_, err := f.auto(f.order(domain.Draft{Dropoff: &domain.Place{Address: "nobody knows where"}}))
	require.Equal(t, domain.CodeNoCourierAvailable, domain.CodeOf(err))
	got, err := f.auto(f.order(domain.Draft{Pickup: from(here), Requirements: &domain.Requirements{Skills: []string{"fridge"}}}))
	require.NoError(t, err)
	require.Equal(t, two, got)
	got, err = f.auto(f.order(domain.Draft{Pickup: from(here)}))
	require.NoError(t, err)
	require.Equal(t, one, got)
	o := f.order(domain.Draft{Pickup: from(here), Priority: 9})
	got, err = f.auto(o)
	require.NoError(t, err)
	require.Equal(t, two, got, "the near one is full")
	events, err := f.store.Events(f.ctx, o.ID, 1)
	require.NoError(t, err)
	require.Contains(t, events[0].Reason, "at ", "why is in the history")
	_, err = f.auto(f.order(domain.Draft{Requirements: &domain.Requirements{Vehicle: []domain.Vehicle{"van"}}}))
	require.ErrorContains(t, err, "vehicle")
}

func TestPlanChangesNothingAndRunAssignsWhatIsDue(t *testing.T) {
	f := newFleet(t, nil)
	id := f.at("Ivan", metres(0, 0), domain.CourierEdit{})
	due := f.order(domain.Draft{Pickup: from(metres(500, 0))})
	later := f.order(domain.Draft{Pickup: from(metres(600, 0)), ReadyAt: new(noon.Add(40 * time.Minute))})
	lost := f.order(domain.Draft{Dropoff: &domain.Place{Address: "nobody knows where"}})

	plan, err := f.Plan(f.ctx, dispatch.Ask{})
	require.NoError(t, err)
	require.Len(t, plan.Assignments, 2)
	require.Equal(t, dispatch.Explained{OrderID: lost.ID, Reason: dispatch.ReasonNoLocation, Detail: "it is not known where the order goes"}, plan.Unassigned[0])
	require.Empty(t, f.get(due).CourierID)

	done, err := f.Run(f.ctx, dispatch.Ask{})
	require.NoError(t, err)
	require.Len(t, done.Assignments, 1)
	require.Equal(t, due.ID, done.Assignments[0].OrderID)
	require.Len(t, done.Unassigned, 2)
	require.Equal(t, id, f.get(due).CourierID)
	require.Empty(t, f.get(later).CourierID)

	done, err = f.Run(f.ctx, dispatch.Ask{OrderIDs: []string{later.ID, due.ID}})
	require.NoError(t, err)
	require.Equal(t, id, f.get(later).CourierID, "who is named is given at once")
	require.Equal(t, dispatch.ReasonNotWaiting, done.Unassigned[0].Reason)
}

func (f *fleet) get(o *domain.Order) *domain.Order {
	f.t.Helper()
	o, err := f.store.Order(f.ctx, o.ID)
	require.NoError(f.t, err)
	return o
}

func TestUnknownIDsAreRefused(t *testing.T) {
	f := newFleet(t, nil)
	for code, ask := range map[domain.Code]dispatch.Ask{
		domain.CodeValidationFailed: {OrderIDs: []string{"x"}},
		domain.CodeOrderNotFound:    {OrderIDs: []string{domain.NewID()}},
		domain.CodeCourierNotFound:  {CourierIDs: []string{domain.NewID()}},
	} {
		_, err := f.Plan(f.ctx, ask)
		require.Equal(t, code, domain.CodeOf(err))
	}
	_, err := f.Plan(t.Context(), dispatch.Ask{CourierIDs: []string{"x"}})
	require.Error(t, err)
}

// Two concurrent runs, as on two replicas, assign no order twice and lose none.
func TestRunsAtOnceAssignNobodyTwice(t *testing.T) {
	f := newFleet(t, nil)
	other := dispatch.New(f.deps)
	for n := range 8 {
		f.at(fmt.Sprint(n), metres(float64(n)*100, 0), domain.CourierEdit{Capacity: new(1)})
		f.order(domain.Draft{Pickup: from(metres(0, float64(n)*100))})
	}
	var wg sync.WaitGroup
	for _, s := range []*dispatch.Service{f.Service, other, f.Service, other} {
		wg.Go(func() {
			_, err := s.Run(f.ctx, dispatch.Ask{})
			require.NoError(t, err)
		})
	}
	wg.Wait()
	_, err := f.Run(f.ctx, dispatch.Ask{})
	require.NoError(t, err)
	list, _, err := f.store.Orders(f.ctx, domain.OrderFilter{}, domain.Page{Size: 50})
	require.NoError(t, err)
	has := map[string]int{}
	for _, o := range list {
		require.Equal(t, domain.StatusAssigned, o.Status)
		require.Equal(t, int64(2), o.Version)
		has[o.CourierID]++
	}
	require.Len(t, has, 8)
}

// Only one replica plans at a step; an unassigned order is explained once in its history.
func TestAStepIsOneReplicas(t *testing.T) {
	f := newFleet(t, nil)
	lost := f.order(domain.Draft{Dropoff: &domain.Place{Address: "nobody knows where"}})
	urgent := f.order(domain.Draft{Priority: 9})
	f.at("Ivan", metres(0, 0), domain.CourierEdit{})
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	f.orders.Announce(f.Service)
	for _, s := range []*dispatch.Service{f.Service, dispatch.New(f.deps)} {
		wg.Go(func() { s.Work(ctx) })
	}
	f.order(domain.Draft{Priority: 7, Dropoff: &domain.Place{Address: "as urgent"}}) // wakes both
	require.Eventually(t, func() bool { return f.get(urgent).CourierID != "" && len(f.events(lost)) == 2 }, 20*time.Second, time.Millisecond)
	stop()
	wg.Wait()
	e := f.events(lost)[1]
	require.Equal(t, domain.EventUnassigned, e.Type)
	require.Equal(t, "it is not known where the order goes", e.Reason)
	require.Equal(t, int64(1), e.Version)
	mine, err := f.orders.TakeTurn(t.Context(), "dispatch", time.Minute)
	require.NoError(t, err)
	require.False(t, mine, "one of them took the turn")
}

func (f *fleet) events(o *domain.Order) []domain.Event {
	f.t.Helper()
	events, err := f.store.Events(f.ctx, o.ID, 0)
	require.NoError(f.t, err)
	return events
}

func TestShiftsBind(t *testing.T) {
	f := newFleet(t, nil)
	id := f.at("Ivan", metres(0, 0), domain.CourierEdit{})
	hour := func(h int) time.Time { return noon.Add(time.Duration(h) * time.Hour) }
	o := f.order(domain.Draft{Pickup: from(metres(500, 0))})
	for name, c := range map[string]struct {
		shifts []dispatch.Shift
		now    bool
		reason dispatch.Reason
	}{
		"under way":      {[]dispatch.Shift{{Start: hour(-1), End: hour(1)}}, true, ""},
		"over":           {[]dispatch.Shift{{Start: hour(-3), End: hour(-1)}}, false, dispatch.ReasonNoCourier},
		"nearly over":    {[]dispatch.Shift{{Start: hour(-3), End: noon.Add(time.Minute)}}, false, dispatch.ReasonShiftEnd},
		"begins soon":    {[]dispatch.Shift{{Start: noon.Add(10 * time.Minute), End: hour(2)}}, false, dispatch.ReasonLater},
		"a break is now": {[]dispatch.Shift{{Start: hour(-1), End: hour(2), Breaks: []dispatch.Break{{Start: noon, End: noon.Add(20 * time.Minute)}}}}, false, dispatch.ReasonLater},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := f.SetShifts(f.ctx, id, dispatch.Shifts{Shifts: c.shifts})
			require.NoError(t, err)
			got, err := f.Shifts(f.ctx, id)
			require.NoError(t, err)
			require.Equal(t, c.shifts, got.Shifts)
			plan, err := f.Plan(f.ctx, dispatch.Ask{OrderIDs: []string{o.ID}})
			require.NoError(t, err)
			if c.now || c.reason == dispatch.ReasonLater {
				require.Len(t, plan.Assignments, 1)
				require.Equal(t, c.now, plan.Assignments[0].LeaveAt.Equal(noon))
				return
			}
			require.Equal(t, c.reason, plan.Unassigned[0].Reason)
		})
	}
	for _, bad := range [][]dispatch.Shift{
		{{Start: hour(1), End: hour(0)}}, {{Start: hour(0), End: hour(25)}}, {{Start: hour(0), End: hour(2)}, {Start: hour(1), End: hour(3)}},
		{{Start: hour(0), End: hour(2), Breaks: []dispatch.Break{{Start: hour(1), End: hour(3)}}}}, {{}},
	} {
		_, err := f.SetShifts(f.ctx, id, dispatch.Shifts{Shifts: bad})
		require.Equal(t, domain.CodeValidationFailed, domain.CodeOf(err))
	}
	_, err := f.SetShifts(f.ctx, domain.NewID(), dispatch.Shifts{})
	require.Equal(t, domain.CodeCourierNotFound, domain.CodeOf(err))
}

// A courier on his way to a customer passes another pick-up.
func TestAnOrderIsPutIntoATourUnderWay(t *testing.T) {
	f := newFleet(t, nil)
	id := f.at("Ivan", metres(0, 0), domain.CourierEdit{})
	other := f.at("Petr", metres(0, 9000), domain.CourierEdit{})
	far := f.order(domain.Draft{Pickup: from(metres(100, 0)), Dropoff: from(metres(9000, 0)), PromisedAt: new(noon.Add(time.Hour))})
	_, err := f.orders.Assign(f.ctx, far.ID, orders.Assignment{CourierID: id}, 0)
	require.NoError(t, err)
	passed := f.order(domain.Draft{Pickup: from(metres(3000, 0)), Dropoff: from(metres(6000, 0))})
	plan, err := f.Plan(f.ctx, dispatch.Ask{})
	require.NoError(t, err)
	require.Equal(t, id, plan.Assignments[0].CourierID)
	require.Contains(t, plan.Assignments[0].Detail, "passes by")
	// Not if that breaks the promise to the previous customer.
	_, err = f.orders.Edit(f.ctx, far.ID, domain.Edit{PromisedAt: new(noon.Add(17*time.Minute + 30*time.Second))}, 0)
	require.NoError(t, err)
	plan, err = f.Plan(f.ctx, dispatch.Ask{})
	require.NoError(t, err)
	require.NotContains(t, plan.Assignments[0].Detail, "passes by")
	_, _ = passed, other
}
