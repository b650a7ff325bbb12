package cache

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
)

const (
	opTimeout    = time.Second             // per call
	firstPause   = 50 * time.Millisecond   // before the first reconnect attempt; it grows
	refreshEvery = time.Second             // how often the servers' run ids are checked
	distrust     = 1500 * time.Millisecond // after an outage: by then others have deleted what they could not write
	clusterParts = 64                      // hash tags that orders are sharded over in a cluster
)

// RedisOptions configures a Redis.
type RedisOptions struct {
	// Prefix is the prefix of all keys and channels.
	Prefix string
	Log    *zap.Logger
}

// Redis is the live store of replicas that share a Redis or a Redis Cluster, and carries
// wake-ups between them. It is safe for concurrent use.
//
// The first failing call detects a Redis that does not answer; from then on calls fail immediately until a background
// goroutine has reconnected. Positions received by this replica are also kept in the process and served meanwhile.
type Redis struct {
	prefix string
	// replica identifies this process among those that share the Redis.
	replica string
	log     *zap.Logger
	option  rueidis.ClientOption

	memory *Memory // decoded orders, and positions received by this replica

	dials   atomic.Uint64 // connections made; each may lead to a different server
	current atomic.Pointer[session]
	renewed atomic.Pointer[chan struct{}] // closed when the session is renewed or lost
	kick    chan struct{}                 // requests a renewal of the session now
	client  rueidis.Client                // owned by the renewing goroutine
	seeded  string                        // the run id of the server that has memory's positions

	mu     sync.Mutex
	missed map[string]time.Time // orders whose newest version could not be written, with the time
	outage background.Outage

	wakeups wakeups
	cancel  context.CancelFunc
	wg      sync.WaitGroup
}

// session is the known state of the servers while the connections stay unchanged.
type session struct {
	client rueidis.Client
	dials  uint64
	// runs is the run id of the server behind each hash tag. Order keys carry it, so that
	// orders loaded from disk by a restarted server are ignored.
	runs []string
	// readable is when orders may be read again after an outage.
	readable time.Time
}

var errAway = domain.Unavailable("redis", errors.New("it did not answer lately"))

// NewRedis connects to redis://[user:password@]host:port[/db], several nodes separated by commas or by addr parameters;
// rediss:// is TLS. It fails only on a wrong URL; if Redis does not answer, it keeps connecting in the background.
func NewRedis(ctx context.Context, url string, o RedisOptions) (*Redis, error) {
	option, err := parseRedisURL(url)
	if err != nil {
		return nil, err
	}
	r := &Redis{
		prefix: o.Prefix, replica: domain.NewID(), log: o.Log, option: option, memory: NewMemory(MemoryOptions{}),
		kick: make(chan struct{}, 1), missed: map[string]time.Time{}, outage: background.Outage{
			Log: o.Log, Lost: "Redis does not answer; orders are read from the database until it does", Back: "Redis answers again",
		},
	}
	r.option.DialCtxFn = r.dial
	r.signalRenewed()
	r.wakeups = wakeups{
		redis: r, client: make(chan rueidis.Client, 1), watched: map[string]bool{}, out: make(chan wakeup, maxUnsent),
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r.cancel = cancel
	err = r.renew(ctx)
	r.outage.Note(err)
	r.wg.Go(func() { r.keep(life, err) })
	r.wg.Go(func() { r.wakeups.send(life) })
	return r, nil
}

// Ping fails unless the servers answer.
func (r *Redis) Ping(ctx context.Context) error {
	_, err := r.session(ctx)
	return err
}

// Close closes the connections.
func (r *Redis) Close() error {
	r.cancel()
	r.wg.Wait()
	r.current.Store(nil)
	r.signalRenewed()
	if r.client != nil {
		r.client.Close()
	}
	return nil
}

// parseRedisURL accepts the URLs of rueidis, plus several hosts separated by commas.
func parseRedisURL(s string) (rueidis.ClientOption, error) {
	scheme, rest, _ := strings.Cut(s, "://")
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	start := strings.LastIndex(rest[:end], "@") + 1
	hosts := strings.Split(rest[start:end], ",")
	option, err := rueidis.ParseURL(scheme + "://" + rest[:start] + hosts[0] + rest[end:])
	if err != nil {
		return option, errors.New("is not a valid Redis URL, such as redis://localhost:6379") // rueidis's error repeats the password
	}
	for _, more := range hosts[1:] {
		if strings.LastIndexByte(more, ':') <= strings.LastIndexByte(more, ']') {
			more += ":6379"
		}
		option.InitAddress = append(option.InitAddress, more)
	}
	option.Dialer.Timeout = opTimeout
	option.ConnWriteTimeout = opTimeout
	option.DisableRetry = true     // callers fall back to the database
	option.AlwaysPipelining = true // otherwise a caller that gives up breaks the shared connection
	option.ReadBufferEachConn, option.WriteBufferEachConn = 64<<10, 64<<10
	option.CacheSizeEachConn = 32 << 20
	option.PipelineMultiplex = 1
	return option, nil
}

// dial counts connections: a new one may lead to a restarted server.
func (r *Redis) dial(ctx context.Context, addr string, dialer *net.Dialer, cfg *tls.Config) (net.Conn, error) {
	r.dials.Add(1)
	if cfg != nil {
		return (&tls.Dialer{NetDialer: dialer, Config: cfg}).DialContext(ctx, "tcp", addr)
	}
	return dialer.DialContext(ctx, "tcp", addr)
}

// session returns the session, or unavailable while there is none. After a new connection
// it waits until the server is identified.
func (r *Redis) session(ctx context.Context) (*session, error) {
	for {
		renewed := *r.renewed.Load()
		s := r.current.Load()
		if s == nil {
			return nil, errAway
		}
		if s.dials == r.dials.Load() {
			return s, nil
		}
		background.Wake(r.kick)
		select {
		case <-renewed:
		case <-ctx.Done():
			return nil, domain.Unavailable("redis", ctx.Err())
		}
	}
}

// still reports whether the server that answered a call about the order is the one known to the session when the call began.
func (r *Redis) still(ctx context.Context, s *session, id string) bool {
	if s.dials == r.dials.Load() {
		return true
	}
	now, err := r.session(ctx)
	return err == nil && len(now.runs) == len(s.runs) && now.runs[part(id, len(now.runs))] == s.runs[part(id, len(s.runs))]
}

// signalRenewed wakes callers that wait for the session.
func (r *Redis) signalRenewed() {
	next := make(chan struct{})
	if old := r.renewed.Swap(&next); old != nil {
		close(*old)
	}
}

var errSlow = errors.New("it did not answer in time")

// within sets a call's timeout, so that fail can tell it from the caller's own.
func within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, d, errSlow)
}

// fail handles a call's error: if the server does not answer, it ends the session.
func (r *Redis) fail(call context.Context, s *session, err error) error {
	_, answered := rueidis.IsRedisErr(err)
	if errors.Is(err, context.DeadlineExceeded) {
		<-call.Done() // rueidis has its own timer, which may fire slightly early
	}
	gaveUp := call.Err() != nil && !errors.Is(context.Cause(call), errSlow)
	if !answered && !gaveUp && r.current.CompareAndSwap(s, nil) {
		r.outage.Note(err)
		background.Wake(r.kick)
	}
	return domain.Unavailable("redis", err)
}

// keep renews the session every second and on request; while the server does not answer it backs off, up to a second.
func (r *Redis) keep(ctx context.Context, err error) {
	for pause := firstPause; ; {
		if err == nil {
			pause = firstPause
			select {
			case <-ctx.Done():
				return
			case <-r.kick:
			case <-time.After(refreshEvery):
			}
		} else {
			if !wait(ctx, pause) {
				return
			}
			pause = min(2*pause, refreshEvery)
		}
		if err = r.renew(ctx); ctx.Err() == nil {
			r.outage.Note(err)
		}
		r.signalRenewed()
	}
}

// wait pauses for about d; it returns false if the context ended first.
func wait(ctx context.Context, d time.Duration) bool {
	return background.Sleep(ctx, d/2+rand.N(d/2)) //nolint:gosec // jitter, not a secret
}

// renew queries the servers' run ids and creates a session.
func (r *Redis) renew(ctx context.Context) error {
	r.mu.Lock()
	maps.DeleteFunc(r.missed, func(_ string, at time.Time) bool { return time.Since(at) > missedFor })
	r.mu.Unlock()
	if r.client == nil {
		client, err := rueidis.NewClient(r.option)
		if err != nil {
			return err
		}
		r.client = client
		r.wakeups.client <- client
	}
	for range 5 { // the query itself may open connections
		s, err := r.ask(ctx)
		if err == nil {
			err = r.forgetMissed(ctx, s)
		}
		if err != nil {
			r.current.Store(nil)
			return err
		}
		if s.dials != r.dials.Load() {
			continue
		}
		old := r.current.Load()
		switch {
		case old != nil:
			s.readable = old.readable
		case r.seeded != "":
			s.readable = time.Now().Add(distrust)
		}
		r.current.Store(s)
		if err := r.seed(ctx, s); err != nil && r.current.Load() == nil {
			return err
		}
		return nil
	}
	return errors.New("its connections break again and again")
}

// ask queries the run id of the server behind each hash tag.
func (r *Redis) ask(ctx context.Context) (*session, error) {
	s := &session{client: r.client, dials: r.dials.Load(), runs: make([]string, 1)}
	if r.client.Mode() == rueidis.ClientModeCluster {
		s.runs = make([]string, clusterParts)
	}
	ctx, cancel := within(ctx, opTimeout)
	defer cancel()
	asks := make(rueidis.Commands, len(s.runs))
	for i := range asks {
		// A script is routed to its key's node; a plain INFO could go to any node.
		asks[i] = r.client.B().Eval().Script("return redis.call('INFO', 'server')").Numkeys(1).Key(r.tag(i)).Build()
	}
	for i, resp := range r.client.DoMulti(ctx, asks...) {
		info, err := resp.ToString()
		if err != nil {
			return nil, err
		}
		_, after, found := strings.Cut(info, "run_id:")
		run, _, _ := strings.Cut(after, "\r\n")
		if !found || run == "" {
			return nil, fmt.Errorf("no run id in %q", info)
		}
		s.runs[i] = run
	}
	return s, nil
}

// tag is the key prefix of a hash tag.
func (r *Redis) tag(part int) string { return r.prefix + ":{" + strconv.Itoa(part) + "}" }

// part maps an id to one of n hash tags.
func part(id string, n int) int {
	if n == 1 {
		return 0
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(id))
	return int(h.Sum32() % uint32(n)) //nolint:gosec // n is small and positive
}
