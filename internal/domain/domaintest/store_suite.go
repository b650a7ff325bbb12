// Package domaintest holds one conformance suite for each port of the domain. Every
// implementation runs the suite of its port; new guarantees are added here.
package domaintest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// StoreBackend is an implementation of domain.Store under test.
type StoreBackend struct {
	// Open returns an empty store that is closed when the test ends.
	Open func(t *testing.T) domain.Store
	// Reopen closes the store and opens it again with the same data.
	Reopen func(t *testing.T, s domain.Store) domain.Store
}

// Store runs the suite: a subtest per guarantee of domain.Store and domain.Outbox.
func Store(t *testing.T, b StoreBackend) {
	groups := map[string]map[string]func(*testing.T, storeSuite){
		"create": createTests, "update": updateTests, "race": raceTests, "couriers": courierTests,
		"list": listTests, "counts": countTests, "search": searchTests, "fixes": fixTests, "outbox": outboxTests, "keeping": keepingTests, "shipments": shipmentTests, "import": importTests,
		"phones": phoneTests, "offers": offerTests, "proofs": proofTests, "places": placeTests, "deliveries": deliveryTests, "lessons": lessonTests, "reports": reportTests,
		"tickets": ticketTests, "access": accessTests, "audit": auditTests,
	}
	for group, tests := range groups {
		t.Run(group, func(t *testing.T) {
			t.Parallel()
			for name, test := range tests {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					test(t, storeSuite{b, b.Open(t)})
				})
			}
		})
	}
}

type storeSuite struct {
	backend StoreBackend
	domain.Store
}

// start is the creation time of the suite's first orders.
var start = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

func by(now time.Time) domain.By {
	return domain.By{Actor: domain.Actor{Kind: domain.RoleAdmin, ID: "suite"}, Source: domain.SourceAPI, Now: now}
}

func draft() domain.Draft {
	return domain.Draft{
		Customer: domain.Customer{Name: "Ирина Petrova", Phone: "+79161234567"},
		Dropoff:  &domain.Place{Address: "Тверская 1, Moscow"},
		Notes:    "quotes ' \" and \\ and \u2028, 100 % of them_",
	}
}

// change returns the change of a new order.
func change(d domain.Draft, now time.Time) *domain.Change {
	o, ev := domain.NewOrder(d, by(now))
	return &domain.Change{Order: o, Events: []domain.Event{ev}}
}

func (s storeSuite) create(t *testing.T, d domain.Draft, now time.Time) *domain.Order {
	t.Helper()
	o, err := s.CreateOrder(t.Context(), change(d, now))
	require.NoError(t, err)
	return o
}

func (s storeSuite) courier(t *testing.T, capacity int) *domain.Courier {
	t.Helper()
	name := "Courier"
	c, err := domain.NewCourier(domain.CourierEdit{Name: &name, Capacity: &capacity}, "RU", start)
	require.NoError(t, err)
	require.NoError(t, s.CreateCourier(t.Context(), c, nil))
	return c
}

func (s storeSuite) assign(ctx context.Context, id, courier string) (*domain.Order, error) {
	return s.UpdateOrder(ctx, id, func(ch *domain.Change) error {
		events, err := ch.Order.Assign(courier, by(start.Add(time.Minute)))
		ch.Add(events...)
		return err
	})
}

func (s storeSuite) move(ctx context.Context, id string, to domain.Status) (*domain.Order, error) {
	return s.UpdateOrder(ctx, id, func(ch *domain.Change) error {
		events, err := ch.Order.Move(to, nil, by(start.Add(2*time.Minute)))
		ch.Add(events...)
		return err
	})
}

func (s storeSuite) active(t *testing.T, courier string) int {
	t.Helper()
	c, err := s.Courier(t.Context(), courier)
	require.NoError(t, err)
	return c.ActiveOrders
}

// untouched checks that the stored order is exactly o, with an unchanged history.
func (s storeSuite) untouched(t *testing.T, o *domain.Order, events int) {
	t.Helper()
	stored, err := s.Order(t.Context(), o.ID)
	require.NoError(t, err)
	sameOrder(t, o, stored)
	history, err := s.Events(t.Context(), o.ID, 0)
	require.NoError(t, err)
	require.Len(t, history, events)
}

func sameOrder(t *testing.T, want, got *domain.Order) {
	t.Helper()
	a, err := want.Freeze()
	require.NoError(t, err)
	b, err := got.Freeze()
	require.NoError(t, err)
	require.Equal(t, string(a), string(b))
	require.Equal(t, want.Bookkeeping, got.Bookkeeping)
}

func key(scope, key string) *domain.Idempotency {
	return &domain.Idempotency{Scope: scope, Key: key, Hash: "hash of " + key, Result: []byte(`{"a":1}`), CreatedAt: start}
}

func requireCode(t *testing.T, code domain.Code, err error) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, code, domain.CodeOf(err), "%v", err)
}

// together runs fn n times concurrently and returns the errors.
func together(n int, fn func(i int) error) []error {
	errs := make([]error, n)
	ready := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-ready
			errs[i] = fn(i)
		})
	}
	close(ready)
	wg.Wait()
	return errs
}

// count returns how many of the errors are nil and how many have the code.
func count(errs []error, code domain.Code) (ok, failed int, other error) {
	for _, err := range errs {
		switch {
		case err == nil:
			ok++
		case domain.CodeOf(err) == code:
			failed++
		default:
			other = errors.Join(other, err)
		}
	}
	return ok, failed, other
}

var errWanted = fmt.Errorf("a closure's own error")
