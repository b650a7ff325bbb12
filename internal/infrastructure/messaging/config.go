// Package messaging is the Kafka side of the product: a producer that implements domain.Bus, the consumer of
// order_status_updates, and the topics. The same code talks to Apache Kafka and to the embedded broker (package broker).
//
// Invariants
//
//   - Publish: consumers first see messages of one topic and key in the order of publication. A batch is sent only after
//     everything before it is acknowledged, and a partition has one batch in flight; so each batch continues the
//     acknowledged sequence without a gap, and whatever the network does with it (lost, late, duplicated) can only repeat
//     messages, never reorder them.
//   - Consume: an offset is committed only after its message and all before it in the partition were handled or acknowledged
//     in the dead-letter topic. So a crash repeats messages but loses none. Messages of one key are handled sequentially.
//
// Concurrency: Producer is safe for concurrent use; callers that need two Publish calls ordered make the second after the
// first returned. A Consumer runs up to 64 handlers concurrently, for different keys; the Kafka client's rebalance callbacks
// stop the handlers of revoked partitions and wait for them.
//
// Lifecycle: EnsureTopics, NewProducer, NewConsumer and its Run; then stop Run, close consumer and producer.
package messaging

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// ClientConfig configures the connection to the brokers and the topics created there.
type ClientConfig struct {
	// Brokers are the bootstrap addresses, host:port.
	Brokers []string
	// Partitions and Replication of created topics; 0 uses the brokers' default.
	Partitions  int
	Replication int
	// DeliveryTimeout limits the wait for a message's acknowledgement; 0 means 10 s.
	DeliveryTimeout time.Duration
	// Compression of published messages: gzip, snappy, lz4, zstd, or none (also "").
	Compression string
	Log         *zap.Logger
	TLS         TLS
	SASL        SASL
}

// TLS encrypts the connections to the brokers.
type TLS struct {
	Enabled bool
	// CAFile holds the trusted CA certificates, PEM; empty means the system's.
	CAFile string
	// CertFile and KeyFile identify this client, PEM; both or neither.
	CertFile, KeyFile string
	// ServerName is the expected name in the brokers' certificates if it differs from the host.
	ServerName string
}

// SASL authenticates this client to the brokers with a password.
type SASL struct {
	// Mechanism is PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; empty for none.
	Mechanism      string
	User, Password string
}

const (
	clientID     = "order-tracking"
	dialTimeout  = 5 * time.Second
	maxBackoff   = time.Second
	metadataFast = 250 * time.Millisecond // minimum age of metadata, for retries after an outage
	metadataSlow = 30 * time.Second       // maximum age of metadata otherwise
)

// client makes a client with the options shared by producer, consumer and administration,
// and more. It does not connect, so it fails only on a bad configuration.
func (c ClientConfig) client(more ...kgo.Opt) (*kgo.Client, error) {
	if len(c.Brokers) == 0 {
		return nil, errors.New("no Kafka broker is configured")
	}
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID(clientID),
		kgo.SoftwareNameAndVersion(clientID, "1"),
		kgo.DialTimeout(dialTimeout),
		kgo.MetadataMinAge(metadataFast),
		kgo.MetadataMaxAge(metadataSlow),
		kgo.RetryBackoffFn(backoff),
		kgo.DisableClientMetrics(),
		kgo.WithLogger(clientLog{c.log()}),
	}
	if c.TLS.Enabled {
		dial, err := c.TLS.dialer(c.log())
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.Dialer(dial))
	}
	if c.SASL.Mechanism != "" {
		m, err := c.SASL.mechanism()
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.SASL(m))
	}
	client, err := kgo.NewClient(append(opts, more...)...)
	if err != nil {
		return nil, fmt.Errorf("set up the Kafka client: %w", err)
	}
	return client, nil
}

func (c ClientConfig) log() *zap.Logger {
	if c.Log == nil {
		return zap.NewNop()
	}
	return c.Log
}

// backoff is the pause before the given attempt, doubling from 50 ms to a second.
func backoff(try int) time.Duration { return min(50*time.Millisecond<<min(try, 10), maxBackoff) }

// dialer reads the certificate files on each connection, so that renewed certificates need
// no restart; if they can't be read, it uses the last ones that could.
func (t TLS) dialer(log *zap.Logger) (func(ctx context.Context, network, host string) (net.Conn, error), error) {
	first, err := t.config()
	if err != nil {
		return nil, err
	}
	var last atomic.Pointer[tls.Config]
	last.Store(first)
	return func(ctx context.Context, network, host string) (net.Conn, error) {
		if now, err := t.config(); err == nil {
			last.Store(now)
		} else {
			log.Warn("the Kafka TLS files can't be read; using the ones read before", zap.Error(err))
		}
		d := tls.Dialer{NetDialer: &net.Dialer{Timeout: dialTimeout}, Config: last.Load()}
		return d.DialContext(ctx, network, host)
	}, nil
}

func (t TLS) config() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read the Kafka CA file: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("the Kafka CA file %s holds no certificate", t.CAFile)
		}
	}
	if t.CertFile != "" || t.KeyFile != "" {
		cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("load the Kafka client certificate: %w", err)
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	return cfg, nil
}

func (s SASL) mechanism() (sasl.Mechanism, error) {
	switch s.Mechanism {
	case "PLAIN":
		return plain.Auth{User: s.User, Pass: s.Password}.AsMechanism(), nil
	case "SCRAM-SHA-256":
		return scram.Auth{User: s.User, Pass: s.Password}.AsSha256Mechanism(), nil
	case "SCRAM-SHA-512":
		return scram.Auth{User: s.User, Pass: s.Password}.AsSha512Mechanism(), nil
	}
	return nil, fmt.Errorf("unknown SASL mechanism %q; known are PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512", s.Mechanism)
}

// clientLog forwards the Kafka client's log to zap. Callers log an outage once, so the
// client's retries and everything else except errors go to debug.
type clientLog struct{ log *zap.Logger }

// Level implements kgo.Logger.
func (l clientLog) Level() kgo.LogLevel {
	if l.log.Core().Enabled(zap.DebugLevel) {
		return kgo.LogLevelInfo
	}
	return kgo.LogLevelError
}

// Log implements kgo.Logger.
func (l clientLog) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	if level == kgo.LogLevelError {
		l.log.Sugar().Warnw("kafka client: "+msg, keyvals...)
		return
	}
	l.log.Sugar().Debugw("kafka client: "+msg, keyvals...)
}

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
