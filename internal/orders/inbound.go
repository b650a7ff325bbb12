package orders

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/order-tracking/order-tracking/internal/domain"
)

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
