package dispatch

import (
	"context"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// source is the source of our history entries.
const source = "dispatch"

// documentShifts are couriers' shifts.
const documentShifts = "shifts"

// step is one turn: it plans, carries out what is due, and explains unassigned orders in their histories.
func (s *Service) step(ctx context.Context) error {
	mine, err := s.Orders.TakeTurn(ctx, source, s.Config.Step/2)
	if err != nil || !mine {
		return err
	}
	by := s.Orders.System(source)
	out, err := s.run(domain.WithActor(ctx, by.Actor), Ask{}, by)
	if err != nil {
		return err
	}
	for _, u := range out.Unassigned {
		if u.Reason == ReasonLater || u.Reason == ReasonEarly {
			continue
		}
		if err := s.explain(ctx, u); err != nil {
			return err
		}
	}
	return nil
}

// explain records in the history why an order is unassigned, once per reason.
func (s *Service) explain(ctx context.Context, u Explained) error {
	by := s.Orders.System(source)
	by.Reason = u.Detail
	_, err := s.Orders.Change(ctx, u.OrderID, "", 0, nil, func(o *domain.Order) ([]domain.Event, error) {
		if !waits(o.Status) || !o.Once(source+":"+string(u.Reason)) {
			return nil, nil
		}
		return []domain.Event{o.Note(domain.EventUnassigned, by, map[string]any{"code": u.Reason})}, nil
	})
	if domain.CodeOf(err) == domain.CodeUnavailable {
		return err
	}
	return nil
}
