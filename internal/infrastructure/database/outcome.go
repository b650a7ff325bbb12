package database

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// errUnknown says that nobody could find out whether a commit happened. The caller
// has to ask again, with its idempotency key.
var errUnknown = errors.New("the outcome of the commit is unknown")

// findOut is how long the outcome of a commit is searched for.
const findOut = 10 * time.Second

// commit commits the plan. When that fails the outcome is unknown: the answer may
// have been lost on its way. Then the database is asked for one of the rows, which
// tells of all, as they were one transaction.
func (s *Store) commit(ctx context.Context, w *work, p *plan, sh *shift) error {
	err := w.commit()
	if err == nil {
		return nil
	}
	w.rollback()
	if s.d.notSent(err) {
		return fmt.Errorf("commit: %w", err)
	}
	sh.standIn()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), findOut)
	defer cancel()
	s.log.Warn("a commit failed; looking whether it happened", zap.Error(err))
	for pause := 50 * time.Millisecond; ; pause *= 2 {
		happened, lookErr := s.happened(ctx, w, p)
		if lookErr == nil && happened {
			return nil
		}
		if lookErr == nil {
			return fmt.Errorf("commit: %w", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", errUnknown, err)
		case <-time.After(pause):
		}
	}
}

// happened says whether the plan's transaction was committed.
func (s *Store) happened(ctx context.Context, w *work, p *plan) (bool, error) {
	if err := w.settle(ctx); err != nil {
		return false, err
	}
	switch {
	case len(p.events) > 0:
		e := p.events[0]
		var data []byte
		err := s.queryRow(ctx, `SELECT data FROM order_events WHERE order_id = $1 AND seq = $2`, e.OrderID, e.Seq).Scan(&data)
		if errors.Is(err, sql.ErrNoRows) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		var found domain.Event
		err = json.Unmarshal(data, &found)
		return found.ID == e.ID, err
	case len(p.keys) > 0:
		k := p.keys[0]
		found, err := s.Recorded(ctx, k.Scope, k.Key)
		return err == nil && found != nil && found.Hash == k.Hash && found.CreatedAt.Equal(k.CreatedAt), err
	case len(p.inbound) > 0:
		var one int
		err := s.queryRow(ctx, `SELECT 1 FROM inbound WHERE id = $1`, p.inbound[0].id).Scan(&one)
		if errors.Is(err, sql.ErrNoRows) {
			return false, nil
		}
		return err == nil, err
	}
	return false, nil // jobs alone, which may all run twice
}
