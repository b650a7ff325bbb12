package messaging

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
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
