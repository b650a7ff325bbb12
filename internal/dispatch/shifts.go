package dispatch

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Shift is a planned working time. A courier with shifts is planned only within them, and only while on duty in the app.
type Shift struct {
	Start  time.Time `json:"start"`
	End    time.Time `json:"end"`
	Breaks []Break   `json:"breaks,omitempty" maxItems:"10"`
}

// Break is a break within a shift, in which a courier drives no trip.
type Break struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// Shifts are a courier's shifts, ordered by start.
type Shifts struct {
	Shifts []Shift `json:"shifts" maxItems:"100"`
}

// Check validates the shifts.
func (s Shifts) Check() error { return s.normalize() }

// normalize validates and sorts the shifts.
func (s *Shifts) normalize() error {
	var f domain.Faults
	f.Check("", s)
	if s.Shifts == nil {
		f.Add("/shifts", "required", "is required; [] for none")
	}
	for i := range s.Shifts {
		one := &s.Shifts[i]
		one.Start, one.End = domain.Timestamp(one.Start), domain.Timestamp(one.End)
		ok := !one.Start.IsZero() && one.End.After(one.Start) && one.End.Sub(one.Start) <= 24*time.Hour
		for k := range one.Breaks {
			b := &one.Breaks[k]
			b.Start, b.End = domain.Timestamp(b.Start), domain.Timestamp(b.End)
			ok = ok && b.End.After(b.Start) && !b.Start.Before(one.Start) && !b.End.After(one.End)
		}
		if !ok {
			f.Add("/shifts", "conflict", "each shift must end after its start, within 24 hours, and hold its breaks")
			break
		}
	}
	slices.SortFunc(s.Shifts, func(a, b Shift) int { return a.Start.Compare(b.Start) })
	for i := 1; i < len(s.Shifts); i++ {
		if s.Shifts[i].Start.Before(s.Shifts[i-1].End) {
			f.Add("/shifts", "conflict", "shifts must not overlap")
			break
		}
	}
	return f.Err()
}

// bind applies a courier's shifts to the problem; false if he has shifts and none is current or soon.
func (s *Shifts) bind(c *Courier, now time.Time) bool {
	if s == nil || len(s.Shifts) == 0 {
		return true
	}
	for _, one := range s.Shifts {
		if !now.Before(one.End) {
			continue
		}
		c.FreeAt, c.Until = domain.Later(c.FreeAt, one.Start), one.End
		c.Breaks = append(c.Breaks, one.Breaks...)
		if now.Before(one.Start) {
			c.Room, c.Tour = 0, nil // plan for him, but assign nothing yet
		}
		return true
	}
	return false
}

// Shifts returns a courier's shifts, or courier_not_found.
func (s *Service) Shifts(ctx context.Context, courierID string) (*Shifts, error) {
	courier, err := s.Orders.Courier(ctx, courierID)
	if err != nil {
		return nil, err
	}
	out := &Shifts{Shifts: []Shift{}}
	_, err = s.document(ctx, documentShifts, courier.ID, out)
	return out, err
}

// SetShifts replaces a courier's shifts, or fails with courier_not_found or validation_failed.
func (s *Service) SetShifts(ctx context.Context, courierID string, in Shifts) (*Shifts, error) {
	courier, err := s.Orders.Courier(ctx, courierID)
	if err := errors.Join(err, in.normalize()); err != nil {
		return nil, err
	}
	version, err := s.document(ctx, documentShifts, courier.ID, new(Shifts))
	if err != nil {
		return nil, err
	}
	return &in, s.keep(ctx, documentShifts, courier.ID, version+1, in)
}
