package domain

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// pointers returns the pointers and codes of the faults in err.
func pointers(err error) map[string]string {
	var e *Error
	if !errors.As(err, &e) {
		return nil
	}
	out := map[string]string{}
	for _, f := range e.Faults {
		out[f.Pointer] = f.Code
	}
	return out
}

func TestDraftReportsEveryFaultAtOnce(t *testing.T) {
	long := strings.Repeat("я", MaxName+1)
	far := time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC)
	d := Draft{
		ExternalID: "a\x00b",
		Customer:   Customer{Name: " ", Phone: "12", Email: "Anna <a@b.c>", Locale: "r u"},
		Pickup:     &Place{Location: &Point{Lat: math.NaN(), Lon: math.Inf(1)}},
		Dropoff:    &Place{Address: "  "},
		Items: []Item{
			{Name: long, Quantity: 0, WeightG: -1, Price: &Money{Amount: -1, Currency: "RU"}},
			{Name: "fine", Quantity: 1, Price: &Money{Amount: 1, Currency: "EUR"}},
		},
		Total:      &Money{Amount: MaxAmount + 1, Currency: "R B"},
		Metadata:   map[string]string{"a/b~c": strings.Repeat("x", MaxValue+1)},
		PromisedAt: &far,
	}
	_, err := d.Normalize("RU")
	want := map[string]string{
		"/external_id": "invalid_characters", "/customer/name": "required", "/customer/phone": "invalid_phone",
		"/customer/email": "invalid_email", "/customer/locale": "invalid_locale",
		"/pickup/location/lat": "out_of_range", "/pickup/location/lon": "out_of_range", "/dropoff": "required",
		"/items/0/name": "too_long", "/items/0/quantity": "out_of_range", "/items/0/weight_g": "out_of_range",
		"/items/0/price/amount": "out_of_range", "/items/0/price/currency": "invalid_currency",
		"/total/amount": "out_of_range", "/total/currency": "invalid_currency",
		"/metadata/a~1b~0c": "too_long", "/promised_at": "impossible_time",
	}
	if diff := cmp.Diff(want, pointers(err)); diff != "" {
		t.Error(diff)
	}
}

func TestPhonesBecomeE164(t *testing.T) {
	for in, want := range map[string]string{
		"":                  "",
		"+7 916 123-45-67":  "+79161234567",
		"8 (916) 123-45-67": "+79161234567", // national form of the default region
		"+254 712 345678":   "+254712345678",
		"007":               "!",
		"call me":           "!",
		"+7916":             "!",
	} {
		got, ok := NormalizePhone(in, "RU")
		if !ok {
			got = "!"
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestNormalizedPhonesStayTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		if once, ok := NormalizePhone(rapid.String().Draw(t, "phone"), "RU"); ok {
			if twice, ok := NormalizePhone(once, "RU"); !ok || twice != once {
				t.Fatalf("%q became %q", once, twice)
			}
		}
	})
}

func TestItemQuantity(t *testing.T) {
	var items []Item
	if err := json.Unmarshal([]byte(`[{"name":"a"},{"name":"b","quantity":0},{"name":"c","quantity":3}]`), &items); err != nil {
		t.Fatal(err)
	}
	got := []int{items[0].Quantity, items[1].Quantity, items[2].Quantity}
	if diff := cmp.Diff([]int{1, 0, 3}, got); diff != "" {
		t.Error(diff)
	}
}

func TestReportValidation(t *testing.T) {
	good := Report{EventID: "e", OrderID: NewID(), Status: StatusPickedUp, OccurredAt: noon, Source: "wms"}
	for name, tc := range map[string]struct {
		change func(*Report)
		want   Code
	}{
		"good":            {func(*Report) {}, ""},
		"slightly ahead":  {func(r *Report) { r.OccurredAt = noon.Add(FutureTolerance) }, ""},
		"long ago":        {func(r *Report) { r.OccurredAt = noon.AddDate(-20, 0, 0) }, ""},
		"ahead":           {func(r *Report) { r.OccurredAt = noon.Add(FutureTolerance + time.Second) }, CodeImpossibleTime},
		"before time":     {func(r *Report) { r.OccurredAt = time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC) }, CodeImpossibleTime},
		"no event id":     {func(r *Report) { r.EventID = "" }, CodeValidationFailed},
		"no source":       {func(r *Report) { r.Source = "" }, CodeValidationFailed},
		"no time":         {func(r *Report) { r.OccurredAt = time.Time{} }, CodeValidationFailed},
		"no order":        {func(r *Report) { r.OrderID = "" }, CodeValidationFailed},
		"unknown status":  {func(r *Report) { r.Status = "lost" }, CodeValidationFailed},
		"off the globe":   {func(r *Report) { r.Location = &Point{Lat: 91} }, CodeValidationFailed},
		"shop's own name": {func(r *Report) { r.OrderID, r.ExternalID = "", "A-1" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := good
			tc.change(&r)
			if err := r.Validate(noon); CodeOf(err) != tc.want {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestPositions(t *testing.T) {
	v := func(f float64) *float64 { return &f }
	in := []Position{
		{Lat: 91, Lon: -181}, {Lat: 1, Lon: 1, Speed: v(-1), Heading: v(361), Accuracy: v(math.NaN()), Battery: v(101)}, {Lat: 1, Lon: 1},
	}
	out, err := NormalizePositions(in, false, noon)
	want := map[string]string{
		"/0/lat": "out_of_range", "/0/lon": "out_of_range", "/1/speed": "out_of_range", "/1/heading": "out_of_range",
		"/1/accuracy": "out_of_range", "/1/battery": "out_of_range",
	}
	if diff := cmp.Diff(want, pointers(err)); diff != "" {
		t.Error(diff)
	}
	if !out[2].RecordedAt.Equal(noon) || !out[2].ReceivedAt.Equal(noon) {
		t.Errorf("stamped %+v", out[2])
	}
	_, err = NormalizePositions(in[:1], true, noon)
	if _, ok := pointers(err)["/lat"]; !ok {
		t.Errorf("a single position's pointers: %v", err)
	}
}

func TestParseID(t *testing.T) {
	id := NewID()
	for in, want := range map[string]string{
		id: id, strings.ToUpper(id): id, "{" + id + "}": "", "urn:uuid:" + id: "", strings.ReplaceAll(id, "-", ""): "", "x": "", "": "",
	} {
		got, err := ParseID("/order_id", in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v", in, got, err)
		}
	}
}

func TestOrderNumbers(t *testing.T) {
	seen := map[string]bool{}
	for range 10_000 {
		n := orderNumber(uuid.Must(uuid.NewV7()))
		if len(n) != 11 || strings.Trim(n, "0123456789ABCDEFGHJKMNPQRSTVWXYZ-") != "" || seen[n] {
			t.Fatalf("number %q, seen before: %v", n, seen[n])
		}
		seen[n] = true
	}
}

func TestFrozenOrderThaws(t *testing.T) {
	o := newOrder(t)
	if _, err := o.Assign(NewID(), byPerson(noon)); err != nil {
		t.Fatal(err)
	}
	frozen, err := o.Freeze()
	if err != nil {
		t.Fatal(err)
	}
	back, err := Thaw(frozen, o.Bookkeeping)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(o, back, cmp.AllowUnexported(Order{})); diff != "" {
		t.Error(diff)
	}
	if _, err := back.Move(StatusPickedUp, nil, byPerson(noon)); err != nil {
		t.Fatal(err)
	}
	if b, err := json.Marshal(back); err != nil || !strings.Contains(string(b), `"picked_up"`) {
		t.Errorf("a changed order shows its change: %s %v", b, err)
	}
}

func TestEdit(t *testing.T) {
	o := newOrder(t)
	text, promised := "ring twice", noon.Add(time.Hour)
	events, err := o.Edit(Edit{
		Notes: &text, PromisedAt: &promised, Metadata: map[string]string{"gift": "yes"},
	}, "RU", byPerson(noon))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"fields": []string{"notes", "metadata", "promised_at"}}, events[0].Data); diff != "" {
		t.Error(diff)
	}
	if events, err := o.Edit(Edit{Notes: &text}, "RU", byPerson(noon)); err != nil || len(events) > 0 || o.Version != 2 {
		t.Errorf("the same again: %v %v", events, err)
	}
	events, err = o.Edit(Edit{Exception: &ExceptionEdit{Code: "wrong_address"}}, "RU", byPerson(noon))
	if err != nil || events[0].Type != EventException || o.Exception == nil {
		t.Errorf("exception: %v %v", events, err)
	}
	events, err = o.Edit(Edit{
		Clear: []string{"exception", "promised_at"}, Metadata: map[string]string{"gift": ""},
	}, "RU", byPerson(noon))
	if err != nil || o.Exception != nil || o.PromisedAt != nil || o.Metadata != nil || len(events) != 1 {
		t.Errorf("cleared: %+v %v", o, err)
	}
	if _, err := o.Edit(Edit{Dropoff: &Place{}, Clear: []string{"dropoff"}}, "RU", byPerson(noon)); len(pointers(err)) != 1 {
		t.Errorf("a drop-off can't go: %v", err)
	}
	if _, err := o.Cancel(byPerson(noon)); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Edit(Edit{Clear: []string{"notes"}}, "RU", byPerson(noon)); CodeOf(err) != CodeOrderFinished {
		t.Errorf("after the end: %v", err)
	}
}

func TestCourierEdit(t *testing.T) {
	if _, err := NewCourier(CourierEdit{}, "RU", noon); pointers(err)["/name"] != "required" {
		t.Errorf("without a name: %v", err)
	}
	name, vehicle, none := "Ivan", Vehicle("rocket"), 0
	_, err := NewCourier(CourierEdit{Name: &name, Vehicle: &vehicle, Capacity: &none}, "RU", noon)
	if diff := cmp.Diff(map[string]string{"/vehicle": "unknown_vehicle", "/capacity": "out_of_range"}, pointers(err)); diff != "" {
		t.Error(diff)
	}
	c, err := NewCourier(CourierEdit{Name: &name}, "RU", noon)
	if err != nil || c.Capacity != DefaultCapacity || !c.OnDuty || !c.Vehicle.Valid() {
		t.Errorf("defaults: %+v %v", c, err)
	}
}

func FuzzReport(f *testing.F) {
	f.Add([]byte(`{"event_id":"e","order_id":"x","status":"picked_up","occurred_at":"2026-05-04T12:00:00Z","source":"wms"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var r Report
		if json.Unmarshal(data, &r) == nil && r.Validate(noon) == nil {
			o := newOrder(t)
			if len(o.Observe(r, By{Now: noon})) != 1 {
				t.Error("a valid report leaves one entry")
			}
		}
	})
}
