package shipping_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/carrier/cdek/sandbox"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/shipping"
)

// badDays are whole kinds of trouble: calls that go wrong, and habits.
func badDays() map[string]func(*sandbox.Server) {
	out := map[string]func(*sandbox.Server){}
	call := func(name string, f sandbox.Fault) {
		f.Times = 1 << 30
		out[name] = func(s *sandbox.Server) { s.Fail(f) }
	}
	for _, kind := range []sandbox.FaultKind{
		sandbox.TooMany, sandbox.Spring, sandbox.Page, sandbox.Lie, sandbox.Errors, sandbox.Empty, sandbox.Hang, sandbox.Lost, sandbox.Cut, sandbox.TokenExpired,
	} {
		call(string(kind), sandbox.Fault{Kind: kind})
	}
	for _, status := range []int{400, 403, 404, 409, 413, 451} {
		call(fmt.Sprint("refuse ", status), sandbox.Fault{Kind: sandbox.Refuse, Status: status})
	}
	call("refuse in its own words", sandbox.Fault{Kind: sandbox.Refuse, Status: 403, Code: "v2_order_forbidden"})
	call("no token", sandbox.Fault{Kind: sandbox.Refuse, Path: "/oauth"})
	call("only the answers of bookings are lost", sandbox.Fault{Kind: sandbox.Lost, Method: "POST", Path: "/orders"})
	call("bookings hang", sandbox.Fault{Kind: sandbox.Late, Method: "POST", Path: "/orders"})
	call("it asks for years", sandbox.Fault{Kind: sandbox.TooMany, After: "99999999999"})
	for name, h := range map[string]sandbox.Habits{
		"lag": {NumberLag: 6 * time.Minute, StatusLag: 5 * time.Minute}, "shuffle and repeat": {Shuffle: true, Repeat: true},
		"refuse at once": {RefuseAtOnce: true, NumberLag: time.Minute}, "slow": {Slow: 8 * time.Second},
	} {
		out[name] = func(s *sandbox.Server) { s.Behave(h) }
	}
	out["lag and lost answers"] = func(s *sandbox.Server) {
		s.Behave(sandbox.Habits{NumberLag: 6 * time.Second})
		s.Fail(sandbox.Fault{Kind: sandbox.Lost, Method: "POST", Path: "/orders", Times: 1 << 30})
	}
	return out
}

// Each trouble in each phase of a parcel: it is booked once, ends right, is cancelled
// once, and costs nothing that nobody agreed to.
func TestBadDays(t *testing.T) {
	travel := func(bool) []sandbox.Step {
		return []sandbox.Step{
			{After: 2 * time.Hour, Code: "RECEIVED_AT_SHIPMENT_WAREHOUSE", City: "Москва"}, {After: 3 * time.Hour, Code: "TAKEN_BY_COURIER", City: "Москва"},
			{After: 4 * time.Hour, Code: "DELIVERED", City: "Москва"},
		}
	}
	phases := map[string]time.Duration{ // after the booking; before it for a negative one
		"booking": -1, "deciding": 200 * time.Millisecond, "waiting": time.Hour, "travelling": 110 * time.Minute, "ending": 3*time.Hour + 50*time.Minute,
	}
	days, names := badDays(), slices.Sorted(maps.Keys(phases))
	for i, day := range slices.Sorted(maps.Keys(days)) {
		begin := days[day]
		for j, phase := range names {
			// Each day in one phase and each phase on some days; make walk tries all.
			if at := (i + j) % len(names); at != 0 && os.Getenv("WALK_PARCELS") == "" {
				continue
			}
			at := phases[phase]
			t.Run(day+" while "+phase, func(t *testing.T) {
				t.Parallel()
				inShop(t, sandbox.Options{Travel: travel}, func(s *shop) {
					o := s.order()
					if at < 0 {
						begin(s.carrier)
					}
					s.book(o)
					if at >= 0 {
						pass(at)
						begin(s.carrier)
					}
					pass(40 * time.Minute)
					require.True(s, s.get(o).Shipment.Phase.Live(), "%+v", s.get(o).Shipment)
					s.carrier.Heal()
					pass(30 * time.Hour)
					got := s.get(o)
					require.Equal(s, domain.StatusDelivered, got.Status)
					require.Equal(s, domain.PhaseRegistered, got.Shipment.Phase)
					require.Nil(s, got.Exception)
					require.Len(s, s.direct(), 1)
				})
			})
		}
		if i%len(names) != 0 && os.Getenv("WALK_PARCELS") == "" {
			continue
		}
		t.Run(day+" while cancelling", func(t *testing.T) {
			t.Parallel()
			inShop(t, sandbox.Options{}, func(s *shop) {
				o := s.book(s.order())
				pass(time.Hour)
				begin(s.carrier)
				_, _ = s.orders.Cancel(s.ctx(), o.ID, "", 0)
				pass(40 * time.Minute)
				s.carrier.Heal()
				pass(time.Hour)
				require.Equal(s, domain.StatusCancelled, s.get(o).Status)
				require.Len(s, s.direct(), 1)
				require.Equal(s, "REMOVED", s.direct()[0].Status)
				require.Zero(s, s.carrier.Charged())
			})
		})
	}
}

// mortal is a store whose process may be dead: then nothing that it still says is stored.
type mortal struct {
	domain.Store
	dead *atomic.Bool
}

var errDead = errors.New("killed")

func (m mortal) UpdateOrder(ctx context.Context, id string, fn func(*domain.Change) error) (*domain.Order, error) {
	if m.dead.Load() {
		return nil, errDead
	}
	return m.Store.UpdateOrder(ctx, id, fn)
}

func (m mortal) NameShipment(ctx context.Context, id string, ref domain.ShipmentRef, unsent bool) error {
	if m.dead.Load() {
		return errDead
	}
	return m.Store.NameShipment(ctx, id, ref, unsent)
}

func (m mortal) PutOffShipment(ctx context.Context, job domain.ShipmentJob, until time.Time) error {
	if m.dead.Load() {
		return errDead
	}
	return m.Store.PutOffShipment(ctx, job, until)
}

func (m mortal) CancelShipment(ctx context.Context, id, ref string, cancelling bool, version int64, at time.Time) (bool, error) {
	if m.dead.Load() {
		return false, errDead
	}
	return m.Store.CancelShipment(ctx, id, ref, cancelling, version, at)
}

// kill ends the product at whatever it is at, and starts it anew.
func (s *shop) kill() {
	s.dead.Store(true)
	s.shut()
	s.open()
}

// A random walk of faults, with kills: parcels at the carrier are those of the orders, and
// money is spent where somebody agreed to it. WALK_PARCELS and WALK_SEED take it further.
func TestRandomWalkOfFaults(t *testing.T) {
	parcels, seed := 14, uint64(1)
	if n, err := strconv.Atoi(os.Getenv("WALK_PARCELS")); err == nil {
		parcels = n
	}
	if n, err := strconv.ParseUint(os.Getenv("WALK_SEED"), 10, 64); err == nil {
		seed = n
	}
	t.Logf("WALK_PARCELS=%d WALK_SEED=%d", parcels, seed)
	inShop(t, sandbox.Options{ReturnTravel: []sandbox.Step{{After: time.Hour, Code: "DELIVERED"}}}, func(s *shop) {
		w := &walk{shop: s, rand: rand.New(rand.NewPCG(seed, 1)), agreed: map[string]bool{}} //nolint:gosec // to repeat it
		for i := range parcels {
			if i == parcels/4 || i == parcels/2 || i == 3*parcels/4 {
				s.kill()
			}
			w.orders = append(w.orders, s.book(s.order()))
			for range 6 {
				w.step()
			}
		}
		s.carrier.Heal()
		pass(26 * time.Hour)
		w.check()
	})
}

// walk is a random walk.
type walk struct {
	*shop
	rand   *rand.Rand
	orders []*domain.Order
	agreed map[string]bool // whose return somebody agreed to pay for
}

func (w *walk) step() {
	o := w.orders[w.rand.IntN(len(w.orders))]
	kinds := []sandbox.FaultKind{
		sandbox.TooMany, sandbox.Spring, sandbox.Page, sandbox.Lie, sandbox.Errors, sandbox.Refuse, sandbox.Hang, sandbox.Lost, sandbox.Late, sandbox.Cut, sandbox.TokenExpired,
	}
	switch w.rand.IntN(9) {
	case 0, 1:
		path := []string{"", "/orders", "/orders", "/refusal", "/calculator", "/oauth"}[w.rand.IntN(6)]
		w.carrier.Fail(sandbox.Fault{Kind: kinds[w.rand.IntN(len(kinds))], Path: path, Times: 1 + w.rand.IntN(4)})
	case 2:
		w.carrier.Behave(sandbox.Habits{
			NumberLag: time.Duration(w.rand.IntN(9)) * time.Second, RefuseAtOnce: w.rand.IntN(2) == 0, Slow: time.Duration(w.rand.IntN(2)) * 3 * time.Second,
			Shuffle: w.rand.IntN(2) == 0, Repeat: w.rand.IntN(2) == 0, ForbidReturns: w.rand.IntN(4) == 0,
		})
	case 3:
		w.carrier.Heal()
	case 4:
		_, _ = w.shop.orders.Cancel(w.ctx(), o.ID, "", 0)
	case 5:
		if w.rand.IntN(2) == 0 {
			w.agreed[o.ID] = true
			_, _ = w.shipments.Refuse(w.ctx(), o.ID, shipping.Refusal{Confirm: true}, 0)
		}
	case 6, 7:
		codes := []string{"RECEIVED_AT_SHIPMENT_WAREHOUSE", "SENT_TO_RECIPIENT_CITY", "TAKEN_BY_COURIER", "DELIVERED"}
		for _, b := range w.direct() {
			if b.CdekNumber != "" && b.Status != "DELIVERED" && b.Status != "REMOVED" && b.Status != "NOT_DELIVERED" && w.rand.IntN(3) == 0 {
				w.carrier.Report(b.UUID, codes[w.rand.IntN(len(codes))], "", "Москва")
			}
		}
	}
	pass(time.Duration(w.rand.IntN(20000)) * time.Millisecond)
}

// check compares what the carrier holds with what the orders say.
func (w *walk) check() {
	w.Helper()
	held := map[string]sandbox.Booked{}
	for _, b := range w.direct() {
		require.NotContains(w, held, b.Number, "two parcels of one booking")
		held[b.Number] = b
	}
	charged := 0
	for _, o := range w.orders {
		o = w.get(o)
		b, there := held[o.Shipment.Reference]
		delete(held, o.Shipment.Reference)
		if !there {
			require.Equal(w, domain.PhaseCancelled, o.Shipment.Phase, "%s is not at the carrier", o.ID)
			continue
		}
		says := fmt.Sprintf("%s is %s (%s, %+v) and %s at the carrier", o.ID, o.Status, o.Shipment.Phase, o.Exception, b.Status)
		switch b.Status {
		case "REMOVED":
			require.Equal(w, domain.StatusCancelled, o.Status, says)
			continue
		case "DELIVERED":
			require.Equal(w, domain.StatusDelivered, o.Status, says)
		case "NOT_DELIVERED":
			charged++
			require.True(w, w.agreed[o.ID], "nobody agreed to pay for %s", o.ID)
			require.Equal(w, domain.StatusReturned, o.Status, says)
		default:
			require.True(w, o.Active(), says)
		}
		require.Equal(w, domain.PhaseRegistered, o.Shipment.Phase, says)
		require.Equal(w, b.CdekNumber, o.Shipment.TrackingNumber, says)
	}
	require.Empty(w, held, "parcels of which no order knows")
	require.Equal(w, charged, w.carrier.Charged())
}

// Of a type whose orders do not keep our number a lost answer is a person's to settle.
func TestABookingThatNobodyCanTellAbout(t *testing.T) {
	for _, exists := range []bool{true, false} {
		inShop(t, sandbox.Options{}, func(s *shop) {
			s.shut()
			s.freight = true
			s.open()
			fault := sandbox.Fault{Kind: sandbox.Cut, Method: "POST", Path: "/v2/orders"}
			if exists {
				fault.Kind = sandbox.Lost
			}
			s.carrier.Fail(fault)
			o := s.book(s.order())
			pass(20 * time.Minute)
			require.Equal(s, domain.ExceptionBookingUnknown, s.get(o).Exception.Code)
			require.Equal(s, 1, s.carrier.Refused(), "never a second booking unasked")
			_, err := s.orders.Cancel(s.ctx(), o.ID, "", 0)
			requireCode(s, domain.CodeBookingUnknown, err)
			s.kill()
			pass(time.Hour)
			_, err = s.shipments.Resolve(s.ctx(), o.ID, shipping.Resolution{Action: "exists"})
			requireCode(s, domain.CodeValidationFailed, err)
			answer := shipping.Resolution{Action: shipping.ResolveRetry}
			if exists {
				answer = shipping.Resolution{Action: shipping.ResolveExists, ID: s.carrier.Booked()[0].UUID}
			}
			got, err := s.shipments.Resolve(s.ctx(), o.ID, answer)
			require.NoError(s, err)
			require.Nil(s, got.Exception)
			pass(time.Minute)
			require.Equal(s, domain.PhaseRegistered, s.get(o).Shipment.Phase)
			require.Len(s, s.direct(), 1)
			_, err = s.shipments.Resolve(s.ctx(), o.ID, answer)
			requireCode(s, domain.CodeIllegalTransition, err)
		})
	}
}

// A change that is refused for its version changes nothing anywhere.
func TestACancelForAnotherVersionChangesNothing(t *testing.T) {
	inShop(t, sandbox.Options{}, func(s *shop) {
		o := s.book(s.order())
		pass(time.Minute)
		_, err := s.orders.Cancel(s.ctx(), o.ID, "", 1)
		requireCode(s, domain.CodeVersionConflict, err)
		pass(time.Hour)
		require.Zero(s, s.carrier.Calls("DELETE /v2/orders/{id}"))
		require.Equal(s, domain.PhaseRegistered, s.get(o).Shipment.Phase)
		_, err = s.orders.Cancel(s.ctx(), o.ID, "", s.get(o).Version)
		require.NoError(s, err)
	})
}

// A carrier that hangs makes nobody hang who books.
func TestBookingDoesNotWaitForACarrierThatHangs(t *testing.T) {
	inShop(t, sandbox.Options{}, func(s *shop) {
		s.carrier.Fail(sandbox.Fault{Kind: sandbox.Hang, Times: 1 << 30})
		o, start := s.order(), time.Now()
		s.book(o)
		require.Less(s, time.Since(start), 150*time.Millisecond)
		start = time.Now()
		s.book(s.order())
		require.Less(s, time.Since(start), 50*time.Millisecond, "the next one does not wait at all")
		s.carrier.Heal()
		pass(time.Minute) // until what hangs has been given up
	})
}

// A thousand parcels are due while the carrier is away for an hour: it is asked little
// meanwhile, and not stormed when it is back.
func TestNoStormWhenACarrierIsBack(t *testing.T) {
	for name, f := range map[string]sandbox.Fault{
		"away": {Kind: sandbox.Page, Times: 1 << 30}, "behind a firewall": {Kind: sandbox.Refuse, Times: 1 << 30}, "hanging": {Kind: sandbox.Hang, Times: 1 << 30},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inShop(t, sandbox.Options{}, func(s *shop) {
				parcels := 1000
				if f.Kind != sandbox.Page && os.Getenv("WALK_PARCELS") == "" || f.Kind == sandbox.Refuse { // where each of them is tried
					parcels = 150
				}
				for i := range parcels {
					_, err := s.shipments.Book(s.ctx(), s.order().ID, shipping.ShipmentDraft{TrackingNumber: fmt.Sprint(i)})
					require.NoError(s, err)
				}
				s.carrier.Fail(f)
				pass(time.Hour)
				require.Less(s, s.carrier.Refused(), 11*3600, "no more than ten a second")
				before := s.calls()
				s.carrier.Heal()
				for range 60 {
					pass(time.Second)
					now := s.calls()
					require.LessOrEqual(s, now-before, 11, "calls in a second")
					before = now
				}
			})
		})
	}
}

func (s *shop) calls() int {
	return s.carrier.Calls("GET /v2/orders/{id}") + s.carrier.Calls("GET /v2/orders") + s.carrier.Calls("POST /v2/orders")
}
