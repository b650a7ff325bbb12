package tracking

import (
	"context"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
)

// Located is a courier's position with how old it is.
type Located struct {
	domain.Position
	AgeSeconds float64 `json:"age_seconds"`
	Stale      bool    `json:"stale"`
}

// Received counts what became of reported positions.
type Received struct {
	Accepted int `json:"accepted"`
	Dropped  int `json:"dropped"`
}

// Report takes positions of a courier. What is implausible or known already is
// dropped and counted; what is accepted is shown at once and in the history within a
// second. in is changed. single says that the request held one position and not an array. It fails
// with courier_not_found, validation_failed, or unavailable while the history can't be
// written for so long that no more positions fit into memory.
func (s *Service) Report(ctx context.Context, courierID string, in []domain.Position, single bool) (Received, error) {
	if _, err := domain.ActorFrom(ctx); err != nil {
		return Received{}, err
	}
	courierID, err := domain.ParseID("/courier_id", courierID)
	if err != nil {
		return Received{}, err
	}
	now := s.Clock.Now()
	op := "report_positions:" + courierID
	return idempotency.Once(ctx, s.Keys, op, in, func(rec *domain.Idempotency) (Received, error) {
		positions, err := domain.NormalizePositions(in, single, now)
		if err != nil {
			return Received{}, err
		}
		out, err := s.pipeline.report(ctx, courierID, positions, now)
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

// Position returns a courier's newest position; courier_not_found, or
// position_not_found when there is none yet.
func (s *Service) Position(ctx context.Context, courierID string) (Located, error) {
	courier, err := s.known(ctx, courierID)
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

// Track is everything there is to see of an order.
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

// Track returns where an order is and how it came there: its history, the courier
// and, from custody to the end, the trail, simplified to at most 500 places.
func (s *Service) Track(ctx context.Context, id string) (*Track, error) {
	o, err := s.Orders.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	t := &Track{OrderID: o.ID, Status: o.Status, Trail: []domain.Position{}}
	if t.Timeline, err = s.Store.Events(ctx, o.ID, 0); err != nil {
		return nil, err
	}
	if o.CourierID != "" {
		if err := s.trackCourier(ctx, o, t); err != nil {
			return nil, err
		}
	}
	if e, err := s.Orders.Expect(ctx, o); err == nil {
		t.ETA = &e
	}
	return t, nil
}

func (s *Service) trackCourier(ctx context.Context, o *domain.Order, t *Track) error {
	var err error
	if t.Courier, err = s.Store.Courier(ctx, o.CourierID); err != nil || o.Ledger.CustodyAt == nil {
		return err
	}
	end := o.UpdatedAt
	if o.Active() {
		end = s.Clock.Now()
	}
	if o.DeliveredAt != nil {
		end = *o.DeliveredAt
	}
	if o.Status.InCustody() {
		p, err := s.Live.Position(ctx, o.CourierID)
		if err != nil {
			return err
		}
		if p != nil {
			shown := *p
			// What a phone said beside is for dispatchers and not for those who wait.
			shown.Attributes = nil
			t.Position = &shown
		}
	}
	if t.Trail, err = s.trail(ctx, o.CourierID, *o.Ledger.CustodyAt, end, maxTrail); err != nil {
		return err
	}
	for i := range t.Trail {
		t.Trail[i].Attributes = nil
	}
	t.Polyline = encodePolyline(t.Trail)
	return nil
}
