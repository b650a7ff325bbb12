package domain

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func bookedOrder(t *testing.T) *Order {
	t.Helper()
	o := newOrder(t)
	events, err := o.Book(Shipment{Carrier: "acme", Phase: PhasePending, Tariff: "1"}, false, byPerson(noon))
	if err != nil || len(events) != 1 || events[0].Type != EventShipmentBooked || o.Version != 2 {
		t.Fatalf("booked: %v %v", events, err)
	}
	return o
}

func scanned(id string, minute int, s Status) CarrierEvent {
	return CarrierEvent{ID: id, Kind: CarrierScan, Code: strings.ToUpper(id), Text: "Слово", Status: s, OccurredAt: noon.Add(time.Duration(minute) * time.Minute)}
}

func snapshot(phase ShipmentPhase, events ...CarrierEvent) ShipmentSnapshot {
	return ShipmentSnapshot{Ref: ShipmentRef{ID: "x", TrackingNumber: "T1", Phase: phase}, Status: "S", Events: events}
}

// types lists the types of events.
func types(events []Event) string {
	var out []string
	for _, ev := range events {
		out = append(out, string(ev.Type))
	}
	return strings.Join(out, " ")
}

func TestLearnShipment(t *testing.T) {
	now := By{Actor: Actor{Kind: RoleSystem}, Now: noon.Add(time.Hour)}
	o := bookedOrder(t)
	events := o.LearnShipment(snapshot(PhaseRegistered), now)
	if got := types(events); got != "shipment.changed" || o.Shipment.TrackingNumber != "T1" || o.Version != 3 {
		t.Fatalf("registered: %s, %+v", got, o.Shipment)
	}
	if events := o.LearnShipment(snapshot(PhaseRegistered), now); len(events) != 0 || o.Version != 3 {
		t.Errorf("nothing new: %v", events)
	}
	events = o.LearnShipment(snapshot(PhaseRegistered, scanned("a", 1, StatusPickedUp), scanned("b", 2, StatusInTransit)), now)
	if got := types(events); got != "order.status_changed order.status_changed" || o.Status != StatusInTransit || o.Version != 5 {
		t.Fatalf("scans: %s %s %d", got, o.Status, o.Version)
	}
	if diff := cmp.Diff(map[string]any{"carrier": "acme", "code": "B", "source_id": "b", "text": "Слово"}, events[1].Data); diff != "" {
		t.Error(diff)
	}
	if events[1].Source != "acme" || !events[1].OccurredAt.Equal(noon.Add(2*time.Minute)) {
		t.Errorf("entry %+v", events[1])
	}
	late := scanned("late", 1, StatusPickedUp)
	unknown := CarrierEvent{ID: "u", Kind: CarrierScan, Code: "NEW", Unknown: true, OccurredAt: noon}
	future := scanned("f", 600, StatusDelivered)
	if got := types(o.LearnShipment(snapshot(PhaseRegistered, late, unknown, future), now)); got != "order.report_late shipment.changed" || o.Status != StatusInTransit {
		t.Errorf("late, unknown and from the future: %s %s", got, o.Status)
	}
	if len(o.Shipment.Events) != 4 {
		t.Errorf("all but what is to come are kept: %+v", o.Shipment.Events)
	}
	wrong := CarrierEvent{ID: "p", Kind: CarrierProblem, Code: "47", Exception: "wrong_address", Text: "Адреса нет", OccurredAt: noon}
	if got := types(o.LearnShipment(snapshot(PhaseRegistered, wrong), now)); got != "order.exception" || o.Exception.Code != "wrong_address" {
		t.Errorf("a problem: %s %+v", got, o.Exception)
	}
	reverse := snapshot(PhaseRegistered, scanned("r", 9, StatusDelivered))
	reverse.Reverse = true
	if o.LearnShipment(reverse, now); o.Status != StatusInTransit {
		t.Errorf("a parcel the other way says nothing: %s", o.Status)
	}
}

func TestRetractionLeavesTheStatusAndSaysSo(t *testing.T) {
	now := By{Now: noon.Add(time.Hour)}
	o := bookedOrder(t)
	o.LearnShipment(snapshot(PhaseRegistered, scanned("a", 1, StatusPickedUp), scanned("d", 3, StatusDelivered)), now)
	gone := scanned("d", 3, StatusDelivered)
	gone.Retracted = true
	events := o.LearnShipment(snapshot(PhaseRegistered, scanned("a", 1, StatusPickedUp), gone), now)
	if got := types(events); got != "order.report_late order.exception" {
		t.Fatalf("got %s", got)
	}
	if o.Status != StatusDelivered || o.Exception.Code != ExceptionRetracted || !o.Shipment.Events[1].Retracted {
		t.Errorf("%s %+v", o.Status, o.Exception)
	}
	if events := o.LearnShipment(snapshot(PhaseRegistered, gone), now); len(events) != 0 {
		t.Errorf("again: %s", types(events))
	}
}

func TestALostShipmentNeverEndsTheOrder(t *testing.T) {
	now := By{Now: noon.Add(time.Hour)}
	for name, tc := range map[string]struct {
		phase ShipmentPhase
		code  string
		why   string
	}{
		"rejected": {PhaseRejected, ExceptionRejected, "нет тарифа"},
		"deleted":  {PhaseCancelled, ExceptionCancelled, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := bookedOrder(t)
			o.LearnShipment(snapshot(PhaseRegistered, scanned("c", 1, StatusAssigned)), now)
			snap := snapshot(tc.phase, CarrierEvent{ID: "i", Kind: CarrierScan, Code: "INVALID", Exception: ExceptionRejected, OccurredAt: noon})
			if tc.why != "" {
				snap.Errors = []CarrierMessage{{Code: "e", Message: tc.why}}
			}
			events := o.LearnShipment(snap, now)
			if got := types(events); got != "order.exception order.status_changed" {
				t.Fatalf("got %s", got)
			}
			if o.Status != StatusConfirmed || o.Exception.Code != tc.code || o.Exception.Detail != tc.why {
				t.Errorf("%s %+v", o.Status, o.Exception)
			}
			if _, err := o.Book(Shipment{Carrier: "other", Phase: PhasePending}, false, now); err != nil || o.Exception != nil || len(o.Shipment.Events) != 0 {
				t.Errorf("another carrier: %v %+v", err, o.Exception)
			}
		})
	}
	o := bookedOrder(t)
	o.LearnShipment(snapshot(PhaseRegistered, scanned("a", 1, StatusPickedUp)), now)
	if events := o.LearnShipment(snapshot(PhaseCancelled), now); o.Status != StatusPickedUp || o.Exception != nil || types(events) != "shipment.changed" {
		t.Errorf("on its way: %s %s", types(events), o.Status)
	}
}

func TestBookRefuses(t *testing.T) {
	o := bookedOrder(t)
	if _, err := o.Book(Shipment{}, false, byPerson(noon)); CodeOf(err) != CodeShipmentExists {
		t.Errorf("a second one: %v", err)
	}
	o = newOrder(t)
	o.Observe(report(1, StatusPickedUp), By{Now: noon.Add(time.Hour)})
	if _, err := o.Book(Shipment{}, false, byPerson(noon)); CodeOf(err) != CodeIllegalTransition {
		t.Errorf("handed over: %v", err)
	}
	if _, err := o.Book(Shipment{Carrier: "acme", TrackingNumber: "T", Phase: PhasePending}, true, byPerson(noon)); err != nil {
		t.Errorf("a parcel on its way can be followed: %v", err)
	}
	o = newOrder(t)
	if _, err := o.Cancel(byPerson(noon)); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Book(Shipment{}, true, byPerson(noon)); CodeOf(err) != CodeOrderFinished {
		t.Errorf("finished: %v", err)
	}
}

func TestBookingsRequest(t *testing.T) {
	o := newOrder(t)
	o.Items = []Item{{Name: "a", Quantity: 3, WeightG: 100}, {Name: "b", Quantity: 2}}
	o.Pickup = &Place{Address: "Depot"}
	b := Booking{Tariff: "1", To: Stop{City: "44"}}
	r := b.Request(o, "ref")
	if r.From.Address != "Depot" || r.To.Address != "Main St 1" || r.To.City != "44" || r.Packages[0].WeightG != 300 || r.ClientRef != "ref" {
		t.Errorf("%+v", r)
	}
	b.To.Place = Place{Address: "Elsewhere"}
	b.Packages = []Package{{WeightG: 5}}
	if r := b.Request(o, "ref"); r.To.Address != "Elsewhere" || r.Packages[0].WeightG != 5 {
		t.Errorf("%+v", r)
	}
	if ref := o.ClientRef(noon); len(ref) > 32 || !strings.HasPrefix(ref, o.Number) || ref == o.ClientRef(noon.Add(time.Millisecond)) {
		t.Errorf("reference %q", ref)
	}
	bad := Booking{Tariff: strings.Repeat("1", 200), Packages: []Package{{WeightG: -1}}, From: Stop{Place: Place{Location: &Point{Lat: 91}}}}
	want := map[string]string{"/tariff": "too_long", "/packages/0/weight_g": "out_of_range", "/from/location/lat": "out_of_range"}
	if diff := cmp.Diff(want, pointers(bad.Validate())); diff != "" {
		t.Error(diff)
	}
}

func TestPollAfter(t *testing.T) {
	now := noon
	due := &DeliveryPeriod{Earliest: noon.Add(6 * time.Hour), Latest: noon.Add(18 * time.Hour)}
	for name, tc := range map[string]struct {
		s      Shipment
		status Status
		age    time.Duration
		looks  int
		want   time.Duration
	}{
		"pending, first":      {Shipment{Phase: PhasePending}, StatusConfirmed, 0, 0, time.Second},
		"pending, fourth":     {Shipment{Phase: PhasePending}, StatusConfirmed, 0, 3, 8 * time.Second},
		"pending, for long":   {Shipment{Phase: PhasePending}, StatusConfirmed, 0, 99, 2 * time.Minute},
		"rejected":            {Shipment{Phase: PhaseRejected}, StatusConfirmed, 0, 0, 0},
		"just registered":     {Shipment{Phase: PhaseRegistered}, StatusConfirmed, time.Minute, 0, 5 * time.Minute},
		"waiting for days":    {Shipment{Phase: PhaseRegistered}, StatusConfirmed, 48 * time.Hour, 0, 2 * time.Hour},
		"on the way":          {Shipment{Phase: PhaseRegistered}, StatusInTransit, 0, 0, 2 * time.Hour},
		"the day it comes":    {Shipment{Phase: PhaseRegistered, Expected: due}, StatusInTransit, 0, 0, 30 * time.Minute},
		"tried in vain":       {Shipment{Phase: PhaseRegistered}, StatusDeliveryFailed, 0, 0, 30 * time.Minute},
		"with the courier":    {Shipment{Phase: PhaseRegistered}, StatusOutForDelivery, 0, 0, 5 * time.Minute},
		"at the office":       {Shipment{Phase: PhaseRegistered}, StatusReadyForPickup, 0, 0, 30 * time.Minute},
		"just delivered":      {Shipment{Phase: PhaseRegistered}, StatusDelivered, time.Hour, 0, 12 * time.Hour},
		"delivered for long":  {Shipment{Phase: PhaseRegistered}, StatusDelivered, 100 * time.Hour, 0, 0},
		"pending of the dead": {Shipment{Phase: PhasePending}, StatusCancelled, time.Hour, 0, 12 * time.Hour},
	} {
		if got := UsualPace.PollAfter(&Order{Status: tc.status, Shipment: &tc.s}, now, now.Add(-tc.age), tc.looks); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

func TestChooseQuote(t *testing.T) {
	q := func(tariff string, price int64, days int) Quote {
		return Quote{Tariff: tariff, Price: Money{Amount: price}, Expected: DeliveryPeriod{Latest: noon.AddDate(0, 0, days)}}
	}
	quotes := []Quote{q("slow", 100, 9), q("b", 300, 2), q("a", 300, 2), q("quick", 900, 2), q("cheap", 100, 5)}
	for wish, want := range map[string]string{"cheapest": "cheap", "": "cheap", "fastest": "a", "quick": "quick", "none": ""} {
		if got, ok := ChooseQuote(quotes, wish); got.Tariff != want || ok != (want != "") {
			t.Errorf("%q: %q", wish, got.Tariff)
		}
	}
}
