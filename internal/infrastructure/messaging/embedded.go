package messaging

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
)

const (
	clusterID = "order-tracking"
	// retentionEvery is how often the partitions are cut to their size.
	retentionEvery = time.Second
)

// EmbeddedConfig sets up the broker in this process.
type EmbeddedConfig struct {
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

// Embedded is a Kafka broker in this process; see the package's invariants.
type Embedded struct {
	cluster  *kfake.Cluster
	listener *guard
	log      *zap.Logger
	dir      dataDir
	lost     bool
	close    func() error
}

// StartEmbedded starts the broker on the data in its directory. Data that can't be
// loaded is renamed and the broker starts empty; see SetAside. It fails when another
// process uses the directory, when the directory can't be written and when the port is
// taken and fixed.
func StartEmbedded(ctx context.Context, c EmbeddedConfig) (*Embedded, error) {
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
	e := &Embedded{log: c.Log, dir: dataDir{root: c.Dir}}
	if err := e.start(ctx, c); err != nil {
		return nil, fmt.Errorf("embedded Kafka broker: %w", errors.Join(err, lock.Unlock()))
	}
	background, stop := context.WithCancel(context.Background())
	var retaining sync.WaitGroup
	retaining.Go(func() { e.retain(background) })
	e.close = sync.OnceValue(func() error {
		stop()
		retaining.Wait()
		e.cluster.Close()
		return errors.Join(e.dir.remove(runningFile), lock.Unlock())
	})
	return e, nil
}

func (e *Embedded) start(ctx context.Context, c EmbeddedConfig) error {
	inner, err := listen(ctx, c)
	if err != nil {
		return err
	}
	lostPower, err := e.dir.begin()
	if err != nil {
		return errors.Join(err, inner.Close())
	}
	e.lost = lostPower || e.dir.has(incompleteFile) || !e.dir.has(logDir)
	if err := e.load(ctx, inner); err != nil {
		return err
	}
	if err := e.prepare(c.Partitions); err != nil {
		e.cluster.Close()
		return err
	}
	e.cluster.ApplyRetention()
	debug.FreeOSMemory() // loading reads every segment; the process may idle for days after it
	e.listener.open()
	return nil
}

// load starts the broker on the data or, when that fails, on an empty directory.
func (e *Embedded) load(ctx context.Context, inner net.Listener) error {
	e.listener = newGuard(inner, e.log)
	why := errUnloadable
	if e.dir.attempts() < maxAttempts {
		if e.cluster, why = e.dir.load(e.listener, e.log); why == nil {
			return nil
		}
	}
	// The broker closes the listener when it fails.
	if err := e.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	if err := e.dir.setAside(why, e.log); err != nil {
		return err
	}
	e.lost = true
	again, err := (&net.ListenConfig{}).Listen(ctx, "tcp", inner.Addr().String())
	if err != nil {
		return err
	}
	e.listener = newGuard(again, e.log)
	if e.cluster, err = e.dir.load(e.listener, e.log); err != nil {
		return fmt.Errorf("start on an empty directory: %w", err)
	}
	return nil
}

// prepare makes the topics and notes what was found missing, before anybody comes in.
func (e *Embedded) prepare(partitions int) error {
	for _, t := range topics() {
		if e.cluster.TopicInfo(t.name) != nil {
			continue
		}
		if err := e.cluster.CreateTopic(t.name, int32(max(partitions, 1)), t.embeddedConfigs()); err != nil { //nolint:gosec // configuration bounds it
			return fmt.Errorf("create topic %s: %w", t.name, err)
		}
	}
	e.cluster.ControlKey(kmsg.ApiVersions.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) { //nolint:revive // the order is kfake's
		e.cluster.KeepControl()
		return apiVersions(req.(*kmsg.ApiVersionsRequest)), nil, true //nolint:forcetypeassert // registered for this key
	})
	if e.lost = e.lost || e.dir.damaged.Load(); e.lost {
		return e.dir.write(incompleteFile, "")
	}
	return nil
}

// listen takes the configured port or, when nobody insists on it, a free one.
func listen(ctx context.Context, c EmbeddedConfig) (net.Listener, error) {
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
func (e *Embedded) retain(ctx context.Context) {
	for wait(ctx, retentionEvery) {
		e.cluster.ApplyRetention()
	}
}

// Addr is the host:port that clients on this machine connect to.
func (e *Embedded) Addr() string {
	if a, ok := e.listener.Addr().(*net.TCPAddr); ok && e.listener.anywhere {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(a.Port))
	}
	return e.listener.Addr().String()
}

// SetAside reports that messages may be missing, so that what must be in the topics has
// to be published again: the directory is new; the data could not be loaded, was renamed
// and the topics started empty; a part was unreadable and cut off; or the machine went
// down while the broker ran (noticed on Linux). It does so at every start until Restored.
func (e *Embedded) SetAside() bool { return e.lost }

// Restored says that everything that may be missing is certain to be published again.
func (e *Embedded) Restored() error { return e.dir.remove(incompleteFile) }

// Close ends the connections, writes what speeds up the next start and frees the directory.
func (e *Embedded) Close() error { return e.close() }

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
