package domain

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func byPerson(now time.Time) By {
	return By{Actor: Actor{Kind: RoleAdmin, ID: "test"}, Source: SourceAPI, Now: now}
}

func newOrder(t interface{ Fatal(...any) }) *Order {
	d, err := Draft{Customer: Customer{Name: "Anna"}, Dropoff: &Place{Address: "Main St 1"}}.Normalize("RU")
	if err != nil {
		t.Fatal(err)
	}
	o, _ := NewOrder(d, byPerson(noon))
	return o
}

// step takes any legal step, assigning included.
func step(o *Order, to Status, by By) ([]Event, error) {
	if to == StatusAssigned {
		return o.Assign(NewID(), by)
	}
	return o.Move(to, nil, by)
}

// The table of the contract, written again so that a typo in one of them shows.
func TestTableIsTheContracts(t *testing.T) {
	const want = `created: confirmed assigned cancelled
confirmed: assigned cancelled
assigned: assigned confirmed at_pickup picked_up cancelled
at_pickup: picked_up confirmed cancelled
picked_up: in_transit out_for_delivery delivered returning failed
in_transit: out_for_delivery ready_for_pickup delivered returning failed
out_for_delivery: in_transit at_dropoff ready_for_pickup delivered delivery_failed returning failed
at_dropoff: delivered delivery_failed returning failed
ready_for_pickup: delivered returning failed
delivery_failed: in_transit out_for_delivery ready_for_pickup returning failed
returning: returned failed
delivered:
returned:
cancelled:
failed:
`
	var got strings.Builder
	for _, tr := range Transitions() {
		got.WriteString(string(tr.From) + ":")
		for _, to := range tr.To {
			got.WriteString(" " + string(to))
		}
		got.WriteString("\n")
	}
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Error(diff)
	}
}

func TestEveryStatusReachesAnEnd(t *testing.T) {
	for _, s := range Statuses() {
		ends := slices.ContainsFunc(Statuses(), func(e Status) bool { return e.Terminal() && s.Leads(e) })
		if s.Terminal() == ends {
			t.Errorf("%s: terminal %v, reaches an end %v", s, s.Terminal(), ends)
		}
		if s.Terminal() && len(s.Next()) > 0 {
			t.Errorf("%s is terminal and has a next", s)
		}
	}
}

func TestCustody(t *testing.T) {
	before := []Status{StatusCreated, StatusConfirmed, StatusAssigned, StatusAtPickup}
	for _, s := range Statuses() {
		if got, want := s.BeforeCustody(), slices.Contains(before, s); got != want {
			t.Errorf("%s before custody: %v", s, got)
		}
		if got, want := s.CanMove(StatusCancelled), slices.Contains(before, s); got != want {
			t.Errorf("%s can be cancelled: %v", s, got)
		}
		if s.InCustody() && (s.Terminal() || s.BeforeCustody()) {
			t.Errorf("%s is in custody", s)
		}
	}
}

// Under any sequence of moves, edits, assignments and reports: versions grow by one per
// change and not otherwise, seq is contiguous, nothing leaves a final status, a rejected
// step leaves the order unchanged and lists the allowed ones.
func TestRandomWalks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := newOrder(t)
		var history []Event
		for i := range rapid.IntRange(1, 40).Draw(t, "steps") {
			now := noon.Add(time.Duration(i) * time.Minute)
			before := *o
			events, err := randomAct(t, o, now)
			checkAct(t, &before, o, events, err)
			history = append(history, events...)
		}
		for i, ev := range history {
			if want := int64(i + 2); ev.Seq != want { // 1 is order.created
				t.Fatalf("seq %d, want %d", ev.Seq, want)
			}
		}
	})
}

func randomAct(t *rapid.T, o *Order, now time.Time) ([]Event, error) {
	to := rapid.SampledFrom(Statuses()).Draw(t, "to")
	switch rapid.SampledFrom([]string{"move", "observe", "edit", "legal"}).Draw(t, "act") {
	case "move":
		return step(o, to, byPerson(now))
	case "legal":
		if next := o.Status.Next(); len(next) > 0 {
			to = rapid.SampledFrom(next).Draw(t, "next")
		}
		return step(o, to, byPerson(now))
	case "edit":
		note := rapid.SampledFrom([]string{"", "ring twice", "leave it"}).Draw(t, "note")
		return o.Edit(Edit{Notes: &note}, "RU", byPerson(now))
	default:
		r := Report{EventID: NewID(), Status: to, Source: rapid.SampledFrom([]string{"wms", "cdek"}).Draw(t, "source")}
		r.OccurredAt = now.Add(-time.Duration(rapid.IntRange(0, 300).Draw(t, "age")) * time.Second)
		return o.Observe(r, By{Now: now}), nil
	}
}

func checkAct(t *rapid.T, before, after *Order, events []Event, err error) {
	var changes int64
	for _, ev := range events {
		if !ev.Note() {
			changes++
		}
		if ev.Version != after.Version {
			t.Fatalf("event at version %d, order at %d", ev.Version, after.Version)
		}
	}
	if changes > 1 || after.Version != before.Version+changes {
		t.Fatalf("%d changes took version %d to %d", changes, before.Version, after.Version)
	}
	if before.Status.Terminal() && after.Status != before.Status {
		t.Fatalf("left %s", before.Status)
	}
	if after.Status != before.Status && !before.Status.Leads(after.Status) {
		t.Fatalf("no path from %s to %s", before.Status, after.Status)
	}
	if changes == 0 && !cmp.Equal(visible(before), visible(after)) {
		t.Fatalf("changed without a version: %s", cmp.Diff(visible(before), visible(after)))
	}
	var refused *Error
	if errors.As(err, &refused) && refused.Code == CodeIllegalTransition && !slices.Equal(refused.Allowed, before.Status.Next()) {
		t.Fatalf("allowed %v", refused.Allowed)
	}
}

func visible(o *Order) string {
	b, err := o.MarshalJSON()
	return fmt.Sprint(string(b), err)
}

// Any shuffle and duplication of one legal walk after pick-up, with distinct times
// and at most one terminal report, ends in the same status.
func TestShuffledReportsEndTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		walk := []Report{report(0, StatusPickedUp)}
		length := rapid.IntRange(1, 12).Draw(t, "length") // walks that end nowhere in particular too
		for at := StatusPickedUp; len(walk) < length && !at.Terminal(); {
			// Statuses that can't be left for another of the walk come last, so that most
			// walks go to and fro: there the newest report decides.
			next := slices.DeleteFunc(at.Next(), func(s Status) bool {
				return len(walk) < length-1 && !s.Leads(StatusInTransit)
			})
			at = rapid.SampledFrom(next).Draw(t, "next")
			walk = append(walk, report(len(walk), at))
		}
		want := walk[len(walk)-1].Status
		fed := slices.Clone(walk)
		for range rapid.IntRange(0, 5).Draw(t, "duplicates") {
			fed = append(fed, rapid.SampledFrom(walk).Draw(t, "again"))
		}
		fed = rapid.Permutation(fed).Draw(t, "order")

		o := newOrder(t)
		for _, r := range fed {
			o.Observe(r, By{Now: noon.Add(time.Hour)})
		}
		if o.Status != want {
			t.Fatalf("ended %s, want %s", o.Status, want)
		}
	})
}

func report(i int, s Status) Report {
	return Report{
		EventID: fmt.Sprint("r", i), Status: s, Source: "carrier", OccurredAt: noon.Add(time.Duration(i) * time.Minute),
	}
}

func TestObserve(t *testing.T) {
	at := func(minute int, s Status, source string) Report {
		r := report(minute, s)
		r.Source = source
		return r
	}
	now := By{Now: noon.Add(time.Hour)}
	for name, tc := range map[string]struct {
		reports []Report
		want    Status
		late    int
	}{
		"skips forward":                        {[]Report{at(1, StatusOutForDelivery, "a")}, StatusOutForDelivery, 0},
		"an observed assigned has no courier":  {[]Report{at(1, StatusAssigned, "a")}, StatusAssigned, 0},
		"no path back":                         {[]Report{at(1, StatusPickedUp, "a"), at(2, StatusAssigned, "b")}, StatusPickedUp, 1},
		"its source told something newer":      {[]Report{at(5, StatusOutForDelivery, "a"), at(4, StatusDeliveryFailed, "a")}, StatusOutForDelivery, 1},
		"another source may be older":          {[]Report{at(5, StatusOutForDelivery, "a"), at(4, StatusDeliveryFailed, "b")}, StatusDeliveryFailed, 0},
		"the same again tells nothing":         {[]Report{at(1, StatusInTransit, "a"), at(2, StatusInTransit, "a")}, StatusInTransit, 1},
		"nothing leaves an end":                {[]Report{at(1, StatusDelivered, "a"), at(2, StatusReturning, "a")}, StatusDelivered, 1},
		"cancelled by the warehouse":           {[]Report{at(1, StatusCancelled, "a")}, StatusCancelled, 0},
		"not cancelled once it was handed on":  {[]Report{at(1, StatusPickedUp, "a"), at(2, StatusCancelled, "a")}, StatusPickedUp, 1},
		"before the order was created is fine": {[]Report{at(-600, StatusPickedUp, "a")}, StatusPickedUp, 0},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrder(t)
			late := 0
			for _, r := range tc.reports {
				for _, ev := range o.Observe(r, now) {
					if ev.Type == EventReportLate {
						late++
					}
					if !ev.OccurredAt.Equal(r.OccurredAt) || ev.Source != r.Source {
						t.Errorf("entry %+v of report %+v", ev, r)
					}
				}
			}
			if o.Status != tc.want || late != tc.late {
				t.Errorf("status %s with %d late, want %s with %d", o.Status, late, tc.want, tc.late)
			}
		})
	}
}

// However many sources report, an order remembers a bounded number, the newest.
func TestReportersAreBounded(t *testing.T) {
	o, _ := NewOrder(Draft{Customer: Customer{Name: "Anna"}, Dropoff: &Place{Address: "Main St 1"}}, By{Now: noon})
	for i := range 200 {
		r := Report{Status: StatusConfirmed, OccurredAt: noon.Add(time.Duration(i) * time.Second), Source: fmt.Sprint("source", i)}
		o.Observe(r, By{Now: noon.Add(time.Hour)})
		if n := len(o.Bookkeeping.Reported); n > maxReporters {
			t.Fatalf("%d sources are remembered", n)
		}
	}
	if _, known := o.Bookkeeping.Reported["source199"]; !known {
		t.Error("the newest is forgotten")
	}
}

func TestMoveRefuses(t *testing.T) {
	walk := func(to ...Status) *Order {
		o := newOrder(t)
		for _, s := range to {
			if _, err := step(o, s, byPerson(noon)); err != nil {
				t.Fatal(err)
			}
		}
		return o
	}
	late := byPerson(noon)
	late.OccurredAt = noon.Add(6 * time.Minute)
	for name, tc := range map[string]struct {
		order *Order
		to    Status
		by    By
		want  Code
	}{
		"a step that the table has not":  {walk(), StatusDelivered, byPerson(noon), CodeIllegalTransition},
		"cancel after the hand-over":     {walk(StatusAssigned, StatusPickedUp), StatusCancelled, byPerson(noon), CodeCancelAfterPickup},
		"cancel after delivery":          {walk(StatusAssigned, StatusPickedUp, StatusDelivered), StatusCancelled, byPerson(noon), CodeCancelAfterPickup},
		"a step from an end":             {walk(StatusCancelled), StatusConfirmed, byPerson(noon), CodeIllegalTransition},
		"assigned without a courier":     {walk(), StatusAssigned, byPerson(noon), CodeValidationFailed},
		"a status that does not exist":   {walk(), "lost", byPerson(noon), CodeValidationFailed},
		"a time that has not come":       {walk(), StatusConfirmed, late, CodeValidationFailed},
		"the status it is in: no change": {walk(StatusConfirmed), StatusConfirmed, byPerson(noon), ""},
		"cancelled twice: no change":     {walk(StatusCancelled), StatusCancelled, byPerson(noon), ""},
	} {
		t.Run(name, func(t *testing.T) {
			version := tc.order.Version
			events, err := tc.order.Move(tc.to, nil, tc.by)
			if CodeOf(err) != tc.want || len(events) != 0 || tc.order.Version != version {
				t.Fatalf("got %v, events %v, version %d; want %q", err, events, tc.order.Version, tc.want)
			}
		})
	}
}

func TestSideEffectsOfSteps(t *testing.T) {
	o := newOrder(t)
	courier := NewID()
	must := func(_ []Event, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(o.Assign(courier, byPerson(noon)))
	version := o.Version
	must(o.Assign(courier, byPerson(noon)))
	if o.Version != version {
		t.Error("the same courier again is no change")
	}
	must(o.Move(StatusConfirmed, nil, byPerson(noon)))
	if o.CourierID != "" {
		t.Error("confirmed again keeps no courier")
	}
	must(o.Assign(courier, byPerson(noon)))
	handed := byPerson(noon.Add(time.Hour))
	handed.OccurredAt = noon.Add(30 * time.Minute)
	must(o.Move(StatusPickedUp, nil, handed))
	if o.Bookkeeping.CustodyAt == nil || !o.Bookkeeping.CustodyAt.Equal(handed.OccurredAt) {
		t.Errorf("custody began at %v", o.Bookkeeping.CustodyAt)
	}
	must(o.Move(StatusOutForDelivery, nil, byPerson(noon.Add(time.Hour))))
	must(o.Move(StatusDeliveryFailed, nil, byPerson(noon.Add(2*time.Hour))))
	must(o.Move(StatusOutForDelivery, nil, byPerson(noon.Add(3*time.Hour))))
	events, err := o.Move(StatusDelivered, &Proof{Recipient: "Anna"}, byPerson(noon.Add(4*time.Hour)))
	must(events, err)
	if o.Attempts != 2 || o.DeliveredAt == nil || o.CourierID != courier {
		t.Errorf("delivered: %+v", o)
	}
	if diff := cmp.Diff(map[string]any{"proof": map[string]any{"recipient": "Anna"}}, events[0].Data); diff != "" {
		t.Error(diff)
	}
}

// A rating after the delivery, or anything else that changes a finished order, does not
// make its share links last longer.
func TestALinkLastsADayFromTheEndOfItsOrder(t *testing.T) {
	link := Caller{Actor: Actor{Kind: RoleCustomer}}
	for status, steps := range map[Status][]Status{
		StatusDelivered: {StatusAssigned, StatusPickedUp, StatusDelivered},
		StatusFailed:    {StatusAssigned, StatusPickedUp, StatusFailed},
		StatusReturned:  {StatusAssigned, StatusPickedUp, StatusReturning, StatusReturned},
		StatusCancelled: {StatusCancelled},
	} {
		o := newOrder(t)
		for i, to := range steps {
			if _, err := step(o, to, byPerson(noon.Add(time.Duration(i)*time.Minute))); err != nil {
				t.Fatal(err)
			}
		}
		end := noon.Add(time.Duration(len(steps)-1) * time.Minute)
		later := byPerson(end.Add(23 * time.Hour))
		if status == StatusDelivered {
			if _, err := o.Rate(Rating{Stars: 5}, later); err != nil {
				t.Fatal(err)
			}
		} else {
			o.change(EventChanged, later, nil)
		}
		stored, err := json.Marshal(o.Bookkeeping)
		if err != nil {
			t.Fatal(err)
		}
		var kept Bookkeeping
		if err := json.Unmarshal(stored, &kept); err != nil {
			t.Fatal(err)
		}
		o.Bookkeeping = kept
		if link.Expired(o, end.Add(ShareAfterEnd)) || !link.Expired(o, end.Add(ShareAfterEnd+time.Microsecond)) {
			t.Errorf("%s: a link must last until %v, a day after %v", status, end.Add(ShareAfterEnd), o.EndedAt())
		}
	}
}
