package shipping_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/carrier/cdek"
	"github.com/order-tracking/order-tracking/internal/carrier/cdek/sandbox"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/eta"
	"github.com/order-tracking/order-tracking/internal/idempotency"
	"github.com/order-tracking/order-tracking/internal/infrastructure/cache"
	"github.com/order-tracking/order-tracking/internal/infrastructure/database"
	"github.com/order-tracking/order-tracking/internal/orders"
	"github.com/order-tracking/order-tracking/internal/paging"
	"github.com/order-tracking/order-tracking/internal/shipping"
)

type clock struct{}

func (clock) Now() time.Time { return time.Now() }

// shop is the use cases over a real store and an emulated carrier, in a synctest bubble.
type shop struct {
	*testing.T
	carrier *sandbox.Server
	path    string
	hooks   bool
	freight bool
	dead    *atomic.Bool

	store     domain.Store
	orders    *orders.Service
	shipments *shipping.Service
	stop      func()

	mu      sync.Mutex
	counted map[string]int
}

const hookToken = "0123456789abcdef"

func inShop(t *testing.T, o sandbox.Options, test func(*shop)) {
	t.Helper()
	// Not the test's own directory: its files are on disk, outside the bubble.
	path := filepath.Join(t.TempDir(), "test.db")
	synctest.Test(t, func(t *testing.T) {
		s := &shop{T: t, path: path, counted: map[string]int{}}
		o.Deliver = func(ctx context.Context, url string, body []byte) (int, error) {
			token := url[strings.LastIndexByte(url, '/')+1:]
			if s.shipments.Receive(ctx, cdek.Code, token, nil, nil, body) != nil {
				return 404, nil
			}
			return 200, nil
		}
		s.carrier = sandbox.New(o)
		s.open()
		test(s)
		s.shut()
	})
}

// open starts the product, or restarts it after a crash.
func (s *shop) open() {
	store, err := database.OpenSQLite(s.Context(), s.path, database.Options{})
	require.NoError(s, err)
	s.dead = &atomic.Bool{}
	s.store = mortal{store, s.dead}
	car := cdek.New(cdek.Config{
		Freight: s.freight,
		BaseURL: "http://cdek.test/v2", HTTP: s.carrier.Client(), Account: "a", Secret: "b",
		From: domain.Stop{City: "44", Place: domain.Place{Address: "ул. Складская, 1"}},
	})
	carriers := shipping.Carriers{
		ByAccount: map[domain.CarrierAccount]domain.Carrier{car.Account(): car}, HookTokens: map[domain.CarrierAccount]string{car.Account(): hookToken},
		Count: func(_, what string) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.counted[what]++
		},
	}
	if s.hooks {
		carriers.HookBase = "https://shop.example"
	}
	keys := idempotency.NewKeys(s.store, clock{})
	s.orders = orders.New(orders.Deps{
		Store: s.store, Live: cache.NewMemory(cache.MemoryOptions{}), Clock: clock{}, Log: zap.NewNop(), Keys: keys, Estimate: eta.Config{Default: time.Hour},
	})
	s.shipments = shipping.New(shipping.Deps{Store: s.store, Clock: clock{}, Log: zap.NewNop(), Keys: keys, Orders: s.orders, Carriers: carriers})
	ctx, cancel := context.WithCancel(s.Context())
	var wg sync.WaitGroup
	wg.Go(func() { s.shipments.Run(ctx) })
	if s.hooks {
		wg.Go(func() { s.carrier.Run(ctx) })
	}
	s.stop = func() { cancel(); wg.Wait() }
}

// shut stops the product, whatever is in progress.
func (s *shop) shut() {
	s.stop()
	require.NoError(s, s.store.Close())
}

func (s *shop) ctx() context.Context {
	return domain.WithActor(s.Context(), domain.Actor{Kind: domain.RoleAdmin, ID: "test"})
}

// warm fetches a price, so that tokens and towns are cached and a booking's own quote
// returns at once.
func (s *shop) warm() {
	_, err := s.shipments.Quote(s.ctx(), "cdek", "", domain.Booking{To: domain.Stop{City: "270"}})
	require.NoError(s, err)
	pass(time.Second)
}

func pass(d time.Duration) { <-time.After(d) }

func (s *shop) order() *domain.Order {
	s.Helper()
	o, err := s.orders.Create(s.ctx(), domain.Draft{Customer: domain.Customer{Name: "Anna"}, Dropoff: &domain.Place{Address: "Main St 1"}})
	require.NoError(s, err)
	return o
}

func (s *shop) book(o *domain.Order) *domain.Order {
	s.Helper()
	o, err := s.shipments.Book(s.ctx(), o.ID, shipping.ShipmentDraft{})
	require.NoError(s, err)
	return o
}

func (s *shop) get(o *domain.Order) *domain.Order {
	s.Helper()
	o, err := s.store.Order(s.Context(), o.ID)
	require.NoError(s, err)
	return o
}

// direct are the orders at the carrier, without returns and rejected ones.
func (s *shop) direct() []sandbox.Booked {
	var out []sandbox.Booked
	for _, b := range s.carrier.Booked() {
		if !b.Return && b.Status != "INVALID" {
			out = append(out, b)
		}
	}
	return out
}

// kinds are the types of an order's entries.
func (s *shop) kinds(o *domain.Order) string {
	events, err := s.store.Events(s.Context(), o.ID, 0)
	require.NoError(s, err)
	var out []string
	for i, ev := range events {
		require.Equal(s, int64(i+1), ev.Seq)
		out = append(out, string(ev.Type))
	}
	return strings.Join(out, " ")
}

func requireCode(t testing.TB, code domain.Code, err error) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, code, domain.CodeOf(err), "%v", err)
}

func TestBookedAndDelivered(t *testing.T) {
	inShop(t, sandbox.Options{Travel: sandbox.Journey}, func(s *shop) {
		s.shut()
		s.hooks = true
		s.open()
		pass(time.Second)
		o := s.book(s.order())
		require.Equal(s, domain.PhasePending, o.Shipment.Phase)
		require.Equal(s, "231", o.Shipment.Tariff, "the cheapest")
		require.Equal(s, int64(39000), o.Shipment.Price.Amount)
		require.Equal(s, domain.MethodCarrier, o.ETA.Method)
		require.True(s, o.ETA.Earliest.After(time.Now().Add(24*time.Hour)))
		pass(22 * time.Second)
		o = s.get(o)
		require.Equal(s, domain.StatusDelivered, o.Status)
		require.Equal(s, "DELIVERED", o.Shipment.CarrierStatus)
		require.Equal(s, "Вручен", o.Shipment.CarrierStatusText)
		require.Equal(s, domain.PhaseRegistered, o.Shipment.Phase)
		require.NotEmpty(s, o.Shipment.TrackingNumber)
		require.NotEmpty(s, o.Shipment.LabelURL)
		require.Len(s, o.Shipment.Events, 10)
		require.Equal(s, int64(52200), o.Shipment.Price.Amount, "what CDEK charges in the end")
		require.Contains(s, s.kinds(o), "order.created shipment.booked")
		require.Len(s, s.direct(), 1)

		id, err := s.store.ShipmentOrder(s.Context(), o.Shipment.TrackingNumber)
		require.NoError(s, err)
		require.Equal(s, o.ID, id)
		pdf, err := s.shipments.Label(s.ctx(), []string{o.ID}, domain.Paper{Kind: domain.LabelBarcode})
		require.NoError(s, err)
		require.True(s, strings.HasPrefix(string(pdf), "%PDF-"))
		pass(2 * time.Hour) // the link has expired
		again, err := s.shipments.Label(s.ctx(), []string{o.ID}, domain.Paper{Kind: domain.LabelBarcode})
		require.NoError(s, err)
		require.Equal(s, pdf, again)
		require.Equal(s, 1, s.carrier.Calls("POST /v2/print/{kind}"))
	})
}

// Polling alone, without webhooks, eventually finds everything.
func TestLooksAloneFindEverything(t *testing.T) {
	inShop(t, sandbox.Options{Travel: func(bool) []sandbox.Step {
		return []sandbox.Step{
			{After: 3 * time.Hour, Code: "RECEIVED_AT_SHIPMENT_WAREHOUSE"}, {After: 30 * time.Hour, Code: "TAKEN_BY_COURIER"},
			{After: 31 * time.Hour, Code: "RETURNED_TO_RECIPIENT_CITY_WAREHOUSE"}, {After: 54 * time.Hour, Code: "TAKEN_BY_COURIER"},
			{After: 56 * time.Hour, Code: "DELIVERED"},
		}
	}}, func(s *shop) {
		o := s.book(s.order())
		pass(60 * time.Hour)
		o = s.get(o)
		require.Equal(s, domain.StatusDelivered, o.Status)
		require.Equal(s, 2, o.Attempts)
		looks := s.carrier.Calls("GET /v2/orders/{id}")
		require.Less(s, looks, 120, "hours apart on the way, minutes at the door")
		pass(5 * 24 * time.Hour)
		require.Less(s, s.carrier.Calls("GET /v2/orders/{id}"), looks+12, "a few days after the end nobody looks any more")
	})
}

// A crash at any point of a booking creates no second shipment.
func TestKilledWhileBooking(t *testing.T) {
	for name, f := range map[string]sandbox.Fault{
		"after the call":    {Kind: sandbox.Lost, Method: "POST", Path: "/v2/orders"},
		"during the call":   {Kind: sandbox.Hang, Method: "POST", Path: "/v2/orders"},
		"before it arrived": {Kind: sandbox.Cut, Method: "POST", Path: "/v2/orders"},
		"while looking":     {Kind: sandbox.Hang, Method: "GET", Path: "/v2/orders"},
	} {
		t.Run(name, func(t *testing.T) {
			inShop(t, sandbox.Options{}, func(s *shop) {
				s.carrier.Fail(f)
				o := s.book(s.order())
				pass(300 * time.Millisecond)
				s.shut()
				pass(time.Hour)
				s.open()
				pass(5 * time.Minute)
				require.Equal(s, domain.PhaseRegistered, s.get(o).Shipment.Phase)
				require.Len(s, s.direct(), 1)
			})
		})
	}
}

// A carrier that is down for a day causes only delay.
func TestCarrierDownForADay(t *testing.T) {
	inShop(t, sandbox.Options{}, func(s *shop) {
		s.carrier.Fail(sandbox.Fault{Kind: sandbox.Page, Times: 1 << 30})
		var orders []*domain.Order
		for range 20 {
			orders = append(orders, s.book(s.order()))
		}
		require.Equal(s, "", orders[0].Shipment.Tariff, "to be chosen once the carrier is back")
		pass(24 * time.Hour)
		require.Equal(s, domain.PhasePending, s.get(orders[0]).Shipment.Phase)
		require.Less(s, s.carrier.Refused(), 24*12*4, "a few probes every five minutes, for all of them")
		s.carrier.Heal()
		pass(15 * time.Minute)
		for _, o := range orders {
			require.Equal(s, domain.PhaseRegistered, s.get(o).Shipment.Phase)
			require.Equal(s, "231", s.get(o).Shipment.Tariff)
		}
		require.Len(s, s.direct(), 20)
	})
}

func TestRejectedGoesToAnotherTariff(t *testing.T) {
	inShop(t, sandbox.Options{}, func(s *shop) {
		o := s.order()
		s.warm()
		_, err := s.shipments.Book(s.ctx(), o.ID, shipping.ShipmentDraft{Booking: domain.Booking{Tariff: "7"}})
		requireCode(s, domain.CodeValidationFailed, err)
		require.Nil(s, s.get(o).Shipment, "the carrier said so at once")

		// A missing pick-up point is detected later.
		s.carrier.Fail(sandbox.Fault{Kind: sandbox.Page, Path: "/calculator", Times: 3})
		_, err = s.shipments.Book(s.ctx(), o.ID, shipping.ShipmentDraft{Booking: domain.Booking{Tariff: "7"}})
		require.NoError(s, err)
		pass(time.Minute)
		got := s.get(o)
		require.Equal(s, domain.PhaseRejected, got.Shipment.Phase)
		require.Equal(s, domain.ExceptionRejected, got.Exception.Code)
		require.Contains(s, got.Exception.Detail, "тариф недоступен")
		require.Equal(s, domain.StatusConfirmed, got.Status)
		got = s.book(got)
		require.Nil(s, got.Exception)
		pass(time.Minute)
		require.Equal(s, domain.PhaseRegistered, s.get(o).Shipment.Phase)
	})
}

func TestFollowsAParcelBookedElsewhere(t *testing.T) {
	inShop(t, sandbox.Options{}, func(s *shop) {
		elsewhere := s.book(s.order())
		pass(10 * time.Second)
		number := s.get(elsewhere).Shipment.TrackingNumber
		o, err := s.shipments.Book(s.ctx(), s.order().ID, shipping.ShipmentDraft{Carrier: "cdek", TrackingNumber: number})
		require.NoError(s, err)
		s.carrier.Report(s.direct()[0].UUID, "RECEIVED_AT_SHIPMENT_WAREHOUSE", "", "Москва")
		pass(10 * time.Second)
		require.Equal(s, domain.StatusPickedUp, s.get(o).Status)
		require.Len(s, s.direct(), 1, "nothing was booked")

		unknown, err := s.shipments.Book(s.ctx(), s.order().ID, shipping.ShipmentDraft{TrackingNumber: "404"})
		require.NoError(s, err)
		pass(time.Hour)
		require.Equal(s, domain.PhasePending, s.get(unknown).Shipment.Phase, "it may not be visible yet")
		got, err := s.orders.Cancel(s.ctx(), unknown.ID, "", 0)
		require.NoError(s, err, "and is not ours to cancel")
		require.Equal(s, domain.StatusCancelled, got.Status)
	})
}

// A parcel unknown to the carrier is polled again and again; people are notified.
func TestUnknownForDaysIsTold(t *testing.T) {
	inShop(t, sandbox.Options{}, func(s *shop) {
		o, err := s.shipments.Book(s.ctx(), s.order().ID, shipping.ShipmentDraft{TrackingNumber: "404"})
		require.NoError(s, err)
		pass(80 * time.Hour)
		require.Equal(s, domain.PhasePending, s.get(o).Shipment.Phase)
		require.Equal(s, domain.ExceptionSilent, s.get(o).Exception.Code)
		require.Less(s, s.carrier.Calls("GET /v2/orders"), 400)
	})
}

func TestCancelEndsTheShipmentFirst(t *testing.T) {
	inShop(t, sandbox.Options{}, func(s *shop) {
		o := s.book(s.order())
		pass(5 * time.Second)
		got, err := s.orders.Cancel(s.ctx(), o.ID, "ordered twice", 0)
		require.NoError(s, err)
		require.Equal(s, domain.StatusCancelled, got.Status)
		require.Equal(s, domain.PhaseCancelled, got.Shipment.Phase)
		require.Equal(s, "REMOVED", s.carrier.Booked()[0].Status)
		pass(time.Hour)
		require.Nil(s, s.get(o).Exception)
		require.Zero(s, s.carrier.Calls("POST /v2/orders/{id}/refusal"))
	})
}

func TestCancelBeforeAnythingWasSent(t *testing.T) {
	inShop(t, sandbox.Options{}, func(s *shop) {
		s.carrier.Fail(sandbox.Fault{Kind: sandbox.Page, Times: 1 << 30})
		o := s.book(s.order())
		pass(time.Second)
		got, err := s.orders.UpdateStatus(s.ctx(), o.ID, orders.StatusChange{Status: domain.StatusCancelled}, 0)
		require.NoError(s, err)
		require.Equal(s, domain.PhaseCancelled, got.Shipment.Phase)
		s.carrier.Heal()
		pass(time.Hour)
		require.Empty(s, s.carrier.Booked())
	})
}

func TestCancelWhatTheCarrierHasComesBackAndCosts(t *testing.T) {
	inShop(t, sandbox.Options{ReturnTravel: []sandbox.Step{{After: time.Hour, Code: "DELIVERED"}}}, func(s *shop) {
		o := s.book(s.order())
		pass(5 * time.Second)
		s.carrier.Report(s.direct()[0].UUID, "RECEIVED_AT_SHIPMENT_WAREHOUSE", "", "Москва")
		_, err := s.orders.Cancel(s.ctx(), o.ID, "", 0) // not polled yet
		requireCode(s, domain.CodePaidCancelRequired, err)
		require.ErrorContains(s, err, "CDEK charges")
		var e *domain.Error
		require.ErrorAs(s, err, &e)
		require.Equal(s, domain.CancelUnknown, e.Terms.Kind)
		require.Zero(s, s.carrier.Charged(), "nothing is spent unasked")
		_, err = s.shipments.Refuse(s.ctx(), o.ID, shipping.Refusal{}, 0)
		requireCode(s, domain.CodeValidationFailed, err)
		_, err = s.shipments.Refuse(s.ctx(), o.ID, shipping.Refusal{Confirm: true, Price: &domain.Money{Amount: 1, Currency: "RUB"}}, 0)
		requireCode(s, domain.CodePaidCancelRequired, err)
		require.Zero(s, s.carrier.Charged())
		_, err = s.shipments.Refuse(s.ctx(), o.ID, shipping.Refusal{Confirm: true}, 0)
		require.NoError(s, err)
		pass(time.Minute)
		require.Equal(s, domain.StatusReturning, s.get(o).Status)
		pass(24 * time.Hour)
		require.Equal(s, domain.StatusReturned, s.get(o).Status)
		require.Equal(s, 1, s.carrier.Calls("POST /v2/orders/{id}/refusal"))
	})
}

// While a carrier does not answer, an order cannot be cancelled; later it can.
func TestCancelWhileTheCarrierIsAway(t *testing.T) {
	inShop(t, sandbox.Options{}, func(s *shop) {
		o := s.book(s.order())
		pass(5 * time.Second)
		s.carrier.Fail(sandbox.Fault{Kind: sandbox.Page, Times: 1 << 30})
		_, err := s.orders.Cancel(s.ctx(), o.ID, "", 0)
		requireCode(s, domain.CodeUnavailable, err)
		require.Equal(s, domain.StatusCreated, s.get(o).Status)
		s.shut()
		s.open()
		pass(time.Hour)
		s.carrier.Heal()
		pass(10 * time.Minute)
		require.Equal(s, domain.StatusCancelled, s.get(o).Status)
		require.Equal(s, "REMOVED", s.carrier.Booked()[0].Status)
	})
}

func TestCancelOfWhatIsBeingDecided(t *testing.T) {
	inShop(t, sandbox.Options{Decide: time.Minute}, func(s *shop) {
		o := s.book(s.order())
		pass(2 * time.Second)
		_, err := s.orders.Cancel(s.ctx(), o.ID, "", 0)
		requireCode(s, domain.CodeUnavailable, err)
		pass(6 * time.Minute)
		require.Equal(s, domain.StatusCancelled, s.get(o).Status)
		require.Equal(s, "REMOVED", s.carrier.Booked()[0].Status)
	})
}

func TestRetractedDelivery(t *testing.T) {
	inShop(t, sandbox.Options{Travel: sandbox.Journey}, func(s *shop) {
		o := s.book(s.order())
		pass(3 * time.Hour)
		require.Equal(s, domain.StatusDelivered, s.get(o).Status)
		require.True(s, s.carrier.Retract(s.direct()[0].UUID, "DELIVERED"))
		pass(14 * time.Hour)
		got := s.get(o)
		require.Equal(s, domain.StatusDelivered, got.Status)
		require.Equal(s, domain.ExceptionRetracted, got.Exception.Code)
		require.Equal(s, "TAKEN_BY_COURIER", got.Shipment.CarrierStatus)
	})
}

func TestHints(t *testing.T) {
	inShop(t, sandbox.Options{}, func(s *shop) {
		requireCode(s, domain.CodeNotFound, s.shipments.Receive(s.ctx(), cdek.Code, "guess", nil, nil, nil))
		requireCode(s, domain.CodeNotFound, s.shipments.Receive(s.ctx(), "acme", hookToken, nil, nil, nil))
		o := s.book(s.order())
		pass(2 * time.Hour)
		number := s.get(o).Shipment.TrackingNumber
		require.NoError(s, s.shipments.Receive(s.Context(), cdek.Code, hookToken, nil, nil, []byte("<html>")), "never a no")
		pass(10 * time.Second)
		s.mu.Lock()
		require.Equal(s, 1, s.counted["hook_unreadable"])
		s.mu.Unlock()

		s.carrier.Report(s.direct()[0].UUID, "RECEIVED_AT_SHIPMENT_WAREHOUSE", "", "Москва")
		hint := `{"type":"ORDER_STATUS","uuid":"` + s.direct()[0].UUID + `","attributes":{"code":"DELIVERED","status_date_time":"2000-01-01T00:00:00Z"}}`
		require.NoError(s, s.shipments.Receive(s.Context(), cdek.Code, hookToken, nil, nil, []byte(hint)))
		pass(10 * time.Second)
		require.Equal(s, domain.StatusPickedUp, s.get(o).Status, "a hint is not believed: it makes us look")

		hint = `{"type":"COURIER_INFO","date_time":"2000-01-01T02:00:00Z","uuid":"x","attributes":{"task_type":"DELIVERY","cdek_number":"` +
			number + `","courier":{"phone":"+70000000000"}}}`
		require.NoError(s, s.shipments.Receive(s.Context(), cdek.Code, hookToken, nil, nil, []byte(hint)))
		pass(10 * time.Second)
		events := s.get(o).Shipment.Events
		require.Condition(s, func() bool {
			for _, ev := range events {
				if ev.Kind == domain.CarrierCourier && ev.Value == "+70000000000" {
					return true
				}
			}
			return false
		}, "what only hints tell is kept: %+v", events)
		left, err := s.store.TakeHooks(s.Context(), time.Now().Add(time.Hour), time.Now().Add(2*time.Hour), 9)
		require.NoError(s, err)
		require.Empty(s, left)
	})
}

func TestBookingIsIdempotentAndChecked(t *testing.T) {
	inShop(t, sandbox.Options{}, func(s *shop) {
		o := s.order()
		for i := range 3 {
			idem := &idempotency.Request{Key: "k"}
			got, err := s.shipments.Book(idempotency.With(s.ctx(), idem), o.ID, shipping.ShipmentDraft{})
			require.NoError(s, err)
			require.Equal(s, i > 0, idem.Replayed)
			require.NotNil(s, got.Shipment)
		}
		_, err := s.shipments.Book(s.ctx(), o.ID, shipping.ShipmentDraft{})
		requireCode(s, domain.CodeShipmentExists, err)
		_, err = s.shipments.Book(s.ctx(), s.order().ID, shipping.ShipmentDraft{Carrier: "acme"})
		requireCode(s, domain.CodeCarrierNotFound, err)
		_, err = s.shipments.Book(s.ctx(), s.order().ID, shipping.ShipmentDraft{
			Carrier: strings.Repeat("a", 200), Booking: domain.Booking{Packages: []domain.Package{{WeightG: -1}}},
		})
		requireCode(s, domain.CodeValidationFailed, err)
		require.ErrorContains(s, err, "/carrier")
		require.ErrorContains(s, err, "/packages/0/weight_g")
		_, err = s.shipments.Get(s.ctx(), s.order().ID)
		requireCode(s, domain.CodeShipmentNotFound, err)
		_, err = s.shipments.Quote(s.ctx(), "cdek", "", domain.Booking{To: domain.Stop{City: "Новосибирск"}})
		require.NoError(s, err)
		points, next, err := s.shipments.Points(s.ctx(), "cdek", domain.PointQuery{City: "Москва"}, paging.Request{Size: new(2)})
		require.NoError(s, err)
		require.Equal(s, []string{"MSK5", "MSK6"}, []string{points[0].Code, points[1].Code})
		rest, last, err := s.shipments.Points(s.ctx(), "cdek", domain.PointQuery{City: "Москва"}, paging.Request{Size: new(2), Token: next})
		require.NoError(s, err)
		require.Equal(s, []string{"MSK900"}, []string{rest[0].Code})
		require.Empty(s, last)
		require.Equal(s, 1, s.carrier.Calls("GET /v2/deliverypoints"), "a list is fetched once a day")
		_, _, err = s.shipments.Points(s.ctx(), "cdek", domain.PointQuery{City: "Москва", COD: true}, paging.Request{Token: next})
		requireCode(s, domain.CodeMalformed, err)
		_, _, err = s.shipments.Points(s.ctx(), "cdek", domain.PointQuery{City: "Москва"}, paging.Request{Size: new(0)})
		requireCode(s, domain.CodeValidationFailed, err)
		_, _, err = s.shipments.Points(s.ctx(), "cdek", domain.PointQuery{Kind: "ship"}, paging.Request{})
		requireCode(s, domain.CodeValidationFailed, err)
	})
}

// Money and the point are in the order, its history and the customer's messages.
func TestMoneyAndPointAreTold(t *testing.T) {
	inShop(t, sandbox.Options{}, func(s *shop) {
		rub := func(n int64) *domain.Money { return &domain.Money{Amount: n, Currency: "RUB"} }
		o, err := s.orders.Create(s.ctx(), domain.Draft{
			Customer: domain.Customer{Name: "Anna"}, Dropoff: &domain.Place{Address: "Main St 1"}, Payment: &domain.Payment{Due: rub(129900), VATRate: "22"},
			Items: []domain.Item{{Name: "Чайник", Quantity: 1, Price: rub(129900)}},
		})
		require.NoError(s, err)
		o, err = s.shipments.Book(s.ctx(), o.ID, shipping.ShipmentDraft{Booking: domain.Booking{To: domain.Stop{Point: "NSK1"}}})
		require.NoError(s, err)
		require.Equal(s, int64(129900), o.Shipment.Payment.Due.Amount)
		pass(time.Minute)
		id := s.direct()[0].UUID
		s.carrier.Report(id, "ACCEPTED_AT_PICK_UP_POINT", "", "Новосибирск")
		pass(3 * time.Hour)
		got := s.get(o)
		require.Equal(s, domain.StatusReadyForPickup, got.Status)
		require.Equal(s, "NSK1", got.Shipment.Pickup.Code)
		require.NotNil(s, got.Shipment.Pickup.KeptUntil)
		s.carrier.Move(id, "NSK900")
		pass(3 * time.Hour)
		require.Equal(s, "NSK900", s.get(o).Shipment.Pickup.Code)
		s.carrier.Report(id, "DELIVERED", "", "Новосибирск")
		pass(26 * time.Hour)
		got = s.get(o)
		require.Equal(s, rub(129900), got.Payment.Received)
		require.NotEmpty(s, got.Payment.Registry)
		events, err := s.store.Events(s.Context(), o.ID, 0)
		require.NoError(s, err)
		told := map[string]int{}
		for _, ev := range events {
			if ev.Data["pickup"] != nil {
				told["pickup"]++
			}
			if ev.Type == domain.EventPaymentReceived {
				told["payment"]++
			}
		}
		require.GreaterOrEqual(s, told["pickup"], 3, "the point, until when it is kept, another point")
		require.GreaterOrEqual(s, told["payment"], 1, "the money, its registry, or both at once")
	})
}

func TestACourierCollects(t *testing.T) {
	inShop(t, sandbox.Options{}, func(s *shop) {
		o := s.book(s.order())
		at := domain.IntakeRequest{Date: "2000-01-03", From: "10:00", To: "17:00"}
		_, err := s.shipments.BookIntake(s.ctx(), o.ID, at)
		requireCode(s, domain.CodeIllegalTransition, err)
		pass(time.Minute)
		require.Contains(s, fmt.Sprint(s.get(o).Shipment.Warnings), domain.WarnNoIntake)
		_, err = s.shipments.BookIntake(s.ctx(), o.ID, domain.IntakeRequest{Date: "soon", From: "17:00", To: "10:00"})
		requireCode(s, domain.CodeValidationFailed, err)
		s.carrier.Fail(sandbox.Fault{Kind: sandbox.Lost, Method: "POST", Path: "/intakes"})
		got, err := s.shipments.BookIntake(s.ctx(), o.ID, at)
		require.NoError(s, err, "its answer was lost, and it is there")
		require.NotContains(s, fmt.Sprint(got.Shipment.Warnings), domain.WarnNoIntake)
		_, err = s.shipments.BookIntake(s.ctx(), o.ID, at)
		requireCode(s, domain.CodeIllegalTransition, err)
		pass(3 * time.Hour)
		require.Equal(s, domain.IntakeAssigned, s.get(o).Shipment.Intake.Status)
		require.Contains(s, s.kinds(o), "intake.changed")
		got, err = s.shipments.CancelIntake(s.ctx(), o.ID)
		require.NoError(s, err)
		require.Equal(s, domain.IntakeCancelled, got.Shipment.Intake.Status)
		_, err = s.shipments.CancelIntake(s.ctx(), o.ID)
		requireCode(s, domain.CodeShipmentNotFound, err)
		pass(3 * time.Hour)
		require.Equal(s, domain.IntakeCancelled, s.get(o).Shipment.Intake.Status)
	})
}

func TestABookedParcelIsChangedWhileItCanBe(t *testing.T) {
	inShop(t, sandbox.Options{}, func(s *shop) {
		o := s.book(s.order())
		comment := "Позвонить"
		edit := domain.ShipmentEdit{Recipient: &domain.Customer{Name: "Борис", Phone: "+7 495 123-45-67 доб. 12"}, To: &domain.Stop{Point: "NSK1"}, Comment: &comment}
		pass(time.Minute)
		_, err := s.shipments.Edit(s.ctx(), o.ID, edit, 1)
		requireCode(s, domain.CodeVersionConflict, err)
		_, err = s.shipments.Edit(s.ctx(), o.ID, edit, 0)
		require.NoError(s, err)
		in := s.direct()[0].Input
		require.Equal(s, "Позвонить", in["comment"])
		require.Equal(s, "NSK1", in["delivery_point"])
		require.NotEmpty(s, in["packages"], "the rest stays")
		pass(time.Minute)
		require.Equal(s, "NSK1", s.get(o).Shipment.Pickup.Code)
		rub := func(n int64) *domain.Money { return &domain.Money{Amount: n, Currency: "RUB"} }
		for _, due := range []int64{150050, 0, 99900} { // asked for, taken back, asked for again
			o, err = s.shipments.Edit(s.ctx(), o.ID, domain.ShipmentEdit{Payment: &domain.Payment{Due: rub(due), Delivery: rub(100)}}, 0)
			require.NoError(s, err)
			require.Equal(s, []*domain.Money{rub(due), rub(due)}, []*domain.Money{o.Payment.Due, o.Shipment.Payment.Due})
			pass(time.Minute)
		}
		_, err = s.shipments.Edit(s.ctx(), o.ID, domain.ShipmentEdit{Payment: &domain.Payment{Due: &domain.Money{Amount: 1, Currency: "KZT"}}}, 0)
		requireCode(s, domain.CodeValidationFailed, err)
		s.carrier.Report(s.direct()[0].UUID, "RECEIVED_AT_SHIPMENT_WAREHOUSE", "", "Москва")
		_, err = s.shipments.Edit(s.ctx(), o.ID, edit, 0)
		requireCode(s, domain.CodeIllegalTransition, err)
		s.carrier.Report(s.direct()[0].UUID, "DELIVERED", "", "Москва")
		pass(24 * time.Hour)
		require.Equal(s, rub(100000), s.get(o).Payment.Received, "what was asked for last")
	})
}
