package cdek_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/carrier"
	"github.com/order-tracking/order-tracking/internal/carrier/cdek"
	"github.com/order-tracking/order-tracking/internal/carrier/cdek/sandbox"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// bench is the adapter and its emulator, connected without a network, in a synctest bubble.
type bench struct {
	*testing.T
	*sandbox.Server
	cdek    *cdek.Carrier
	mu      sync.Mutex
	unknown []string
	retries int
}

// onBench runs a test in a synctest bubble.
func onBench(t *testing.T, o sandbox.Options, test func(*bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o.Account, o.Secret = "account", "secret"
		b := &bench{T: t, Server: sandbox.New(o)}
		b.cdek = cdek.New(b.config())
		test(b)
	})
}

func (b *bench) config() cdek.Config {
	return cdek.Config{
		BaseURL: "http://cdek.test/v2", Account: "account", Secret: "secret", HTTP: b.Client(),
		Sender: domain.Customer{Name: "Склад"}, From: domain.Stop{City: "44", Place: domain.Place{Address: "ул. Складская, 1"}},
		Hooks: carrier.Hooks{
			Unknown: func(_, code string) {
				b.mu.Lock()
				defer b.mu.Unlock()
				b.unknown = append(b.unknown, code)
			},
			Retry: func(string, string) {
				b.mu.Lock()
				defer b.mu.Unlock()
				b.retries++
			},
		},
	}
}

// pass lets time pass.
func pass(d time.Duration) { <-time.After(d) }

func request(ref string) domain.ShipmentRequest {
	return domain.ShipmentRequest{
		ClientRef: ref, Tariff: "139", Recipient: domain.Customer{Name: "Анна", Phone: "+79990000000"},
		To: domain.Stop{Place: domain.Place{Address: "Новосибирск, ул. Примерная, 1"}},
	}
}

func (b *bench) book(ref string) domain.ShipmentSnapshot {
	b.Helper()
	snap, err := b.cdek.CreateShipment(b.Context(), request(ref))
	require.NoError(b, err)
	return snap
}

func (b *bench) track(ref domain.ShipmentRef) domain.ShipmentSnapshot {
	b.Helper()
	snap, err := b.cdek.TrackShipment(b.Context(), ref)
	require.NoError(b, err)
	return snap
}

// decided polls until the carrier has decided.
func (b *bench) decided(ref domain.ShipmentRef) domain.ShipmentSnapshot {
	b.Helper()
	start, s := time.Now(), domain.Shipment{Phase: domain.PhasePending}
	for looks := 0; ; looks++ {
		snap := b.track(ref)
		s.Learn(snap)
		if s.Phase != domain.PhasePending {
			return snap
		}
		require.Less(b, looks, 20)
		pass(domain.UsualPace.PollAfter(&domain.Order{Status: domain.StatusConfirmed, Shipment: &s}, time.Now(), start, looks))
	}
}

func TestBookedUntilRegistered(t *testing.T) {
	onBench(t, sandbox.Options{Decide: 40 * time.Second, NewestFirst: true, Colons: true}, func(b *bench) {
		made := b.book("A-1")
		require.Equal(b, domain.PhasePending, made.Ref.Phase)
		require.Empty(b, made.Ref.TrackingNumber)
		require.Equal(b, "A-1", made.Ref.ClientRef)
		got := b.decided(made.Ref)
		require.Equal(b, domain.PhaseRegistered, got.Ref.Phase)
		require.NotEmpty(b, got.Ref.TrackingNumber)
		require.Equal(b, "CREATED", got.Status)
		require.Equal(b, int64(52200), got.Price.Amount)
		require.Less(b, b.Calls("GET /v2/orders/{id}"), 9, "looks double their distance")

		input := b.Booked()[0].Input
		require.Equal(b, 270.0, input["to_location"].(map[string]any)["code"], "the city was found in the address")
		require.Equal(b, 44.0, input["from_location"].(map[string]any)["code"])
		box := input["packages"].([]any)[0].(map[string]any)
		require.Equal(b, 1000.0, box["weight"], "the usual parcel")
		require.Len(b, box["items"], 1, "a shop must list something")
	})
}

func TestRejectedWithReasons(t *testing.T) {
	onBench(t, sandbox.Options{}, func(b *bench) {
		r := request("A-1")
		r.Tariff = "7"
		made, err := b.cdek.CreateShipment(b.Context(), r)
		require.NoError(b, err)
		got := b.decided(made.Ref)
		require.Equal(b, domain.PhaseRejected, got.Ref.Phase)
		require.Equal(b, "err_result_service_empty", got.Errors[0].Code)

		r.Tariff, r.ClientRef = "cheap", "A-2"
		_, err = b.cdek.CreateShipment(b.Context(), r)
		require.Equal(b, domain.ClassValidation, domain.ClassOf(err), "refused at once")
		require.Len(b, b.Booked(), 1)
	})
}

// A failed booking reports whether a parcel may exist and whether CDEK itself rejected it.
func TestWhatAFailedBookingMeans(t *testing.T) {
	orders := func(f sandbox.Fault) sandbox.Fault { f.Method, f.Path, f.Times = "POST", "/orders", 9; return f }
	for name, tc := range map[string]struct {
		fault           sandbox.Fault
		unsent, refused bool
	}{
		"its answer was lost":       {orders(sandbox.Fault{Kind: sandbox.Lost}), false, false},
		"cut before it worked":      {orders(sandbox.Fault{Kind: sandbox.Cut}), false, false},
		"500 in Spring's words":     {orders(sandbox.Fault{Kind: sandbox.Spring}), false, false},
		"a proxy's page":            {orders(sandbox.Fault{Kind: sandbox.Page}), false, false},
		"a page with a status":      {orders(sandbox.Fault{Kind: sandbox.Lie}), false, false},
		"no answer":                 {orders(sandbox.Fault{Kind: sandbox.Hang}), false, false},
		"too many requests":         {orders(sandbox.Fault{Kind: sandbox.TooMany}), true, false},
		"a firewall":                {orders(sandbox.Fault{Kind: sandbox.Refuse}), true, false},
		"a firewall that says 400":  {orders(sandbox.Fault{Kind: sandbox.Refuse, Status: 400}), true, false},
		"a firewall that says 451":  {orders(sandbox.Fault{Kind: sandbox.Refuse, Status: 451}), true, false},
		"CDEK's own word":           {orders(sandbox.Fault{Kind: sandbox.Refuse, Status: 400, Code: "v2_bad_request"}), true, true},
		"CDEK's own word, with 200": {orders(sandbox.Fault{Kind: sandbox.Errors, Code: "err_result_service_empty"}), true, true},
		"CDEK's own trouble":        {orders(sandbox.Fault{Kind: sandbox.Errors}), true, false},
		"the token":                 {sandbox.Fault{Kind: sandbox.Refuse, Path: "/oauth", Times: 9}, true, false},
		"the token's page":          {sandbox.Fault{Kind: sandbox.Page, Path: "/oauth", Times: 9}, true, false},
		"the directory":             {sandbox.Fault{Kind: sandbox.Page, Path: "/location", Times: 9}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, sandbox.Options{}, func(b *bench) {
				b.Fail(tc.fault)
				_, err := b.cdek.CreateShipment(b.Context(), request("A-1"))
				var e *domain.CarrierError
				require.ErrorAs(b, err, &e)
				require.Equal(b, []bool{tc.unsent, tc.refused}, []bool{e.Unsent, e.Refused}, "%v", err)
				require.LessOrEqual(b, b.Calls("POST /v2/orders"), 1)
			})
		})
	}
}

// A duplicate shop number is not a rejection of the parcel, at once or later; a search by
// the number never returns the second order.
func TestADuplicateIsSaidToBeOne(t *testing.T) {
	for _, atOnce := range []bool{false, true} {
		onBench(t, sandbox.Options{Decide: time.Second}, func(b *bench) {
			b.Behave(sandbox.Habits{RefuseAtOnce: atOnce, NumberLag: time.Minute})
			first := b.decided(b.book("A-1").Ref)
			_, err := b.cdek.FindShipment(b.Context(), domain.ShipmentRef{ClientRef: "A-1"})
			require.Equal(b, domain.ClassNotFound, domain.ClassOf(err), "not shown yet")
			second, err := b.cdek.CreateShipment(b.Context(), request("A-1"))
			require.NoError(b, err)
			if !atOnce {
				pass(2 * time.Second)
				second = b.track(second.Ref)
			}
			require.True(b, second.Duplicate)
			pass(time.Minute)
			found, err := b.cdek.FindShipment(b.Context(), domain.ShipmentRef{ClientRef: "A-1"})
			require.NoError(b, err)
			require.Equal(b, first.Ref.ID, found.Ref.ID)
		})
	}
}

// A failure to fetch the return order does not affect the parcel.
func TestAForbiddenReturnIsLeftOut(t *testing.T) {
	onBench(t, sandbox.Options{}, func(b *bench) {
		made := b.decided(b.book("A-1").Ref)
		b.Report(made.Ref.ID, "NOT_DELIVERED", "11", "Москва")
		b.Behave(sandbox.Habits{ForbidReturns: true})
		require.Equal(b, "NOT_DELIVERED", b.track(made.Ref).Status)
	})
}

func (b *bench) terms(ref domain.ShipmentRef) domain.CancelTerms {
	b.Helper()
	terms, err := b.cdek.CancelTerms(b.Context(), ref)
	require.NoError(b, err)
	return terms
}

func TestCancelDeletesWhatHasNotMoved(t *testing.T) {
	onBench(t, sandbox.Options{Decide: 10 * time.Second}, func(b *bench) {
		made := b.book("A-1")
		free := b.terms(made.Ref)
		require.Equal(b, domain.CancelFree, free.Kind)
		_, err := b.cdek.CancelShipment(b.Context(), made.Ref, free)
		require.Equal(b, domain.ClassRetryable, domain.ClassOf(err), "not while CDEK still decides")
		pass(10 * time.Second)
		for range 2 { // the second finds the first in progress
			out, err := b.cdek.CancelShipment(b.Context(), made.Ref, free)
			require.NoError(b, err)
			require.Equal(b, domain.CancelPending, out.Result)
		}
		pass(10 * time.Second)
		require.Equal(b, domain.PhaseCancelled, b.track(made.Ref).Ref.Phase)
		out, err := b.cdek.CancelShipment(b.Context(), made.Ref, free)
		require.NoError(b, err)
		require.Equal(b, domain.CancelDone, out.Result)
		require.Equal(b, domain.CancelEnded, b.terms(made.Ref).Kind)
		require.Equal(b, 4, b.Calls("DELETE /v2/orders/{id}"), "three while CDEK decides, and one")
		require.Zero(b, b.Calls("POST /v2/orders/{id}/refusal"))
	})
}

func TestWhatHasMovedIsRefusedOnlyWhenAgreed(t *testing.T) {
	onBench(t, sandbox.Options{ReturnTravel: []sandbox.Step{
		{After: time.Hour, Code: "TAKEN_BY_TRANSPORTER_FROM_SENDER_CITY"}, {After: 2 * time.Hour, Code: "DELIVERED"},
	}}, func(b *bench) {
		made := b.decided(b.book("A-1").Ref)
		pass(time.Minute)
		free := b.terms(made.Ref)
		b.Report(made.Ref.ID, "RECEIVED_AT_SHIPMENT_WAREHOUSE", "", "Москва")
		_, err := b.cdek.CancelShipment(b.Context(), made.Ref, free)
		require.Equal(b, domain.ClassConflict, domain.ClassOf(err), "it moved meanwhile")
		require.Zero(b, b.Charged())
		terms := b.terms(made.Ref)
		require.Equal(b, domain.CancelUnknown, terms.Kind)
		require.Contains(b, terms.Detail, "charges")
		require.Zero(b, b.Charged(), "asking costs nothing")
		b.Fail(sandbox.Fault{Kind: sandbox.Lost, Method: "POST", Path: "/refusal"})
		_, err = b.cdek.CancelShipment(b.Context(), made.Ref, terms)
		require.Error(b, err)
		for range 2 {
			out, err := b.cdek.CancelShipment(b.Context(), made.Ref, terms)
			require.NoError(b, err)
			require.Equal(b, domain.CancelWillReturn, out.Result)
			pass(time.Minute)
		}
		require.Equal(b, "NOT_DELIVERED", b.track(made.Ref).Status)
		require.Equal(b, 1, b.Calls("POST /v2/orders/{id}/refusal"), "once, though its answer was lost")

		pass(3 * time.Hour) // the order that brings it back arrives
		end := b.track(made.Ref)
		last := end.Events[len(end.Events)-1]
		require.Equal(b, domain.StatusReturned, last.Status)
		require.Equal(b, "return", last.Detail)
		require.Equal(b, made.Ref.ID, end.Ref.ID, "the direct order is still the shipment")
		require.Equal(b, "NOT_DELIVERED", end.Status)
	})
}

func TestDeliveredCanNotBeCancelled(t *testing.T) {
	onBench(t, sandbox.Options{Travel: sandbox.Journey}, func(b *bench) {
		made := b.book("A-1")
		pass(30 * time.Second)
		require.Equal(b, domain.CancelImpossible, b.terms(made.Ref).Kind)
	})
}

// The sandbox's journey, for an order with only a name and an address.
func TestSandboxJourney(t *testing.T) {
	for _, point := range []string{"", "NSK1"} {
		t.Run("to "+point, func(t *testing.T) {
			onBench(t, sandbox.Options{Travel: sandbox.Journey}, func(b *bench) {
				r := request("A-1")
				r.Recipient = domain.Customer{Name: "Anna"}
				r.To = domain.Stop{Place: domain.Place{Address: "Main St 1"}, Point: point}
				quotes, err := b.cdek.Quote(b.Context(), domain.QuoteRequest{To: r.To})
				require.NoError(b, err)
				q, ok := domain.ChooseQuote(quotes, domain.TariffCheapest)
				require.True(b, ok)
				r.Tariff = q.Tariff
				made, err := b.cdek.CreateShipment(b.Context(), r)
				require.NoError(b, err)
				o := newOrder(b)
				for range 25 {
					pass(time.Second)
					observe(o, b.track(made.Ref).Events)
				}
				require.Equal(b, domain.StatusDelivered, o.Status)
			})
		})
	}
}

func TestTokensAreRenewedEarlyAndOnce(t *testing.T) {
	onBench(t, sandbox.Options{TokenLife: 10 * time.Minute}, func(b *bench) {
		all := func() {
			var wg sync.WaitGroup
			for i := range 40 {
				wg.Go(func() {
					_, err := b.cdek.TrackShipment(b.Context(), domain.ShipmentRef{ClientRef: fmt.Sprint("X-", i)})
					if domain.ClassOf(err) != domain.ClassNotFound {
						b.Errorf("got %v", err)
					}
				})
			}
			wg.Wait()
			pass(10 * time.Second) // a background renewal also passes the rate limiter
		}
		all()
		require.Equal(b, 1, b.Issued())
		pass(9*time.Minute - 12*time.Second)
		all()
		require.Equal(b, 2, b.Issued(), "in its last minute the token is renewed, while it serves")
		b.ExpireTokens()
		all()
		require.Equal(b, 3, b.Issued(), "a refused token is renewed once for all")
		b.Fail(sandbox.Fault{Kind: sandbox.TokenExpired, Path: "/orders", Times: 100})
		_, err := b.cdek.TrackShipment(b.Context(), domain.ShipmentRef{ClientRef: "X"})
		require.Equal(b, domain.ClassAuth, domain.ClassOf(err), "and no more than once")
		require.Equal(b, 4, b.Issued())
	})
}

func TestWrongCredentials(t *testing.T) {
	onBench(t, sandbox.Options{}, func(b *bench) {
		cfg := b.config()
		cfg.Secret = "wrong"
		_, err := cdek.New(cfg).Quote(b.Context(), domain.QuoteRequest{To: domain.Stop{City: "44"}})
		require.Equal(b, domain.ClassAuth, domain.ClassOf(err))
		require.NotContains(b, err.Error(), "wrong")
	})
}

func TestQuotesFitTheEnds(t *testing.T) {
	onBench(t, sandbox.Options{}, func(b *bench) {
		to := domain.Stop{Place: domain.Place{Location: &domain.Point{Lat: 55.0, Lon: 82.9}}}
		door, err := b.cdek.Quote(b.Context(), domain.QuoteRequest{To: to, Packages: []domain.Package{{WeightG: 2000}}})
		require.NoError(b, err)
		require.Len(b, door, 3)
		cheap, _ := domain.ChooseQuote(door, domain.TariffCheapest)
		fast, _ := domain.ChooseQuote(door, domain.TariffFastest)
		require.Equal(b, "231", cheap.Tariff)
		require.Equal(b, "480", fast.Tariff)
		require.Equal(b, domain.Money{Amount: 43000, Currency: "RUB"}, cheap.Price)
		for point, mode := range map[string]string{"NSK1": "door-office", "NSK900": "door-locker"} {
			got, err := b.cdek.Quote(b.Context(), domain.QuoteRequest{To: domain.Stop{Point: point}})
			require.NoError(b, err)
			require.Equal(b, mode, got[0].Mode)
		}
		one, err := b.cdek.Quote(b.Context(), domain.QuoteRequest{Tariff: "137", To: to})
		require.NoError(b, err)
		require.Equal(b, "137", one[0].Tariff)
		require.True(b, one[0].Expected.Latest.After(time.Now()))
		_, err = b.cdek.Quote(b.Context(), domain.QuoteRequest{Tariff: "1", To: to})
		require.Equal(b, domain.ClassValidation, domain.ClassOf(err))
		_, err = b.cdek.Quote(b.Context(), domain.QuoteRequest{})
		require.Equal(b, domain.ClassValidation, domain.ClassOf(err), "to nowhere")
	})
}

func TestPointsAndPapers(t *testing.T) {
	onBench(t, sandbox.Options{Decide: time.Second}, func(b *bench) {
		near := domain.Point{Lat: 55.75, Lon: 37.6}
		points, err := b.cdek.Points(b.Context(), domain.PointQuery{Near: &near, Kind: domain.PointOffice, Limit: 1})
		require.NoError(b, err)
		require.Len(b, points, 1)
		require.Equal(b, "MSK5", points[0].Code)
		require.NotNil(b, points[0].DistanceM)
		for want, q := range map[int]domain.PointQuery{
			3: {City: "44"}, 2: {City: "44", COD: true}, 1: {City: "44", Kind: domain.PointLocker, Fits: domain.Package{WeightG: 2000, LengthCm: 45, WidthCm: 60, HeightCm: 40}},
			0: {City: "44", Kind: domain.PointLocker, Fits: domain.Package{LengthCm: 61, WidthCm: 1, HeightCm: 1}},
		} {
			points, err := b.cdek.Points(b.Context(), q)
			require.NoError(b, err)
			require.Len(b, points, want)
		}
		points, err = b.cdek.Points(b.Context(), domain.PointQuery{City: "44", Fits: domain.Package{WeightG: 40_000}})
		require.NoError(b, err)
		require.Empty(b, points)
		_, err = b.cdek.Points(b.Context(), domain.PointQuery{City: "Atlantis"})
		require.Equal(b, domain.ClassValidation, domain.ClassOf(err))

		made := b.decided(b.book("A-1").Ref)
		for _, kind := range []domain.LabelKind{domain.LabelBarcode, domain.LabelWaybill} {
			paper := domain.Paper{Kind: kind}
			job, err := b.cdek.RequestLabel(b.Context(), []domain.ShipmentRef{made.Ref}, paper)
			require.NoError(b, err)
			pdf, err := b.cdek.FetchLabel(b.Context(), job, paper)
			require.NoError(b, err)
			require.Nil(b, pdf, "not yet")
			pass(time.Second)
			pdf, err = b.cdek.FetchLabel(b.Context(), job, paper)
			require.NoError(b, err)
			require.Contains(b, string(pdf), "%PDF-")
			require.Contains(b, string(pdf), made.Ref.TrackingNumber)
			pass(time.Hour)
			_, err = b.cdek.FetchLabel(b.Context(), job, paper)
			require.Equal(b, domain.ClassNotFound, domain.ClassOf(err), "ask for it again")
		}
		_, err = b.cdek.RequestLabel(b.Context(), []domain.ShipmentRef{made.Ref}, domain.Paper{Kind: "sticker"})
		require.Equal(b, domain.ClassUnsupported, domain.ClassOf(err))
	})
}

func TestReplacedOfficesAreTold(t *testing.T) {
	onBench(t, sandbox.Options{}, func(b *bench) {
		r := request("A-1")
		r.To = domain.Stop{Point: "GONE1"}
		made, err := b.cdek.CreateShipment(b.Context(), r)
		require.NoError(b, err)
		require.Equal(b, "v2_delivery_point_changed", made.Warnings[0].Code)
		var s domain.Shipment
		s.Learn(made)
		s.Learn(b.decided(made.Ref))
		require.Len(b, s.Warnings, 2, "told twice, shown once; and that no courier comes")
	})
}

func TestUnknownCodesAreKeptAndCountedOnce(t *testing.T) {
	onBench(t, sandbox.Options{}, func(b *bench) {
		made := b.decided(b.book("A-1").Ref)
		b.Report(made.Ref.ID, "SENT_TO_MOON", "", "Москва")
		for range 3 {
			snap := b.track(made.Ref)
			last := snap.Events[len(snap.Events)-1]
			require.Equal(b, "SENT_TO_MOON", last.Code)
			require.Empty(b, last.Status)
			require.True(b, last.Unknown)
		}
		require.Equal(b, []string{"SENT_TO_MOON"}, b.unknown)
	})
}

func TestHooksAreOrderedAndHeard(t *testing.T) {
	var heard []domain.CarrierHook
	var b *bench
	onBench(t, sandbox.Options{
		Travel: sandbox.Journey,
		Deliver: func(_ context.Context, url string, body []byte) (int, error) {
			require.Equal(t, "https://shop.example/hooks/cdek/t", url)
			got, err := b.cdek.ParseHook(domain.HookMessage{Body: body})
			require.NoError(t, err)
			heard = append(heard, got...)
			return 200, nil
		},
	}, func(made *bench) {
		b = made
		for range 2 { // the second time all exist
			active, err := b.cdek.EnsureHooks(b.Context(), "https://shop.example/hooks/cdek/t")
			require.NoError(b, err)
			require.Contains(b, active, "ORDER_STATUS")
		}
		require.Equal(b, 5, b.Calls("POST /v2/webhooks"))
		b.Behave(sandbox.Habits{Repeat: true})
		ref := b.book("A-1").Ref
		for range 20 {
			pass(time.Second)
			b.Tick(b.Context())
		}
		require.Len(b, heard, 2*9)
		seen := map[string]int{}
		for _, h := range heard {
			refs, err := b.cdek.Affected(b.Context(), h)
			require.NoError(b, err)
			require.Equal(b, ref.ID, refs[0].ID)
			seen[h.Event.ID]++
		}
		for _, ev := range b.track(ref).Events[1:] { // ACCEPTED is not sent
			require.Equal(b, 2, seen[ev.ID], "the hint and the look name %s alike", ev.Code)
		}
	})
}

// A server that moves replaces its own subscriptions and leaves those of others alone.
func TestHooksOfOurOldAddressAreEnded(t *testing.T) {
	onBench(t, sandbox.Options{}, func(b *bench) {
		for _, url := range []string{"https://other.example/hooks/cdek/o", "https://old.example/hooks/cdek/t", "https://new.example/hooks/cdek/t"} {
			_, err := b.cdek.EnsureHooks(b.Context(), url)
			require.NoError(b, err)
		}
		require.Equal(b, 5, b.Calls("DELETE /v2/webhooks/{id}"))
		require.Equal(b, 15, b.Calls("POST /v2/webhooks"))
	})
}

func TestMoneyOnDelivery(t *testing.T) {
	onBench(t, sandbox.Options{}, func(b *bench) {
		rub := func(n int64) *domain.Money { return &domain.Money{Amount: n, Currency: "RUB"} }
		r := request("A-1")
		r.Items = []domain.Item{{Name: "Чай", Quantity: 3, Price: rub(10000)}, {Name: "Кофе", Price: rub(50000)}}
		r.Packages = []domain.Package{{Items: []domain.PackedItem{{Item: 0, Quantity: 3}, {Item: 1, Quantity: 1, Marks: []string{"010460"}}}}}
		r.Payment = &domain.Payment{Due: rub(80001), VATRate: "22", Delivery: rub(30000)}
		r.Seller = &domain.Seller{Name: "ООО Чай", TIN: "7701234567"}
		r.Services = []domain.CarrierService{{Code: "try_on"}, {Code: "insurance", Parameter: "800"}}
		made, err := b.cdek.CreateShipment(b.Context(), r)
		require.NoError(b, err)
		ref := b.decided(made.Ref).Ref
		in := b.Booked()[0].Input
		require.Equal(b, "TRYING_ON", in["services"].([]any)[0].(map[string]any)["code"])
		require.Equal(b, "7701234567", in["seller"].(map[string]any)["inn"])
		require.Equal(b, 300.0, in["delivery_recipient_cost"].(map[string]any)["value"])
		rows := in["packages"].([]any)[0].(map[string]any)["items"].([]any)
		last := rows[len(rows)-1].(map[string]any)
		require.Equal(b, "010460", last["marking"])
		require.Equal(b, 22.0, last["payment"].(map[string]any)["vat_rate"])
		require.Nil(b, b.track(ref).Received, "nothing yet")
		b.Report(ref.ID, "DELIVERED", "", "Москва")
		require.Equal(b, rub(110001), b.track(ref).Received, "to the kopeck")
		got, err := b.cdek.Handovers(b.Context(), time.Now())
		require.NoError(b, err)
		require.Equal(b, ref.TrackingNumber, got[0].TrackingNumber)
		require.NotEmpty(b, got[0].Registry)

		r.Payment = &domain.Payment{Due: &domain.Money{Amount: 1, Currency: "EUR"}}
		require.Equal(b, domain.CodeValidationFailed, domain.CodeOf(b.cdek.CheckShipment(r)))
	})
}

// CDEK collects in the currency of the recipient's country and declares goods in the contract's: neither is taken for the other.
func TestMoneyAbroad(t *testing.T) {
	onBench(t, sandbox.Options{}, func(b *bench) {
		money := func(n int64, currency string) *domain.Money { return &domain.Money{Amount: n, Currency: currency} }
		r := request("A-1")
		r.Items = []domain.Item{{Name: "Чай", Quantity: 1, Price: money(10000, "RUB")}}
		for country, currency := range map[string]string{"": "RUB", "RU": "RUB", "KZ": "KZT", "BY": "BYN", "AM": "AMD", "KG": "KGS"} {
			r.To.Country, r.Payment = country, &domain.Payment{Due: money(550050, currency), Delivery: money(100, currency)}
			require.NoError(b, b.cdek.CheckShipment(r), country)
			r.Payment.Due = money(1, "EUR")
			require.ErrorContains(b, b.cdek.CheckShipment(r), "/payment/due")
		}
		r.To.Country, r.Payment = "DE", &domain.Payment{Due: money(1, "EUR")}
		require.ErrorContains(b, b.cdek.CheckShipment(r), "here none")

		r.To.Country, r.Payment = "KZ", &domain.Payment{Due: money(550050, "KZT")}
		made, err := b.cdek.CreateShipment(b.Context(), r)
		require.NoError(b, err)
		ref := b.decided(made.Ref).Ref
		in := b.Booked()[0].Input
		require.Equal(b, "KZT", in["recipient_currency"])
		row := in["packages"].([]any)[0].(map[string]any)["items"].([]any)[0].(map[string]any)
		require.Equal(b, []any{100.0, 5500.5}, []any{row["cost"], row["payment"].(map[string]any)["value"]})
		b.Report(ref.ID, "DELIVERED", "", "Алматы")
		got := b.track(ref)
		require.Equal(b, money(550050, "KZT"), got.Received)
		require.Equal(b, "RUB", got.Price.Currency, "what the shop pays")

		tenge := cdek.New(cdek.Config{Currency: "KZT"})
		require.ErrorContains(b, tenge.CheckShipment(r), "/items/0/price")
		r.Items[0].Price = money(100, "KZT")
		require.NoError(b, tenge.CheckShipment(r))
	})
}

func TestWhereToFetchAParcel(t *testing.T) {
	onBench(t, sandbox.Options{}, func(b *bench) {
		r := request("A-1")
		r.To = domain.Stop{Point: "NSK1"}
		made, err := b.cdek.CreateShipment(b.Context(), r)
		require.NoError(b, err)
		ref := b.decided(made.Ref).Ref
		got := b.track(ref).Pickup
		require.Equal(b, "Новосибирск, ул. Сибирская, 1", got.Address)
		require.NotEmpty(b, got.Hours)
		require.Nil(b, got.KeptUntil)
		b.Report(ref.ID, "ACCEPTED_AT_PICK_UP_POINT", "", "Новосибирск")
		require.WithinDuration(b, time.Now().AddDate(0, 0, 7), *b.track(ref).Pickup.KeptUntil, 24*time.Hour)
		b.Move(ref.ID, "NSK900")
		require.Equal(b, domain.PointLocker, b.track(ref).Pickup.Kind)
		b.Fail(sandbox.Fault{Kind: sandbox.Page, Path: "/deliverypoints", Times: 9})
		b.Move(ref.ID, "MSK5")
		require.Equal(b, "MSK5", b.track(ref).Pickup.Code, "at least which")
	})
}
