package push

import (
	"context"
	"slices"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

const (
	// feedKept is how many entries a reader may have missed and still resume.
	feedKept = 4096
	// feedHold is how long entries are kept for readers who come back after the last one has left.
	feedHold = 30 * time.Second
)

// feed is the room of those who watch all orders that they may see: the entries of their
// histories, without positions. A reader's cursor is the id of the newest entry it got.
type feed struct {
	room

	// Under the room's lock: the newest entries, oldest first, and until when they are kept without a member.
	kept  []kept
	until time.Time
}

// kept is an entry with the merchant of its order.
type kept struct {
	cursor   string
	merchant string
	event    *domain.Event // nil for the start of the feed
}

// watchesAll reports whether somebody wants the entries of all orders.
func (h *Hub) watchesAll() bool { return h.fleet.watched() || h.feed.watched() }

// linger keeps the entries for a while after the last member has left; the room is locked.
func (f *feed) linger() {
	if f.until.IsZero() && len(f.kept) > 0 {
		f.until = f.hub.clock.Now().Add(feedHold)
		f.watchers.Add(1)
		if f.hub.peers != nil {
			f.hub.peers.watch(f.topic)
		}
	}
}

// turn drops the entries that nobody came back for.
func (f *feed) turn() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.until.IsZero() || len(f.members) == 0 && f.hub.clock.Now().Before(f.until) {
		return
	}
	f.until = time.Time{}
	f.watchers.Add(-1)
	if f.hub.peers != nil {
		f.hub.peers.unwatch(f.topic)
	}
	if len(f.members) == 0 {
		f.kept = nil
	}
}

// publish sends an entry of an order, whose room is locked, to the members who may see the order and do not watch it itself.
func (f *feed) publishOrder(r *room, e *domain.Event, w *wakes) {
	merchant := r.track.state.MerchantID
	f.mu.Lock()
	defer f.mu.Unlock()
	if e.Type != domain.EventNotified { // which is no frame of the feed
		f.keep(kept{e.ID, merchant, e})
	}
	wants := func(m *member) bool { return m.sub.owns(merchant) && !m.sub.watches(r) }
	f.publishViews(w, wants, func(v domain.View) *Frame { return feedFrame(e, v) })
}

// keep remembers an entry; the room is locked.
func (f *feed) keep(k kept) {
	if len(f.kept) >= 2*feedKept {
		f.kept = slices.Clone(f.kept[len(f.kept)-feedKept:])
	}
	f.kept = append(f.kept, k)
}

// feedFrame is eventFrame without the seq, which counts within one order only; nil for notifications.
func feedFrame(e *domain.Event, v domain.View) *Frame {
	frame := eventFrame(e, v)
	if frame == nil || frame.Type == TypeNotification {
		return nil
	}
	frame.mark = 0
	return frame
}

// Own limits the orders of the subscription's feed to those of a merchant.
func (s *Subscription) Own(merchantID string) { s.merchant = &merchantID }

func (s *Subscription) owns(merchantID string) bool {
	return s.merchant == nil || *s.merchant == merchantID
}

// AddOrders subscribes to the entries of all orders that the reader may see. The snapshot has a cursor. With an earlier
// cursor the entries after it follow, or, when it is too old, a reset: what happened since must be read anew.
func (s *Subscription) AddOrders(_ context.Context, cursor string) error {
	m, err := s.join(OrdersTopic())
	if m == nil {
		return err
	}
	f := &s.hub.feed
	m.enterSimple(func(*wakes) []*Frame {
		if len(f.kept) == 0 {
			f.keep(kept{cursor: domain.NewID()})
		}
		newest := map[string]string{"cursor": f.kept[len(f.kept)-1].cursor}
		now := s.hub.clock.Now()
		frames := []*Frame{{Type: TypeSnapshot, Topic: f.topic, JSON: Encode(TypeSnapshot, "", 0, now, newest)}}
		if cursor == "" {
			return frames
		}
		at := slices.IndexFunc(f.kept, func(k kept) bool { return k.cursor == cursor })
		if at < 0 {
			return append(frames, &Frame{Type: TypeReset, Topic: f.topic, JSON: Encode(TypeReset, "", 0, now, newest)})
		}
		for _, k := range f.kept[at+1:] {
			if k.event == nil || !s.owns(k.merchant) {
				continue
			}
			if frame := feedFrame(k.event, s.view); frame != nil {
				frames = append(frames, frame)
			}
		}
		return frames
	})
	return nil
}
