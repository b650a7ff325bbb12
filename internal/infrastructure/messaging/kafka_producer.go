package messaging

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
)

const (
	// deliveryTimeout is the default limit of a round's wait for acknowledgements. (The
	// client's own option counts from the record's timestamp, which may be long ago.)
	deliveryTimeout = 10 * time.Second
	// produceTimeout and produceOverhead bound one request on a hanging connection.
	produceTimeout  = 4 * time.Second
	produceOverhead = 2 * time.Second
	// gather is the client's linger time to fill a batch. Publish flushes immediately, so this
	// only matters on a topic's first use.
	gather = 50 * time.Millisecond
	// roundBytes and roundCount bound a round, so that its messages for one partition fit one
	// batch, even with Kafka's default limit of 1 MB.
	roundBytes = 900_000
	roundCount = 5000
	// perRecord is the maximum overhead of a record beyond key, value and headers.
	perRecord = 64
)

// Producer publishes to Kafka; it implements domain.Bus.
type Producer struct {
	client *kgo.Client
	cfg    ClientConfig
}

// NewProducer makes a producer. It does not connect: Ping and Publish report unreachable
// brokers. It fails only on a bad configuration.
func NewProducer(c ClientConfig) (*Producer, error) {
	client, err := c.client(c.producing()...)
	if err != nil {
		return nil, err
	}
	return &Producer{client: client, cfg: c}, nil
}

// codecs maps names to compressions; no name means none.
var codecs = map[string]kgo.CompressionCodec{
	"gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

// producing returns the options of every writer: idempotent (the client's
// default), acknowledged by all in-sync replicas, partitioned by key as Java does.
func (c ClientConfig) producing() []kgo.Opt {
	return []kgo.Opt{
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
		kgo.ProducerBatchCompression(codecs[c.Compression], kgo.NoCompression()),
		kgo.ProducerBatchMaxBytes(maxDead),
		kgo.ProducerLinger(gather),
		kgo.ProduceRequestTimeout(produceTimeout),
		kgo.RequestTimeoutOverhead(produceOverhead),
		kgo.UnknownTopicRetries(2),
		// Without it a message whose acknowledgement was lost would block for as long as the
		// brokers are down. Ordering does not depend on it: see Publish.
		kgo.AllowIdempotentProduceCancellation(),
	}
}

// Publish implements domain.Bus. It returns once every message is acknowledged by all in-sync replicas. It fails with code
// unavailable after the delivery timeout without progress or soon after ctx ends, and with too_large for a message that the
// brokers will never accept.
//
// After an error the client keeps no messages. Bytes already on the network may still reach the broker after the caller has
// published again. That is harmless: messages go out in rounds, each waited for, with at most one batch per partition and
// round. So a batch continues the acknowledged sequence without a gap, and a late one only repeats messages.
func (p *Producer) Publish(ctx context.Context, msgs []domain.Message) error {
	for len(msgs) > 0 {
		n := round(msgs)
		if err := send(ctx, p.client, p.cfg, msgs[:n], record); err != nil {
			return err
		}
		msgs = msgs[n:]
	}
	return nil
}

// round returns how many of the messages fit into one round.
func round(msgs []domain.Message) int {
	size := 0
	for i, m := range msgs {
		size += weight(m)
		if i > 0 && (size > roundBytes || i >= roundCount) {
			return i
		}
	}
	return len(msgs)
}

func weight(m domain.Message) int {
	n := len(m.Key) + len(m.Value) + perRecord
	for _, h := range m.Headers {
		n += len(h.Key) + len(h.Value) + 8
	}
	return n
}

// send produces messages and waits for all of them. Errors are those of Publish.
func send[M any](ctx context.Context, client *kgo.Client, c ClientConfig, msgs []M, record func(M) *kgo.Record) error {
	limit := c.DeliveryTimeout
	if limit <= 0 {
		limit = deliveryTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	produce := func() error {
		return client.ProduceSync(ctx, domain.Each(msgs, record)...).FirstErr() // new ones per attempt: the client modifies them
	}
	err := produce()
	if missingTopic(err) && ctx.Err() == nil {
		// A topic was deleted along with its messages, so resending everything keeps the order.
		c.log().Warn("a topic is missing and is created again", zap.Error(err))
		if err := ensureTopics(ctx, client, c); err != nil {
			return err
		}
		for _, t := range Topics() {
			client.PurgeTopicsFromProducing(t.Name) // forget the old topic's id
		}
		err = produce()
	}
	for _, refusal := range refusals {
		if errors.Is(err, refusal) {
			return fmt.Errorf("%w: %w", domain.Errorf(domain.CodeTooLarge, "the brokers never accept a message"), err)
		}
	}
	return unavailable(err)
}

// refusals are the broker errors for messages that will never be accepted: too large, or
// with a format or a timestamp that the topic's settings forbid.
var refusals = []error{kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidRecord, kerr.InvalidTimestamp}

func unavailable(err error) error {
	if err == nil {
		return nil
	}
	return domain.Unavailable("Kafka", err)
}

func record(m domain.Message) *kgo.Record {
	r := &kgo.Record{Topic: m.Topic, Value: m.Value, Timestamp: m.Time}
	if m.Key != "" {
		r.Key = []byte(m.Key)
	}
	for _, h := range m.Headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: []byte(h.Value)})
	}
	return r
}

func missingTopic(err error) bool {
	return errors.Is(err, kerr.UnknownTopicOrPartition) || errors.Is(err, kerr.UnknownTopicID)
}

// Ping fails unless a broker answers.
func (p *Producer) Ping(ctx context.Context) error { return unavailable(p.client.Ping(ctx)) }

// Close closes the connections; running Publish calls fail.
func (p *Producer) Close() { p.client.Close() }
