package orders

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// The Check methods report every fault of an input and change nothing. A transport calls them when a request is malformed,
// to report both kinds of errors at once; a well-formed request needs no separate check.

// CheckDraft checks the input of Create.
func (s *Service) CheckDraft(d domain.Draft) error {
	_, err := d.Normalize(s.PhoneRegion)
	return err
}

// CheckStatus checks the input of UpdateStatus.
func (s *Service) CheckStatus(in StatusChange) error {
	_, err := new(domain.Order).Move(in.Status, in.Proof, in.by(domain.By{Now: s.Clock.Now()}))
	return onlyInvalid(err)
}

// CheckEdit checks the input of Edit.
func (s *Service) CheckEdit(in domain.Edit) error {
	_, err := new(domain.Order).Edit(in, s.PhoneRegion, domain.By{Now: s.Clock.Now()})
	return onlyInvalid(err)
}

// CheckNotice checks the input of Notify.
func (s *Service) CheckNotice(in Notice) error { return in.validate() }

// onlyInvalid drops errors that depend on the order.
func onlyInvalid(err error) error {
	if domain.CodeOf(err) != domain.CodeValidationFailed {
		return nil
	}
	return err
}

// CheckInstructions checks the input of Instruct.
func (s *Service) CheckInstructions(in domain.Instructions) error { return checked(&in) }

// CheckRating checks the input of Rate.
func (s *Service) CheckRating(in domain.Rating) error { return checked(&in) }

func checked(in any) error {
	var f domain.Faults
	f.Check("", in)
	return f.Err()
}

// Instruct stores the customer's instructions; order_finished when nobody would read them
// any more. It returns the caller's view of the order.
func (s *Service) Instruct(ctx context.Context, id string, in domain.Instructions) (*domain.Order, error) {
	return s.wish(ctx, id, checked(&in), func(o *domain.Order, by domain.By) ([]domain.Event, error) { return o.Instruct(in, by) })
}

// Rate stores the customer's rating of a delivery; illegal_transition before the delivery.
func (s *Service) Rate(ctx context.Context, id string, in domain.Rating) (*domain.Order, error) {
	return s.wish(ctx, id, checked(&in), func(o *domain.Order, by domain.By) ([]domain.Event, error) { return o.Rate(in, by) })
}

func (s *Service) wish(ctx context.Context, id string, invalid error, verb func(*domain.Order, domain.By) ([]domain.Event, error)) (*domain.Order, error) {
	if invalid != nil {
		return nil, invalid
	}
	caller, _, err := s.Reach(ctx, id)
	if err != nil {
		return nil, err
	}
	by, known, err := s.Authorize(ctx, id)
	if err != nil {
		return nil, err
	}
	o, err := s.Change(ctx, known.ID, known.CourierID, 0, nil, func(o *domain.Order) ([]domain.Event, error) { return verb(o, by) })
	if err != nil {
		return nil, err
	}
	return o.For(caller.View()), nil
}

// HandleReport applies one message of order_status_updates, once per event_id. The error
// code unavailable means retry; any other means that the message can't be applied.
func (s *Service) HandleReport(ctx context.Context, m domain.Message) error {
	r, err := parseReport(m.Value)
	if err != nil {
		return err
	}
	by := s.System("kafka")
	if err := r.Validate(by.Now); err != nil {
		return err
	}
	known, err := s.find(ctx, r)
	if err != nil {
		return err
	}
	_, err = s.Update(ctx, known.ID, courierUnlessFinal(known, r.Status), nil, func(ch *domain.Change) error {
		ch.InboundID = r.EventID
		ch.Add(ch.Order.Observe(r, by)...)
		return nil
	})
	if errors.Is(err, domain.ErrRecorded) {
		return nil
	}
	return err
}

func parseReport(value []byte) (domain.Report, error) {
	var r domain.Report
	err := json.Unmarshal(value, &r)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return r, domain.Invalid("/"+wrong.Field, "invalid_type", "must not be a %s", wrong.Value)
	}
	if err != nil {
		return r, domain.Errorf(domain.CodeMalformed, "the message is not a JSON object: %v", err)
	}
	return r, nil
}

// find resolves the order reference of a report.
func (s *Service) find(ctx context.Context, r domain.Report) (*domain.Order, error) {
	switch {
	case r.OrderID != "":
		return s.Load(ctx, r.OrderID)
	case r.ExternalID == "":
		id, err := s.Store.ShipmentOrder(ctx, r.TrackingNumber)
		if err != nil {
			return nil, err
		}
		return s.Load(ctx, id)
	}
	found, _, err := s.Store.Orders(ctx,
		domain.OrderFilter{ExternalID: r.ExternalID, MerchantID: r.MerchantID}, domain.Page{Size: 2})
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, domain.Errorf(domain.CodeOrderNotFound, "no order has the external_id %q", r.ExternalID)
	case len(found) > 1:
		return nil, domain.Errorf(domain.CodeAmbiguousReference, "several orders have the external_id %q; add merchant_id", r.ExternalID)
	}
	return found[0], nil
}
