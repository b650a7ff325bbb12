// Package broker is an embedded Kafka broker, used if none is configured: kfake behind a frame filter, with its log on disk.
//
// Invariants: only complete, size-limited, parseable frames of supported requests reach the broker. Acknowledged messages
// are in a file and survive kill -9. Disk and memory are bounded by retention per partition, applied every second. Any other
// possible loss of messages (unreadable files, a new directory, the machine going down) is recorded on disk until they were
// published again.
//
// Concurrency: a Broker owns one goroutine for retention, two per connection, and those
// of kfake. Lifecycle: Start, then Close, after the clients.
package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/infrastructure/messaging"
)

const (
	clusterID = "order-tracking"
	// retentionEvery is how often retention is applied.
	retentionEvery = time.Second
)

// Config configures the embedded broker.
type Config struct {
	// Listen is host:port. Port 0 takes a free one.
	Listen string
	// PortFixed makes a busy port an error; otherwise a free one is used instead.
	PortFixed bool
	// Dir is where the log is kept; only one process may use it at a time.
	Dir string
	// Partitions of created topics.
	Partitions int
	Log        *zap.Logger
}

// Broker is an embedded Kafka broker; see the package's invariants.
type Broker struct {
	cluster  *kfake.Cluster
	listener *filter
	log      *zap.Logger
	dir      dataDir
	lost     bool
	close    func() error
}

// Start starts the broker on the data in its directory. Data that can't be loaded is renamed and the broker starts empty;
// see SetAside. It fails if another process uses the directory, the directory can't be written, or the fixed port is busy.
func Start(ctx context.Context, c Config) (*Broker, error) {
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	lock, err := lockDir(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("embedded Kafka broker: %w", err)
	}
	b := &Broker{log: c.Log, dir: dataDir{root: c.Dir}}
	if err := b.start(ctx, c); err != nil {
		return nil, fmt.Errorf("embedded Kafka broker: %w", errors.Join(err, lock.Unlock()))
	}
	background, stop := context.WithCancel(context.Background())
	var retaining sync.WaitGroup
	retaining.Go(func() { b.retain(background) })
	b.close = sync.OnceValue(func() error {
		stop()
		retaining.Wait()
		b.cluster.Close()
		return errors.Join(b.dir.remove(runningFile), lock.Unlock())
	})
	return b, nil
}

func (b *Broker) start(ctx context.Context, c Config) error {
	inner, err := listen(ctx, c)
	if err != nil {
		return err
	}
	lostPower, err := b.dir.begin()
	if err != nil {
		return errors.Join(err, inner.Close())
	}
	b.lost = lostPower || b.dir.has(incompleteFile) || !b.dir.has(logDir)
	if err := b.load(ctx, inner); err != nil {
		return err
	}
	if err := b.prepare(c.Partitions); err != nil {
		b.cluster.Close()
		return err
	}
	b.cluster.ApplyRetention()
	debug.FreeOSMemory() // loading reads every segment; the process may then idle for days
	b.listener.open()
	return nil
}

// load starts the broker on the data or, if that fails, on an empty directory.
func (b *Broker) load(ctx context.Context, inner net.Listener) error {
	b.listener = newFilter(inner, b.log)
	why := errUnloadable
	if b.dir.attempts() < maxAttempts {
		if b.cluster, why = b.dir.load(b.listener, b.log); why == nil {
			return nil
		}
	}
	// A directory that can't be written is not damaged data: the operator has to fix it.
	if err := b.dir.writable(); err != nil {
		return errors.Join(err, quiet(b.listener.Close()))
	}
	// The broker closes the listener when it fails.
	if err := quiet(b.listener.Close()); err != nil {
		return err
	}
	if err := b.dir.setAside(why, b.log); err != nil {
		return err
	}
	b.lost = true
	again, err := (&net.ListenConfig{}).Listen(ctx, "tcp", inner.Addr().String())
	if err != nil {
		return err
	}
	b.listener = newFilter(again, b.log)
	if b.cluster, err = b.dir.load(b.listener, b.log); err != nil {
		return fmt.Errorf("start on an empty directory: %w", err)
	}
	return nil
}

// quiet drops the error of closing something that is already closed.
func quiet(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// prepare creates the topics and records missing data before connections are accepted.
func (b *Broker) prepare(partitions int) error {
	for _, t := range messaging.Topics() {
		if b.cluster.TopicInfo(t.Name) != nil {
			continue
		}
		if err := b.cluster.CreateTopic(t.Name, int32(max(partitions, 1)), topicConfigs(t)); err != nil { //nolint:gosec // configuration bounds it
			return fmt.Errorf("create topic %s: %w", t.Name, err)
		}
	}
	b.cluster.ControlKey(kmsg.ApiVersions.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) { //nolint:revive // the order is kfake's
		b.cluster.KeepControl()
		return apiVersions(req.(*kmsg.ApiVersionsRequest)), nil, true //nolint:forcetypeassert // registered for this key
	})
	if b.lost = b.lost || b.dir.damaged.Load(); b.lost {
		return b.dir.write(incompleteFile, "")
	}
	return nil
}

// topicConfigs sets retention by bytes: 8 MiB of positions and 32 MiB of events per partition. There is no retention by
// time: an emptied partition would lose its offsets in a crash.
func topicConfigs(t messaging.Topic) map[string]string {
	retained := 32 * messaging.MiB
	if t.Name == domain.TopicCourierLocation {
		retained = 8 * messaging.MiB
	}
	return map[string]string{
		"max.message.bytes": strconv.Itoa(t.MaxMessage),
		"segment.bytes":     strconv.Itoa(messaging.MiB),
		"retention.bytes":   strconv.Itoa(retained),
		"retention.ms":      "-1",
	}
}

// listen binds the configured port or, if it is busy and not fixed, a free one.
func listen(ctx context.Context, c Config) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	switch {
	case err == nil:
		return l, nil
	case portTaken(err) && c.PortFixed:
		return nil, fmt.Errorf("the address %s is taken by another program: "+
			"stop that one, choose another kafka.listen (KAFKA_LISTEN), or leave it unset to take a free port: %w", c.Listen, err)
	case portTaken(err):
		host, _, _ := net.SplitHostPort(c.Listen) //nolint:errcheck // it was parsed by Listen
		if l, free := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(host, "0")); free == nil {
			c.Log.Warn("the Kafka port is taken by another program; a free one is used instead",
				zap.String("taken", c.Listen), zap.String("used", l.Addr().String()))
			return l, nil
		}
	}
	return nil, fmt.Errorf("can't listen on %s: %w", c.Listen, err)
}

// retain applies retention every second, so that a partition exceeds its size by at most a second's worth of messages.
func (b *Broker) retain(ctx context.Context) {
	background.Loop(ctx, nil, retentionEvery, func() time.Duration {
		b.cluster.ApplyRetention()
		return retentionEvery
	})
}

// Addr is the host:port that clients on this machine connect to.
func (b *Broker) Addr() string {
	if a, ok := b.listener.Addr().(*net.TCPAddr); ok && b.listener.anywhere {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(a.Port))
	}
	return b.listener.Addr().String()
}

// SetAside reports whether messages may be missing, so that all events have to be published again: the directory is new; the
// data could not be loaded and was renamed, so the topics started empty; an unreadable part was cut off; or the machine went
// down while the broker ran (detected on Linux). It stays true at every start until Restored.
func (b *Broker) SetAside() bool { return b.lost }

// Restored records that all possibly missing messages are certain to be published again.
func (b *Broker) Restored() error { return b.dir.remove(incompleteFile) }

// Close closes the connections, writes state that speeds up the next start, and unlocks the directory.
func (b *Broker) Close() error { return b.close() }

// truncating is the broker's log message when it cuts off the rest of a segment.
const truncating = "partition %s-%d segment %d: truncating %d corrupt bytes"

// brokerLog forwards the broker's warnings to zap and truncations to cutOff.
type brokerLog struct {
	log    *zap.Logger
	cutOff func(topic string, partition int32, base int64, n int)
}

// Logf implements kfake.Logger.
func (l brokerLog) Logf(level kfake.LogLevel, format string, args ...any) {
	if level > kfake.LogLevelWarn || level == kfake.LogLevelNone {
		return // request logs are not needed
	}
	l.log.Warn("embedded Kafka broker: " + strings.TrimSpace(fmt.Sprintf(format, args...)))
	if format == truncating && len(args) == 4 {
		topic, _ := args[0].(string)
		partition, _ := args[1].(int32)
		base, _ := args[2].(int64)
		n, _ := args[3].(int)
		l.cutOff(topic, partition, base, n)
	}
}
