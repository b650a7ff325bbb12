package shipping

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// journalEvery is how often a company's journal is read, and journalPause the pause after a failure.
const (
	journalEvery = 5 * time.Second
	journalPause = 30 * time.Second
)

// readJournal polls the shipments that an account's journal names, and returns when to read
// it again. The cursor is stored behind the polls' schedule: a crash only repeats some.
func (sv *Service) readJournal(ctx context.Context, account domain.CarrierAccount, from domain.CarrierJournal) time.Duration {
	cursor, err := sv.Store.CarrierCursor(ctx, account)
	if err != nil {
		return journalPause
	}
	refs, next, more, err := from.Journal(ctx, cursor)
	if err != nil {
		sv.count(account, "journal_"+string(domain.ClassOf(err)))
		return journalPause
	}
	n := 0
	if len(refs) > 0 {
		n, err = sv.Store.HastenShipments(ctx, account, refs, domain.Timestamp(sv.Clock.Now()))
	}
	if err == nil && next != cursor {
		err = sv.Store.KeepCarrierCursor(ctx, account, next)
	}
	if err != nil {
		sv.Log.Debug("cannot apply a carrier's journal", zap.Stringer("carrier", account), zap.Error(err))
		return journalPause
	}
	if n > 0 {
		background.Wake(sv.wake[account])
	}
	if more {
		return time.Millisecond
	}
	return journalEvery
}
