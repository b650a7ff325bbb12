package messaging

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
)

const (
	firstPause = 100 * time.Millisecond
	lastPause  = 2 * time.Second
	// maxReason bounds the error header of a dead letter, in bytes.
	maxReason = 4096
)

// part is a partition that this member owns.
type part struct {
	// owned ends when the partition leaves this member or the consumer stops.
	owned   context.Context
	release context.CancelFunc
	// busy counts the batch that is being processed, none or one.
	busy sync.WaitGroup
}

func (k *Consumer) assigned(_ context.Context, _ *kgo.Client, m map[string][]int32) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, id := range m[domain.TopicStatusUpdates] {
		p := &part{}
		p.owned, p.release = context.WithCancel(k.stopping)
		k.parts[id] = p
	}
}

// revoked stops the partitions, waits for the messages that are being handled and
// commits them, so that the next owner starts where this one ended.
func (k *Consumer) revoked(ctx context.Context, client *kgo.Client, m map[string][]int32) {
	k.lost(ctx, client, m)
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	if err := client.CommitMarkedOffsets(ctx); err != nil {
		k.log.Debug("offsets of revoked partitions were not committed", zap.Error(err))
	}
}

// lost stops partitions. Those that others own already the client forgets next, and what
// was marked of them with it: nothing of them is committed any more.
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

// process handles what was fetched, all partitions at once, and returns when it is done.
func (k *Consumer) process(fetched kgo.Fetches) {
	var busy []*part
	fetched.EachPartition(func(f kgo.FetchTopicPartition) {
		k.mu.Lock()
		defer k.mu.Unlock()
		if p := k.parts[f.Partition]; p != nil && len(f.Records) > 0 {
			p.busy.Go(func() { k.partition(p, f.Records) })
			busy = append(busy, p)
		}
	})
	for _, p := range busy {
		p.busy.Wait()
	}
}

// partition handles the records of one partition, keys at once, each key in order, and
// marks the records up to the first that is not done for the next commit.
func (k *Consumer) partition(p *part, records []*kgo.Record) {
	done := make([]bool, len(records))
	var chains sync.WaitGroup
	for _, chain := range byKey(records) {
		select {
		case k.slots <- struct{}{}:
		case <-p.owned.Done():
			continue
		}
		chains.Go(func() {
			defer func() { <-k.slots }()
			for _, i := range chain {
				if p.owned.Err() != nil || !k.one(p, records[i]) {
					return
				}
				done[i] = true
			}
		})
	}
	chains.Wait()
	n := 0
	for n < len(done) && done[n] {
		n++
	}
	if n > 0 {
		k.client.MarkCommitRecords(records[n-1])
	}
}

// byKey groups the positions of records by key, first come first; records without a
// key keep their order among themselves.
func byKey(records []*kgo.Record) [][]int {
	chains := make([][]int, 0, len(records))
	of := make(map[string]int, len(records))
	for i, r := range records {
		c, known := of[string(r.Key)]
		if !known {
			c = len(chains)
			of[string(r.Key)] = c
			chains = append(chains, nil)
		}
		chains[c] = append(chains[c], i)
	}
	return chains
}

// one has a record handled, or buried when it can't be; false when neither was possible
// before the partition left or the consumer stopped.
func (k *Consumer) one(p *part, r *kgo.Record) bool {
	m := message(r)
	return k.persist(p.owned, func() error {
		err := k.safely(m)
		if err == nil || domain.CodeOf(err) == domain.CodeUnavailable || k.work.Err() != nil {
			return err
		}
		return k.dead(r, err)
	})
}

// persist calls try until it succeeds or owned ends.
func (k *Consumer) persist(owned context.Context, try func() error) bool {
	err := try()
	if err == nil {
		return true
	}
	k.trouble.set(err)
	for pause := firstPause; wait(owned, pause/2+rand.N(pause/2)); pause = min(2*pause, lastPause) { //nolint:gosec // jitter, not a secret
		if try() == nil {
			k.trouble.set(nil)
			return true
		}
	}
	return false
}

// safely calls the handler; a panic in it becomes an error.
func (k *Consumer) safely(m domain.Message) (err error) {
	defer func() {
		if r := recover(); r != nil {
			k.log.Error("the handler of inbound messages panicked", zap.Any("panic", r), zap.ByteString("stack", debug.Stack()))
			err = domain.Errorf(domain.CodeInternal, "the message could not be handled")
		}
	}()
	return k.handle(k.work, m)
}

// dead publishes the record as a dead letter and returns once that is acknowledged.
func (k *Consumer) dead(r *kgo.Record, cause error) error {
	why := reasons(domain.CodeOf(cause), cause.Error())
	letter := &kgo.Record{
		Topic: domain.TopicStatusUpdatesFails, Key: r.Key, Value: r.Value, Timestamp: r.Timestamp,
		Headers: slices.Concat(r.Headers, why),
	}
	err := k.publish(letter)
	if domain.CodeOf(err) == domain.CodeTooLarge {
		// The brokers' limit for this topic is below that of the inbound one. The reason and
		// the size are better than a partition that stands still.
		k.log.Error("a dead letter is too large and loses its value", zap.Int("bytes", len(r.Value)), zap.Error(err))
		letter.Value = nil
		letter.Headers = append(why, kgo.RecordHeader{Key: "value_omitted", Value: fmt.Appendf(nil, "%d bytes", len(r.Value))})
		err = k.publish(letter)
	}
	return err
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
