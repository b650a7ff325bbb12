package tests

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// lagging stands before a server. What the server answers to a GET of a path that ends so waits, once it is held, until it is
// let go; held says that such an answer is there.
type lagging struct {
	addr string
	tail string
	on   atomic.Bool
	held chan struct{}
	free chan struct{}
}

func newLagging(t *testing.T, to, tail string) *lagging {
	l := &lagging{tail: tail, held: make(chan struct{}, 1), free: make(chan struct{})}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: to})
			r.Out.Host = r.In.Host
		},
		ModifyResponse: func(resp *http.Response) error {
			if resp.Request.Method != http.MethodGet || !strings.HasSuffix(resp.Request.URL.Path, l.tail) || !l.on.CompareAndSwap(true, false) {
				return nil
			}
			l.held <- struct{}{}
			select {
			case <-l.free:
			case <-t.Context().Done():
			}
			return nil
		},
	}
	front := httptest.NewServer(proxy)
	t.Cleanup(front.Close)
	l.addr = strings.TrimPrefix(front.URL, "http://")
	return l
}

// spyOnDisk counts in window.asked what the page wants to write, by stores, and lets a test keep the orders' store busy.
const spyOnDisk = `{
	const { transaction } = IDBDatabase.prototype;
	window.asked = {};
	IDBDatabase.prototype.transaction = function (stores, mode, ...more) {
		if (mode === "readwrite") window.asked[stores] = (window.asked[stores] ?? 0) + 1;
		return transaction.call(this, stores, mode, ...more);
	};
	window.busy = () => new Promise(done => indexedDB.open("courier").onsuccess = e => {
		window.idle = false;
		const store = transaction.call(e.target.result, ["orders"], "readwrite").objectStore("orders");
		const again = () => { done(); window.idle || (store.count().onsuccess = again); };
		again();
	});
}`

// A list of orders that was read before a step, and comes late to the phone's slow disk, does not take the step back.
func TestCourierIsNotSentBackByALateList(t *testing.T) {
	s := newShop(t)
	slow := newLagging(t, s.http, "/orders")
	ph := newHandset(t, slow.addr)
	_, id := s.given(ph)
	ph.do(spyOnDisk)
	slow.on.Store(true)
	ph.do(`document.dispatchEvent(new Event("visibilitychange"))`)
	<-slow.held // the list as it was before the step
	ph.do(`busy()`)
	_, did := ph.step()
	require.Equal(t, "I’m at the pick-up", did)
	ph.until(`asked["queue,orders"] === 1`) // the step was answered
	require.Equal(t, "at_pickup", s.rest("GET", "/order/"+id, nil)["status"])
	was := run[int](ph.tab, `asked.orders ?? 0`)
	close(slow.free)
	ph.until(`(asked.orders ?? 0) === %d`, was+1)
	ph.do(`window.idle = true`)
	ph.until(`!document.querySelector(".app-chip") && asked.orders > %d`, was+1) // and the list was read again
	require.Empty(t, run[[]string](ph.tab, `back`))
	ph.step()
	ph.until(`!document.querySelector(".app-chip")`)
	require.Equal(t, "picked_up", s.rest("GET", "/order/"+id, nil)["status"])
}

// What another tab or the service worker has sent is gone from the queue before the page is told of it.
func TestCourierIsNotSentBackByAnotherSender(t *testing.T) {
	s := newShop(t)
	ph := newHandset(t, s.http)
	_, id := s.given(ph)
	ph.offline()
	ph.step()
	ph.until(`document.querySelector(".app-chip")?.innerText.includes("1 wait")`)
	o := s.rest("PATCH", "/order/"+id+"/status", object{"status": "at_pickup"})
	ph.do(`new Promise(done => indexedDB.open("courier").onsuccess = e => {
		const both = e.target.result.transaction(["queue", "orders"], "readwrite");
		both.objectStore("queue").clear();
		both.objectStore("orders").put(%s);
		both.oncomplete = done;
	})`, encode(t, o))
	ph.do(`new BroadcastChannel("courier").postMessage({})`) // something was added
	ph.until(`!document.querySelector(".app-chip")`)
	require.Empty(t, run[[]string](ph.tab, `back`))
	ph.shows("I have the order", `document.querySelector(".app-go .main").innerText`)
}
