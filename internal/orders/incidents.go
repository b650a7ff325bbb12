package orders

import (
	"cmp"
	"context"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
)

// IncidentResolution closes an incident.
type IncidentResolution struct {
	Text string `json:"text,omitempty" maxLength:"2000" doc:"how it was dealt with" example:"the customer gave another address"`
}

// OpenIncident reports a problem with an order; one with the id of an earlier one returns
// that. It fails with validation_failed, order_finished or order_not_found.
func (s *Service) OpenIncident(ctx context.Context, id string, in domain.IncidentReport) (out domain.Incident, err error) {
	caller, _ := domain.CallerFrom(ctx) //nolint:errcheck // Once fails without one
	return Once(ctx, s, id, "open_incident", in, nil, func(by domain.By, known *domain.Order, rec *domain.Idempotency) (out domain.Incident, err error) {
		by = StatusChange{OccurredAt: in.OccurredAt}.by(by)
		x := domain.Incident{ID: cmp.Or(in.ID, domain.NewID()), Code: in.Code, Text: in.Text, CourierID: caller.CourierID}
		var f domain.Faults
		f.Check("", &in)
		f.ID("/id", &x.ID)
		photo := picture(ctx, &f, "/photo", in.Photo)
		if err := f.Err(); err != nil {
			return out, err
		}
		var images []domain.Image
		if photo != nil {
			x.PhotoURL = "/order/" + known.ID + "/incidents/" + x.ID + "/photo"
			images = []domain.Image{{OrderID: known.ID, OwnerID: x.ID, Kind: domain.ProofPhoto, Data: photo, CreatedAt: by.Now}}
		}
		return s.incident(ctx, caller, known.ID, x.ID, rec, func(ch *domain.Change) (events []domain.Event, err error) {
			if events, err = ch.Order.AddIncident(x, by); len(events) > 0 {
				ch.Images = images
			}
			return events, err
		})
	})
}

// CloseIncident closes an incident that the caller may see. It fails with not_found.
func (s *Service) CloseIncident(ctx context.Context, id, incidentID string, in IncidentResolution) (out domain.Incident, err error) {
	caller, known, err := s.Reach(ctx, id)
	if err == nil {
		incidentID, err = domain.ParseID("/incident_id", incidentID)
	}
	if err == nil {
		err = domain.Checked(in)
	}
	if err != nil {
		return out, err
	}
	by, _ := s.by(ctx) // the caller is known
	return idempotency.Once(ctx, s.Keys, "close_incident:"+incidentID, in, func(rec *domain.Idempotency) (domain.Incident, error) {
		return s.incident(ctx, caller, known.ID, incidentID, rec, func(ch *domain.Change) ([]domain.Event, error) {
			if x := ch.Order.Incident(incidentID); x != nil {
				if _, ok := x.For(caller); !ok {
					return nil, domain.Errorf(domain.CodeNotFound, "the order has no incident %s", incidentID)
				}
			}
			return ch.Order.CloseIncident(incidentID, in.Text, by)
		})
	})
}

// incident makes a change and returns the incident after it.
func (s *Service) incident(
	ctx context.Context, caller *domain.Caller, id, incidentID string, rec *domain.Idempotency, verb func(*domain.Change) ([]domain.Event, error),
) (out domain.Incident, err error) {
	_, err = s.Update(ctx, id, "", rec, func(ch *domain.Change) error {
		events, err := verb(ch)
		if err != nil {
			return err
		}
		ch.Add(events...)
		out, _ = ch.Order.Incident(incidentID).For(caller)
		return idempotency.Answer(rec, out)
	})
	return out, err
}

// Incidents returns the order's incidents that the caller may see, oldest first.
func (s *Service) Incidents(ctx context.Context, id string) ([]domain.Incident, error) {
	caller, o, err := s.Reach(ctx, id)
	if err != nil {
		return nil, err
	}
	out := []domain.Incident{}
	for _, x := range o.Bookkeeping.Incidents {
		if shown, ok := x.For(caller); ok {
			out = append(out, shown)
		}
	}
	return out, nil
}

// IncidentImage returns the photo of an incident, a JPEG; or not_found.
func (s *Service) IncidentImage(ctx context.Context, id, incidentID string) ([]byte, error) {
	caller, o, err := s.Reach(ctx, id)
	if err != nil {
		return nil, err
	}
	ok := false
	if x := o.Incident(incidentID); x != nil {
		_, ok = x.For(caller)
	}
	return s.imageOf(ctx, o, incidentID, domain.ProofPhoto, ok)
}
