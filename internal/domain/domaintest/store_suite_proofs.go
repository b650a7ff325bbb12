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

// addProof commits a proof with a photo, and returns the error.
func (s storeSuite) addProof(t *testing.T, order, id string, photo string, fail error) error {
	t.Helper()
	_, err := s.UpdateOrder(t.Context(), order, func(c *domain.Change) error {
		events, err := c.Order.AddProof(domain.ProofRecord{ID: id, Kinds: []string{domain.ProofPhoto}}, by(start))
		c.Add(events...)
		c.Images = []domain.Image{{OrderID: order, OwnerID: id, Kind: domain.ProofPhoto, Data: []byte(photo), CreatedAt: start}}
		if fail != nil {
			return fail
		}
		return err
	})
	return err
}

var proofTests = map[string]func(*testing.T, storeSuite){
	"an image is there with the event that it belongs to, also after a restart, and the first one stays": func(t *testing.T, s storeSuite) {
		o, id, failed := s.create(t, draft(), start), domain.NewID(), domain.NewID()
		require.NoError(t, s.addProof(t, o.ID, id, "\xff\xd8 first \x00", nil))
		require.NoError(t, s.addProof(t, o.ID, id, "second", nil))
		require.Error(t, s.addProof(t, o.ID, failed, "lost", domain.Errorf(domain.CodeIllegalTransition, "no")))
		s.Store = s.backend.Reopen(t, s.Store)
		for _, c := range []struct {
			order, owner, kind string
			want               []byte
		}{
			{o.ID, id, domain.ProofPhoto, []byte("\xff\xd8 first \x00")},
			{o.ID, id, domain.ProofSignature, nil},
			{o.ID, failed, domain.ProofPhoto, nil},
			{domain.NewID(), id, domain.ProofPhoto, nil},
			{"x", "y", domain.ProofPhoto, nil},
		} {
			got, err := s.Image(t.Context(), c.order, c.owner, c.kind)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		}
		got, err := s.Order(t.Context(), o.ID)
		require.NoError(t, err)
		require.Len(t, got.Bookkeeping.Proofs, 1)
		require.Equal(t, int64(1), got.Version, "a proof is a note")
	},
	"of many wrong PINs at once the last of so many locks it": func(t *testing.T, s storeSuite) {
		o := s.create(t, draft(), start)
		var tries sync.WaitGroup
		var free, locked atomic.Int32
		for n := range 20 {
			tries.Go(func() {
				until, err := s.TryPIN(t.Context(), o.ID, n == 19 && locked.Load() > 0, 5, start, start.Add(time.Minute))
				assert.NoError(t, err)
				if until.IsZero() {
					free.Add(1)
				} else {
					assert.Equal(t, start.Add(time.Minute), until)
					locked.Add(1)
				}
			})
		}
		tries.Wait()
		require.Equal(t, []int32{4, 16}, []int32{free.Load(), locked.Load()})
	},
	"a lock holds until its time, for right PINs too, and then all tries are there again": func(t *testing.T, s storeSuite) {
		o, at := s.create(t, draft(), start), start
		try := func(right bool, want time.Time) {
			t.Helper()
			got, err := s.TryPIN(t.Context(), o.ID, right, 3, at, at.Add(time.Minute))
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
		try(false, time.Time{})
		try(false, time.Time{})
		try(true, time.Time{}) // forgets them
		try(false, time.Time{})
		try(false, time.Time{})
		s.Store = s.backend.Reopen(t, s.Store)
		try(false, at.Add(time.Minute))
		at = start.Add(59 * time.Second)
		try(true, start.Add(time.Minute))
		try(false, start.Add(time.Minute))
		at = start.Add(time.Minute)
		try(false, time.Time{})
		try(false, time.Time{})
		try(false, at.Add(time.Minute))
		_, err := s.TryPIN(t.Context(), "x", true, 3, at, at)
		require.Equal(t, domain.CodeOrderNotFound, domain.CodeOf(err))
	},
}
