package access

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// streams is the set of open streams; each ends with the credential that opened it.
type streams struct {
	mu   sync.Mutex
	open map[*stream]struct{}
}

// stream is an open stream, guarded by the lock of streams.
type stream struct {
	credential string
	expires    time.Time // zero for never
	checked    bool      // checked since it opened, so a revocation just before is noticed
	end        func()
}

// Hold calls end, once, when the caller loses access: the credential was revoked or has
// expired. If the stream ends first, the caller of Hold calls forget.
func (g *Guard) Hold(c *domain.Caller, end func()) (forget func()) {
	if c.Credential == "" && c.ExpiresAt.IsZero() {
		return func() {}
	}
	st := &stream{credential: c.Credential, expires: c.ExpiresAt, end: end}
	s := &g.streams
	s.mu.Lock()
	s.open[st] = struct{}{}
	s.mu.Unlock()
	return func() {
		s.mu.Lock()
		delete(s.open, st)
		s.mu.Unlock()
	}
}

// expire ends the streams whose credential has expired.
func (s *streams) expire(now time.Time) {
	s.finish(func(st *stream) bool { return !st.expires.IsZero() && !now.Before(st.expires) })
}

// check ends the streams whose credential is gone and updates the expiry of the others: of
// all streams, or only of those not checked yet.
func (s *streams) check(ctx context.Context, store domain.AccessStore, all bool) error {
	checking := map[*stream]bool{}
	var ids []string
	s.mu.Lock()
	for st := range s.open {
		if st.credential != "" && (all || !st.checked) {
			checking[st] = true
			ids = append(ids, st.credential)
		}
	}
	s.mu.Unlock()
	if len(ids) == 0 {
		return nil
	}
	slices.Sort(ids)
	known := map[string]*time.Time{}
	for chunk := range slices.Chunk(slices.Compact(ids), 1000) {
		found, err := store.KnownCredentials(ctx, chunk)
		if err != nil {
			return err
		}
		maps.Copy(known, found)
	}
	s.finish(func(st *stream) bool {
		if !checking[st] {
			return false
		}
		expires, there := known[st.credential]
		if st.checked = true; expires != nil {
			st.expires = *expires
		}
		return !there
	})
	return nil
}

// finish ends the streams for which over returns true.
func (s *streams) finish(over func(*stream) bool) {
	var ended []*stream
	s.mu.Lock()
	for st := range s.open {
		if over(st) {
			ended = append(ended, st)
			delete(s.open, st)
		}
	}
	s.mu.Unlock()
	for _, st := range ended {
		st.end()
	}
}
