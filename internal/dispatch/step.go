package dispatch

import (
	"context"
	"encoding/json"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// source is the source of our history entries.
const source = "dispatch"

// Kinds of documents: a replica's turn and couriers' shifts.
const (
	documentTurn   = "dispatch_turn"
	documentShifts = "shifts"
)

// turn is the time until which no other replica plans.
type turn struct {
	Until time.Time `json:"until"`
}

// takeTurn reports whether this replica plans now: one replica per step does.
func (s *Service) takeTurn(ctx context.Context, now time.Time) (bool, error) {
	stored, err := s.Store.Document(ctx, documentTurn, "")
	if err != nil {
		return false, err
	}
	next := domain.Document{Kind: documentTurn, Version: 1, UpdatedAt: now, ChangedBy: domain.Actor{Kind: domain.RoleSystem, ID: source}}
	if stored != nil {
		var t turn
		if json.Unmarshal(stored.Data, &t) == nil && now.Before(t.Until) {
			return false, nil
		}
		next.Version = stored.Version + 1
	}
	if next.Data, err = json.Marshal(turn{now.Add(s.Config.Step / 2)}); err != nil {
		return false, err
	}
	err = s.Store.ChangeAccess(ctx, domain.AccessChange{Document: &next})
	if domain.CodeOf(err) == domain.CodeVersionConflict {
		return false, nil
	}
	return err == nil, err
}

// step is one turn: it plans, carries out what is due, and explains unassigned orders in
// their histories.
func (s *Service) step(ctx context.Context) error {
	mine, err := s.takeTurn(ctx, s.Clock.Now())
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
