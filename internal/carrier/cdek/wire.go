package cdek

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/order-tracking/order-tracking/internal/carrier"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// decodeOrder decodes an answer about an order.
func decodeOrder(n carrier.Node) domain.ShipmentSnapshot {
	e := n.At("entity")
	s := domain.ShipmentSnapshot{
		Ref:      domain.ShipmentRef{ID: e.Text("uuid"), TrackingNumber: e.Text("cdek_number"), ClientRef: e.Text("number")},
		Tariff:   e.Text("tariff_code"),
		Reverse:  e.True("is_reverse") || e.True("is_client_return"),
		Expected: expected(n), Price: price(e), Warnings: carrier.Remarks(n.At("warnings")), Errors: carrier.Remarks(n.At("errors")),
	}
	s.FromDoor = strings.HasPrefix(modes[e.Text("delivery_mode")], "door-")
	if point := e.Text("delivery_point"); point != "" {
		s.Pickup = &domain.PickupPoint{Code: point, KeptUntil: keptUntil(n)}
	}
	if got := e.Money(cmp.Or(e.Text("recipient_currency"), "RUB"), "delivery_detail", "payment_sum"); got != nil && got.Amount > 0 && taken(e) {
		s.Received = got
	}
	for _, kind := range []string{"reverse_order", "client_return_order", "return_order"} { // the last of them is the newest
		for _, rel := range n.At("related_entities").List() {
			if rel.Text("type") == kind {
				s.ReturnNumber = cmp.Or(rel.Text("cdek_number"), s.ReturnNumber)
			}
		}
	}
	s.Events = carrier.Timeline(events(e, e.True("is_return"), s.Reverse), statuses, statuses.Rank("POSTOMAT_RECEIVED"))
	created, deleted := "", false
	for _, q := range n.At("requests").List() {
		if kind := q.Text("type"); kind == "CREATE" {
			created = q.Text("state")
			s.Errors = append(s.Errors, carrier.Remarks(q.At("errors"))...)
		} else { // a later failure does not affect the order
			deleted = deleted || kind == "DELETE" && q.Text("state") == "SUCCESSFUL"
			s.Warnings = append(s.Warnings, carrier.Remarks(q.At("errors"))...)
		}
		s.Warnings = append(s.Warnings, carrier.Remarks(q.At("warnings"))...)
	}
	// ACCEPTED only means that a request was received, and may be dated after CREATED.
	s.Status, s.Text = carrier.Current(s.Events, "ACCEPTED")
	switch {
	case s.Status == "REMOVED" || deleted:
		s.Ref.Phase = domain.PhaseCancelled
	case s.Status == "INVALID" || created == "INVALID":
		s.Ref.Phase = domain.PhaseRejected
	case s.Ref.TrackingNumber == "" && created != "SUCCESSFUL":
		s.Ref.Phase = domain.PhasePending
	default:
		s.Ref.Phase = domain.PhaseRegistered
	}
	if s.Ref.Phase == domain.PhaseRejected && slices.ContainsFunc(s.Errors, nameTaken) {
		s.Duplicate = true
	}
	return s
}

// events decodes a parcel's history.
func events(e carrier.Node, isReturn, reverse bool) []domain.CarrierEvent {
	id := e.Text("uuid")
	var out []domain.CarrierEvent
	for _, p := range e.At("delivery_problem").List() {
		out = append(out, obstacle(id, p.Text("code"), p.Text("create_date")))
	}
	obstacles := out
	for _, d := range e.At("delay_reasons").List() {
		at, _ := d.Time("create_date")
		text := d.Text("description")
		out = append(out, domain.CarrierEvent{
			ID: carrier.EventID(id, "DELAY", at, text), Kind: domain.CarrierProblem, Code: "DELAY", Text: text, Detail: "delay", OccurredAt: at,
		})
	}
	scans := carrier.OldestFirst(carrier.Each(e.At("statuses"), func(st carrier.Node) domain.CarrierEvent {
		ev := scan(id, isReturn, reverse, st, "")
		if ev.Status == domain.StatusDeliveryFailed {
			carrier.Explain(&ev, obstacles)
		}
		return ev
	}), statuses)
	return append(out, scans...)
}

// scan decodes one status of the parcel with the id, in the vocabulary of polling or of
// webhooks; sent is its time if it has none of its own.
func scan(id string, isReturn, reverse bool, n carrier.Node, sent string) domain.CarrierEvent {
	code, city := strings.ToUpper(n.Text("code")), cmp.Or(n.Text("city"), n.Text("city_name"))
	m, known := statuses[code]
	at, dated := carrier.ParseTime(cmp.Or(n.Text("date_time"), n.Text("status_date_time"), sent))
	ev := domain.CarrierEvent{
		ID: carrier.EventID(id, cmp.Or(m.Code, code), at, city), Kind: domain.CarrierScan, Code: code, Text: cmp.Or(n.Text("name"), m.Text),
		Status: m.Status, Detail: m.Detail, Exception: m.Exception, OccurredAt: at, City: city, Retracted: n.True("deleted"), Unknown: !known,
	}
	if reason := cmp.Or(n.Text("reason_code"), n.Text("status_reason_code")); reason != "" && reason != "0" {
		why, known := reasons[reason]
		ev.ReasonCode, ev.Reason, ev.Unknown = reason, why.Text, ev.Unknown || !known
		if known && m.Rank == statuses.Rank("DELIVERED") { // reasons apply to final statuses only
			ev.Detail, ev.Exception = why.Detail, why.Exception
			if code == "NOT_DELIVERED" && why.Status != domain.StatusDelivered {
				ev.Status = why.Status
			}
		}
	}
	switch {
	case reverse || !dated:
		ev.Status = "" // not the order's parcel, or no valid time
	case isReturn && ev.Status == domain.StatusDelivered:
		ev.Status, ev.Detail = domain.StatusReturned, "return"
	case isReturn && ev.Status != "" && ev.Status != domain.StatusFailed:
		ev.Status, ev.Detail = domain.StatusReturning, "return"
	}
	return ev
}

// obstacle decodes a delivery problem reported by a courier.
func obstacle(id, code, created string) domain.CarrierEvent {
	m, known := problems[code]
	at, _ := carrier.ParseTime(created)
	return domain.CarrierEvent{
		ID: carrier.EventID(id, "PROBLEM_"+code, at, ""), Kind: domain.CarrierProblem, Code: code,
		Text: m.Text, Detail: m.Detail, Exception: m.Exception, OccurredAt: at, Unknown: !known,
	}
}

// taken reports whether the recipient has paid; until then the amounts are still due.
func taken(e carrier.Node) bool {
	return len(e.At("delivery_detail", "payment_info").List()) > 0 || e.Text("delivery_detail", "date") != ""
}

// keptUntil is the end of the last day on which a parcel is held for collection.
func keptUntil(n carrier.Node) *time.Time {
	text := n.Text("entity", "keep_free_until")
	if at, ok := carrier.ParseTime(text); ok {
		return &at
	}
	if day, ok := carrier.ParseDate(text, carrier.Zone(n.Text("entity", "to_location", "time_zone"))); ok {
		at := domain.Timestamp(day.AddDate(0, 0, 1).Add(-time.Second))
		return &at
	}
	return nil
}

// decodeRegistries decodes money registries, by CDEK order number.
func decodeRegistries(n carrier.Node, currency string) []domain.Handover {
	var out []domain.Handover
	for _, r := range n.At("registries").List() {
		for _, o := range r.At("orders").List() {
			out = append(out, domain.Handover{
				TrackingNumber: o.Text("cdek_number"), Registry: r.Text("registry_number"), Received: o.Money(currency, "payment_sum"),
			})
		}
	}
	return out
}

// price is the shop's total price; known once the parcel has been weighed.
func price(e carrier.Node) *domain.Money {
	currency := cmp.Or(e.Text("items_cost_currency"), "RUB")
	for _, sum := range []string{"total_sum", "delivery_sum"} {
		if m := e.Money(currency, "delivery_detail", sum); m != nil && m.Amount > 0 {
			return m
		}
	}
	return nil
}

// expected is the planned delivery: the window agreed with the recipient, or the planned
// day.
func expected(n carrier.Node) *domain.DeliveryPeriod {
	zone := carrier.Zone(n.Text("entity", "to_location", "time_zone"))
	w, ok := carrier.Window(n.Text("entity", "planned_delivery_date"), "", "", zone)
	for _, rel := range n.At("related_entities").List() {
		if rel.Text("type") != "delivery" {
			continue
		}
		if agreed, dated := carrier.Window(rel.Text("date"), rel.Text("time_from"), rel.Text("time_to"), zone); dated {
			w, ok = agreed, true
		}
	}
	if !ok {
		return nil
	}
	return &domain.DeliveryPeriod{Earliest: w.From, Latest: w.To}
}

// decodeHook decodes a webhook of any type.
func decodeHook(n carrier.Node) domain.CarrierHook {
	id, kind, a := n.Text("uuid"), n.Text("type"), n.At("attributes")
	known := slices.IndexFunc(hooks, func(row []string) bool { return row[0] == kind })
	row := []string{kind, string(domain.CarrierOther), "", "url link", "parcel"}
	if known >= 0 {
		row = hooks[known]
	}
	out := domain.CarrierHook{}
	switch row[4] {
	case "parcel":
		out.Shipments = []domain.ShipmentRef{{ID: id, TrackingNumber: a.Text("cdek_number"), ClientRef: a.Text("number")}}
		for _, rel := range a.At("related_entities").List() { // the order that a return brings back
			out.Shipments = append(out.Shipments, domain.ShipmentRef{ID: rel.Text("uuid"), TrackingNumber: rel.Text("cdek_number")})
		}
	case "paper":
		out.About = id
	}
	switch kind {
	case "ORDER_STATUS":
		out.Event = scan(id, a.True("is_return"), a.True("is_reverse") || a.True("is_client_return"), a, n.Text("date_time"))
		return out
	case "DELIV_PROBLEM":
		out.Event = obstacle(id, a.Text("code"), cmp.Or(a.Text("create_date"), n.Text("date_time")))
		return out
	}
	var values []string
	for _, name := range strings.Fields(row[3]) {
		at := a.At(strings.Split(name, ".")...)
		for _, v := range append(carrier.Each(at, func(one carrier.Node) string { return one.Text() }), at.Text()) {
			if v != "" {
				values = append(values, v)
			}
		}
	}
	at, _ := n.Time("date_time")
	out.Event = domain.CarrierEvent{
		ID: carrier.EventID(id, kind, at, a.Text("type")), Kind: domain.CarrierEventKind(row[1]), Code: kind, OccurredAt: at,
		Detail: strings.ToLower(a.Text(row[2])), Value: strings.Join(values, " "), Text: a.Text("comment"), Unknown: known < 0,
	}
	switch out.Event.Detail {
	case "planed_delivery_date_changed", "planned_delivery_date_changed":
		out.Event.Kind = domain.CarrierEstimate
	case "demand": // a courier will collect the parcel
		out.Event.Status = domain.StatusAssigned
	}
	return out
}

// decodeQuotes decodes the calculator's answer, for one tariff or for all.
func decodeQuotes(n carrier.Node, code, currency string, now time.Time) ([]domain.Quote, error) {
	var out []domain.Quote
	for _, t := range append(n.At("tariff_codes").List(), n) {
		sum := cmp.Or(t.Text("total_sum"), t.Text("delivery_sum"))
		price := carrier.ParseMoney(sum, cmp.Or(t.Text("currency"), currency))
		if price == nil {
			continue
		}
		q := domain.Quote{
			Carrier: Code, Tariff: cmp.Or(t.Text("tariff_code"), code), Name: t.Text("tariff_name"), Price: *price,
			DaysMin: t.Int("calendar_min"), DaysMax: t.Int("calendar_max"), Mode: modes[t.Text("delivery_mode")],
		}
		if words := strings.Fields(q.Name); q.Mode == "" && len(words) > 0 {
			q.Mode = ends.Replace(words[len(words)-1])
		}
		if q.DaysMax == 0 {
			q.DaysMin, q.DaysMax, q.Working = t.Int("period_min"), t.Int("period_max"), true
		}
		q.Expected.Earliest = carrier.Day(t.Text("delivery_date_range", "min"), now, q.DaysMin, q.Working, carrier.Moscow).From
		q.Expected.Latest = carrier.Day(t.Text("delivery_date_range", "max"), now, q.DaysMax, q.Working, carrier.Moscow).To
		out = append(out, q)
	}
	if len(out) > 0 {
		return out, nil
	}
	if told := n.At("errors").List(); len(told) > 0 { // also with a status of 200
		e := refusal(told[0])
		e.Class = cmp.Or(e.Class, domain.ClassValidation)
		e.Unsent, e.Refused = true, e.Class == domain.ClassValidation
		return nil, e
	}
	// The calculator sometimes returns nothing where it had an answer a minute before.
	return nil, &domain.CarrierError{Carrier: Code, Class: domain.ClassRetryable, Message: "it offers no tariffs"}
}

// ends translates the route ends in tariff names.
var ends = strings.NewReplacer("дверь", "door", "склад", "office", "постамат", "locker")
