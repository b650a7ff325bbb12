package cache

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"
	"go.uber.org/zap"
)

const (
	clusterChannels = 16   // hash tags that channels are spread over in a cluster
	maxUnsent       = 8192 // messages; what does not fit is lost
	sendBatch       = 256
	subscribeBatch  = 256
)

// wakeups is sharded pub/sub. Each hash tag that has a watched topic has a connection
// of its own, which is made again when it breaks.
type wakeups struct {
	redis  *Redis
	client chan rueidis.Client // holds the client from when there is one

	mu      sync.Mutex
	watched map[string]bool
	parts   []*listener // one for each hash tag, once the number is known

	out struct {
		sync.Mutex
		queue  []wakeup
		signal chan struct{}
	}
}

type wakeup struct {
	topic   string
	message []byte
}

func (w *wakeups) init(r *Redis) {
	w.redis, w.watched = r, map[string]bool{}
	w.client = make(chan rueidis.Client, 1)
	w.out.signal = make(chan struct{}, 1)
}

// ready tells the client, once.
func (w *wakeups) ready(c rueidis.Client) {
	n := 1
	if c.Mode() == rueidis.ClientModeCluster {
		n = clusterChannels
	}
	w.mu.Lock()
	w.parts = make([]*listener, n)
	for i := range w.parts {
		w.parts[i] = &listener{
			wakeups: w, prefix: w.redis.prefix + ":{w" + strconv.Itoa(i) + "}:", pending: map[string]bool{},
			changed: make(chan struct{}, 1),
		}
	}
	for topic := range w.watched {
		w.parts[part(topic, n)].want(topic, true)
	}
	w.mu.Unlock()
	w.client <- c
}

// channel is where a topic's messages go.
func (w *wakeups) channel(topic string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.parts) == 0 {
		return ""
	}
	return w.parts[part(topic, len(w.parts))].prefix + topic
}

// Publish hands a message to every replica that watches the topic; see domain.Wakeups.
func (r *Redis) Publish(topic string, message []byte) {
	if r.current.Load() == nil {
		return
	}
	out := &r.wakeups.out
	out.Lock()
	if len(out.queue) < maxUnsent {
		out.queue = append(out.queue, wakeup{topic, message})
	}
	out.Unlock()
	select {
	case out.signal <- struct{}{}:
	default:
	}
}

// send publishes what is queued until the context ends.
func (w *wakeups) send(ctx context.Context) {
	for {
		w.out.Lock()
		batch := w.out.queue[:min(sendBatch, len(w.out.queue))]
		w.out.queue = w.out.queue[len(batch):]
		if len(w.out.queue) == 0 {
			w.out.queue = nil
		}
		w.out.Unlock()
		if len(batch) == 0 {
			select {
			case <-ctx.Done():
				return
			case <-w.out.signal:
			}
			continue
		}
		s := w.redis.current.Load()
		if s == nil {
			continue // lost
		}
		cmds := make(rueidis.Commands, len(batch))
		for i, m := range batch {
			cmds[i] = s.client.B().Spublish().Channel(w.channel(m.topic)).Message(rueidis.BinaryString(m.message)).Build()
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

// Watch begins to listen to a topic; see domain.Wakeups.
func (r *Redis) Watch(topic string) { r.wakeups.want(topic, true) }

// Unwatch ends listening to a topic.
func (r *Redis) Unwatch(topic string) { r.wakeups.want(topic, false) }

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
	var wg sync.WaitGroup
	for _, l := range w.parts {
		wg.Go(func() { l.run(ctx, client, fn) })
	}
	wg.Wait()
	return ctx.Err()
}

// listener keeps the subscriptions of one hash tag.
type listener struct {
	wakeups *wakeups
	prefix  string
	changed chan struct{} // pending has something

	// Under the lock of wakeups.
	pending map[string]bool // topics to begin (true) and to end
}

// want notes a topic to begin or to end; the lock is held.
func (l *listener) want(topic string, wanted bool) {
	l.pending[topic] = wanted
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// run listens until the context ends; when the connection breaks it makes another and
// subscribes again to all that is watched.
func (l *listener) run(ctx context.Context, client rueidis.Client, fn func(string, []byte)) {
	pause := 100 * time.Millisecond
	for ctx.Err() == nil {
		if !l.anything() {
			select {
			case <-ctx.Done():
			case <-l.changed:
			}
			continue
		}
		began := time.Now()
		l.listen(ctx, client, fn)
		l.again()
		if time.Since(began) > 10*time.Second {
			pause = 100 * time.Millisecond
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause/2 + rand.N(pause/2)): //nolint:gosec // jitter, not a secret
		}
		pause = min(2*pause, time.Second)
	}
}

// anything says whether a topic is watched here.
func (l *listener) anything() bool {
	l.wakeups.mu.Lock()
	defer l.wakeups.mu.Unlock()
	for _, wanted := range l.pending {
		if wanted {
			return true
		}
	}
	clear(l.pending)
	return false
}

// again has all watched topics subscribed on the next connection.
func (l *listener) again() {
	w := l.wakeups
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(l.pending)
	for topic := range w.watched {
		if w.parts[part(topic, len(w.parts))] == l {
			l.pending[topic] = true
		}
	}
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
			l.wakeups.redis.log.Debug("a connection of subscriptions broke", zap.Error(err))
			return
		case <-ctx.Done():
			return
		}
	}
}

// lost subscribes again to a topic that the server took away, as it does when a hash
// slot moves to another node.
func (l *listener) lost(topic string) {
	l.wakeups.mu.Lock()
	defer l.wakeups.mu.Unlock()
	if l.wakeups.watched[topic] {
		l.want(topic, true)
	}
}

// apply subscribes and unsubscribes what is pending.
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
	for n := 0; len(begin) > 0; begin = begin[n:] {
		n = min(subscribeBatch, len(begin))
		errs = errors.Join(errs, c.Do(ctx, c.B().Ssubscribe().Channel(begin[:n]...).Build()).Error())
	}
	for n := 0; len(end) > 0; end = end[n:] {
		n = min(subscribeBatch, len(end))
		errs = errors.Join(errs, c.Do(ctx, c.B().Sunsubscribe().Channel(end[:n]...).Build()).Error())
	}
	return errs
}
