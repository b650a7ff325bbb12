package domaintest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

func ticket(text string, expires time.Time) domain.Ticket {
	return domain.Ticket{Hash: domain.HashToken(text), Caller: domain.Caller{
		Actor: domain.Actor{Kind: domain.RoleMerchant, ID: text}, MerchantID: "m", Credential: text, ExpiresAt: expires,
	}, ExpiresAt: expires}
}

var ticketTests = map[string]func(*testing.T, storeSuite){
	"a ticket is there after a restart, once, also for many who ask at once": func(t *testing.T, s storeSuite) {
		want := ticket("one", start)
		require.NoError(t, s.KeepTicket(t.Context(), want))
		s.Store = s.backend.Reopen(t, s.Store)
		var got sync.WaitGroup
		var taken atomic.Int32
		for range 16 {
			got.Go(func() {
				have, err := s.TakeTicket(t.Context(), want.Hash)
				assert.NoError(t, err)
				if have != nil {
					assert.Equal(t, want, *have)
					taken.Add(1)
				}
			})
		}
		got.Wait()
		require.Equal(t, int32(1), taken.Load())
	},
	"there is no ticket that nobody kept": func(t *testing.T, s storeSuite) {
		have, err := s.TakeTicket(t.Context(), domain.HashToken("never"))
		require.NoError(t, err)
		require.Nil(t, have)
	},
	"tickets that expired are purged": func(t *testing.T, s storeSuite) {
		old, young := ticket("old", start), ticket("young", start.Add(time.Hour))
		require.NoError(t, s.KeepTicket(t.Context(), old))
		require.NoError(t, s.KeepTicket(t.Context(), young))
		require.NoError(t, s.Purge(t.Context(), start, start, start, start.Add(time.Minute)))
		have, err := s.TakeTicket(t.Context(), old.Hash)
		require.NoError(t, err)
		require.Nil(t, have)
		have, err = s.TakeTicket(t.Context(), young.Hash)
		require.NoError(t, err)
		require.NotNil(t, have)
	},
}
