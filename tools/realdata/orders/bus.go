package orders

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The topics of the product.
const (
	topicCreated = "order_created"
	topicUpdated = "order_updated"
	topicReports = "order_status_updates"
	topicRefused = "order_status_updates.dlq"
)

// bus sends reports and tracks how far the product has read them.
type bus struct {
	client *kgo.Client
	admin  *kadm.Client
	group  string // of the product's reader
	within time.Duration
	sent   atomic.Int64
}

// options configure a Kafka client that survives broker restarts.
func options(broker string, more ...kgo.Opt) []kgo.Opt {
	return append([]kgo.Opt{
		kgo.SeedBrokers(broker),
		kgo.DialTimeout(3 * time.Second),
		kgo.RequestTimeoutOverhead(5 * time.Second),
		kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.RetryBackoffFn(func(try int) time.Duration {
			return min(time.Second, time.Duration(try)*100*time.Millisecond)
		}),
	}, more...)
}

// newBus connects a producer that keeps the order of a key's messages across its own
// retries: one request at a time, and no sequence numbers, which a killed broker might
// have lost. Duplicates are harmless, as the event_id identifies them.
func newBus(broker, group string, within time.Duration) (*bus, error) {
	c, err := kgo.NewClient(options(broker,
		kgo.DisableIdempotentWrite(),
		kgo.MaxProduceRequestsInflightPerBroker(1),
		kgo.ProducerLinger(time.Millisecond),
		kgo.RecordDeliveryTimeout(within),
		kgo.UnknownTopicRetries(-1),
	)...)
	if err != nil {
		return nil, err
	}
	return &bus{client: c, admin: kadm.NewClient(c), group: group, within: within}, nil
}

func (b *bus) close() { b.client.Close() }

// send publishes an order's reports in order and returns when all are acknowledged.
func (b *bus) send(ctx context.Context, orderID string, reports []report) error {
	records := make([]*kgo.Record, len(reports))
	for i, r := range reports {
		record, err := recordOf(orderID, r)
		if err != nil {
			return err
		}
		records[i] = record
	}
	return b.produce(ctx, records)
}

func (b *bus) produce(ctx context.Context, records []*kgo.Record) error {
	if err := b.client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return fmt.Errorf("sending to %s: %w", topicReports, err)
	}
	b.sent.Add(int64(len(records)))
	return nil
}

func recordOf(orderID string, r report) (*kgo.Record, error) {
	if r.ExternalID == "" {
		r.OrderID = orderID
	}
	value, err := json.Marshal(r)
	return &kgo.Record{Topic: topicReports, Key: []byte(orderID), Value: value}, err
}

// drained waits until the product has read everything now in the topic.
func (b *bus) drained(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, b.within)
	defer cancel()
	for {
		left, err := b.unread(ctx)
		if err == nil && left == 0 {
			return nil
		}
		if !pause(ctx, 200*time.Millisecond) {
			return fmt.Errorf("group %s has still %d reports to read: %w", b.group, left, err)
		}
	}
}

func (b *bus) unread(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	ends, err := b.admin.ListEndOffsets(ctx, topicReports)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return -1, err
	}
	committed, err := b.admin.FetchOffsets(ctx, b.group)
	if err == nil {
		err = committed.Error()
	}
	if err != nil {
		return -1, err
	}
	var left int64
	ends.Each(func(end kadm.ListedOffset) {
		if c, ok := committed.Lookup(end.Topic, end.Partition); ok {
			left += max(0, end.Offset-c.At)
		} else {
			left += end.Offset
		}
	})
	return left, nil
}

// pause waits; false when the context ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
