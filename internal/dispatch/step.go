package dispatch

import (
	"context"
	"encoding/json"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// source is what the history calls us.
const source = "dispatch"

// Kinds of documents: the turn that a replica has, and the shifts of couriers.
const (
	documentTurn   = "dispatch_turn"
	documentShifts = "shifts"
)

// turn is until when nobody else plans.
type turn struct {
	Until time.Time `json:"until"`
}

// takeTurn says whether it is for this replica to plan now: of several that ask within a
// step one is.
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

// step is one turn: it plans, carries out what is due, and writes into the histories of
// orders that nobody gets why.
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

// explain writes into the history why nobody gets an order, once for each reason.
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
