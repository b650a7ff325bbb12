package eta

import (
	"fmt"
	"math"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// onTheWay is how many places of a courier's way an order teaches the rest of the way from.
const onTheWay = 6

// Teach returns what an order that ended teaches: how long its stages took, by the times at
// which its statuses occurred. An order that was not delivered, or took several attempts,
// teaches only that its parcel will not come.
func Teach(o *domain.Order, history []domain.Event, trail []domain.Position, vehicle domain.Vehicle) []Lesson {
	if o.Status != domain.StatusDelivered || o.DeliveredAt == nil || o.Attempts > 1 {
		return []Lesson{{Stage: StageBooking, Lost: true}, {Stage: StageParcel, Lost: true}}
	}
	first := map[domain.Status]time.Time{}
	for _, e := range history {
		if at, ok := first[e.Status]; !e.Note() && (!ok || e.Status == domain.StatusAssigned && at.Before(e.OccurredAt)) {
			first[e.Status] = e.OccurredAt
		}
	}
	var out []Lesson
	learn := func(s Stage, from, to time.Time) {
		if !from.IsZero() && !to.IsZero() && to.After(from) {
			out = append(out, Finish(s, Case{Trip: tripOf(o, s, from, vehicle), Took: to.Sub(from)}))
		}
	}
	custody, end := custodyOf(o, first), *o.DeliveredAt
	if o.Shipment != nil && o.CourierID == "" {
		learn(StageBooking, o.CreatedAt, end)
		learn(StageParcel, custody, end)
		return out
	}
	carry := Case{Trip: tripOf(o, StageCarry, custody, vehicle), Took: end.Sub(custody)}
	if !custody.IsZero() && carry.Trip.False(carry.Took) {
		return nil // "delivered" was pressed wrongly: nothing of the order is to be trusted
	}
	learn(StageOrder, o.CreatedAt, end)
	learn(StageApproach, first[domain.StatusAssigned], first[domain.StatusAtPickup])
	there := first[domain.StatusAtPickup]
	if ready := readyAt(o, there); !there.IsZero() && ready.Before(custody) { // else it was ready sooner than said
		there = ready
	}
	learn(StagePickup, there, custody)
	learn(StageCarry, custody, end)
	learn(StageDoor, first[domain.StatusAtDropoff], end)
	if arrived, ok := first[domain.StatusAtDropoff]; ok {
		if c, ok := lastDrive(o, trail, arrived, vehicle); ok {
			out = append(out, Finish(StageDrive, c))
		}
	}
	if cases := fromTheWay(o, trail, custody, end, vehicle); len(cases) > 0 {
		out = append(out, Finish(StageRest, cases...))
	}
	return out
}

// readyAt is when a courier who is there can be given the order.
func readyAt(o *domain.Order, there time.Time) time.Time {
	if o.ReadyAt != nil {
		return domain.Later(there, *o.ReadyAt)
	}
	return there
}

// custodyOf is when the goods were handed over, zero where the order is only known to have
// been delivered.
func custodyOf(o *domain.Order, first map[domain.Status]time.Time) time.Time {
	for _, s := range []domain.Status{domain.StatusPickedUp, domain.StatusInTransit, domain.StatusOutForDelivery, domain.StatusAtDropoff} {
		if at, ok := first[s]; ok {
			return domain.Or(o.Bookkeeping.CustodyAt, at)
		}
	}
	return time.Time{}
}

// fromTheWay are the drives from some places of the way to the door.
func fromTheWay(o *domain.Order, trail []domain.Position, custody, end time.Time, vehicle domain.Vehicle) []Case {
	if o.Dropoff.Location == nil || custody.IsZero() {
		return nil
	}
	var cases []Case
	next, step := custody, end.Sub(custody)/onTheWay
	for _, p := range trail {
		if p.RecordedAt.Before(next) || !p.RecordedAt.Before(end) || p.Mocked() {
			continue
		}
		next = p.RecordedAt.Add(max(step, time.Second))
		cases = append(cases, Case{Trip: restOf(o, &p, vehicle), Took: end.Sub(p.RecordedAt)})
	}
	return cases
}

// Booked is the lesson of a parcel that was booked.
func Booked(o *domain.Order) []Lesson {
	return []Lesson{Begin(StageBooking, tripOf(o, StageBooking, o.CreatedAt, ""))}
}

// Zone names the cell of a place, some six kilometres wide, for reports.
func Zone(p *domain.Point) string {
	if p == nil {
		return ""
	}
	side := Minutes().Coarse
	centre := func(v float64) float64 { return (math.Floor(v/side) + 0.5) * side }
	return fmt.Sprintf("%.2f,%.2f", centre(p.Lat), centre(p.Lon))
}
