package yandex

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/carrier"
	"github.com/order-tracking/order-tracking/internal/carrier/carriertest"
	"github.com/order-tracking/order-tracking/internal/carrier/yandex/sandbox"
	"github.com/order-tracking/order-tracking/internal/domain"
)

var request = domain.ShipmentRequest{
	ClientRef: "A-1", Tariff: "express", Recipient: domain.Customer{Name: "Anna", Phone: "+79161234567" + domain.PhoneExtension + "12"},
	Sender: &domain.Customer{Name: "Shop", Phone: "+74951234567", Email: "shop@example.com"},
	From:   domain.Stop{Place: domain.Place{Address: "ул. Складская, 1"}},
	To:     domain.Stop{City: "Москва", Place: domain.Place{Address: "ул. Ленина, 1", Location: &domain.Point{Lat: 55.75, Lon: 37.61}, Notes: "код 12"}},
	Items:  []domain.Item{{Name: "Чай", Quantity: 2, WeightG: 500, Price: &domain.Money{Amount: 12345, Currency: "RUB"}}},
}

// desk is the adapter over its emulator, with a manual clock.
type desk struct {
	*Carrier
	s     *sandbox.Server
	now   time.Time
	hooks []string
}

func open(travel []sandbox.Step) *desk {
	d := &desk{now: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)}
	d.s = sandbox.New(sandbox.Options{
		Now: func() time.Time { return d.now }, Travel: travel,
		Deliver: func(_ context.Context, to string, _ http.Header, _ []byte) (int, error) {
			d.hooks = append(d.hooks, to)
			return 200, nil
		},
	})
	d.Carrier = New(carrier.Account{ID: "main", Secret: "token", BaseURL: "http://yandex.test/b2b/cargo/integration/v2", Limits: carrier.Limits{Attempts: 1, PerSecond: 1000}}, d.s.Client())
	return d
}

// book makes a claim and waits for its estimate.
func (d *desk) book(t *testing.T) domain.ShipmentRef {
	snap, err := d.CreateShipment(t.Context(), request)
	require.NoError(t, err)
	require.Equal(t, domain.PhasePending, snap.Ref.Phase)
	d.now = d.now.Add(time.Second)
	return snap.Ref
}

func (d *desk) look(t *testing.T, ref domain.ShipmentRef) domain.ShipmentSnapshot {
	snap, err := d.TrackShipment(t.Context(), ref)
	require.NoError(t, err)
	return snap
}

func TestConforms(t *testing.T) {
	carriertest.Run(t, func(t *testing.T) carriertest.Case {
		d := open(nil)
		return carriertest.Case{
			Carrier: d.Carrier, Faults: &d.s.Faults, Request: request, Parcels: func() int { return len(d.s.Claims()) },
			Parcel: func(t *testing.T) domain.ShipmentRef {
				ref := d.book(t)
				d.look(t, ref)
				return ref
			},
		}
	})
}

// A claim is accepted once it is estimated, and only if we made it.
func TestAcceptedOnlyWhenOurs(t *testing.T) {
	d := open(nil)
	ref := d.book(t)
	d.look(t, domain.ShipmentRef{ID: ref.ID})
	d.look(t, domain.ShipmentRef{ID: ref.ID, ClientRef: "B-2"})
	require.Equal(t, "ready_for_approval", d.s.Claims()[0].Status, "somebody else's claim is not paid for")
	first := d.look(t, ref)
	require.Equal(t, domain.PhasePending, first.Ref.Phase)
	require.Equal(t, "accepted", d.s.Claims()[0].Status)
	second := d.look(t, ref)
	require.Equal(t, domain.PhaseRegistered, second.Ref.Phase)
	require.Equal(t, &domain.Money{Amount: 31860, Currency: "RUB"}, second.Price)
	require.Equal(t, time.Date(2026, 5, 4, 13, 0, 0, 0, time.UTC), second.Expected.Latest)

	// An estimate that nobody accepted in time ends by itself.
	other := open(nil)
	ref = other.book(t)
	other.now = other.now.Add(11 * time.Minute)
	late := other.look(t, ref)
	require.Equal(t, domain.PhaseRejected, late.Ref.Phase)
}

// What a claim says is what was booked: metres, kilograms, extensions, money as text.
func TestClaimsHoldWhatWasBooked(t *testing.T) {
	d := open(nil)
	_, err := d.EnsureHooks(t.Context(), "https://shop.example/hooks/yandex/t0ken")
	require.NoError(t, err)
	d.book(t)
	in := d.s.Claims()[0].Input
	item := in["items"].([]any)[0].(map[string]any)
	require.Equal(t, "123.45", item["cost_value"])
	require.InEpsilon(t, 0.5, item["weight"], 1e-9)
	require.InEpsilon(t, 2.0, item["quantity"], 1e-9)
	to := in["route_points"].([]any)[1].(map[string]any)
	require.Equal(t, "A-1", to["external_order_id"])
	address := to["address"].(map[string]any)
	require.Equal(t, "Москва, ул. Ленина, 1", address["fullname"])
	require.Equal(t, []any{37.61, 55.75}, address["coordinates"], "longitude first")
	require.Equal(t, "доб. 12. код 12", address["comment"])
	require.Equal(t, "+79161234567", to["contact"].(map[string]any)["phone"])
	require.Equal(t, "https://shop.example/hooks/yandex/t0ken?", in["callback_properties"].(map[string]any)["callback_url"])

	keeps := request
	keeps.ClientRef, keeps.Services = "A-2", []domain.CarrierService{{Code: "optional_return"}}
	_, err = d.CreateShipment(t.Context(), keeps)
	require.NoError(t, err)
	require.Equal(t, true, d.s.Claims()[1].Input["optional_return"])
	require.NotContains(t, in, "optional_return")

	bad := request
	bad.To.Point, bad.Recipient.Phone, bad.Services = "MSK5", "", []domain.CarrierService{{Code: "try_on"}}
	bad.Payment = &domain.Payment{Due: &domain.Money{Amount: 1, Currency: "RUB"}}
	err = d.CheckShipment(bad)
	for _, pointer := range []string{"/to/point", "/recipient/phone", "/services", "/payment"} {
		require.ErrorContains(t, err, pointer)
	}
}

// From the acceptance to the door: each status is told, the courier is named, webhooks and
// the journal point at the claim.
func TestJourney(t *testing.T) {
	d := open(sandbox.Journey)
	_, err := d.EnsureHooks(t.Context(), "https://shop.example/hooks/yandex/t0ken")
	require.NoError(t, err)
	ref := d.book(t)
	var parcel domain.Shipment
	parcel.Learn(d.look(t, ref))
	for range 20 {
		d.now = d.now.Add(time.Second)
		parcel.Learn(d.look(t, ref))
	}
	var told []string
	for _, ev := range parcel.Events {
		if ev.Status != "" && (len(told) == 0 || told[len(told)-1] != string(ev.Status)) {
			told = append(told, string(ev.Status))
		}
		if ev.Kind == domain.CarrierCourier {
			require.Equal(t, "Иван car Lada А001АА", ev.Value)
		}
	}
	require.Equal(t, []string{"assigned", "picked_up", "out_for_delivery", "at_dropoff", "delivered"}, told)

	d.s.Tick(t.Context())
	require.NotEmpty(t, d.hooks)
	at, err := url.Parse(d.hooks[0])
	require.NoError(t, err)
	hints, err := d.ParseHook(domain.HookMessage{Query: at.RawQuery})
	require.NoError(t, err)
	require.Equal(t, ref.ID, hints[0].Shipments[0].ID)
}

// The courier's place is known while he travels, and no failure: neither before nor after.
func TestPerformer(t *testing.T) {
	d := open(sandbox.Journey)
	ref := d.book(t)
	d.look(t, ref)
	p, err := d.PerformerPosition(t.Context(), ref)
	require.NoError(t, err)
	require.Nil(t, p, "nobody was found yet")
	d.now = d.now.Add(8 * time.Second)
	p, err = d.PerformerPosition(t.Context(), ref)
	require.NoError(t, err)
	require.InDelta(t, 55.75, p.Lat, 0.01)
	require.Equal(t, d.now.Unix(), p.RecordedAt.Unix())
	require.InEpsilon(t, 90.0, *p.Heading, 1e-9)
	d.now = d.now.Add(time.Minute)
	p, err = d.PerformerPosition(t.Context(), ref)
	require.NoError(t, err)
	require.Nil(t, p, "delivered")
	for _, body := range []string{`{}`, `{"lat":0,"lon":0,"timestamp":1}`, `{"lat":1,"lon":1}`, `{"lat":1,"lon":1,"timestamp":-1}`, `[]`} {
		n, err := carrier.Parse([]byte(body))
		require.NoError(t, err)
		require.Nil(t, decodePosition(n), body)
	}
}

func TestJournal(t *testing.T) {
	d := open(sandbox.Journey)
	ref := d.book(t)
	d.look(t, ref)
	refs, next, more, err := d.Journal(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, []domain.ShipmentRef{{ID: ref.ID}}, refs)
	require.True(t, more)
	refs, same, more, err := d.Journal(t.Context(), next)
	require.NoError(t, err)
	require.Empty(t, refs)
	require.Equal(t, next, same)
	require.False(t, more)

	d.s.Behave(sandbox.Habits{BadCursor: true})
	_, again, more, err := d.Journal(t.Context(), next)
	require.NoError(t, err)
	require.Empty(t, again, "from the beginning")
	require.True(t, more)
	d.s.Behave(sandbox.Habits{LieCursor: true})
	d.now = d.now.Add(time.Minute)
	refs, stuck, more, err := d.Journal(t.Context(), next)
	require.NoError(t, err)
	require.NotEmpty(t, refs)
	require.Equal(t, next, stuck)
	require.False(t, more, "a cursor that does not move is not read in a circle")
}

// Cancelling is free until the courier has come, paid until he has the goods, then too late.
func TestCancelTerms(t *testing.T) {
	d := open(nil)
	ref := d.book(t)
	d.look(t, ref)
	require.True(t, d.s.Report(ref.ID, "pickup_arrived"))
	terms, err := d.CancelTerms(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, domain.CancelPaid, terms.Kind)
	require.Equal(t, &domain.Money{Amount: 14900, Currency: "RUB"}, terms.Price)
	_, err = d.CancelShipment(t.Context(), ref, domain.CancelTerms{Kind: domain.CancelFree})
	require.Equal(t, domain.ClassConflict, domain.ClassOf(err))
	cheaper := domain.CancelTerms{Kind: domain.CancelPaid, Price: &domain.Money{Amount: 100, Currency: "RUB"}}
	_, err = d.CancelShipment(t.Context(), ref, cheaper)
	require.Equal(t, domain.ClassConflict, domain.ClassOf(err), "the price that was agreed to")
	require.Zero(t, d.s.Paid())
	out, err := d.CancelShipment(t.Context(), ref, terms)
	require.NoError(t, err)
	require.Equal(t, domain.CancelDone, out.Result)
	require.Equal(t, 1, d.s.Paid())
	out, err = d.CancelShipment(t.Context(), ref, terms)
	require.NoError(t, err, "again after a lost answer")
	require.Equal(t, domain.CancelDone, out.Result)
	require.Equal(t, 1, d.s.Paid())
	require.Equal(t, domain.PhaseCancelled, d.look(t, ref).Ref.Phase)

	d = open(nil)
	ref = d.book(t)
	d.look(t, ref)
	d.s.Report(ref.ID, "pickuped")
	terms, err = d.CancelTerms(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, domain.CancelImpossible, terms.Kind)
}

func TestQuotes(t *testing.T) {
	d := open(nil)
	quotes, err := d.Quote(t.Context(), domain.QuoteRequest{To: request.To})
	require.NoError(t, err)
	require.Len(t, quotes, 2)
	cheapest, ok := domain.ChooseQuote(quotes, domain.TariffCheapest)
	require.True(t, ok)
	require.Equal(t, "courier", cheapest.Tariff)
	require.Equal(t, domain.Money{Amount: 25000, Currency: "RUB"}, cheapest.Price)
	quotes, err = d.Quote(t.Context(), domain.QuoteRequest{To: request.To, Tariff: "express"})
	require.NoError(t, err)
	require.Len(t, quotes, 1)
	require.Equal(t, int64(31860), quotes[0].Price.Amount)
	_, err = d.Quote(t.Context(), domain.QuoteRequest{To: request.To, Tariff: "rocket"})
	require.Equal(t, domain.ClassRetryable, domain.ClassOf(err), "nobody goes now")
}

func TestTablesAreSound(t *testing.T) {
	for code, m := range statuses {
		require.True(t, m.Status == "" || m.Status.Valid(), code)
		require.NotEmpty(t, m.Text, code)
	}
	for _, code := range strings.Fields(`new estimating ready_for_approval accepted performer_lookup performer_draft performer_found pickup_arrived
		ready_for_pickup_confirmation pickuped delivery_arrived ready_for_delivery_confirmation pay_waiting delivered delivered_finish returning
		return_arrived ready_for_return_confirmation returned returned_finish estimating_failed failed performer_not_found cancelled
		cancelled_with_payment cancelled_by_taxi cancelled_with_items_on_hands`) {
		require.Contains(t, statuses, code)
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`{"id":"c1","status":"pickuped","version":9007199254740993,"updated_ts":"2026-05-04T12:00:00+00:00","performer_info":{"courier_name":"I"}}`))
	f.Add([]byte(`{"cursor":"c-1","events":[{"claim_id":"c1"}]}`))
	f.Add([]byte(`{"offers":[{"price":{"total_price":"1.5"}}]}`))
	f.Add([]byte(`{"cancel_state":"paid","price":"x"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		n, err := carrier.Parse(body)
		if err != nil {
			return
		}
		fault(n)
		decodeJournal(n)
		decodePosition(n.At("position"))
		require.NotEmpty(t, decodeTerms(n).Kind)
		if quotes, err := decodeOffers(n, ""); err == nil {
			require.NotEmpty(t, quotes)
		}
		s := decodeClaim(n)
		require.NotEmpty(t, s.Ref.Phase)
		for _, ev := range s.Events {
			require.True(t, ev.Status == "" || ev.Status.Valid())
		}
	})
}
