package database

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/background"
)

// errUnknown means that it could not be determined whether a commit happened. The caller has to retry with its idempotency key.
var errUnknown = errors.New("the outcome of the commit is unknown")

// findOut limits how long the outcome of a commit is looked up.
const findOut = 10 * time.Second

// commit commits the plan. If that fails the outcome is unknown, since the answer may have been lost in transit. Then it
// looks for one of the rows in the database, which decides for all, as they were one transaction.
func (s *Store) commit(ctx context.Context, w *work, p *plan, sh *shift) error {
	err := w.commit()
	if err == nil {
		return nil
	}
	w.rollback()
	if pgconn.SafeToRetry(err) || sqliteResult(err) == sqliteFull { // it did not reach the database, or the disk was full
		return fmt.Errorf("commit: %w", err)
	}
	sh.standIn()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), findOut)
	defer cancel()
	s.log.Warn("a commit failed; checking whether it took effect", zap.Error(err))
	for pause := 50 * time.Millisecond; ; pause *= 2 {
		happened, lookErr := s.happened(ctx, w, p)
		if lookErr == nil && happened {
			return nil
		}
		if lookErr == nil {
			return fmt.Errorf("commit: %w", err)
		}
		if !background.Sleep(ctx, pause) {
			return fmt.Errorf("%w: %w", errUnknown, err)
		}
	}
}

// happened reports whether the plan's transaction was committed. For every kind of row the
// compared columns are unique together: they include a UUID or a time.
func (s *Store) happened(ctx context.Context, w *work, p *plan) (bool, error) {
	if err := w.settle(ctx); err != nil {
		return false, err
	}
	there := func(t *table, row []any) (bool, error) {
		text := "SELECT 1 FROM " + t.name + " WHERE "
		for i := range row {
			text += fmt.Sprintf("%s = $%d AND ", t.cols[i].name, i+1)
		}
		return s.one(ctx, text+"TRUE", row, new(int))
	}
	keys, inbound := p.claims[idempotencyTable], p.claims[inboundTable]
	switch {
	case len(p.events) > 0:
		return there(eventsTable, p.events[0][:3])
	case len(keys) > 0:
		return there(idempotencyTable, keys[0].values[:4])
	case len(inbound) > 0:
		return there(inboundTable, inbound[0].values)
	}
	return false, nil // only jobs, which may all run twice
}
