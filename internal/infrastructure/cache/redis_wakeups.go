package cache

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
)

const (
	clusterChannels = 16   // hash tags that channels are sharded over in a cluster
	maxUnsent       = 8192 // messages; the excess is dropped
	sendBatch       = 256
	subscribeBatch  = 256
)

// wakeups is sharded pub/sub. Each hash tag with a watched topic has its own connection, which is reopened when it breaks.
type wakeups struct {
	redis  *Redis
	client chan rueidis.Client // holds the client once there is one

	mu      sync.Mutex
	watched map[string]bool
	parts   []*listener // one per hash tag, once Receive runs

	out chan wakeup
}

type wakeup struct {
	topic   string
	message []byte
}

// channels is the number of hash tags for channels.
func channels(c rueidis.Client) int {
	if c.Mode() == rueidis.ClientModeCluster {
		return clusterChannels
	}
	return 1
}

// channelTag is the channel prefix of a hash tag.
func (r *Redis) channelTag(part int) string { return r.prefix + ":{w" + strconv.Itoa(part) + "}:" }

// Publish sends a message to every replica that watches the topic; see domain.Wakeups.
func (r *Redis) Publish(topic string, message []byte) {
	if r.current.Load() == nil {
		return
	}
	select {
	case r.wakeups.out <- wakeup{topic, message}:
	default: // dropped
	}
}

// send publishes queued messages until the context ends.
func (w *wakeups) send(ctx context.Context) {
	batch := make([]wakeup, 0, sendBatch)
	for {
		select {
		case <-ctx.Done():
			return
		case first := <-w.out:
			batch = append(batch[:0], first)
		}
		for len(batch) < sendBatch && len(w.out) > 0 {
			batch = append(batch, <-w.out) // the only consumer
		}
		s := w.redis.current.Load()
		if s == nil {
			continue // dropped
		}
		cmds, n := make(rueidis.Commands, len(batch)), channels(s.client)
		for i, m := range batch {
			channel := w.redis.channelTag(part(m.topic, n)) + m.topic
			cmds[i] = s.client.B().Spublish().Channel(channel).Message(rueidis.BinaryString(m.message)).Build()
		}
		call, cancel := within(ctx, opTimeout)
		for _, resp := range s.client.DoMulti(call, cmds...) {
			if err := resp.Error(); err != nil {
				_ = w.redis.fail(call, s, err)
				break
			}
		}
		cancel()
	}
}

// Watch subscribes to a topic; see domain.Wakeups.
func (r *Redis) Watch(topic string) { r.wakeups.want(topic, true) }

// Unwatch unsubscribes from a topic.
func (r *Redis) Unwatch(topic string) { r.wakeups.want(topic, false) }

// Watched asks the server for the topic's subscribers; see domain.Wakeups.
func (r *Redis) Watched(ctx context.Context, topic string) bool {
	s := r.current.Load()
	if s == nil {
		return true
	}
	ctx, cancel := within(ctx, opTimeout)
	defer cancel()
	channel := r.channelTag(part(topic, channels(s.client))) + topic
	n, err := s.client.Do(ctx, s.client.B().PubsubShardnumsub().Channel(channel).Build()).AsIntMap()
	if err != nil {
		_ = r.fail(ctx, s, err)
	}
	return err != nil || n[channel] > 0
}

func (w *wakeups) want(topic string, wanted bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if wanted {
		w.watched[topic] = true
	} else {
		delete(w.watched, topic)
	}
	if len(w.parts) > 0 {
		w.parts[part(topic, len(w.parts))].want(topic, wanted)
	}
}

// Receive calls fn with the messages of watched topics until the context ends.
func (r *Redis) Receive(ctx context.Context, fn func(topic string, message []byte)) error {
	w := &r.wakeups
	var client rueidis.Client
	select {
	case client = <-w.client:
		defer func() { w.client <- client }()
	case <-ctx.Done():
		return ctx.Err()
	}
	parts := make([]*listener, channels(client))
	for i := range parts {
		parts[i] = &listener{
			wakeups: w, prefix: w.redis.channelTag(i), pending: map[string]bool{}, changed: make(chan struct{}, 1),
		}
	}
	w.mu.Lock()
	w.parts = parts
	w.mu.Unlock()
	var wg sync.WaitGroup
	for _, l := range parts {
		wg.Go(func() { l.run(ctx, client, fn) })
	}
	wg.Wait()
	return ctx.Err()
}

// listener manages the subscriptions of one hash tag.
type listener struct {
	wakeups *wakeups
	prefix  string
	changed chan struct{} // pending is not empty

	// Guarded by the lock of wakeups.
	pending map[string]bool // topics to subscribe to (true) and to unsubscribe from
}

// want queues a topic to subscribe to or unsubscribe from; the caller holds the lock.
func (l *listener) want(topic string, wanted bool) {
	l.pending[topic] = wanted
	background.Wake(l.changed)
}

// run listens until the context ends; if the connection breaks it opens another one and resubscribes to all watched topics.
func (l *listener) run(ctx context.Context, client rueidis.Client, fn func(string, []byte)) {
	for pause := 2 * firstPause; ; pause = min(2*pause, time.Second) {
		for !l.all() {
			select {
			case <-ctx.Done():
				return
			case <-l.changed:
			}
		}
		began := time.Now()
		l.listen(ctx, client, fn)
		if time.Since(began) > 10*time.Second {
			pause = 2 * firstPause
		}
		if !wait(ctx, pause) {
			return
		}
	}
}

// all queues every watched topic for the next connection, and reports whether there is any.
func (l *listener) all() bool {
	w := l.wakeups
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(l.pending)
	for topic := range w.watched {
		if w.parts[part(topic, len(w.parts))] == l {
			l.pending[topic] = true
		}
	}
	return len(l.pending) > 0
}

// listen uses one connection until it breaks or the context ends.
func (l *listener) listen(ctx context.Context, client rueidis.Client, fn func(string, []byte)) {
	c, release := client.Dedicate()
	defer release()
	broken := c.SetPubSubHooks(rueidis.PubSubHooks{
		OnMessage: func(m rueidis.PubSubMessage) {
			if topic, ok := strings.CutPrefix(m.Channel, l.prefix); ok {
				fn(topic, []byte(m.Message))
			}
		},
		OnSubscription: func(s rueidis.PubSubSubscription) {
			if topic, ok := strings.CutPrefix(s.Channel, l.prefix); ok && s.Kind == "sunsubscribe" {
				l.lost(topic)
			}
		},
	})
	for {
		if err := l.apply(ctx, c); err != nil {
			c.Close()
			return
		}
		select {
		case <-l.changed:
		case err := <-broken:
			l.wakeups.redis.log.Debug("a subscription connection broke", zap.Error(err))
			return
		case <-ctx.Done():
			return
		}
	}
}

// lost resubscribes to a topic that the server unsubscribed, as it does when a hash slot moves to another node.
func (l *listener) lost(topic string) {
	l.wakeups.mu.Lock()
	defer l.wakeups.mu.Unlock()
	if l.wakeups.watched[topic] {
		l.want(topic, true)
	}
}

// apply carries out the pending subscriptions and unsubscriptions.
func (l *listener) apply(ctx context.Context, c rueidis.DedicatedClient) error {
	l.wakeups.mu.Lock()
	var begin, end []string
	for topic, wanted := range l.pending {
		if wanted {
			begin = append(begin, l.prefix+topic)
		} else {
			end = append(end, l.prefix+topic)
		}
	}
	clear(l.pending)
	l.wakeups.mu.Unlock()
	ctx, cancel := within(ctx, 5*opTimeout)
	defer cancel()
	var errs error
	for some := range slices.Chunk(begin, subscribeBatch) {
		errs = errors.Join(errs, c.Do(ctx, c.B().Ssubscribe().Channel(some...).Build()).Error())
	}
	for some := range slices.Chunk(end, subscribeBatch) {
		errs = errors.Join(errs, c.Do(ctx, c.B().Sunsubscribe().Channel(some...).Build()).Error())
	}
	return errs
}

var _ domain.Quotas = (*Redis)(nil)
