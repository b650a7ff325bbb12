package domaintest

import (
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

var reportTests = map[string]func(*testing.T, storeSuite){
	"days add up to their orders, whatever changes and whoever adds": naiveReports,
	"hours on duty": func(t *testing.T, s storeSuite) {
		c, other := s.courier(t, 1), s.courier(t, 1)
		duty := func(id string, on bool, at time.Time) {
			_, err := s.UpdateCourier(t.Context(), id, nil, func(c *domain.Courier) error {
				return c.Edit(domain.CourierEdit{OnDuty: &on}, "RU", 0, &domain.Caller{}, at)
			})
			require.NoError(t, err)
		}
		duty(c.ID, true, start.Add(time.Hour)) // is so already
		duty(c.ID, false, start.Add(8*time.Hour))
		duty(c.ID, false, start.Add(9*time.Hour))
		duty(c.ID, true, start.Add(10*time.Hour))
		hours := func(from, to time.Duration) []domain.OnDuty {
			got, err := s.HoursOnDuty(t.Context(), start.Add(from), start.Add(to))
			require.NoError(t, err)
			return got
		}
		require.Equal(t, []domain.OnDuty{{CourierID: other.ID, For: 12 * time.Hour}, {CourierID: c.ID, For: 10 * time.Hour}}, hours(-time.Hour, 12*time.Hour))
		require.Equal(t, []domain.OnDuty{{CourierID: other.ID, For: time.Hour}}, hours(8*time.Hour, 9*time.Hour))
		require.Empty(t, hours(-2*time.Hour, 0))
	},
	"a sum that fails adds nothing, and is made again": func(t *testing.T, s storeSuite) {
		o := s.create(t, draft(), start)
		_, err := s.move(t.Context(), o.ID, domain.StatusCancelled)
		require.NoError(t, err)
		_, err = s.SumOrders(t.Context(), 10, func(*domain.Order, []domain.Event, []domain.ReportShare) []domain.ReportShare { panic("killed") })
		require.Error(t, err)
		s.sum(t, 10)
		require.Equal(t, int64(1), s.report(t, domain.ByAll, "", 0, domain.DayOf(start, time.UTC)+100)[""][domain.SumCancelled])
	},
}

// reportZone is the time zone of the suite's merchants: start is on another day there.
var reportZone = time.FixedZone("", 15*3600)

func shares(o *domain.Order, history []domain.Event, before []domain.ReportShare) []domain.ReportShare {
	return o.Shares(history, "zone "+o.MerchantID, reportZone, before)
}

// sum adds what is queued.
func (s storeSuite) sum(t *testing.T, limit int) {
	for more := true; more; {
		var err error
		if more, err = s.SumOrders(t.Context(), limit, shares); err != nil {
			t.Error(err)
			return
		}
	}
}

func (s storeSuite) report(t *testing.T, by domain.ReportBy, merchant string, from, to domain.ReportDay) map[string]domain.ReportSums {
	t.Helper()
	rows, err := s.Report(t.Context(), domain.ReportFilter{By: by, MerchantID: merchant, From: from, To: to, Limit: 500})
	require.NoError(t, err)
	out := map[string]domain.ReportSums{}
	for _, r := range rows {
		require.NotContains(t, out, r.Name)
		out[r.Name] = r.Sums
	}
	return out
}

// step changes an order at random, as people, couriers and late reports do.
func (s storeSuite) step(t *testing.T, r *rand.Rand, id string, couriers []string) {
	at := start.Add(time.Duration(r.IntN(72*60)) * time.Minute)
	courier, kind, stars := couriers[r.IntN(len(couriers))], r.IntN(9), 1+r.IntN(5)
	to := []domain.Status{domain.StatusPickedUp, domain.StatusOutForDelivery, domain.StatusDeliveryFailed, domain.StatusDelivered, domain.StatusCancelled, domain.StatusFailed}[r.IntN(6)]
	offer := domain.Offer{ID: domain.NewID(), OrderID: id, CourierID: courier, Status: domain.OfferOpen, ExpiresAt: at.Add(time.Minute)}
	_, err := s.UpdateOrder(t.Context(), id, func(ch *domain.Change) error {
		o, b := ch.Order, by(at)
		var events []domain.Event
		open := ""
		for _, f := range o.Bookkeeping.Offers {
			if f.Status == domain.OfferOpen {
				open = f.ID
			}
		}
		switch kind { // what is not allowed changes nothing
		case 0:
			events, _ = o.Assign(courier, b)
		case 1:
			events, _ = o.Offer([]domain.Offer{offer}, b)
		case 2:
			b.Now = start
			events, _ = o.DeclineOffer(open, []string{"", "far away", "tired"}[stars%3], b)
		case 3:
			b.Now = start
			events, _ = o.AcceptOffer(open, b)
		case 4:
			events = o.EndOffers(b)
		case 5:
			events = o.Erase(b)
		case 6:
			o.SetETA(&domain.Estimate{ETA: at, Earliest: at, Latest: at.Add(time.Hour), Method: domain.MethodLive})
			events, _ = o.Move(to, nil, b)
		default:
			events, _ = o.Move(to, nil, b)
		}
		ch.Add(events...)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func naiveReports(t *testing.T, s storeSuite) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 3))
	couriers := []string{s.courier(t, 1000).ID, s.courier(t, 1000).ID}
	var ids []string
	for i := range 40 {
		d := draft()
		d.MerchantID = []string{"", "shop", "other"}[r.IntN(3)]
		if r.IntN(2) == 0 {
			d.PromisedAt = new(start.Add(time.Duration(r.IntN(72)) * time.Hour))
		}
		ids = append(ids, s.create(t, d, start.Add(time.Duration(i)*time.Minute)).ID)
	}
	var changing, summing sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		summing.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					s.sum(t, 3)
				}
			}
		})
	}
	for range 2 {
		own := rand.New(rand.NewPCG(r.Uint64(), 4))
		changing.Go(func() {
			for range 250 {
				s.step(t, own, ids[own.IntN(len(ids))], couriers)
			}
		})
	}
	changing.Wait()
	close(done)
	summing.Wait()
	s.sum(t, 7)

	want := map[domain.ReportKey]domain.ReportSums{}
	declined := int64(0)
	for _, id := range ids {
		o, err := s.Order(t.Context(), id)
		require.NoError(t, err)
		history, err := s.Events(t.Context(), id, 0)
		require.NoError(t, err)
		domain.AddShares(want, shares(o, history, []domain.ReportShare{{Zone: "zone " + o.MerchantID}}), 1)
		for _, f := range o.Bookkeeping.Offers {
			if f.Status == domain.OfferDeclined {
				declined++
			}
		}
	}
	for _, merchant := range []string{"", "", "", "shop", "other", "nobody"} {
		for _, by := range append(domain.ReportGroupings(), domain.ByAll) {
			sums := map[string]domain.ReportSums{}
			from := domain.DayOf(start, time.UTC) + domain.ReportDay(r.IntN(200)-198)
			to := domain.DayOf(start, time.UTC) + domain.ReportDay(r.IntN(100))
			for key, sum := range want {
				name, dimension := key.Name, by
				if by == domain.ByDay || by == domain.ByWeek {
					dimension, name = domain.ByAll, strconv.FormatInt(int64(key.Day), 10)
				}
				if by == domain.ByWeek { // its Monday
					day := time.Unix(int64(key.Day)*86400, 0).UTC()
					name = strconv.FormatInt(int64(key.Day)-int64(day.Weekday()+6)%7, 10)
				}
				if key.Scope != merchant || key.By != dimension || key.Day < from || key.Day > to {
					continue
				}
				all := sums[name]
				for i := range sum {
					all[i] += sum[i]
				}
				sums[name] = all
			}
			require.Equal(t, sums, s.report(t, by, merchant, from, to), "seed %d: %s of %q from %d to %d", seed, by, merchant, from, to)
		}
	}
	require.Equal(t, declined, s.report(t, domain.ByAll, "", 0, domain.DayOf(start, time.UTC)+100)[""][domain.SumDeclined], "seed %d", seed)
}
