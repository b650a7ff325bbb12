package push

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// Reasons why a subscription ended.
var (
	ErrFinished  = errors.New("the order is finished")
	ErrTooSlow   = errors.New("the reader is too slow")
	ErrGoingAway = errors.New("the server is going away")
	ErrRevoked   = errors.New("access was revoked")
	ErrFull      = errors.New("too many streams are open")
	// ErrClosed is returned by reads after the reader's own Close.
	ErrClosed = errors.New("the subscription is closed")
)

// Subscription is one reader's queue of frames.
type Subscription struct {
	hub      *Hub
	view     domain.View
	merchant *string // whose orders its feed has; nil for all
	wake     func()
	wakes    atomic.Int32 // pending or running calls of wake

	mu      sync.Mutex
	queue   []*Frame      // unread, oldest first; starts in inline
	inline  [2]*Frame     // so that a reader that keeps up never allocates
	base    uint64        // number of frames taken before queue[0]
	facts   int           // number of queued frames without a conflation key
	replay  int           // number of those above the bound because the reader requested them
	err     error         // why it ended
	ready   chan struct{} // wakes Serve
	members []*member
	topics  int  // number of topics ever added
	keep    bool // stays open after its order ended
	closed  func()
}

// OnClose sets fn to be called once when the reader closes the subscription.
func (s *Subscription) OnClose(fn func()) {
	s.mu.Lock()
	s.closed = fn
	s.mu.Unlock()
}

// KeepOpen keeps the subscription open after its only order is finished; for transports whose readers may add topics at any time.
func (s *Subscription) KeepOpen() {
	s.mu.Lock()
	s.keep = true
	s.mu.Unlock()
}

// Drain appends the queued frames to buf and returns it; it never blocks. Like an io.Reader it may return the last frames
// together with the error that ended the subscription. Afterwards wake is called again when there are new frames.
func (s *Subscription) Drain(buf []Frame) ([]Frame, error) {
	from := len(buf)
	s.mu.Lock()
	for _, f := range s.queue {
		buf = append(buf, *f)
	}
	s.base += uint64(len(s.queue))
	s.discard()
	err := s.err
	s.mu.Unlock()
	for i := from; i < len(buf); i++ {
		s.hub.resolve(&buf[i])
	}
	return buf, err
}

// Serve passes frames to send as they come, all that wait together, and calls ping after each interval without any. It
// returns when the subscription or the context ends, or a call fails. Frames queued before the end come first; send keeps none.
func (s *Subscription) Serve(ctx context.Context, pingEvery time.Duration, send func([]Frame) error, ping func() error) error {
	ready := make(chan struct{}, 1)
	s.mu.Lock()
	s.ready = ready
	s.mu.Unlock()
	silence := time.NewTicker(pingEvery)
	defer silence.Stop()
	var frames []Frame
	var end error
	for {
		frames, end = s.Drain(frames[:0])
		if err := cmp.Or(send(frames), end); err != nil {
			return err
		}
		silence.Reset(pingEvery)
		select {
		case <-ready:
		case <-silence.C:
			if err := ping(); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Close ends the subscription and discards queued frames. It may be called more than once, also from wake.
func (s *Subscription) Close() {
	s.mu.Lock()
	s.end(ErrClosed)
	s.err = ErrClosed
	s.discard()
	closed := s.closed
	s.closed = nil
	s.mu.Unlock()
	s.leaveAll()
	s.hub.forget(s)
	if closed != nil {
		closed()
	}
}

// End ends the subscription with an error that its reader gets after the queued frames.
func (s *Subscription) End(err error) {
	s.mu.Lock()
	due := s.end(err)
	s.mu.Unlock()
	if due {
		s.fire()
	}
	s.leaveAll()
}

func (s *Subscription) leaveAll() {
	s.mu.Lock()
	members := s.members
	s.members = nil
	s.mu.Unlock()
	for _, m := range members {
		m.room.leave(m)
	}
}

// discard empties the queue; mu is held.
func (s *Subscription) discard() {
	clear(s.queue)
	s.queue, s.facts, s.replay = s.inline[:0], 0, 0
}

// put queues a frame. slot, for frames with a conflation key, holds the place of an unread
// one. It reports whether to wake the reader and whether the subscription goes on.
func (s *Subscription) put(f *Frame, slot *uint64) (wake, alive bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return false, false
	}
	if slot == nil {
		if s.facts >= s.hub.cfg.Queue+s.replay {
			s.discard()
			return s.end(ErrTooSlow), false
		}
		s.facts++
		return s.push(f), true
	}
	if *slot > s.base { // slot is the frame's number plus one
		i := *slot - s.base - 1
		s.queue[i] = merge(s.queue[i], f)
		return false, true
	}
	wake = s.push(f)
	*slot = s.base + uint64(len(s.queue))
	return wake, true
}

// putOwn queues frames that the reader requested, regardless of the bound.
func (s *Subscription) putOwn(frames []*Frame) (wake bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return false
	}
	for _, f := range frames {
		s.facts++
		s.replay++
		wake = s.push(f) || wake
	}
	return wake
}

// finish queues the end of a topic and removes it; a subscription with no other topic ends.
func (s *Subscription) finish(m *member, end *Frame) (wake bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.members = slices.DeleteFunc(s.members, func(other *member) bool { return other == m })
	if s.err != nil {
		return false
	}
	s.facts++
	s.replay++
	wake = s.push(end)
	if s.topics == 1 && !s.keep {
		wake = s.end(ErrFinished) || wake
	}
	return wake
}

// fail ends the subscription and discards queued frames.
func (s *Subscription) fail(err error) (wake bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.discard()
	}
	return s.end(err)
}

// merge conflates two frames. The fleet's moves are merged only when the reader takes them.
func merge(old, f *Frame) *Frame {
	if f.Type != TypePositions {
		return f
	}
	return &Frame{Type: f.Type, Topic: f.Topic, key: f.key, mark: old.mark}
}

// push appends to the queue and reports whether to wake the reader; mu is held.
func (s *Subscription) push(f *Frame) (wake bool) {
	s.queue = append(s.queue, f)
	return len(s.queue) == 1 && s.signal()
}

// end sets why the subscription ended, once, and reports whether to wake the reader; mu is held.
func (s *Subscription) end(err error) (wake bool) {
	if s.err != nil {
		return false
	}
	s.err = err
	return len(s.queue) == 0 && s.signal()
}

// signal wakes Serve and reports whether to call wake; mu is held.
func (s *Subscription) signal() bool {
	background.Wake(s.ready)
	return s.wake != nil
}

// fire calls wake, never concurrently with itself; no lock is held.
func (s *Subscription) fire() {
	if s.wake == nil || s.wakes.Add(1) != 1 {
		return
	}
	for n := int32(1); ; n = s.wakes.Load() {
		s.wake()
		if s.wakes.CompareAndSwap(n, 0) {
			return
		}
	}
}

// wakes collects the subscriptions to wake once the locks are released.
type wakes struct{ subs []*Subscription }

var wakesPool = sync.Pool{New: func() any { return new(wakes) }}

func newWakes() *wakes { return wakesPool.Get().(*wakes) }

func (w *wakes) add(s *Subscription) { w.subs = append(w.subs, s) }

// fire wakes all and resets w.
func (w *wakes) fire() {
	for _, s := range w.subs {
		s.fire()
	}
	clear(w.subs)
	w.subs = w.subs[:0]
	wakesPool.Put(w)
}
