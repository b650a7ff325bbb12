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
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
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
	lock     *flock.Flock
	log      *zap.Logger
	dir      dataDir
	lost     bool
	done     chan struct{}
	loops    sync.WaitGroup
	closing  sync.Once
	closeErr error
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
		return nil, err
	}
	e := &Embedded{lock: lock, log: c.Log, done: make(chan struct{})}
	if err := e.start(ctx, c); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return e, nil
}

func (e *Embedded) start(ctx context.Context, c EmbeddedConfig) error {
	inner, err := listen(ctx, c)
	if err != nil {
		return err
	}
	e.dir = dataDir{path: c.Dir, log: c.Log, damaged: new(atomic.Bool)}
	lostPower, err := e.dir.begin()
	if err != nil {
		return errors.Join(err, inner.Close())
	}
	e.lost = lostPower || e.dir.has(incompleteFile) || !e.dir.has(brokerSubdir)
	if err := e.load(ctx, inner); err != nil {
		return err
	}
	if err := e.createTopics(c.Partitions); err != nil {
		e.cluster.Close()
		return err
	}
	if e.lost = e.lost || e.dir.damaged.Load(); e.lost {
		if err := e.dir.markIncomplete(); err != nil {
			e.cluster.Close()
			return err
		}
	}
	e.cluster.ControlKey(keyAPIVersions, func(req kmsg.Request) (kmsg.Response, error, bool) { //nolint:revive // the order is kfake's
		e.cluster.KeepControl()
		return apiVersions(req.(*kmsg.ApiVersionsRequest)), nil, true //nolint:forcetypeassert // registered for this key
	})
	e.cluster.ApplyRetention()
	debug.FreeOSMemory() // loading reads every segment; the process may idle for days after it
	e.listener.open()
	e.loops.Go(e.retain)
	return nil
}

// load starts the broker on the data or, when that fails, on an empty directory.
func (e *Embedded) load(ctx context.Context, inner net.Listener) error {
	why := errUnloadable
	if !e.dir.tooManyAttempts() {
		e.listener = newGuard(inner, e.log)
		if e.cluster, why = e.dir.load(e.listener); why == nil {
			return nil
		}
	}
	// The broker closes the listener when it fails.
	if err := inner.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	if err := e.dir.setAside(why); err != nil {
		return err
	}
	e.lost = true
	again, err := (&net.ListenConfig{}).Listen(ctx, "tcp", inner.Addr().String())
	if err != nil {
		return fmt.Errorf("embedded Kafka broker: %w", err)
	}
	e.listener = newGuard(again, e.log)
	if e.cluster, err = e.dir.load(e.listener); err != nil {
		return fmt.Errorf("embedded Kafka broker: start on an empty directory: %w", err)
	}
	return nil
}

// listen takes the configured port or, when nobody insists on it, a free one.
func listen(ctx context.Context, c EmbeddedConfig) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err == nil {
		return l, nil
	}
	if c.PortFixed || !portTaken(err) {
		if portTaken(err) {
			return nil, fmt.Errorf("embedded Kafka broker: the address %s is taken by another program: "+
				"stop that one, choose another kafka.listen (KAFKA_LISTEN), or leave it unset to take a free port: %w", c.Listen, err)
		}
		return nil, fmt.Errorf("embedded Kafka broker: can't listen on %s: %w", c.Listen, err)
	}
	host, _, _ := net.SplitHostPort(c.Listen) //nolint:errcheck // it was parsed by Listen
	l, free := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
	if free != nil {
		return nil, fmt.Errorf("embedded Kafka broker: can't listen on %s: %w", c.Listen, err)
	}
	c.Log.Warn("the Kafka port is taken by another program; a free one is used instead",
		zap.String("taken", c.Listen), zap.String("used", l.Addr().String()))
	return l, nil
}

func (e *Embedded) createTopics(partitions int) error {
	if partitions <= 0 {
		partitions = 1
	}
	for _, t := range topics() {
		if have := e.cluster.TopicInfo(t.name); have != nil {
			continue
		}
		if err := e.cluster.CreateTopic(t.name, int32(partitions), t.embeddedConfigs()); err != nil { //nolint:gosec // configuration bounds it
			return fmt.Errorf("embedded Kafka broker: create topic %s: %w", t.name, err)
		}
	}
	return nil
}

// retain cuts the partitions to their size, so that a restart or a burst never has
// more than a second's worth above it.
func (e *Embedded) retain() {
	ticker := time.NewTicker(retentionEvery)
	defer ticker.Stop()
	for {
		select {
		case <-e.done:
			return
		case <-ticker.C:
			e.cluster.ApplyRetention()
		}
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
func (e *Embedded) Restored() error { return e.dir.markComplete() }

// Close ends the connections, writes what speeds up the next start and frees the directory.
func (e *Embedded) Close() error {
	e.closing.Do(func() {
		close(e.done)
		e.loops.Wait()
		e.cluster.Close()
		e.listener.closeAll()
		e.closeErr = errors.Join(e.dir.end(), e.lock.Unlock())
	})
	return e.closeErr
}

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
