package domaintest

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

var countTests = map[string]func(*testing.T, storeSuite){
	"lists and counts agree with a look at every order": naiveCounts,
	"there are more than are counted": func(t *testing.T, s storeSuite) {
		var wg sync.WaitGroup
		for i := range domain.MaxFound + 1 {
			wg.Go(func() { s.create(t, draft(), start.Add(time.Duration(i)*time.Second)) })
		}
		wg.Wait()
		got, err := s.CountOrders(t.Context(), domain.OrderFilter{Search: "ирина", Now: start})
		require.NoError(t, err)
		require.Equal(t, domain.OrderCounts{Waiting: domain.MaxFound, Open: domain.MaxFound, More: true}, got)
		got, err = s.CountOrders(t.Context(), domain.OrderFilter{Now: start})
		require.NoError(t, err)
		require.Equal(t, domain.OrderCounts{Waiting: domain.MaxFound + 1, Open: domain.MaxFound + 1}, got, "unfinished orders are all counted")
	},
}

// countable makes an order at random: its promise, estimate, exception, merchant and status.
func (s storeSuite) countable(t *testing.T, r *rand.Rand, courier string) *domain.Order {
	d := draft()
	d.MerchantID = []string{"", "shop", "other"}[r.IntN(3)]
	at := start.Add(time.Duration(r.IntN(60)) * time.Minute)
	if r.IntN(4) > 0 {
		d.PromisedAt = new(at.Add(time.Duration(r.IntN(240)-30) * time.Minute))
	}
	o := s.create(t, d, at)
	o, err := s.UpdateOrder(t.Context(), o.ID, func(ch *domain.Change) error {
		steps := [][]domain.Status{
			{}, {domain.StatusConfirmed}, {domain.StatusCancelled}, {domain.StatusAssigned}, {domain.StatusAssigned, domain.StatusPickedUp},
			{domain.StatusAssigned, domain.StatusPickedUp, domain.StatusOutForDelivery, domain.StatusDeliveryFailed},
			{domain.StatusAssigned, domain.StatusPickedUp, domain.StatusReturning}, {domain.StatusAssigned, domain.StatusPickedUp, domain.StatusDelivered},
			{domain.StatusAssigned, domain.StatusPickedUp, domain.StatusInTransit, domain.StatusReadyForPickup},
		}
		for _, to := range steps[r.IntN(len(steps))] {
			events, err := ch.Order.Move(to, nil, by(at))
			if to == domain.StatusAssigned {
				events, err = ch.Order.Assign(courier, by(at))
			}
			if err != nil {
				return err
			}
			ch.Add(events...)
		}
		notes := "changed"
		events, err := ch.Order.Edit(domain.Edit{Notes: &notes}, "RU", by(at))
		if ch.Order.Active() {
			ch.Add(events...)
		}
		if ch.Order.Active() && r.IntN(3) == 0 {
			ch.Order.Exception = &domain.Exception{Code: []string{"wrong_address", "damaged"}[r.IntN(2)], Since: at}
		}
		if ch.Order.Active() && r.IntN(3) == 0 {
			opened, err := ch.Order.AddIncident(domain.Incident{ID: domain.NewID(), Code: "damaged"}, by(at))
			if err != nil {
				return err
			}
			ch.Add(opened...)
		}
		if ch.Order.Active() && r.IntN(2) == 0 {
			ch.Order.SetETA(&domain.Estimate{ETA: at, Earliest: at, Latest: at.Add(time.Duration(r.IntN(240)) * time.Minute), Method: []domain.EstimateMethod{domain.MethodHistory, domain.MethodLive, domain.MethodPromised}[r.IntN(3)]})
		}
		if !ch.Order.Active() {
			err = nil
		}
		if r.IntN(4) == 0 {
			x := domain.Incident{ID: domain.NewID(), Code: "damaged"}
			opened, err := ch.Order.AddIncident(x, by(at))
			require.NoError(t, err)
			ch.Add(opened...)
			if r.IntN(2) == 0 {
				closed, err := ch.Order.CloseIncident(x.ID, "", by(at))
				require.NoError(t, err)
				ch.Add(closed...)
			}
		}
		return err
	})
	require.NoError(t, err)
	return o
}

func naiveCounts(t *testing.T, s storeSuite) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 2))
	courier := s.courier(t, 1000).ID
	var all []*domain.Order
	for range 150 {
		all = append(all, s.countable(t, r, courier))
	}
	slices.SortFunc(all, func(a, b *domain.Order) int {
		if c := b.CreatedAt.Compare(a.CreatedAt); c != 0 {
			return c
		}
		return -compareText(a.ID, b.ID)
	})
	for range 80 {
		f := randomFilter(r, courier)
		var want []string
		var counts domain.OrderCounts
		for _, o := range all {
			if fits(o, f) {
				want = append(want, o.ID)
				at, ok := o.RiskAt()
				counts.Add(1, o.Status, o.Exception != nil, ok && !at.After(f.Now))
			}
		}
		require.Equal(t, want, s.pages(t, f, domain.Page{Size: 1 + r.IntN(60)}), "seed %d: %+v", seed, f)
		got, err := s.CountOrders(t.Context(), f)
		require.NoError(t, err)
		require.Equal(t, counts, got, "seed %d: %+v", seed, f)
		f.Search = "тверская"
		require.Equal(t, want, s.pages(t, f, domain.Page{Size: 1 + r.IntN(60)}), "seed %d: %+v", seed, f)
		got, err = s.CountOrders(t.Context(), f)
		require.NoError(t, err)
		require.Equal(t, counts, got, "seed %d: %+v", seed, f)
	}
}

func randomFilter(r *rand.Rand, courier string) domain.OrderFilter {
	f := domain.OrderFilter{Now: start.Add(time.Duration(r.IntN(240)) * time.Minute)}
	one := func(of ...string) string { return of[r.IntN(len(of))] }
	f.MerchantID = one("", "", "shop")
	f.Exception = one("", "", "", "", domain.AnyException, "damaged", "lost")
	f.CourierID = one("", "", "", courier)
	switch r.IntN(4) {
	case 0:
		f.Late = new(true)
	case 1:
		f.Late = new(false)
	}
	if n := r.IntN(4); n < 2 {
		f.Incident = new(n == 0)
	}
	if r.IntN(4) == 0 {
		f.Incident = new(r.IntN(2) == 0)
	}
	if r.IntN(4) == 0 {
		f.Active = new(r.IntN(2) == 0)
	}
	if r.IntN(4) == 0 {
		f.Statuses = []domain.Status{domain.StatusCreated, domain.StatusDeliveryFailed, domain.StatusDelivered}
	}
	if r.IntN(3) == 0 {
		f.PromisedFrom = start.Add(time.Duration(r.IntN(240)) * time.Minute)
	}
	if r.IntN(3) == 0 {
		f.PromisedTo = start.Add([]time.Duration{time.Duration(r.IntN(180)) * time.Minute, 30 * 24 * time.Hour}[r.IntN(2)])
	}
	if r.IntN(4) == 0 {
		f.CreatedFrom = start.Add(30 * time.Minute)
	}
	return f
}

// fits is what the filters mean, in the simplest words.
func fits(o *domain.Order, f domain.OrderFilter) bool {
	late := o.Active() && o.PromisedAt != nil && (!o.PromisedAt.After(f.Now) || o.ETA != nil && o.ETA.Method != domain.MethodPromised && o.ETA.Latest.After(*o.PromisedAt))
	switch {
	case f.MerchantID != "" && o.MerchantID != f.MerchantID,
		f.CourierID != "" && o.CourierID != f.CourierID,
		f.Exception == domain.AnyException && o.Exception == nil,
		f.Exception != "" && f.Exception != domain.AnyException && (o.Exception == nil || o.Exception.Code != f.Exception),
		f.Late != nil && *f.Late != late,
		f.Incident != nil && *f.Incident != o.OpenIncident(),
		f.Active != nil && *f.Active != o.Active(),
		len(f.Statuses) > 0 && !slices.Contains(f.Statuses, o.Status),
		!f.PromisedFrom.IsZero() && (o.PromisedAt == nil || o.PromisedAt.Before(f.PromisedFrom)),
		!f.PromisedTo.IsZero() && (o.PromisedAt == nil || !o.PromisedAt.Before(f.PromisedTo)),
		!f.CreatedFrom.IsZero() && o.CreatedAt.Before(f.CreatedFrom):
		return false
	}
	return true
}
