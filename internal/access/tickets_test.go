package access_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/access"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/infrastructure/database"
)

// clock is set manually.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func TestATicketIsGoodForItsTimeAndOnceOnAnyReplica(t *testing.T) {
	store, err := database.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "orders.db"), database.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	now := &clock{now: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)}
	one, other := &access.Tickets{Store: store, Clock: now}, &access.Tickets{Store: store, Clock: now}
	clerk := domain.Actor{Kind: domain.RoleDispatcher, ID: "ann"}
	issue := func() string {
		t.Helper()
		issued, err := one.Issue(domain.WithActor(t.Context(), clerk))
		require.NoError(t, err)
		return issued.Ticket
	}
	ticket := issue()
	now.now = now.now.Add(domain.TicketTTL)
	actor, err := other.Redeem(context.Background(), ticket)
	require.NoError(t, err)
	require.Equal(t, clerk, actor.Actor)
	_, err = one.Redeem(t.Context(), ticket)
	require.Equal(t, domain.CodeUnauthenticated, domain.CodeOf(err), "used")

	late := issue()
	now.now = now.now.Add(domain.TicketTTL + time.Microsecond)
	_, err = one.Redeem(t.Context(), late)
	require.Equal(t, domain.CodeUnauthenticated, domain.CodeOf(err), "expired")

	_, err = one.Issue(t.Context())
	require.Equal(t, domain.CodeUnauthenticated, domain.CodeOf(err), "nobody asks")
}
