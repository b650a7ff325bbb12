package orders

import (
	"context"
	"encoding/json"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// turn is the time until which no other replica has its turn.
type turn struct {
	Until time.Time `json:"until"`
}

// TakeTurn reports whether this replica does the periodic work of that name now: it does,
// and no other replica until the time has passed.
func (s *Service) TakeTurn(ctx context.Context, work string, until time.Duration) (bool, error) {
	kind, now := work+"_turn", s.Clock.Now()
	stored, err := s.Store.Document(ctx, kind, "")
	if err != nil {
		return false, err
	}
	next := domain.Document{Kind: kind, Version: 1, UpdatedAt: now, ChangedBy: domain.Actor{Kind: domain.RoleSystem, ID: work}}
	if stored != nil {
		var t turn
		if json.Unmarshal(stored.Data, &t) == nil && now.Before(t.Until) {
			return false, nil
		}
		next.Version = stored.Version + 1
	}
	if next.Data, err = json.Marshal(turn{now.Add(until)}); err != nil {
		return false, err
	}
	err = s.Store.ChangeAccess(ctx, domain.AccessChange{Document: &next})
	if domain.CodeOf(err) == domain.CodeVersionConflict {
		return false, nil
	}
	return err == nil, err
}
