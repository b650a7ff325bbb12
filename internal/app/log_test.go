package app

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/order-tracking/order-tracking/internal/domain"
)

func TestTheLogSaysCauses(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	log := explained(zap.New(core))
	err := domain.Unavailable("the database", errors.New("disk full"))
	log.Warn("one", zap.Error(err))
	log.With(zap.Error(err)).Warn("two")
	log.Debug("below the level", zap.Error(err))
	require.Equal(t, 2, logs.Len())
	for _, line := range logs.All() {
		require.Equal(t, "the database is unavailable: disk full", line.ContextMap()["error"])
	}
}
