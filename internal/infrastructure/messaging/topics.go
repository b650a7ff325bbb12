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
	mib = 1 << 20
	// maxMessage is the largest message. The largest order the domain lets in, escaped
	// and inside its event, has about 1.3 MB, more than Kafka's default of 1 MB.
	maxMessage = 2 * mib
	// maxDead leaves room for the two headers of a dead letter.
	maxDead = maxMessage + 64*1024
)

// topic is one topic of the product. What stays in the embedded broker is bounded by
// bytes: 8 MiB of positions and 32 MiB of events per partition.
type topic struct {
	name       string
	embedded   int // retention.bytes per partition in the embedded broker
	maxMessage int
}

// topics lists every topic of the product.
func topics() []topic {
	return []topic{
		{domain.TopicOrderCreated, 32 * mib, maxMessage},
		{domain.TopicOrderUpdated, 32 * mib, maxMessage},
		{domain.TopicCourierLocation, 8 * mib, maxMessage},
		{domain.TopicStatusUpdates, 32 * mib, maxMessage},
		{domain.TopicStatusUpdatesFails, 32 * mib, maxDead},
	}
}

// configs are the topic's settings on real brokers, where the operator decides about retention.
func (t topic) configs() map[string]*string {
	size := strconv.Itoa(t.maxMessage)
	return map[string]*string{"max.message.bytes": &size}
}

// embeddedConfigs are the topic's settings in the embedded broker. Time does not
// expire messages: an emptied partition would forget its offsets at a crash.
func (t topic) embeddedConfigs() map[string]string {
	return map[string]string{
		"max.message.bytes": strconv.Itoa(t.maxMessage),
		"segment.bytes":     strconv.Itoa(mib),
		"retention.bytes":   strconv.Itoa(t.embedded),
		"retention.ms":      "-1",
	}
}

// EnsureTopics creates the topics that the brokers do not have. Existing ones are left
// as they are; that they have other partition counts than configured is logged.
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
	wanted := topics()
	names := make([]string, len(wanted))
	for i, t := range wanted {
		names[i] = t.name
	}
	existing, err := admin.ListTopics(ctx, names...)
	if err != nil {
		return domain.Unavailable("Kafka", fmt.Errorf("list topics: %w", err))
	}
	for _, t := range wanted {
		found := existing[t.name]
		switch {
		case found.Err == nil && len(found.Partitions) > 0:
			if c.Partitions > 0 && len(found.Partitions) != c.Partitions {
				c.log().Info("a topic has other partitions than configured and keeps them", zap.String("topic", t.name),
					zap.Int("partitions", len(found.Partitions)), zap.Int("configured", c.Partitions))
			}
			continue
		case found.Err != nil && !errors.Is(found.Err, kerr.UnknownTopicOrPartition):
			return domain.Unavailable("Kafka", fmt.Errorf("look at topic %s: %w", t.name, found.Err))
		}
		_, err := admin.CreateTopic(ctx, orDefault(c.Partitions), int16(orDefault(c.Replication)), t.configs(), t.name) //nolint:gosec // configuration bounds it
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {                                                     // another replica was faster
			return domain.Unavailable("Kafka", fmt.Errorf("create topic %s: %w", t.name, err))
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
