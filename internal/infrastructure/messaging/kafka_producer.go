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
	// deliveryTimeout is how long a round may wait for its acknowledgements when nothing
	// is configured. (The client's own option counts from the time in the record, which
	// may be long ago.)
	deliveryTimeout = 10 * time.Second
	// produceTimeout and produceOverhead bound one request on a connection that hangs.
	produceTimeout  = 4 * time.Second
	produceOverhead = 2 * time.Second
	// gather is how long the client may hold messages back to fill a batch. Publish
	// sends at once what it gathered, so this is only waited for at a topic's first use.
	gather = 50 * time.Millisecond
	// roundBytes and roundCount bound what is in flight at once, so that the messages of
	// a round for one partition fit one batch, also where Kafka's default of 1 MB holds.
	roundBytes = 900_000
	roundCount = 5000
	// perRecord is what a record takes in a batch beside key, value and headers, at most.
	perRecord = 64
)

// Producer publishes to Kafka; it implements domain.Bus.
type Producer struct {
	client *kgo.Client
	cfg    ClientConfig
}

// NewProducer makes a producer. It does not connect: brokers that are away show in
// Ping and Publish. It fails on a bad configuration only.
func NewProducer(c ClientConfig) (*Producer, error) {
	client, err := c.client(c.producing()...)
	if err != nil {
		return nil, err
	}
	return &Producer{client: client, cfg: c}, nil
}

// codecs are the compressions by name; none where there is no name.
var codecs = map[string]kgo.CompressionCodec{
	"gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

// producing are the options of everything that writes: idempotent (the client's
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
		// Without it a message whose acknowledgement got lost would be waited for as long
		// as the brokers are away. The order does not depend on it: see Publish.
		kgo.AllowIdempotentProduceCancellation(),
	}
}

// Publish implements domain.Bus. It returns once every message is acknowledged by all
// in-sync replicas, or fails with an Error of code unavailable (too_large for a message
// that the brokers will never take) the delivery timeout
// after the last progress, or soon after ctx ends.
//
// On an error nothing stays behind in the client. Bytes already given to the network may
// still arrive at the broker, after the caller published again; that is harmless: messages
// go out in rounds, each waited for, at most one batch per partition and round. So a batch
// continues what was acknowledged without a gap, and arriving late it only repeats.
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

// round is how many of the messages go out together.
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

// send produces messages and waits for all of them. Errors are as Publish promises.
func send[M any](ctx context.Context, client *kgo.Client, c ClientConfig, msgs []M, record func(M) *kgo.Record) error {
	limit := c.DeliveryTimeout
	if limit <= 0 {
		limit = deliveryTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	produce := func() error {
		records := make([]*kgo.Record, len(msgs)) // each time anew: the client writes into them
		for i, m := range msgs {
			records[i] = record(m)
		}
		return client.ProduceSync(ctx, records...).FirstErr()
	}
	err := produce()
	if missingTopic(err) && ctx.Err() == nil {
		// Somebody deleted a topic. What was of it is gone, so sending all again keeps the order.
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

// refusals are what brokers say to a message that they will never take: of its size, or
// of a kind or a time that the topic's settings forbid.
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

// Ping says whether a broker answers.
func (p *Producer) Ping(ctx context.Context) error { return unavailable(p.client.Ping(ctx)) }

// Close ends the connections; what is being published fails.
func (p *Producer) Close() { p.client.Close() }
