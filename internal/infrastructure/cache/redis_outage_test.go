package cache

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/domain/domaintest"
)

// proxy sits between a store and its Redis and can simulate outages.
type proxy struct {
	listener net.Listener
	to       string
	url      string

	mu    sync.Mutex
	conns map[net.Conn]bool
	down  bool          // connections are closed at once
	held  chan struct{} // not nil: nothing passes until it is closed
	wg    sync.WaitGroup
}

func newProxy(t *testing.T, target string) *proxy {
	u, err := url.Parse(target)
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{listener: l, to: u.Host, conns: map[net.Conn]bool{}}
	u.Host = l.Addr().String()
	p.url = u.String()
	p.wg.Go(p.serve)
	t.Cleanup(func() {
		_ = l.Close()
		p.hold(false)
		p.takeAway(true)
		p.wg.Wait()
	})
	return p
}

func (p *proxy) serve() {
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		down := p.down
		p.mu.Unlock()
		out, err := net.Dial("tcp", p.to)
		if err != nil || down {
			_ = in.Close()
			if err == nil {
				_ = out.Close()
			}
			continue
		}
		p.mu.Lock()
		p.conns[in], p.conns[out] = true, true
		p.mu.Unlock()
		p.wg.Go(func() { p.copy(in, out) })
		p.wg.Go(func() { p.copy(out, in) })
	}
}

func (p *proxy) copy(to, from net.Conn) {
	defer func() {
		_ = to.Close()
		_ = from.Close()
		p.mu.Lock()
		delete(p.conns, to)
		p.mu.Unlock()
	}()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		held := p.held
		p.mu.Unlock()
		if held != nil {
			<-held
		}
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}

// takeAway breaks all connections and rejects new ones, or accepts them again.
func (p *proxy) takeAway(away bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = away
	for c := range p.conns {
		_ = c.Close()
	}
}

// hold stalls all traffic, like a suspended server.
func (p *proxy) hold(held bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case held && p.held == nil:
		p.held = make(chan struct{})
	case !held && p.held != nil:
		close(p.held)
		p.held = nil
	}
}

const soon = 10 * time.Second

func TestRedisAwayFromTheStart(t *testing.T) {
	p := newProxy(t, redisURL(t))
	p.takeAway(true)
	r, logs := open(t, p.url, newPrefix(t, redisURL(t)))
	o := liveOrder(t, domain.NewID(), 1)
	now := domain.Timestamp(time.Now())
	fix := domain.Fix{CourierID: domain.NewID(), Position: domain.Position{Lat: 1, Lon: 2, RecordedAt: now, ReceivedAt: now}}
	start := time.Now()
	for range 100 {
		require.Equal(t, domain.CodeUnavailable, domain.CodeOf(r.CacheOrder(t.Context(), o)))
		_, err := r.CachedOrder(t.Context(), o.ID)
		require.Equal(t, domain.CodeUnavailable, domain.CodeOf(err))
		r.Publish("fleet", []byte("lost"))
	}
	newer, err := r.PutFixes(t.Context(), []domain.Fix{fix, fix})
	require.NoError(t, err)
	require.Equal(t, []bool{true, false}, newer)
	position, err := r.Position(t.Context(), fix.CourierID)
	require.NoError(t, err)
	require.Equal(t, fix.Position, *position)
	near, err := r.Nearest(t.Context(), domain.Point{}, time.Time{}, 5)
	require.NoError(t, err)
	require.Len(t, near, 1)
	all, err := r.Fixes(t.Context(), time.Time{})
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Less(t, time.Since(start), 5*time.Second, "nobody waits")
	require.Equal(t, 1, logs.Len(), "one line")

	p.takeAway(false)
	require.Eventually(t, func() bool { return r.CacheOrder(t.Context(), o) == nil }, soon, 20*time.Millisecond)
	require.Eventually(t, func() bool {
		other, _ := open(t, redisURL(t), r.prefix)
		position, err := other.Position(t.Context(), fix.CourierID)
		return err == nil && position != nil
	}, soon, 50*time.Millisecond, "what was kept here is there for others now")
	require.Equal(t, 2, logs.Len(), "and one when it is back")
}

// A replica that could not write to Redis makes sure that others don't read the old version.
func TestRedisOutageLeavesNothingOld(t *testing.T) {
	url := redisURL(t)
	p := newProxy(t, url)
	prefix := newPrefix(t, url)
	cut, _ := open(t, p.url, prefix)
	other, _ := open(t, url, prefix)
	v1, v2 := liveOrder(t, domain.NewID(), 1), (*domain.Order)(nil)
	v2 = liveOrder(t, v1.ID, 2)
	require.NoError(t, cut.CacheOrder(t.Context(), v1))
	p.takeAway(true)
	require.Error(t, cut.CacheOrder(t.Context(), v2))
	p.takeAway(false)
	back := false
	require.Eventually(t, func() bool {
		if o, err := cut.CachedOrder(t.Context(), v1.ID); err == nil && o != nil {
			require.Equal(t, int64(2), o.Version, "never the old one here")
		}
		o, err := other.CachedOrder(t.Context(), v1.ID)
		require.NoError(t, err)
		back = back || o == nil
		return back
	}, soon, 10*time.Millisecond)
	o, err := other.CachedOrder(t.Context(), v1.ID)
	require.NoError(t, err)
	require.Nil(t, o)
}

// A server that accepts connections but never answers delays one call by a second; later
// calls fail immediately.
func TestRedisThatHangs(t *testing.T) {
	url := redisURL(t)
	p := newProxy(t, url)
	r, logs := open(t, p.url, newPrefix(t, url))
	o := liveOrder(t, domain.NewID(), 1)
	require.NoError(t, r.CacheOrder(t.Context(), o))
	p.hold(true)
	start := time.Now()
	require.Error(t, r.CacheOrder(t.Context(), o))
	require.Less(t, time.Since(start), 20*opTimeout)
	start = time.Now()
	for range 100 {
		_, err := r.CachedOrder(t.Context(), o.ID)
		require.Error(t, err)
	}
	require.Less(t, time.Since(start), 20*opTimeout, "a hundred calls")
	p.hold(false)
	require.Eventually(t, func() bool { return r.CacheOrder(t.Context(), o) == nil }, soon, 20*time.Millisecond)
	require.Equal(t, 2, logs.Len())
}

// A cancelled call is not an outage.
func TestImpatientCaller(t *testing.T) {
	url := redisURL(t)
	p := newProxy(t, url)
	r, logs := open(t, p.url, newPrefix(t, url))
	p.hold(true)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := r.CachedOrder(ctx, domain.NewID())
	p.hold(false)
	require.Error(t, err)
	require.Empty(t, logs.All())
	_, err = r.CachedOrder(t.Context(), domain.NewID())
	require.NoError(t, err)
}

func TestWakeupsComeBack(t *testing.T) {
	url := redisURL(t)
	p := newProxy(t, url)
	prefix := newPrefix(t, url)
	a, _ := open(t, p.url, prefix)
	b, _ := open(t, url, prefix)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	heard := make(chan string, 10_000)
	wg.Go(func() {
		_ = a.Receive(ctx, func(topic string, message []byte) { heard <- topic + " " + string(message) })
	})
	hears := func(topic, message string) {
		t.Helper()
		require.Eventually(t, func() bool {
			b.Publish(topic, []byte(message))
			for {
				select {
				case m := <-heard:
					if m == topic+" "+message {
						return true
					}
				default:
					return false
				}
			}
		}, soon, 10*time.Millisecond)
	}
	a.Watch("order:1")
	hears("order:1", "before")
	p.takeAway(true)
	a.Watch("order:2")
	a.Unwatch("order:1")
	p.takeAway(false)
	hears("order:2", "after")
	p.hold(true)
	a.Watch("order:3")
	time.AfterFunc(3*opTimeout, func() { p.hold(false) })
	hears("order:3", "later")
	hears("order:2", "still")
}

// server is a Redis started by the test.
type server struct {
	cmd  *exec.Cmd
	addr string
	args []string
}

// startServer starts a Redis with its data in dir, or skips the test.
func startServer(t *testing.T, dir string, args ...string) *server {
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("put redis-server (7 or later) on the PATH to run this")
	}
	port := freePort(t)
	s := &server{addr: fmt.Sprintf("127.0.0.1:%d", port), args: append([]string{
		"--port", fmt.Sprint(port), "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--loglevel", "warning",
	}, args...)}
	s.start(t)
	t.Cleanup(s.kill)
	return s
}

func freePort(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

func (s *server) start(t *testing.T) {
	s.cmd = exec.Command("redis-server", s.args...) //nolint:gosec // the test's own arguments
	require.NoError(t, s.cmd.Start())
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			return false
		}
		defer func() { _ = c.Close() }()
		_, _ = io.WriteString(c, "PING\r\n")
		pong := make([]byte, 5)
		_, err = io.ReadFull(c, pong)
		return err == nil && string(pong) == "+PONG"
	}, soon, 20*time.Millisecond)
}

// kill is kill -9.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

func (s *server) do(t *testing.T, words ...string) string {
	c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{s.addr}, ForceSingleClient: true})
	require.NoError(t, err)
	defer c.Close()
	answer, err := c.Do(t.Context(), c.B().Arbitrary(words...).Build()).ToAny()
	require.NoError(t, err)
	return fmt.Sprint(answer)
}

// A killed server restarts with older data from its disk.
func TestRestartedRedisIsNotBelieved(t *testing.T) {
	s := startServer(t, t.TempDir())
	url := "redis://" + s.addr
	r, logs := open(t, url, "ot")
	v1 := liveOrder(t, domain.NewID(), 1)
	v2 := liveOrder(t, v1.ID, 2)
	place := func(at time.Time) domain.Fix {
		return domain.Fix{CourierID: "c", Position: domain.Position{Lat: 1, Lon: 2, RecordedAt: at}}
	}
	now := domain.Timestamp(time.Now())
	require.NoError(t, r.CacheOrder(t.Context(), v1))
	_, err := r.PutFixes(t.Context(), []domain.Fix{place(now)})
	require.NoError(t, err)
	s.do(t, "SAVE")
	require.NoError(t, r.CacheOrder(t.Context(), v2))
	_, err = r.PutFixes(t.Context(), []domain.Fix{place(now.Add(time.Second))})
	require.NoError(t, err)
	s.kill()
	s.start(t)
	require.Contains(t, s.do(t, "KEYS", "*"), v1.ID, "the old one is there")

	stranger, _ := open(t, url, "ot") // has only what is in Redis
	o, err := stranger.CachedOrder(t.Context(), v1.ID)
	require.NoError(t, err)
	require.Nil(t, o)
	require.Eventually(t, func() bool {
		o, err := r.CachedOrder(t.Context(), v1.ID)
		if err == nil && o != nil {
			require.Equal(t, int64(2), o.Version)
		}
		return err == nil
	}, soon, 10*time.Millisecond)
	require.Eventually(t, func() bool {
		p, err := stranger.Position(t.Context(), "c")
		return err == nil && p != nil && p.RecordedAt.Equal(now.Add(time.Second))
	}, soon, 20*time.Millisecond, "the replica gives it the newer position again")
	require.NoError(t, r.CacheOrder(t.Context(), v2))
	require.Eventually(t, func() bool {
		o, err := stranger.CachedOrder(t.Context(), v1.ID)
		return err == nil && o != nil && o.Version == 2
	}, soon, 10*time.Millisecond)
	require.LessOrEqual(t, logs.Len(), 2)
}

// TestRedisCluster runs the suites over three nodes.
func TestRedisCluster(t *testing.T) {
	const nodes = 3
	servers := make([]*server, nodes)
	hosts := make([]string, nodes)
	for i := range servers {
		servers[i] = startServer(t, t.TempDir(), "--cluster-enabled", "yes", "--cluster-port", fmt.Sprint(freePort(t)))
		hosts[i] = servers[i].addr
	}
	for i, s := range servers {
		s.do(t, "CLUSTER", "ADDSLOTSRANGE", fmt.Sprint(16384*i/nodes), fmt.Sprint(16384*(i+1)/nodes-1))
		host, port, _ := strings.Cut(s.addr, ":")
		for j, other := range servers {
			if i != j {
				other.do(t, "CLUSTER", "MEET", host, port, s.args[len(s.args)-1])
			}
		}
	}
	for _, s := range servers {
		require.Eventually(t, func() bool {
			return strings.Contains(s.do(t, "CLUSTER", "INFO"), "cluster_state:ok")
		}, 30*time.Second, 100*time.Millisecond)
	}
	url := "redis://" + strings.Join(hosts, ",")
	t.Run("live store", func(t *testing.T) {
		domaintest.Live(t, domaintest.LiveOptions{ToleranceM: 1.5}, func(t *testing.T) domain.LiveStore {
			r, _ := open(t, url, newPrefix(t, url))
			return r
		})
	})
	t.Run("wake-ups", func(t *testing.T) {
		domaintest.Wakeups(t, func(t *testing.T) (a, b domain.Wakeups) {
			prefix := newPrefix(t, url)
			one, _ := open(t, url, prefix)
			two, _ := open(t, url, prefix)
			return one, two
		})
	})
	t.Run("a node restarts", func(t *testing.T) {
		r, _ := open(t, url, newPrefix(t, url))
		orders := make([]*domain.Order, 100)
		for i := range orders {
			orders[i] = liveOrder(t, domain.NewID(), 1)
			require.NoError(t, r.CacheOrder(t.Context(), orders[i]))
		}
		servers[1].kill()
		servers[1].start(t)
		for _, o := range orders {
			next := liveOrder(t, o.ID, 2)
			require.Eventually(t, func() bool { return r.CacheOrder(t.Context(), next) == nil }, soon, 20*time.Millisecond)
		}
		stranger, _ := open(t, url, r.prefix)
		for _, o := range orders {
			got, err := stranger.CachedOrder(t.Context(), o.ID)
			require.NoError(t, err)
			if got != nil { // some were evicted
				require.Equal(t, int64(2), got.Version)
			}
		}
	})
}
