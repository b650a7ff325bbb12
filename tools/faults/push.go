//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/order-tracking/order-tracking/pkg/client"
)

// Constants of the push fault: every change of an order is a status frame to each watcher.
const (
	pushOrders   = 20
	pushChanges  = 500  // of each order, its end not counted
	pushWatchers = 25   // of each order
	pushStalled  = 10   // every so many-th watcher is behind a line that hangs
	pushDetail   = 1500 // characters of a change, so that a line that hangs is soon full
	pushQueue    = 16   // frames that wait for a slow reader, so that they overflow
)

// faultPush changes orders while replicas are killed and checks that every watcher gets
// every version once and in order, to the end.
func faultPush(ctx context.Context, c *cluster) error {
	if err := c.restart(ctx, fmt.Sprint("OT_LIVE__QUEUE=", pushQueue)); err != nil {
		return err
	}
	l, err := startLoad(ctx, c, 0, 0)
	if err != nil {
		return err
	}
	lines, err := hangingLines(c)
	if err != nil {
		return err
	}
	defer closeLines(lines)
	w, err := newWatchers(ctx, c, l, lines)
	if err != nil {
		return err
	}
	watching, stop := context.WithTimeout(ctx, c.long+3*time.Minute)
	defer stop()
	done := w.watch(watching)
	over := make(chan error, 1)
	go func() { over <- w.change(ctx, l, c.long) }()
	sleep(ctx, c.long/3) // only lines hang
	calmly, hanging := w.comebacks()
	kills, err := killUntil(ctx, c, over)
	for _, line := range lines {
		line.clear()
	}
	if err != nil {
		return err
	}
	select {
	case <-done:
	case <-watching.Done():
	}
	stop()
	<-done
	return w.verdict(kills, calmly, hanging)
}

// killUntil kills the replicas in turn until the changes are made.
func killUntil(ctx context.Context, c *cluster, over <-chan error) (kills int, err error) {
	for ; ; kills++ {
		select {
		case err := <-over:
			return kills, err
		case <-time.After(3 * time.Second):
		}
		victim := c.replicas[kills%len(c.replicas)]
		if err := victim.Kill(); err != nil {
			return kills, err
		}
		if _, err := victim.Start(ctx); err != nil {
			return kills, err
		}
	}
}

// watchers are clients with a reconnecting Watch each.
type watchers struct {
	orders []string
	all    []*watcher
}

type watcher struct {
	order   string
	client  *client.Client
	stalled bool

	next      int64 // the version to come
	snapshots atomic.Int64
	ended     bool
	wrong     error
}

func newWatchers(ctx context.Context, c *cluster, l *load, lines []*line) (*watchers, error) {
	w := &watchers{}
	for n := range pushOrders {
		o, err := l.clients[n%len(l.clients)].CreateOrder(ctx, client.Draft{
			Customer: client.Customer{Name: "Watched"}, Dropoff: &client.Place{Address: "Main St 1"},
		})
		if err != nil {
			return nil, err
		}
		w.orders = append(w.orders, o.ID)
	}
	for n := range pushOrders * pushWatchers {
		order, k := n%pushOrders, n/pushOrders
		v := &watcher{order: w.orders[order], stalled: (order+k)%pushStalled == 0, next: 2}
		replica := k / 2 % len(c.replicas)
		opts := []client.Option{
			client.WithRetryFor(2 * time.Minute), client.WithPauses(50*time.Millisecond, time.Second),
			client.WithHTTPClient(&http.Client{Transport: &http.Transport{}}),
		}
		if k%2 == 0 {
			opts = append(opts, client.WithWebSocket())
		}
		addr := c.replicas[replica].HTTP
		if v.stalled {
			addr = lines[replica].addr()
		}
		var err error
		if v.client, err = client.New(addr, opts...); err != nil {
			return nil, err
		}
		w.all = append(w.all, v)
	}
	return w, nil
}

// watch follows all orders; the returned channel is closed when all have ended.
func (w *watchers) watch(ctx context.Context) <-chan struct{} {
	done := make(chan struct{})
	var wg sync.WaitGroup
	for _, v := range w.all {
		wg.Go(func() { v.follow(ctx) })
	}
	go func() {
		wg.Wait()
		close(done)
	}()
	return done
}

func (v *watcher) follow(ctx context.Context) {
	for f, err := range v.client.Watch(ctx, v.order, 1) {
		switch {
		case err != nil:
			v.wrong = err
		case f.Type == client.FrameSnapshot:
			v.snapshots.Add(1)
		case f.Type == client.FrameStatus && f.Version != v.next:
			v.wrong = fmt.Errorf("version %d where %d was to come", f.Version, v.next)
		case f.Type == client.FrameStatus:
			v.next++
		case f.Type == client.FrameEnd:
			v.ended = true
		}
		if v.wrong != nil {
			return
		}
	}
}

// change makes the changes, spread over the time, over both replicas, and ends the orders.
func (w *watchers) change(ctx context.Context, l *load, over time.Duration) error {
	detail := strings.Repeat("x", pushDetail)
	errs := make([]error, len(w.orders))
	var wg sync.WaitGroup
	for n, id := range w.orders {
		wg.Go(func() {
			begun := time.Now()
			for i := range pushChanges {
				sleep(ctx, over*time.Duration(i)/pushChanges-time.Since(begun))
				change := client.Edit{Exception: &client.Exception{Code: fmt.Sprintf("change_%d", i), Detail: detail}}
				if _, errs[n] = l.insist(ctx, n+i, func(cl *client.Client) (*client.Order, error) {
					return cl.EditOrder(ctx, id, change)
				}); errs[n] != nil {
					return
				}
			}
			_, errs[n] = l.insist(ctx, n, func(cl *client.Client) (*client.Order, error) { return cl.CancelOrder(ctx, id, "") })
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// comebacks counts the reconnects over good connections and over hanging ones.
func (w *watchers) comebacks() (good, hanging int64) {
	for _, v := range w.all {
		back := max(0, v.snapshots.Load()-1)
		if v.stalled {
			hanging += back
		} else {
			good += back
		}
	}
	return good, hanging
}

// verdict reports the result. calmly and hanging are the reconnects before the kills.
func (w *watchers) verdict(kills int, calmly, hanging int64) error {
	const last = 1 + pushChanges + 1 // created, changed, cancelled
	frames, failed := 0, 0
	var wrong error
	for n, v := range w.all {
		frames += int(v.next) - 2
		if v.wrong == nil && (v.next != last+1 || !v.ended) {
			v.wrong = fmt.Errorf("it ended after version %d of %d (end frame: %t)", v.next-1, last, v.ended)
		}
		if v.wrong != nil {
			failed++
			wrong = fmt.Errorf("subscriber %d (behind a hanging line: %t): %w", n, v.stalled, v.wrong)
		}
	}
	good, bad := w.comebacks()
	fmt.Printf("   %d kills; %d orders, %d status frames, seen %d times by %d subscribers\n",
		kills, len(w.orders), len(w.orders)*(last-1), frames, len(w.all))
	fmt.Printf("   they came back %d times; before the first kill: %d on good lines, %d on hanging ones\n", good+bad, calmly, hanging)
	if failed > 0 {
		return fmt.Errorf("%d subscribers did not see it all; the last: %w", failed, wrong)
	}
	if kills == 0 || hanging == 0 {
		return errors.New("nothing was broken: no kills, or no line hung for long enough")
	}
	return nil
}

// line is a bad connection to a replica: small buffers, and most of the time nothing
// arrives from the server.
type line struct {
	net.Listener
	server string
	hangs  atomic.Bool
	over   chan struct{} // closed when the line stays clear
}

func hangingLines(c *cluster) ([]*line, error) {
	var lines []*line
	for _, s := range c.replicas {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		ln := &line{Listener: l, server: s.HTTP, over: make(chan struct{})}
		lines = append(lines, ln)
		go ln.accept()
		go ln.hang(c.long)
	}
	return lines, nil
}

func closeLines(lines []*line) {
	for _, l := range lines {
		_ = l.Close()
	}
}

func (l *line) addr() string { return l.Addr().String() }

// clear passes everything from now on.
func (l *line) clear() { close(l.over) }

// hang repeatedly stops the line, for a quarter of the fault's time.
func (l *line) hang(long time.Duration) {
	for {
		l.hangs.Store(true)
		select {
		case <-time.After(long / 4):
		case <-l.over:
			l.hangs.Store(false)
			return
		}
		l.hangs.Store(false)
		select {
		case <-time.After(long / 20):
		case <-l.over:
			return
		}
	}
}

func (l *line) accept() {
	for {
		from, err := l.Accept()
		if err != nil {
			return
		}
		go l.carry(from)
	}
}

func (l *line) carry(from net.Conn) {
	defer func() { _ = from.Close() }()
	d := net.Dialer{Timeout: 2 * time.Second, Control: narrow}
	to, err := d.Dial("tcp", l.server)
	if err != nil {
		return
	}
	defer func() { _ = to.Close() }()
	go func() {
		_, _ = io.Copy(to, from)
		_ = to.Close()
	}()
	buf := make([]byte, 1024)
	for {
		for l.hangs.Load() {
			time.Sleep(20 * time.Millisecond) //nolint:forbidigo // it hangs for as long as it is told to
		}
		n, err := to.Read(buf)
		if err != nil {
			return
		}
		if _, err := from.Write(buf[:n]); err != nil {
			return
		}
	}
}

// narrow limits a connection's receive buffers to those of a phone: by default the
// kernel buffers megabytes.
func narrow(_, _ string, conn syscall.RawConn) error {
	var set error
	err := conn.Control(func(fd uintptr) {
		set = errors.Join(
			syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096),
			syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, 536),
		)
	})
	return errors.Join(err, set)
}
