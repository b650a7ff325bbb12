package usecase_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

func TestATicketIsGoodForItsTimeAndOnceOnAnyReplica(t *testing.T) {
	f := newFleet(t, nil)
	other := f.replica(nil)
	clerk := domain.Actor{Kind: domain.RoleDispatcher, ID: "ann"}
	issue := func() string {
		t.Helper()
		issued, err := f.Access.IssueTicket(domain.WithActor(t.Context(), clerk))
		require.NoError(t, err)
		return issued.Ticket
	}
	ticket := issue()
	f.clock.pass(domain.TicketTTL)
	actor, err := other.Access.RedeemTicket(context.Background(), ticket)
	require.NoError(t, err)
	require.Equal(t, clerk, actor.Actor)
	_, err = f.Access.RedeemTicket(t.Context(), ticket)
	require.Equal(t, domain.CodeUnauthenticated, domain.CodeOf(err), "used")

	late := issue()
	f.clock.pass(domain.TicketTTL + time.Microsecond)
	_, err = f.Access.RedeemTicket(t.Context(), late)
	require.Equal(t, domain.CodeUnauthenticated, domain.CodeOf(err), "expired")

	_, err = f.Access.IssueTicket(t.Context())
	require.Equal(t, domain.CodeUnauthenticated, domain.CodeOf(err), "nobody asks")
}
