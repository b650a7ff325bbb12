package tracking

import (
	"context"
	"slices"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
)

// Located is a courier's position with its age.
type Located struct {
	domain.Position
	AgeSeconds float64 `json:"age_seconds"`
	Stale      bool    `json:"stale"`
}

// Received counts reported positions by outcome.
type Received struct {
	Accepted int `json:"accepted"`
	Dropped  int `json:"dropped"`
}

// Report ingests a courier's positions. Implausible and known ones are dropped and counted; accepted ones are shown at once
// and in the history within a second; a courier's own ones only there, marked, while a phone app leads. in is modified. single
// is set when the request held one position and not an array. It fails with courier_not_found, validation_failed, or
// unavailable while the history can't be written and no more positions fit into memory.
func (s *Service) Report(ctx context.Context, courierID string, in []domain.Position, single bool) (Received, error) {
	caller, courierID, err := s.Orders.ReachCourier(ctx, courierID)
	if err != nil {
		return Received{}, err
	}
	now := s.Clock.Now()
	op := "report_positions:" + courierID
	return idempotency.Once(ctx, s.Keys, op, in, func(rec *domain.Idempotency) (Received, error) {
		if off := domain.ClockOff(ctx); off != 0 {
			in = slices.Clone(in)
			for i := range in {
				if !in[i].RecordedAt.IsZero() {
					in[i].RecordedAt = in[i].RecordedAt.Add(off)
				}
			}
		}
		positions, err := domain.NormalizePositions(in, single, now)
		if err != nil {
			return Received{}, err
		}
		var leader *domain.Position
		if caller.Kind == domain.RoleCourier { // on whichever replica the phone app is heard
			leader, _ = s.Live.Position(ctx, courierID) // without it the app leads
		}
		out, err := s.pipeline.report(ctx, courierID, positions, leader, now)
		if err != nil || rec == nil {
			return out, err
		}
		if err := idempotency.Answer(rec, out); err != nil {
			return Received{}, err
		}
		_, err = s.Store.AppendFixes(ctx, nil, rec)
		return out, err
	})
}

// Position returns a courier's newest position; courier_not_found, or position_not_found when there is none yet.
func (s *Service) Position(ctx context.Context, courierID string) (Located, error) {
	courier, err := s.Orders.Courier(ctx, courierID)
	if err != nil {
		return Located{}, err
	}
	p, err := s.Live.Position(ctx, courier.ID)
	if err != nil {
		return Located{}, err
	}
	if p == nil {
		return Located{}, domain.Errorf(domain.CodePositionNotFound, "the courier has not reported a position yet")
	}
	age := max(0, s.Clock.Now().Sub(p.RecordedAt))
	return Located{Position: *p, AgeSeconds: age.Round(time.Millisecond).Seconds(), Stale: age > s.StaleAfter}, nil
}

// Track is everything visible of an order.
type Track struct {
	OrderID  string            `json:"order_id"`
	Status   domain.Status     `json:"status"`
	Courier  *domain.Courier   `json:"courier,omitempty"`
	Position *domain.Position  `json:"position,omitempty"`
	Trail    []domain.Position `json:"trail"`
	// Polyline is the trail in Google's polyline format, precision 5.
	Polyline string           `json:"polyline,omitempty"`
	Timeline []domain.Event   `json:"timeline"`
	ETA      *domain.Estimate `json:"eta,omitempty"`
}

// Track returns where an order is and how it got there, as far as the caller may see it: its history, the courier and, from
// custody to the end, the position and the trail, simplified to at most 500 points.
func (s *Service) Track(ctx context.Context, id string) (*Track, error) {
	caller, o, err := s.Orders.Reach(ctx, id)
	if err != nil {
		return nil, err
	}
	view := caller.View()
	t := &Track{OrderID: o.ID, Status: o.Status, Trail: []domain.Position{}}
	history, err := s.Store.Events(ctx, o.ID, 0)
	if err != nil {
		return nil, err
	}
	t.Timeline = domain.History(history, view)
	if err := s.trackCourier(ctx, o, t, view, history); err != nil {
		return nil, err
	}
	if e, err := s.Orders.Expect(ctx, o); err == nil {
		e = e.For(view, t.Position != nil)
		t.ETA = &e
	}
	return t, nil
}

func (s *Service) trackCourier(ctx context.Context, o *domain.Order, t *Track, view domain.View, history []domain.Event) error {
	courier, err := o.Performer(), error(nil)
	if o.CourierID != "" {
		courier, err = s.Store.Courier(ctx, o.CourierID)
	}
	if err != nil {
		return err
	}
	if t.Courier = courier.For(view, o.Status); o.Bookkeeping.CustodyAt == nil {
		return nil
	}
	if t.Position, err = s.Orders.Glimpse(ctx, o, view); err != nil || o.CourierID == "" {
		return err
	}
	end := o.UpdatedAt
	if o.Active() {
		end = s.Clock.Now()
	}
	trail, err := s.trail(ctx, o.CourierID, *o.Bookkeeping.CustodyAt, domain.Or(o.DeliveredAt, end), maxTrail, false)
	if err != nil {
		return err
	}
	t.Trail = s.Orders.Trail(o, view, trail, history)
	t.Polyline = encodePolyline(t.Trail)
	return nil
}
