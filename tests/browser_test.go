package tests

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/pkg/client"
)

// tab is a page of the product in a real browser.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// openTab opens an empty page of the server's origin, with /client.js as window.client.
func openTab(t *testing.T, addr string) *tab {
	browser := os.Getenv("TEST_BROWSER")
	if browser == "" {
		t.Skip("needs Chromium: set TEST_BROWSER to it (scripts/services.sh)")
	}
	patience := 4 * time.Minute
	if os.Getenv("CUSTOMER_LOAD")+os.Getenv("BOARD_DAY") != "" {
		patience = 20 * time.Minute
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	ctx, stop := chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(browser), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-background-networking", true))...)
	t.Cleanup(stop)
	ctx, closeTab := chromedp.NewContext(ctx)
	t.Cleanup(closeTab)
	p := &tab{t: t, ctx: ctx}
	_, err := chromedp.Run(ctx, chromedp.Navigate("http://"+addr+"/healthz"))
	require.NoError(t, err)
	p.do(`import("/client.js").then(m => { window.client = m; })`)
	return p
}

// run evaluates JavaScript, awaits its promise and returns the result.
func run[T any](p *tab, script string, args ...any) T {
	p.t.Helper()
	out, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](fmt.Sprintf(script, args...), chromedp.EvalAwaitPromise))
	require.NoError(p.t, err, script)
	return out
}

// do is run without a result.
func (p *tab) do(script string, args ...any) {
	p.t.Helper()
	run[chromedp.Void](p, script, args...)
}

// until waits for a condition in the page.
func (p *tab) until(condition string, args ...any) {
	p.t.Helper()
	condition = fmt.Sprintf(condition, args...)
	_, err := chromedp.Run(p.ctx, chromedp.Poll[chromedp.Void](condition, chromedp.WithPollingInterval(20*time.Millisecond)))
	if err != nil {
		shown, _ := chromedp.Run(p.ctx, chromedp.Evaluate[string](`document.body.innerText`))
		require.NoError(p.t, err, "%s\nThe page shows:\n%s", condition, shown)
	}
}

// shows waits until a script returns what is wanted.
func (p *tab) shows(want any, script string) {
	p.t.Helper()
	p.until(`JSON.stringify(%s) === JSON.stringify(%s)`, script, encode(p.t, want))
}

// wire is a TCP proxy to the server that can be cut.
type wire struct {
	listener net.Listener
	to       string
	mu       sync.Mutex
	open     map[net.Conn]bool // whether it is the server's end
	silent   bool              // what the server's end of a connection meets does not reach the other
	down     bool              // a connection that was just accepted is broken too
	ends     sync.WaitGroup
}

func newWire(t *testing.T, to string) *wire {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	w := &wire{listener: l, to: to, open: map[net.Conn]bool{}}
	w.carry(l)
	t.Cleanup(func() {
		w.shut()
		w.ends.Wait()
	})
	return w
}

// shut leaves no way to the server until it is reopened.
func (w *wire) shut() {
	w.mu.Lock()
	w.down = true
	w.mu.Unlock()
	_ = w.listener.Close()
	w.cut()
}

// reopen listens again on the same address.
func (w *wire) reopen(t *testing.T) {
	l, err := net.Listen("tcp", w.listener.Addr().String())
	require.NoError(t, err)
	w.mu.Lock()
	w.down = false
	w.mu.Unlock()
	w.listener = l
	w.carry(l)
}

func (w *wire) carry(l net.Listener) {
	w.ends.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", w.to)
			if err != nil {
				_ = in.Close()
				continue
			}
			w.mu.Lock()
			down := w.down
			if !down {
				w.open[in], w.open[out] = false, true
			}
			w.mu.Unlock()
			if down {
				_, _ = in.Close(), out.Close()
				return
			}
			for from, to := range map[net.Conn]net.Conn{in: out, out: in} {
				w.ends.Go(func() {
					_, _ = io.Copy(to, from)
					w.mu.Lock()
					defer w.mu.Unlock()
					if !w.silent {
						_, _ = from.Close(), to.Close()
					}
				})
			}
		}
	})
}

// cut breaks all connections without notifying either side.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.open {
		_ = c.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
	}
	clear(w.open)
}

// forget loses all connections without telling the browser, as networks do with those of a sleeping machine.
func (w *wire) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.silent = true
	for c, servers := range w.open {
		if servers {
			_ = c.Close()
		}
	}
}

// blocked is what proxies answer: nothing that the server says.
const blocked = "<h1>Blocked by the proxy</h1>"

// refuse has a proxy answer everything in the server's place until the function is called.
func (w *wire) refuse(t *testing.T, status int, page string) (end func()) {
	w.shut()
	l, err := net.Listen("tcp", w.listener.Addr().String())
	require.NoError(t, err)
	proxy := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		out.Header().Set("Content-Type", "text/html")
		out.WriteHeader(status)
		_, _ = io.WriteString(out, page)
	})}
	w.ends.Go(func() { _ = proxy.Serve(l) })
	t.Cleanup(func() { _ = proxy.Close() })
	return func() {
		_ = proxy.Close()
		w.reopen(t)
	}
}

// pageClock lets a test move a page's clock: leap(ms) makes it live so long within a moment, with all of its timers; dream(ms)
// is a sleep, in which none of them run. wrong is by how much the machine's clock is off.
const pageClock = `
	const real = { set: setTimeout.bind(window), mono: performance.now.bind(performance), now: Date.now, Date };
	let ahead = 0, last = 1e6;
	const timers = new Map(), time = () => real.mono() + ahead, shift = () => ahead + (window.wrong ?? 0);
	window.Date = class extends real.Date { constructor(...a) { a.length ? super(...a) : super(real.now() + shift()); } static now() { return real.now() + shift(); } };
	performance.now = time;
	const fire = () => { for (const [id, timer] of [...timers].sort(([, a], [, b]) => a.due - b.due)) if (timer.due <= time() && timers.has(id)) {
		timer.every ? timer.due = time() + timer.every : timers.delete(id);
		timer.f(); } };
	const add = (f, ms = 0, every, a) => { timers.set(++last, { f: () => f(...a), due: time() + ms, every }); real.set(fire, ms); return last; };
	window.setTimeout = (f, ms, ...a) => add(f, ms, 0, a);
	window.setInterval = (f, ms, ...a) => add(f, ms, Math.max(1, ms), a);
	window.clearTimeout = window.clearInterval = id => { timers.delete(id); };
	(function beat() { fire(); real.set(beat, 20); })();
	window.leap = async ms => { for (const end = time() + ms; time() < end; fire()) { ahead += 500; await new Promise(done => real.set(done, 4)); } };
	window.dream = ms => { ahead += ms; };`

// shop is a server that requires a key, with its clients.
type shop struct {
	*server
	*client.Client
	t *testing.T
}

func newShop(t *testing.T, args ...string) *shop {
	s := &server{dir: t.TempDir(), key: strings.Repeat("k", 32), args: args}
	t.Cleanup(func() { s.down(t) })
	s.up(t)
	s.args = append(s.args, "--http-addr="+s.http) // where it comes back
	c, err := client.New("http://"+s.http, client.WithKey(s.key))
	require.NoError(t, err)
	return &shop{s, c, t}
}

func (s *shop) order() (id string) {
	o, err := s.CreateOrder(s.t.Context(), client.Draft{Customer: client.Customer{Name: "Ann"}, Dropoff: &client.Place{Address: "1 High Street"}})
	require.NoError(s.t, err)
	return o.ID
}

// change makes the order's next version.
func (s *shop) change(id string, n int) {
	notes := fmt.Sprint("note ", n)
	_, err := s.EditOrder(s.t.Context(), id, client.Edit{Notes: &notes})
	require.NoError(s.t, err)
}

// Connections break, the server restarts, and the page still gets each change once.
func TestBrowserHearsEachStatusOnce(t *testing.T) {
	s := newShop(t)
	w := newWire(t, s.http)
	p := openTab(t, w.listener.Addr().String())
	id := s.order()
	p.do(`void (window.seen = [], window.snapshots = 0, window.why = "going on",
		window.watch = client.watchOrder(%q, { key: %q, since: 0, ended: why => window.why = why, on: {
			status: f => seen.push(f.version), snapshot: () => snapshots++ } }))`, id, s.key)
	p.until(`snapshots === 1`)
	version := 1
	for _, fault := range []func(){w.cut, func() { s.restart(t) }, w.cut} {
		for range 5 {
			s.change(id, version)
			version++
		}
		fault()
		for range 5 { // while nobody is connected
			s.change(id, version)
			version++
		}
		p.until(`seen.length === %d`, version)
	}
	_, err := s.CancelOrder(t.Context(), id, "")
	require.NoError(t, err)
	p.until(`why === null`)
	seen := run[[]int](p, `seen`)
	for i, v := range seen {
		require.Equal(t, i+1, v, "%v", seen)
	}
	require.Len(t, seen, version+1)
	require.Equal(t, 4, run[int](p, `snapshots`))
}

// Topics are subscribed and unsubscribed on one connection and across reconnects.
func TestBrowserWatchesManyTopics(t *testing.T) {
	s := newShop(t)
	w := newWire(t, s.http)
	p := openTab(t, w.listener.Addr().String())
	name := "Bo"
	courier, err := s.CreateCourier(t.Context(), client.CourierEdit{Name: &name})
	require.NoError(t, err)
	ids := make([]string, 90) // more than one message may name
	for i := range ids {
		ids[i] = s.order()
	}
	unknown := newID()
	p.do(`void (window.statuses = {}, window.moves = [], window.refused = [], window.acks = 0,
		window.live = new client.Live({ key: %q, on: {
			status: f => (statuses[f.order_id] ??= []).push(f.version), positions: f => moves.push(...f.data.couriers),
			error: f => refused.push(f.data.instance), ack: f => acks = f.data.topics.length } }),
		%s.forEach(id => live.subscribe("order:" + id, 0)), live.subscribe("order:" + %q), live.subscribe("fleet"))`,
		s.key, encode(t, ids), unknown)
	p.until(`Object.keys(statuses).length === 90 && refused.length === 1 && acks === 91`)
	_, err = s.ReportPositions(t.Context(), courier.ID, []client.Position{{Lat: 55.75, Lon: 37.61}})
	require.NoError(t, err)
	p.until(`moves.some(m => m.courier_id === %q)`, courier.ID)

	p.do(`live.unsubscribe("order:%s")`, ids[0])
	p.do(`live.unsubscribe("fleet")`)
	p.until(`acks === 89`)
	w.cut()
	for _, id := range ids {
		s.change(id, 1)
	}
	p.until(`Object.values(statuses).filter(v => v.length === 2).length === 89`)
	statuses := run[map[string][]int](p, `statuses`)
	require.Equal(t, []int{1}, statuses[ids[0]])
	for _, id := range ids[1:] {
		require.Equal(t, []int{1, 2}, statuses[id])
	}
	p.do(`live.close()`)
}

// Permanent errors are reported instead of retried.
func TestBrowserIsToldWhyNot(t *testing.T) {
	s := newShop(t)
	p := openTab(t, s.http)
	id := s.order()
	for name, c := range map[string]struct {
		id, options string
		code        string
	}{
		"a wrong key":        {id, `key: "wrong"`, "unauthenticated"},
		"no key":             {id, ``, "unauthenticated"},
		"a wrong token":      {id, `token: "wrong"`, "unauthenticated"},
		"a worthless ticket": {id, `ticket: async () => "invented"`, "unauthenticated"},
		"an unknown order":   {newID(), fmt.Sprintf(`key: %q`, s.key), "order_not_found"},
	} {
		t.Run(name, func(t *testing.T) {
			why := run[object](p, `new Promise(ended => client.watchOrder(%q, { ended, %s }))`, c.id, c.options)
			require.Equal(t, c.code, why["code"], "%v", why)
		})
	}
}

// The API reference keeps its key across a reload, has search, and can execute an
// operation twice.
func TestBrowserTriesTheReference(t *testing.T) {
	s := newShop(t)
	p := openTab(t, s.http)
	visit := func(path string) {
		_, err := chromedp.Run(p.ctx, chromedp.Navigate("http://"+s.http+path))
		require.NoError(t, err)
	}
	click := func(selector string) {
		_, err := chromedp.Run(p.ctx, chromedp.Click(selector))
		require.NoError(t, err, selector)
	}
	enter := func(selector, text string) {
		_, err := chromedp.Run(p.ctx, chromedp.SendKeys(selector, text))
		require.NoError(t, err, selector)
	}
	visit("/docs")
	click(".btn.authorize")
	enter(".auth-container input", s.key)
	click(".modal-btn.authorize")
	visit("/docs")
	enter(`.operation-filter-input[placeholder="Search operations"]`, "createOrder")
	p.until(`document.querySelectorAll(".opblock").length === 1`)
	click("#operations-Orders-createOrder .opblock-summary-control")
	click(".try-out__btn")
	for range 2 {
		click(".btn.execute")
		p.until(`document.querySelector(".live-responses-table tbody .response-col_status")?.innerText.startsWith("201")`)
		click(".btn-clear")
		p.until(`!document.querySelector(".live-responses-table")`)
	}
}

// The landing page fits a phone's width.
func TestBrowserShowsTheLandingPageOnAPhone(t *testing.T) {
	s := newShop(t)
	p := openTab(t, s.http)
	_, err := chromedp.Run(p.ctx, chromedp.EmulateViewport(360, 640))
	require.NoError(t, err)
	_, err = chromedp.Run(p.ctx, chromedp.Navigate("http://"+s.http+"/welcome"))
	require.NoError(t, err)
	p.until(`document.body.innerText.includes(%q)`, `curl http://`+s.http+`/orders -H "Authorization: Bearer $KEY"`)
	require.LessOrEqual(t, run[int](p, `document.documentElement.scrollWidth`), 360)
}
