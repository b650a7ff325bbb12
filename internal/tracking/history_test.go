package tracking

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// picky is a store that permanently rejects positions of one latitude.
type picky struct {
	domain.Store
	kept []domain.Fix
}

func (p *picky) AppendFixes(_ context.Context, fixes []domain.Fix, _ *domain.Idempotency) (int, error) {
	for _, f := range fixes {
		if f.Lat == 13 {
			return 0, domain.Internal("the database failed", errors.New("a constraint"))
		}
	}
	p.kept = append(p.kept, fixes...)
	return len(fixes), nil
}

// A position that the database never accepts is dropped alone and blocks no other.
func TestAPositionThatCantBeKept(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	store := &picky{}
	pl := newPipeline(&Deps{Store: store, Log: zap.New(core), KeepHistory: true})
	h, counts := pl.history, &pl.counts
	var fixes []domain.Fix
	for i := range 100 {
		fixes = append(fixes, domain.Fix{CourierID: "c", Position: domain.Position{Lat: float64(i)}})
	}
	h.add(fixes)
	require.NoError(t, h.flush(t.Context()))
	require.Len(t, store.kept, 99)
	require.EqualValues(t, 99, counts.Stored.Load())
	require.EqualValues(t, 1, counts.Dropped(domain.DropMalformed))
	require.Equal(t, 1, logs.FilterMessage("a position can't be kept and is dropped").Len())
}
