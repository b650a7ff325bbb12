package messaging

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
)

const (
	// MiB is a mebibyte.
	MiB = 1 << 20
	// MaxInflated bounds what one batch may unpack to, in bytes.
	MaxInflated = 32 * MiB
	// maxMessage is the largest message. The largest order that the domain allows, escaped
	// inside its event, takes about 1.3 MB, more than Kafka's default of 1 MB.
	maxMessage = 2 * MiB
	// maxDead leaves room for the two headers of a dead letter.
	maxDead = maxMessage + 64*1024
)

// Topic is one topic of the product; MaxMessage is its largest message in bytes.
type Topic struct {
	Name       string
	MaxMessage int
}

// Topics lists every topic of the product.
func Topics() []Topic {
	return []Topic{
		{domain.TopicOrderCreated, maxMessage},
		{domain.TopicOrderUpdated, maxMessage},
		{domain.TopicCourierLocation, maxMessage},
		{domain.TopicStatusUpdates, maxMessage},
		{domain.TopicStatusUpdatesFails, maxDead},
	}
}

// configs are the topic's settings on external brokers, where the operator sets retention.
func (t Topic) configs() map[string]*string {
	size := strconv.Itoa(t.MaxMessage)
	return map[string]*string{"max.message.bytes": &size}
}

// EnsureTopics creates missing topics. Existing ones are left unchanged; a partition count
// that differs from the configuration is logged.
func EnsureTopics(ctx context.Context, c ClientConfig) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.Close()
	return ensureTopics(ctx, client, c)
}

func ensureTopics(ctx context.Context, client *kgo.Client, c ClientConfig) error {
	admin := kadm.NewClient(client)
	wanted := Topics()
	names := domain.Each(wanted, func(t Topic) string { return t.Name })
	existing, err := admin.ListTopics(ctx, names...)
	if err != nil {
		return domain.Unavailable("Kafka", fmt.Errorf("list topics: %w", err))
	}
	for _, t := range wanted {
		found := existing[t.Name]
		switch {
		case found.Err == nil && len(found.Partitions) > 0:
			if c.Partitions > 0 && len(found.Partitions) != c.Partitions {
				c.log().Info("a topic has other partitions than configured and keeps them", zap.String("topic", t.Name),
					zap.Int("partitions", len(found.Partitions)), zap.Int("configured", c.Partitions))
			}
			continue
		case found.Err != nil && !errors.Is(found.Err, kerr.UnknownTopicOrPartition):
			return domain.Unavailable("Kafka", fmt.Errorf("look at topic %s: %w", t.Name, found.Err))
		}
		_, err := admin.CreateTopic(ctx, orDefault(c.Partitions), int16(orDefault(c.Replication)), t.configs(), t.Name) //nolint:gosec // configuration bounds it
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {                                                     // another replica created it first
			return domain.Unavailable("Kafka", fmt.Errorf("create topic %s: %w", t.Name, err))
		}
	}
	return nil
}

// orDefault turns 0 into what Kafka reads as "the broker's default".
func orDefault(n int) int32 {
	if n <= 0 {
		return -1
	}
	return int32(n) //nolint:gosec // partitions and replicas are small
}
