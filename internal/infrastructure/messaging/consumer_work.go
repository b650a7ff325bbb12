package messaging

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
)

const (
	firstPause = 100 * time.Millisecond
	lastPause  = 2 * time.Second
	// maxReason bounds the error header of a dead letter, in bytes.
	maxReason = 4096
)

// process starts handling the fetched records without waiting: a slow message delays no other key and no other partition.
func (k *Consumer) process(fetched kgo.Fetches) {
	fetched.EachPartition(func(f kgo.FetchTopicPartition) {
		k.mu.Lock()
		defer k.mu.Unlock()
		if p := k.parts[f.Partition]; p != nil && len(f.Records) > 0 {
			k.take(p, f)
		}
	})
}

// one handles a record or, if that fails, publishes it as a dead letter; false if neither
// was possible before the partition was lost or the consumer stopped.
func (k *Consumer) one(p *part, r *kgo.Record) bool {
	m, begun := message(r), time.Now()
	return k.persist(p.owned, func() error {
		select {
		case k.slots <- struct{}{}:
			defer func() { <-k.slots }()
		case <-p.owned.Done():
			return p.owned.Err()
		}
		err := k.safely(m)
		if err == nil || k.work.Err() != nil || domain.CodeOf(err) == domain.CodeUnavailable && !k.shouldGiveUp(begun) {
			return err
		}
		return k.publishDeadLetter(r, err)
	})
}

// shouldGiveUp reports whether a message has been unavailable for GiveUpAfter although its dependencies work.
func (k *Consumer) shouldGiveUp(since time.Time) bool {
	if time.Since(since) < k.GiveUpAfter || k.Healthy == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(k.work, lastPause)
	defer cancel()
	return k.Healthy(ctx) == nil
}

// persist retries until try succeeds or owned ends.
func (k *Consumer) persist(owned context.Context, try func() error) bool {
	err := try()
	if err == nil {
		return true
	}
	k.trouble.Note(err)
	for pause := firstPause; background.Sleep(owned, pause/2+rand.N(pause/2)); pause = min(2*pause, lastPause) { //nolint:gosec // jitter, not a secret
		if try() == nil {
			k.trouble.Note(nil)
			return true
		}
	}
	return false
}

// safely calls the handler and turns a panic into an error.
func (k *Consumer) safely(m domain.Message) (err error) {
	defer func() {
		if r := recover(); r != nil {
			k.log.Error("the handler of inbound messages panicked", zap.Any("panic", r), zap.ByteString("stack", debug.Stack()))
			err = domain.Errorf(domain.CodeInternal, "the message could not be handled")
		}
	}()
	return k.handle(k.work, m)
}

// publishDeadLetter publishes the record as a dead letter and waits for the acknowledgement.
func (k *Consumer) publishDeadLetter(r *kgo.Record, cause error) error {
	code := domain.CodeOf(cause)
	why := reasons(code, cause.Error())
	letter := &kgo.Record{
		Topic: domain.TopicStatusUpdatesFails, Key: r.Key, Value: r.Value, Timestamp: r.Timestamp,
		Headers: slices.Concat(r.Headers, why),
	}
	err := k.publish(letter)
	if domain.CodeOf(err) == domain.CodeTooLarge {
		// The brokers' limit for this topic is below that of the inbound one. Keeping only the
		// reason and the size is better than a stalled partition.
		k.log.Error("a dead letter is too large; it is published without its value", zap.Int("bytes", len(r.Value)), zap.Error(err))
		letter.Value = nil
		letter.Headers = append(why, kgo.RecordHeader{Key: "value_omitted", Value: fmt.Appendf(nil, "%d bytes", len(r.Value))})
		err = k.publish(letter)
	}
	if err == nil {
		k.reportDeadLetter(code, cause, zap.Int32("partition", r.Partition), zap.Int64("offset", r.Offset), zap.ByteString("key", r.Key))
	}
	return err
}

// reportDeadLetter logs a dead letter and calls OnDeadLetter.
func (k *Consumer) reportDeadLetter(code domain.Code, cause error, where ...zap.Field) {
	k.log.Warn("an inbound message can't be applied; it is in "+domain.TopicStatusUpdatesFails,
		append(where, zap.String("error_code", string(code)), zap.Error(domain.Explained(cause)))...)
	if k.OnDeadLetter != nil {
		k.OnDeadLetter(code)
	}
}

func (k *Consumer) publish(r *kgo.Record) error {
	return send(k.work, k.client, k.cfg, []kgo.Record{*r}, func(r kgo.Record) *kgo.Record { return &r })
}

func reasons(code domain.Code, text string) []kgo.RecordHeader {
	if len(text) > maxReason {
		text = strings.ToValidUTF8(text[:maxReason], "") + "…"
	}
	return []kgo.RecordHeader{
		{Key: "error_code", Value: []byte(code)},
		{Key: "error", Value: []byte(text)},
	}
}

func message(r *kgo.Record) domain.Message {
	m := domain.Message{Topic: r.Topic, Key: string(r.Key), Value: r.Value, Time: r.Timestamp}
	for _, h := range r.Headers {
		m.Headers = append(m.Headers, domain.Header{Key: h.Key, Value: string(h.Value)})
	}
	return m
}

// A partition's fetched but uncommitted messages are bounded: while a slow message is being
// handled, messages of other keys go on until the window is full and the partition pauses.
const (
	windowRecords = 2000
	windowBytes   = 16 * MiB
)

// part is a partition owned by this member.
type part struct {
	// owned ends when this member loses the partition or the consumer stops.
	owned   context.Context
	release context.CancelFunc
	// busy counts the keys being handled.
	busy sync.WaitGroup

	mu      sync.Mutex
	window  []*taken            // oldest first
	bytes   int                 // in the window
	waiting map[string][]*taken // queued behind the one being handled, by key
	paused  bool
	next    int64 // the offset after the handled messages
	end     int64 // the partition's end offset, as of the last fetch
}

// taken is a record in progress.
type taken struct {
	*kgo.Record
	done bool
}

func (t *taken) size() int { return len(t.Key) + len(t.Value) }

// take starts handling a partition's records: keys in parallel, each key in order. Records without a key count as one key.
func (k *Consumer) take(p *part, f kgo.FetchTopicPartition) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.end = f.HighWatermark; len(p.window) == 0 {
		p.next = f.Records[0].Offset
	}
	for _, r := range f.Records {
		t, key := &taken{Record: r}, string(r.Key)
		p.window = append(p.window, t)
		p.bytes += t.size()
		if behind, running := p.waiting[key]; running {
			p.waiting[key] = append(behind, t)
			continue
		}
		p.waiting[key] = nil
		p.busy.Go(func() { k.chain(p, key, t) })
	}
	if !p.paused && p.full(1) {
		p.paused = true
		k.client.PauseFetchPartitions(map[string][]int32{domain.TopicStatusUpdates: {f.Partition}})
	}
}

// full reports whether the window holds more than a share of its limit.
func (p *part) full(share int) bool {
	return len(p.window)*share > windowRecords || p.bytes*share > windowBytes
}

// chain handles a record and those of its key that arrive meanwhile.
func (k *Consumer) chain(p *part, key string, t *taken) {
	for t != nil && p.owned.Err() == nil && k.one(p, t.Record) {
		t = k.finish(p, key, t)
	}
}

// finish marks the records before the first unfinished one for the next commit, and returns the key's next record.
func (k *Consumer) finish(p *part, key string, t *taken) (next *taken) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t.done = true
	n := 0
	for ; n < len(p.window) && p.window[n].done; n++ {
		p.bytes -= p.window[n].size()
	}
	if n > 0 {
		last := p.window[n-1].Record
		k.client.MarkCommitRecords(last)
		p.next = last.Offset + 1
		clear(p.window[:n])
		p.window = p.window[n:]
	}
	if p.paused && !p.full(2) {
		p.paused = false
		k.client.ResumeFetchPartitions(map[string][]int32{domain.TopicStatusUpdates: {t.Partition}})
	}
	behind := p.waiting[key]
	if len(behind) == 0 {
		delete(p.waiting, key)
		return nil
	}
	p.waiting[key] = behind[1:]
	return behind[0]
}

// owned returns this member's partitions.
func (k *Consumer) owned() map[int32]*part {
	k.mu.Lock()
	defer k.mu.Unlock()
	return maps.Clone(k.parts)
}

// Lag returns the number of unhandled messages in each partition of this member.
func (k *Consumer) Lag() map[int32]int64 {
	lag := map[int32]int64{}
	for id, p := range k.owned() {
		p.mu.Lock()
		lag[id] = max(0, p.end-p.next)
		p.mu.Unlock()
	}
	return lag
}

func (k *Consumer) assigned(_ context.Context, client *kgo.Client, m map[string][]int32) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, id := range m[domain.TopicStatusUpdates] {
		p := &part{waiting: map[string][]*taken{}}
		p.owned, p.release = context.WithCancel(k.stopping)
		k.parts[id] = p
	}
	client.ResumeFetchPartitions(m) // it may have been paused when it was revoked
}

// revoked stops the partitions, waits for the messages being handled and commits them, so
// that the next owner continues where this one stopped.
func (k *Consumer) revoked(ctx context.Context, client *kgo.Client, m map[string][]int32) {
	k.lost(ctx, client, m)
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	if err := client.CommitMarkedOffsets(ctx); err != nil {
		k.log.Debug("offsets of revoked partitions were not committed", zap.Error(err))
	}
}

// lost stops partitions that others already own. The client then forgets them with their
// marked offsets, so nothing more is committed for them.
func (k *Consumer) lost(_ context.Context, _ *kgo.Client, m map[string][]int32) {
	var left []*part
	k.mu.Lock()
	for _, id := range m[domain.TopicStatusUpdates] {
		if p := k.parts[id]; p != nil {
			p.release()
			left = append(left, p)
			delete(k.parts, id)
		}
	}
	k.mu.Unlock()
	for _, p := range left {
		p.busy.Wait()
	}
}
