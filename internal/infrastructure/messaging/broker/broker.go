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

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/infrastructure/messaging"
)

const (
	clusterID = "order-tracking"
	// retentionEvery is how often the partitions are cut to their size.
	retentionEvery = time.Second
)

// Config sets up the broker in this process.
type Config struct {
	// Listen is host:port. Port 0 takes a free one.
	Listen string
	// PortFixed makes a taken port an error; otherwise a free one is taken instead.
	PortFixed bool
	// Dir is where the log is kept; only one process may use it at a time.
	Dir string
	// Partitions of a topic that has to be created.
	Partitions int
	Log        *zap.Logger
}

// Broker is a Kafka broker in this process; see the package's invariants.
type Broker struct {
	cluster  *kfake.Cluster
	listener *filter
	log      *zap.Logger
	dir      dataDir
	lost     bool
	close    func() error
}

// Start starts the broker on the data in its directory. Data that can't be
// loaded is renamed and the broker starts empty; see SetAside. It fails when another
// process uses the directory, when the directory can't be written and when the port is
// taken and fixed.
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
	debug.FreeOSMemory() // loading reads every segment; the process may idle for days after it
	b.listener.open()
	return nil
}

// load starts the broker on the data or, when that fails, on an empty directory.
func (b *Broker) load(ctx context.Context, inner net.Listener) error {
	b.listener = newFilter(inner, b.log)
	why := errUnloadable
	if b.dir.attempts() < maxAttempts {
		if b.cluster, why = b.dir.load(b.listener, b.log); why == nil {
			return nil
		}
	}
	// What the machine does not let be written is no damage: it waits for the operator.
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

// quiet is what closing something that may be closed already says.
func quiet(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// prepare makes the topics and notes what was found missing, before anybody comes in.
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

// topicConfigs bounds what stays of a topic by bytes: 8 MiB of positions and 32 MiB of
// events per partition. Time does not expire messages: an emptied partition would forget
// its offsets at a crash.
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

// listen takes the configured port or, when nobody insists on it, a free one.
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

// retain cuts the partitions to their size, so that a restart or a burst never has
// more than a second's worth above it.
func (b *Broker) retain(ctx context.Context) {
	tick := time.NewTicker(retentionEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			b.cluster.ApplyRetention()
		}
	}
}

// Addr is the host:port that clients on this machine connect to.
func (b *Broker) Addr() string {
	if a, ok := b.listener.Addr().(*net.TCPAddr); ok && b.listener.anywhere {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(a.Port))
	}
	return b.listener.Addr().String()
}

// SetAside reports that messages may be missing, so that what must be in the topics has
// to be published again: the directory is new; the data could not be loaded, was renamed
// and the topics started empty; a part was unreadable and cut off; or the machine went
// down while the broker ran (noticed on Linux). It does so at every start until Restored.
func (b *Broker) SetAside() bool { return b.lost }

// Restored says that everything that may be missing is certain to be published again.
func (b *Broker) Restored() error { return b.dir.remove(incompleteFile) }

// Close ends the connections, writes what speeds up the next start and frees the directory.
func (b *Broker) Close() error { return b.close() }

// truncating is how the broker says that it cuts off the rest of a segment.
const truncating = "partition %s-%d segment %d: truncating %d corrupt bytes"

// brokerLog passes the broker's complaints to zap, and what it cut off to cutOff.
type brokerLog struct {
	log    *zap.Logger
	cutOff func(topic string, partition int32, base int64, n int)
}

// Logf implements kfake.Logger.
func (l brokerLog) Logf(level kfake.LogLevel, format string, args ...any) {
	if level > kfake.LogLevelWarn || level == kfake.LogLevelNone {
		return // its requests are of no interest
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
