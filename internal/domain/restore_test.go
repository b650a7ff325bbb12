package domain

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// moved encodes an order with its history to JSON and back, as an export and import do.
func moved(t interface{ Fatal(...any) }, o *Order, events []Event) Restored {
	b, err := json.Marshal(map[string]any{"order": o, "events": events})
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Order  Order
		Events []Event
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return Restored{Order: v.Order, Events: v.Events}
}

// Whatever an order went through, it is restored unchanged, including its bookkeeping.
func TestRestoredOrderIsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		region, now := "RU", noon
		d, err := Draft{
			ExternalID: "A-1", Customer: Customer{Name: "Anna", Phone: "8 916 123-45-67"},
			Dropoff: &Place{Address: "x", Location: &Point{Lat: 1.25, Lon: -3}}, Items: []Item{{Name: "tea", Quantity: 2}},
			Metadata: map[string]string{"a": ""},
		}.Normalize(region)
		if err != nil {
			t.Fatal(err)
		}
		o, ev := NewOrder(d, By{Actor: Actor{Kind: RoleAdmin}, Source: SourceAPI, Now: now})
		events := []Event{ev}
		for range rapid.IntRange(0, 20).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(1, 1e9).Draw(t, "later")) * time.Microsecond)
			by := By{Actor: Actor{Kind: RoleSystem, ID: "s"}, Source: SourceAPI, Now: now, OccurredAt: now.Add(-time.Minute)}
			status := rapid.SampledFrom(Statuses()).Draw(t, "status")
			var next []Event
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 5:
				next = o.NoteSilence(now.Add(-time.Hour), by)
			case 0:
				next, _ = o.Move(status, &Proof{Note: "door"}, by)
			case 1:
				next, _ = o.Assign(NewID(), by)
			case 2:
				source := rapid.SampledFrom([]string{"wms", "carrier"}).Draw(t, "source")
				past := time.Duration(rapid.IntRange(0, 300).Draw(t, "past")) * time.Second
				next = o.Observe(Report{Status: status, Source: source, OccurredAt: now.Add(-past), Location: &Point{Lat: 1}}, by)
			case 3:
				text := rapid.StringN(0, 5, -1).Draw(t, "notes")
				next, _ = o.Edit(Edit{Notes: &text, Exception: &ExceptionEdit{Code: "x", Detail: text}}, region, by)
			case 4:
				if o.Once(string(EventCourierNear)) {
					next = append(next, o.Note(EventCourierNear, by, map[string]any{"distance_m": 480}))
				}
			}
			events = append(events, next...)
		}
		ch, err := moved(t, o, events).Restore(region, By{Now: now})
		if err != nil {
			t.Fatal(err, pointers(err))
		}
		want, _ := json.Marshal([]any{o, events})
		got, _ := json.Marshal([]any{ch.Order, ch.Events})
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Fatal(diff)
		}
		kept := o.Bookkeeping
		delete(kept.Reported, SourceAPI)
		if diff := cmp.Diff(kept, ch.Order.Bookkeeping, equateEmpty); diff != "" {
			t.Fatal(diff)
		}
		if !ch.Imported {
			t.Fatal("not marked as imported")
		}
	})
}

var equateEmpty = cmp.FilterValues(func(a, b map[string]bool) bool { return len(a) == 0 && len(b) == 0 }, cmp.Ignore())

// delivered is an order with a history of five events.
func delivered(t *testing.T) Restored {
	o := newOrder(t)
	_, ev := NewOrder(o.Draft(), byPerson(noon))
	ev.ID, ev.OrderID = NewID(), o.ID
	events := []Event{ev}
	step := func(next []Event, err error) {
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, next...)
	}
	step(o.Assign(NewID(), byPerson(noon)))
	step(o.Move(StatusPickedUp, nil, byPerson(noon.Add(time.Minute))))
	events = append(events, o.Note(EventNotified, byPerson(noon.Add(time.Minute)), nil))
	step(o.Move(StatusDelivered, nil, byPerson(noon.Add(time.Hour))))
	return moved(t, o, events)
}

func TestRestoreReportsEveryFault(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*Restored)
		want  map[string]string
	}{
		"nothing": {func(*Restored) {}, nil},
		"bad id": {func(r *Restored) {
			r.Order.ID = "x"
			for i := range r.Events {
				r.Events[i].OrderID = ""
			}
		}, map[string]string{"/id": "invalid_id"}},
		"courier":        {func(r *Restored) { r.Order.CourierID = "x" }, map[string]string{"/courier_id": "invalid_id"}},
		"particulars":    {func(r *Restored) { r.Order.Customer.Name = "" }, map[string]string{"/customer/name": "required"}},
		"status":         {func(r *Restored) { r.Order.Status = "lost" }, map[string]string{"/status": "unknown_status", "/delivered_at": "conflict"}},
		"version":        {func(r *Restored) { r.Order.Version = 7 }, map[string]string{"/version": "conflict"}},
		"attempts":       {func(r *Restored) { r.Order.Attempts = -1 }, map[string]string{"/attempts": "out_of_range"}},
		"no created_at":  {func(r *Restored) { r.Order.CreatedAt = time.Time{} }, map[string]string{"/created_at": "required"}},
		"future":         {func(r *Restored) { r.Order.UpdatedAt = noon.AddDate(1, 0, 0) }, map[string]string{"/updated_at": "impossible_time"}},
		"backwards":      {func(r *Restored) { r.Order.UpdatedAt = noon.AddDate(-1, 0, 0) }, map[string]string{"/updated_at": "impossible_time"}},
		"no end":         {func(r *Restored) { r.Order.DeliveredAt = nil }, map[string]string{"/delivered_at": "required"}},
		"another end":    {func(r *Restored) { r.Order.CancelledAt = &noon }, map[string]string{"/cancelled_at": "conflict"}},
		"exception":      {func(r *Restored) { r.Order.Exception = &Exception{} }, map[string]string{"/exception/code": "required", "/exception/since": "required"}},
		"estimate":       {func(r *Restored) { r.Order.ETA = &Estimate{OrderID: "x", Confidence: 2} }, map[string]string{"/eta/order_id": "conflict", "/eta/method": "unknown_method", "/eta/confidence": "out_of_range", "/eta/eta": "impossible_time", "/eta/earliest": "impossible_time", "/eta/latest": "impossible_time", "/eta/computed_at": "impossible_time"}},
		"shipment":       {func(r *Restored) { r.Order.Shipment = &Shipment{} }, map[string]string{"/shipment/carrier": "required"}},
		"event id":       {func(r *Restored) { r.Events[1].ID = "x" }, map[string]string{"/events/1/id": "invalid_id"}},
		"same event":     {func(r *Restored) { r.Events[1].ID = r.Events[0].ID }, map[string]string{"/events/1/id": "duplicate"}},
		"other's event":  {func(r *Restored) { r.Events[1].OrderID = NewID() }, map[string]string{"/events/1/order_id": "conflict"}},
		"gap in seq":     {func(r *Restored) { r.Events[4].Seq = 9 }, map[string]string{"/events/4/seq": "not_contiguous"}},
		"gap in version": {func(r *Restored) { r.Events[3].Version = 4 }, map[string]string{"/events/3/version": "not_contiguous"}},
		"type":           {func(r *Restored) { r.Events[3].Type = "order.lost" }, map[string]string{"/events/3/type": "unknown_type"}},
		"born twice":     {func(r *Restored) { r.Events[4] = r.Events[0]; r.Events[4].ID = NewID() }, map[string]string{"/events/4/type": "conflict", "/events/4/seq": "not_contiguous", "/events/4/version": "not_contiguous", "/events/4/status": "conflict", "/status": "conflict"}},
		"illegal step":   {func(r *Restored) { r.Events[4].Status = StatusCreated }, map[string]string{"/events/4/status": "illegal_transition", "/status": "conflict"}},
		"another before": {func(r *Restored) { r.Events[4].PreviousStatus = StatusAssigned }, map[string]string{"/events/4/previous_status": "conflict"}},
		"event's status": {func(r *Restored) { r.Events[3].Status = StatusCreated }, map[string]string{"/events/3/status": "conflict"}},
		"event's time":   {func(r *Restored) { r.Events[3].OccurredAt = time.Time{} }, map[string]string{"/events/3/occurred_at": "required"}},
		"event's actor":  {func(r *Restored) { r.Events[3].Actor.Kind = "ghost" }, map[string]string{"/events/3/actor/kind": "unknown_role"}},
		"event's order":  {func(r *Restored) { r.Events[3].RecordedAt = r.Events[2].RecordedAt.Add(-6 * time.Minute) }, map[string]string{"/events/3/recorded_at": "impossible_time"}},
		"event's place":  {func(r *Restored) { r.Events[3].Location = &Point{Lat: 91} }, map[string]string{"/events/3/location/lat": "out_of_range"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := delivered(t)
			c.spoil(&r)
			_, err := r.Restore("RU", By{Now: noon.Add(2 * time.Hour)})
			if diff := cmp.Diff(c.want, pointers(err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHistoryIsMadeOfTimes(t *testing.T) {
	o := newOrder(t)
	at := func(m int) time.Time { return noon.Add(time.Duration(m) * time.Minute) }
	by := By{Actor: Actor{Kind: RoleAdmin, ID: "k"}, Now: at(600)}
	base := Order{Customer: o.Customer, Dropoff: o.Dropoff, CreatedAt: at(0), CourierID: NewID()}
	r := Restored{Order: base, Steps: []Step{
		{StatusDelivered, at(90), "/at.delivered"}, {StatusPickedUp, at(30), "/at.picked_up"},
		{StatusAtDropoff, at(90), "/at.at_dropoff"}, {StatusDeliveryFailed, at(60), "/at.delivery_failed"},
	}}
	// at_dropoff after delivery_failed is possible only through out_for_delivery, which is missing.
	ch, err := r.Restore("RU", by)
	if err != nil {
		t.Fatal(err)
	}
	got := ch.Order
	if got.Status != StatusDelivered || got.Version != 5 || got.Attempts != 2 || !got.DeliveredAt.Equal(at(90)) ||
		!got.UpdatedAt.Equal(at(90)) || got.CourierID != base.CourierID || len(got.Number) != 11 || got.Bookkeeping.Seq != 5 {
		t.Errorf("%+v", got)
	}
	var told []string
	for _, e := range ch.Events {
		told = append(told, string(e.Status)+" "+strconv.Itoa(int(e.OccurredAt.Sub(noon)/time.Minute)))
	}
	want := []string{"created 0", "picked_up 30", "delivery_failed 60", "at_dropoff 90", "delivered 90"}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Error(diff)
	}
	// The restored order can be exported again.
	if _, err := moved(t, got, ch.Events).Restore("RU", by); err != nil {
		t.Error(err, pointers(err))
	}

	for name, c := range map[string]struct {
		change func(*Restored)
		want   map[string]string
	}{
		"only a status":    {func(r *Restored) { r.Steps, r.Order.Status = nil, StatusPickedUp }, map[string]string{"/status": "conflict"}},
		"another status":   {func(r *Restored) { r.Order.Status = StatusFailed }, map[string]string{"/status": "conflict"}},
		"before the start": {func(r *Restored) { r.Steps[1].At = at(-1) }, nil},
		"long before it":   {func(r *Restored) { r.Steps[1].At = at(-6) }, map[string]string{"/at.picked_up": "impossible_time"}},
		"after the next":   {func(r *Restored) { r.Steps[1].At = at(64) }, nil},
		"long after it":    {func(r *Restored) { r.Steps[1].At = at(66) }, map[string]string{"/at.delivery_failed": "impossible_time"}},
		"at the end first": {func(r *Restored) { r.Steps[0].At, r.Steps[2].At = at(20), at(20) }, map[string]string{"/at.at_dropoff": "impossible_time", "/at.delivered": "impossible_time"}},
		"two ends":         {func(r *Restored) { r.Steps[3].Status = StatusFailed }, map[string]string{"/at.delivery_failed": "illegal_transition"}},
		"in the future":    {func(r *Restored) { r.Steps[0].At = at(700) }, map[string]string{"/at.delivered": "impossible_time", "/updated_at": "impossible_time", "/delivered_at": "impossible_time"}},
		"no such status":   {func(r *Restored) { r.Steps[0].Status = "lost" }, map[string]string{"/at.delivered": "unknown_status"}},
	} {
		t.Run(name, func(t *testing.T) {
			spoilt := r
			spoilt.Steps = append([]Step{}, r.Steps...)
			c.change(&spoilt)
			_, err := spoilt.Restore("RU", by)
			if diff := cmp.Diff(c.want, pointers(err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRestoredCourier(t *testing.T) {
	name := "Ivan"
	c, err := NewCourier(CourierEdit{Name: &name, Metadata: map[string]string{"a": "b"}}, "RU", noon)
	if err != nil {
		t.Fatal(err)
	}
	shown := *c
	shown.ActiveOrders, shown.Position = 3, &Position{}
	later := noon.Add(time.Hour)
	back, err := RestoreCourier(shown, "RU", later)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c, back); diff != "" {
		t.Error(diff)
	}
	_, err = RestoreCourier(Courier{ID: "x", CreatedAt: later.Add(time.Hour)}, "RU", later)
	want := map[string]string{
		"/id": "invalid_id", "/name": "required", "/vehicle": "unknown_vehicle", "/capacity": "out_of_range",
		"/created_at": "impossible_time", "/updated_at": "required",
	}
	if diff := cmp.Diff(want, pointers(err)); diff != "" {
		t.Error(diff)
	}
}

// Lists of names are complete: they are compared with the constants in the source.
func TestListsOfNamesAreWhole(t *testing.T) {
	for _, c := range []struct {
		file, prefix string
		listed       int
	}{{"event.go", "Event", len(EventTypes())}, {"caller.go", "Role", len(Roles())}} {
		tree, err := parser.ParseFile(token.NewFileSet(), c.file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		constants := 0
		ast.Inspect(tree, func(n ast.Node) bool {
			if v, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(v.Names[0].Name, c.prefix) {
				constants++
			}
			return true
		})
		if constants != c.listed || constants == 0 {
			t.Errorf("%s has %d constants, %d are listed", c.file, constants, c.listed)
		}
	}
}
