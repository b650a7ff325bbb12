package easypost

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/order-tracking/order-tracking/internal/carrier"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// meaning finds what a status and its detail mean; a detail that is not listed means what
// the status does.
func meaning(status, detail string) (code string, m carrier.Meaning, known bool) {
	code = status
	if detail != "" && detail != "unknown" && detail != status {
		code += "/" + detail
	}
	if m, known = statuses[code]; !known {
		m, known = statuses[status]
	}
	return code, m, known
}

// decodeTracker decodes a tracker with its history.
func decodeTracker(n carrier.Node) domain.ShipmentSnapshot {
	s := domain.ShipmentSnapshot{
		Ref: domain.ShipmentRef{
			ID: n.Text("id"), TrackingNumber: n.Text("tracking_code"), Sub: n.Text("carrier"), Phase: domain.PhaseRegistered,
		},
		Expected: expected(n), Tariff: n.Text("carrier_detail", "service"),
	}
	back, moved := n.True("is_return"), false
	var rows []domain.CarrierEvent
	for _, d := range n.At("tracking_details").List() {
		rows = append(rows, scan(s.Ref.ID, d, n.Text("signed_by")))
	}
	rows = carrier.Timeline(carrier.OldestFirst(rows, statuses), statuses, statuses.Rank("delivered"))
	s.Events = append(rows, current(n, rows)...)
	for i := range s.Events {
		ev := &s.Events[i]
		back = back || ev.Status == domain.StatusReturning
		switch {
		case back && ev.Status == domain.StatusDelivered:
			ev.Status, ev.Detail = domain.StatusReturned, "return"
		case back && ev.Status != "":
			ev.Status = domain.StatusReturning
		case ev.Status == domain.StatusInTransit && !moved:
			ev.Status = domain.StatusPickedUp
		}
		moved = moved || ev.Status != ""
	}
	s.Status, s.Text = carrier.Current(s.Events, "unknown")
	if n.Text("status") == "cancelled" {
		s.Ref.Phase, s.Status, s.Text = domain.PhaseCancelled, "cancelled", statuses["cancelled"].Text
	}
	return s
}

// current returns the tracker's status as a scan when its history lacks it, as that of
// companies does who tell no history. Its time is that of the newest entry, so that it is
// the same event at every look.
func current(n carrier.Node, rows []domain.CarrierEvent) []domain.CarrierEvent {
	status := n.Text("status")
	at, dated := n.Time("created_at")
	if len(rows) > 0 {
		last := rows[len(rows)-1]
		if told, _, _ := strings.Cut(last.Code, "/"); told == status {
			return nil
		}
		at, dated = last.OccurredAt, true
	}
	code, m, known := meaning(status, n.Text("status_detail"))
	if status == "" || status == "unknown" || status == "cancelled" || !dated {
		return nil
	}
	return []domain.CarrierEvent{{
		ID: carrier.EventID(n.Text("id"), code, at, "now"), Kind: domain.CarrierScan, Code: code, Text: m.Text, Status: m.Status,
		Detail: m.Detail, Exception: m.Exception, OccurredAt: at, Unknown: !known,
	}}
}

// scan decodes one entry of a history. Its local time with the offset stays in Value.
func scan(id string, d carrier.Node, signedBy string) domain.CarrierEvent {
	code, m, known := meaning(d.Text("status"), d.Text("status_detail"))
	text, place := cmp.Or(d.Text("message"), m.Text), d.At("tracking_location")
	where := carrier.Join(", ", place.Text("city"), place.Text("state"), place.Text("country"))
	at, dated := d.Time("datetime")
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(text + "|" + where + "|" + place.Text("zip")))
	ev := domain.CarrierEvent{
		ID: carrier.EventID(id, code, at, fmt.Sprintf("%08x", sum.Sum32())), Kind: domain.CarrierScan, Code: code, Text: text,
		Status: m.Status, Detail: m.Detail, Exception: m.Exception, OccurredAt: at, City: where, Unknown: !known,
	}
	if local := d.Text("datetime"); dated && !strings.HasSuffix(local, "Z") {
		ev.Value = local
	}
	if m.Status == domain.StatusDelivered && signedBy != "" {
		ev.Value = signedBy
	}
	if !dated {
		ev.Status = "" // cannot be placed in time
	}
	return ev
}

// expected is the company's estimate: a time, or the day of a date.
func expected(n carrier.Node) *domain.DeliveryPeriod {
	day := cmp.Or(n.Text("carrier_detail", "est_delivery_date_local"), n.Text("est_delivery_date"))
	w, ok := carrier.Window(day, "", "", time.UTC)
	if !ok {
		return nil
	}
	if at, exact := carrier.ParseTime(n.Text("est_delivery_date")); exact && at.Format(time.TimeOnly) != "00:00:00" {
		w.To = at
		if w.From.After(at) {
			w.From = at
		}
	}
	return &domain.DeliveryPeriod{Earliest: w.From, Latest: w.To}
}

// decodeHook decodes an event; only those of trackers are about parcels.
func decodeHook(n carrier.Node) domain.CarrierHook {
	at, _ := n.Time("created_at")
	t := n.At("result")
	out := domain.CarrierHook{Event: domain.CarrierEvent{
		ID: n.Text("id"), Kind: domain.CarrierOther, Code: n.Text("description"), OccurredAt: at,
	}}
	if t.Text("object") == "Tracker" && t.Text("id") != "" {
		out.Shipments = []domain.ShipmentRef{{ID: t.Text("id"), TrackingNumber: t.Text("tracking_code")}}
	}
	return out
}
