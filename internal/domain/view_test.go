package domain

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var secretly = By{
	Actor: Actor{Kind: RoleDispatcher, ID: "SECRET-key"}, Source: "SECRET-source", Reason: "SECRET-reason",
	Location: &Point{Lat: 11.111111, Lon: 22.222222}, Now: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC),
}

// secretOrder is an order with a recognizable value in each field that is hidden from customers.
func secretOrder() *Order {
	distance := 4321.5
	return &Order{
		ID: NewID(), Number: "AAA-BBB-CCC", MerchantID: "m1", Status: StatusOutForDelivery, Version: 3,
		Customer: Customer{Name: "Anna", Phone: "+79161230067", Email: "secretly@example.com"},
		Pickup:   &Place{Address: "Kitchen 1", Notes: "SECRET door code"},
		Dropoff:  Place{Address: "Tverskaya 7", Location: &Point{Lat: 55.76, Lon: 37.61}},
		Notes:    "SECRET note", Metadata: map[string]string{"SECRET": "SECRET"}, CourierID: "SECRET-courier",
		Shipment: &Shipment{
			Carrier: "cdek", TrackingNumber: "123", LabelURL: "/SECRET", Price: &Money{Amount: 5, Currency: "RUB"}, Phase: "accepted",
			Events: []CarrierEvent{
				{ID: "1", Kind: CarrierScan, Text: "Accepted", City: "Kazan", Detail: "SECRET", Reason: "SECRET", Value: "SECRET"},
				{ID: "2", Kind: CarrierCourier, Text: "SECRET", Value: "+79995550000, SECRET"},
				{ID: "3", Kind: CarrierScan, Text: "SECRET", Retracted: true},
			},
		},
		Exception: &Exception{Code: "damaged", Detail: "SECRET"},
		ETA:       &Estimate{DistanceM: &distance, Method: MethodLive},
	}
}

func TestCustomersAndPartnersSeeNoSecrets(t *testing.T) {
	o := secretOrder()
	_, err := o.Freeze()
	require.NoError(t, err)
	for v, hidden := range map[View][]string{
		ViewCustomer: {"SECRET", "+7916", "+7999", "secretly", "4321.5", "amount"},
		ViewPartner:  {"+7916", "+7999", "secretly", `"/SECRET`},
	} {
		b, err := json.Marshal(o.For(v))
		require.NoError(t, err)
		for _, h := range hidden {
			require.NotContains(t, string(b), h, "view %d", v)
		}
		require.Contains(t, string(b), "Tverskaya 7")
		require.Contains(t, string(b), "Kazan")
	}
	for _, v := range []View{ViewStaff, ViewMerchant, ViewCourier} {
		require.Same(t, o, o.For(v), "nothing to hide, nothing to copy")
	}
	require.Equal(t, "SECRET note", o.Notes, "the order stays as it is")
	require.Nil(t, o.Performer(), "a number is no name")
	o.Shipment.Events[1].Value = "Ivan Petrov"
	require.Equal(t, "Ivan", o.Performer().Name)
}

func TestCustomersHearOfTheirOrderAndNotOfStaff(t *testing.T) {
	o := secretOrder()
	heard := map[EventType]bool{EventCreated: true, EventStatusChanged: true, EventCourierNear: true, EventOrderLate: true}
	for _, typ := range EventTypes() {
		e := o.Note(typ, secretly, map[string]any{"courier_id": "SECRET"})
		require.Contains(t, string(e.JSON()), "SECRET", "encoded once for staff")
		shown, ok := e.For(ViewCustomer)
		require.Equal(t, heard[typ], ok, typ)
		b := string(shown.JSON())
		for _, h := range []string{"SECRET", "actor", "location", "11.1111"} {
			require.NotContains(t, b, h, typ)
		}
		shown, ok = e.For(ViewMerchant)
		require.True(t, ok)
		require.NotContains(t, string(shown.JSON()), "SECRET-key")
	}
}

// TestPlacesByStage checks every status, view, rule and time.
func TestPlacesByStage(t *testing.T) {
	drop := Point{Lat: 55.76, Lon: 37.61}
	rapid.Check(t, func(t *rapid.T) {
		now := secretly.Now
		custody := now.Add(-time.Duration(rapid.IntRange(0, 120).Draw(t, "custody")) * time.Minute)
		at := now.Add(-time.Duration(rapid.IntRange(0, 120).Draw(t, "age")) * time.Minute)
		rule := rapid.SampledFrom([]string{"custody", "out_for_delivery", "metres:500", "stops_before:2"}).Draw(t, "rule")
		parsed, err := ParseShowCourier(rule)
		if err != nil {
			t.Fatal(err)
		}
		o := &Order{Status: rapid.SampledFrom(Statuses()).Draw(t, "status"), Dropoff: Place{Location: &drop}, Bookkeeping: Bookkeeping{CustodyAt: &custody}}
		battery := 50.0
		p := &Position{Lat: rapid.Float64Range(55.74, 55.78).Draw(t, "lat"), Lon: 37.61, RecordedAt: at, Battery: &battery, Attributes: Attributes{"a": 1}}
		v := View(rapid.IntRange(0, Views-1).Draw(t, "view")) //nolint:gosec // few
		stops := rapid.Ptr(rapid.IntRange(0, 4), true).Draw(t, "stops")
		glimpse := o.Glimpse(parsed)
		glimpse.Stops = stops
		got := glimpse.Position(v, p, now)

		s := o.Status
		want := s.InCustody() && s != StatusReadyForPickup && !at.Before(custody) && now.Sub(at) <= 30*time.Minute
		if v == ViewCustomer {
			switch rule {
			case "out_for_delivery":
				want = want && (s == StatusOutForDelivery || s == StatusAtDropoff)
			case "metres:500":
				want = want && p.Point().DistanceM(drop) <= 500
			case "stops_before:2":
				want = want && stops != nil && *stops <= 2
			}
		}
		if (got != nil) != want {
			t.Fatalf("%s to view %d by %s: shown %v, want %v", s, v, rule, got != nil, want)
		}
		if got != nil && (got.Attributes != nil || v == ViewCustomer && got.Battery != nil) {
			t.Fatal("what the phone said beside was shown")
		}
	})
}

func TestTrailOfCustomersHasOnlyWhatTheRuleHeldOn(t *testing.T) {
	at := func(m int) time.Time { return secretly.Now.Add(time.Duration(m) * time.Minute) }
	custody := at(0)
	history := []Event{
		{Type: EventStatusChanged, Status: StatusPickedUp, OccurredAt: at(0)},
		{Type: EventStatusChanged, Status: StatusOutForDelivery, OccurredAt: at(10)},
		{Type: EventStatusChanged, Status: StatusReadyForPickup, OccurredAt: at(20)},
		{Type: EventStatusChanged, Status: StatusReturning, OccurredAt: at(30)},
	}
	trail := []Position{{RecordedAt: at(5)}, {RecordedAt: at(15)}, {RecordedAt: at(25)}, {RecordedAt: at(35)}}
	late, err := ParseShowCourier("out_for_delivery")
	require.NoError(t, err)
	for name, c := range map[string]struct {
		status Status
		view   View
		rule   ShowCourier
		want   int
	}{
		"customer by custody":        {StatusReturning, ViewCustomer, ShowCourier{}, 3},
		"customer by last leg":       {StatusReturning, ViewCustomer, late, 1},
		"customer at a pickup point": {StatusReadyForPickup, ViewCustomer, ShowCourier{}, 0},
		"customer after the end":     {StatusDelivered, ViewCustomer, ShowCourier{}, 0},
		"merchant on the way":        {StatusReturning, ViewMerchant, late, 4},
		"merchant after the end":     {StatusDelivered, ViewMerchant, ShowCourier{}, 0},
		"staff after the end":        {StatusDelivered, ViewStaff, late, 4},
	} {
		g := Glimpse{Status: c.status, CustodyAt: &custody, Rule: c.rule}
		require.Len(t, g.Trail(c.view, trail, history), c.want, name)
	}
}

func TestCouriersByStage(t *testing.T) {
	c := &Courier{ID: "SECRET-id", Name: "Oleg Petrov", Phone: "+79160000000", Vehicle: VehicleBicycle, Capacity: 7, Metadata: map[string]string{"a": "b"}}
	for _, s := range Statuses() {
		shown := c.For(ViewCustomer, s)
		known := s == StatusAssigned || s == StatusAtPickup || s == StatusDelivered || s.ShowsPlace()
		require.Equal(t, known, shown != nil, s)
		if shown != nil {
			b, err := json.Marshal(shown)
			require.NoError(t, err)
			require.JSONEq(t, `{"name":"Oleg","vehicle":"bicycle"}`, string(b))
		}
		require.Same(t, c, c.For(ViewStaff, s))
	}
	b, err := json.Marshal(c)
	require.NoError(t, err)
	require.Contains(t, string(b), `"capacity":7`)
}

func TestRulesOfShowingCouriers(t *testing.T) {
	for _, s := range []string{"custody", "out_for_delivery", "metres:300", "metres:0.5", "stops_before:0", "stops_before:12"} {
		r, err := ParseShowCourier(s)
		require.NoError(t, err)
		require.Equal(t, s, r.String())
	}
	for _, s := range []string{"always", "metres:", "metres:-1", "metres:x", "metres:NaN", "custody:1", "metres", "stops_before", "stops_before:", "stops_before:-1", "stops_before:1.5"} {
		_, err := ParseShowCourier(s)
		require.Equal(t, CodeValidationFailed, CodeOf(err), s)
	}
}

func TestMasks(t *testing.T) {
	require.Equal(t, "**********67", MaskPhone("+79161234567"))
	require.Equal(t, "", MaskPhone(""))
	require.Equal(t, "a***@example.com", MaskEmail("anna@example.com"))
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "text")
		if len(s) > 4 && strings.Contains(MaskPhone(s), s) {
			t.Fatal(s)
		}
		MaskEmail(s)
	})
}

func TestCallersReachWhatIsTheirs(t *testing.T) {
	o := &Order{ID: "o1", MerchantID: "m1", CourierID: "c1"}
	for name, c := range map[string]struct {
		caller Caller
		want   bool
	}{
		"admin":                       {Caller{Actor: Actor{Kind: RoleAdmin}}, true},
		"dispatcher":                  {Caller{Actor: Actor{Kind: RoleDispatcher}}, true},
		"own merchant":                {Caller{Actor: Actor{Kind: RoleMerchant}, MerchantID: "m1"}, true},
		"other merchant":              {Caller{Actor: Actor{Kind: RoleMerchant}, MerchantID: "m2"}, false},
		"own partner":                 {Caller{Actor: Actor{Kind: RolePartner}, MerchantID: "m1"}, true},
		"merchant of nothing":         {Caller{Actor: Actor{Kind: RoleMerchant}}, false},
		"assigned courier":            {Caller{Actor: Actor{Kind: RoleCourier}, CourierID: "c1"}, true},
		"other courier":               {Caller{Actor: Actor{Kind: RoleCourier}, CourierID: "c2"}, false},
		"link":                        {Caller{Actor: Actor{Kind: RoleCustomer}, OrderID: "o1"}, true},
		"link to another":             {Caller{Actor: Actor{Kind: RoleCustomer}, OrderID: "o2"}, false},
		"monitor":                     {Caller{Actor: Actor{Kind: RoleMonitor}}, false},
		"a role that nobody invented": {Caller{Actor: Actor{Kind: "root"}}, false},
	} {
		require.Equal(t, c.want, c.caller.Reaches(o), name)
		f := OrderFilter{}
		if c.caller.Narrow(&f) && !c.caller.Staff() {
			require.True(t, f.MerchantID == c.caller.MerchantID && f.CourierID == c.caller.CourierID, name)
		}
	}
	require.False(t, (&Caller{Actor: Actor{Kind: RoleMerchant}, MerchantID: ""}).Reaches(&Order{}), "an order without a merchant is nobody's")
	f := OrderFilter{MerchantID: "m2"}
	require.False(t, (&Caller{Actor: Actor{Kind: RoleMerchant}, MerchantID: "m1"}).Narrow(&f))
}

// minutes:N shows the courier once the drive to the customer takes no longer; without an estimate of it, never.
func TestTheCourierIsShownByMinutes(t *testing.T) {
	rule, err := ParseShowCourier("minutes:10")
	require.NoError(t, err)
	require.Equal(t, "minutes:10", rule.String())
	home := Point{Lat: 55.76, Lon: 37.61}
	far, near := Point{Lat: 55.80, Lon: 37.61}, Point{Lat: 55.77, Lon: 37.61} // 4.4 and 1.1 km
	timed := rule.By(func(from, to Point) time.Duration {
		return time.Duration(from.DistanceM(to) / 5 * float64(time.Second))
	})
	require.False(t, timed.Holds(StatusOutForDelivery, far, &home, nil))
	require.True(t, timed.Holds(StatusOutForDelivery, near, &home, nil))
	require.False(t, timed.Holds(StatusAssigned, near, &home, nil), "never before custody")
	require.False(t, timed.Holds(StatusOutForDelivery, near, nil, nil))
	require.False(t, rule.Holds(StatusOutForDelivery, near, &home, nil))
}

// An estimate is shown again when it moves by a tenth of the rest, by one to three minutes.
func TestWhenAnEstimateHasMoved(t *testing.T) {
	now := secretly.Now
	for _, c := range []struct {
		rest, by time.Duration
		moved    bool
	}{
		{5 * time.Minute, 59 * time.Second, false},
		{5 * time.Minute, time.Minute, true},
		{20 * time.Minute, 119 * time.Second, false},
		{20 * time.Minute, -2 * time.Minute, true},
		{10 * time.Hour, 179 * time.Second, false},
		{10 * time.Hour, 3 * time.Minute, true},
		{-time.Hour, time.Minute, true},
	} {
		shown := Estimate{ETA: now.Add(c.rest)}
		fresh := Estimate{ETA: shown.ETA.Add(c.by), ComputedAt: now}
		require.Equal(t, c.moved, fresh.Moved(shown), "%v of %v", c.by, c.rest)
	}
}
