package dispatch_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/order-tracking/order-tracking/internal/dispatch"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/infrastructure/database"
	"github.com/order-tracking/order-tracking/internal/orders"
)

// as returns a courier's context.
func (f *fleet) as(courierID string) context.Context {
	return domain.WithCaller(f.t.Context(), &domain.Caller{Actor: domain.Actor{Kind: domain.RoleCourier, ID: courierID}, CourierID: courierID})
}

// offered returns the ids of couriers' open offers, by courier.
func (f *fleet) offered(couriers ...string) map[string]string {
	f.t.Helper()
	out := map[string]string{}
	for _, c := range couriers {
		offers, err := f.CourierOffers(f.as(c), c)
		require.NoError(f.t, err)
		for _, o := range offers {
			out[c] = o.ID
		}
	}
	return out
}

func (f *fleet) types(o *domain.Order) (types []domain.EventType) {
	for _, e := range f.events(o) {
		types = append(types, e.Type)
	}
	return types
}

func TestOfTwoWhoAcceptOneGetsTheOrder(t *testing.T) {
	f := newFleet(t, nil)
	a, b := f.at("A", metres(0, 0), domain.CourierEdit{}), f.at("B", metres(10, 0), domain.CourierEdit{})
	o := f.order(domain.Draft{})
	made, err := f.Offer(f.ctx, o.ID, dispatch.OfferAsk{CourierIDs: []string{a, b}, ExpiresInS: 60})
	require.NoError(t, err)
	require.Len(t, made.Others, 1)
	require.Equal(t, noon.Add(time.Minute), made.ExpiresAt)
	offers := f.offered(a, b)
	require.Len(t, offers, 2)

	_, err = f.Accept(f.as(a), offers[b])
	require.Equal(t, domain.CodeOfferNotFound, domain.CodeOf(err), "another's")
	got, err := f.Accept(f.as(a), offers[a])
	require.NoError(t, err)
	require.Equal(t, domain.OfferAccepted, got.Status)
	_, err = f.Accept(f.as(a), offers[a])
	require.NoError(t, err, "again is no more")
	_, err = f.Accept(f.as(b), offers[b])
	require.Equal(t, domain.CodeOfferGone, domain.CodeOf(err))
	_, err = f.Decline(f.as(b), offers[b], "too far")
	require.Equal(t, domain.CodeOfferGone, domain.CodeOf(err))
	require.Equal(t, a, f.get(o).CourierID)
	require.Empty(t, f.offered(a, b))
	require.Equal(t, []domain.EventType{
		domain.EventCreated, domain.EventOfferMade, domain.EventOfferMade, domain.EventOfferAccepted, domain.EventOfferWithdrawn, domain.EventStatusChanged,
	}, f.types(o))
	_, err = f.Offer(f.ctx, o.ID, dispatch.OfferAsk{CourierIDs: []string{b}})
	require.Equal(t, domain.CodeIllegalTransition, domain.CodeOf(err))
}

func TestOffersGoOnUntilTheTimeIsOver(t *testing.T) {
	for end, check := range map[string]func(f *fleet, o *domain.Order, couriers []string){
		dispatch.NoTakerAlert: func(f *fleet, o *domain.Order, _ []string) {
			require.Equal(f.t, "no_taker", f.get(o).Exception.Code)
		},
		dispatch.NoTakerAssign: func(f *fleet, o *domain.Order, couriers []string) {
			require.Equal(f.t, couriers[1], f.get(o).CourierID, "the first who did not decline")
		},
		dispatch.NoTakerWiden: func(f *fleet, o *domain.Order, couriers []string) {
			offers := f.offered(couriers...)
			require.Len(f.t, offers, 2, "to all but who declined")
			f.clock.pass(time.Minute)
			f.settle()
			require.Equal(f.t, "no_taker", f.get(o).Exception.Code)
		},
	} {
		t.Run(end, func(t *testing.T) {
			f := newFleet(t, nil)
			f.deps.Offers.OnNoTaker = end
			f.Service = dispatch.New(f.deps)
			var couriers []string
			for n := range 3 {
				couriers = append(couriers, f.at(strconv.Itoa(n), metres(0, float64(n)*1000), domain.CourierEdit{}))
			}
			o := f.order(domain.Draft{Pickup: from(metres(0, 0))})
			_, err := f.Offer(f.ctx, o.ID, dispatch.OfferAsk{Auto: true})
			require.NoError(t, err)
			first := f.offered(couriers...)
			require.Contains(t, first, couriers[0], "to the best first")
			require.Len(t, first, 1)
			_, err = f.Decline(f.as(couriers[0]), first[couriers[0]], "my bicycle is broken")
			require.NoError(t, err)
			second := f.offered(couriers...)
			require.Contains(t, second, couriers[1], "then at once to the next")
			require.Len(t, second, 1)
			f.clock.pass(30 * time.Second)
			f.settle()
			require.Contains(t, f.offered(couriers...), couriers[2], "then, when he is silent, to the third")
			_, err = f.Accept(f.as(couriers[1]), second[couriers[1]])
			require.Equal(t, domain.CodeOfferGone, domain.CodeOf(err), "expired")
			f.clock.pass(30 * time.Second)
			f.settle()
			check(f, o, couriers)
			declined := f.events(o)[2]
			require.Equal(t, domain.EventOfferDeclined, declined.Type)
			require.Equal(t, "my bicycle is broken", declined.Data["reason"])
			// Two days later they are deleted.
			f.clock.pass(100 * time.Hour)
			f.settle()
			next, err := f.store.NextOffer(t.Context())
			require.NoError(t, err)
			require.Zero(t, next)
		})
	}
}

// settle restarts the process, as after a crash, and does everything that is due.
func (f *fleet) settle() {
	f.t.Helper()
	deps := f.deps
	deps.Mode = dispatch.ModeManual
	ctx, stop := context.WithCancel(f.t.Context())
	done := make(chan struct{})
	go func() { defer close(done); dispatch.New(deps).Work(ctx) }()
	require.Eventually(f.t, func() bool {
		next, err := f.store.NextOffer(f.t.Context())
		return err == nil && (next.IsZero() || next.After(f.clock.Now()))
	}, 20*time.Second, time.Millisecond)
	stop()
	<-done
}

func TestOffersAreChecked(t *testing.T) {
	f := newFleet(t, nil)
	o := f.order(domain.Draft{})
	for code, ask := range map[domain.Code]dispatch.OfferAsk{
		domain.CodeValidationFailed:   {},
		domain.CodeCourierNotFound:    {CourierIDs: []string{domain.NewID()}},
		domain.CodeNoCourierAvailable: {Auto: true},
	} {
		_, err := f.Offer(f.ctx, o.ID, ask)
		require.Equal(t, code, domain.CodeOf(err))
	}
	_, err := f.Offer(f.ctx, domain.NewID(), dispatch.OfferAsk{Auto: true})
	require.Equal(t, domain.CodeOrderNotFound, domain.CodeOf(err))
	_, err = f.Accept(f.ctx, domain.NewID())
	require.Equal(t, domain.CodeOfferNotFound, domain.CodeOf(err))
}

// OFFER_RACES is the number of races, 1,000 by default; "make offers" runs many. They are
// over two replicas on PostgreSQL if there is one, several at a time.
func TestOffersHaveOneWinner(t *testing.T) {
	const groups = 8
	races := 1000
	if n, err := strconv.Atoi(os.Getenv("OFFER_RACES")); err == nil {
		races = n
	}
	f := newFleet(t, nil)
	replicas := []*dispatch.Service{f.Service, f.Service}
	if url := os.Getenv("TEST_DATABASE_URL"); url != "" {
		f, replicas = f.onPostgres(url)
	}
	var left atomic.Int64
	left.Store(int64(races))
	var wg errgroup.Group
	for group := range groups {
		var couriers []string
		for n := range 4 {
			couriers = append(couriers, f.at(fmt.Sprint(group, n), metres(0, 0), domain.CourierEdit{Capacity: new(1)}))
		}
		wg.Go(func() error {
			for left.Add(-1) >= 0 {
				if err := f.race(couriers, replicas); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, wg.Wait())
}

// race offers an order to couriers, who all accept, and fails unless exactly one gets it.
func (f *fleet) race(couriers []string, replicas []*dispatch.Service) error {
	o, err := f.orders.Create(f.ctx, domain.Draft{Customer: domain.Customer{Name: "Ann"}, Dropoff: from(metres(1000, 0))})
	if err != nil {
		return err
	}
	made, err := f.Offer(f.ctx, o.ID, dispatch.OfferAsk{CourierIDs: couriers})
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	offers, errs := append(made.Others, made.Offer), make([]error, len(couriers))
	for n, offer := range offers {
		wg.Go(func() { _, errs[n] = replicas[n%2].Accept(f.as(offer.CourierID), offer.ID) })
	}
	wg.Wait()
	o, err = f.store.Order(f.ctx, o.ID)
	if err != nil {
		return err
	}
	winners := 0
	for n, err := range errs {
		if won := offers[n].CourierID == o.CourierID; won && err == nil {
			winners++
		} else if won || domain.CodeOf(err) != domain.CodeOfferGone {
			return fmt.Errorf("the order went to %s, and %s was told %w", o.CourierID, offers[n].CourierID, err)
		}
	}
	if winners != 1 {
		return fmt.Errorf("order %s has %d winners", o.ID, winners)
	}
	_, err = f.orders.Cancel(f.ctx, o.ID, "", 0)
	return err
}

// onPostgres returns two replicas on one database.
func (f *fleet) onPostgres(url string) (*fleet, []*dispatch.Service) {
	var both []*fleet
	for range 2 {
		store, err := database.OpenPostgres(f.t.Context(), url, database.Options{})
		require.NoError(f.t, err)
		f.t.Cleanup(func() { require.NoError(f.t, store.Close()) })
		one := *f
		one.store, one.deps.Store = store, store
		one.orders = orders.New(orders.Deps{Store: store, Live: f.live, Clock: f.clock, Log: f.deps.Log, Keys: f.deps.Keys})
		one.deps.Orders = one.orders
		one.Service = dispatch.New(one.deps)
		both = append(both, &one)
	}
	return both[0], []*dispatch.Service{both[0].Service, both[1].Service}
}
