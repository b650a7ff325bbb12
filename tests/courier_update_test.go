package tests

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/serviceworker"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// updating stands before a server. Once newer is set it gives the server's pages another hash, as a new version has;
// while held is set nothing can be changed.
func updating(t *testing.T, to string) (addr string, newer, held *atomic.Bool) {
	newer, held = new(atomic.Bool), new(atomic.Bool)
	hash := regexp.MustCompile(`/assets/[0-9a-f]{16}/|"hash":"[0-9a-f]{16}"`)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: to})
			r.Out.Host = r.In.Host
			r.Out.Header.Del("Accept-Encoding")
		},
		ModifyResponse: func(resp *http.Response) error {
			if !newer.Load() || !strings.HasPrefix(resp.Request.URL.Path, "/courier-app") {
				return nil
			}
			body, err := io.ReadAll(resp.Body)
			body = hash.ReplaceAllFunc(body, func(found []byte) []byte {
				return regexp.MustCompile(`[0-9a-f]{16}`).ReplaceAll(found, []byte("feedfeedfeedfeed"))
			})
			resp.Body = io.NopCloser(bytes.NewReader(body))
			resp.Header.Del("Content-Length")
			resp.ContentLength = -1
			return err
		},
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if held.Load() && r.Method != http.MethodGet {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	return strings.TrimPrefix(front.URL, "http://"), newer, held
}

// What waits is still there in the next version of the app, which sends it once.
func TestCourierKeepsTheQueueThroughAnUpdate(t *testing.T) {
	s := newShop(t)
	addr, newer, held := updating(t, s.http)
	ph := newHandset(t, addr)
	_, id := s.given(ph)
	held.Store(true)
	ph.step()
	ph.step()
	ph.until(`document.querySelector(".app-chip")?.innerText.includes("2 wait for network")`)
	newer.Store(true)
	ph.do(`navigator.serviceWorker.getRegistration().then(r => r.update()).then(() => {})`)
	ph.until(`[...document.querySelectorAll(".notice")].some(n => n.innerText.includes("The app has been updated"))`)
	ph.visit("")
	ph.until(`document.querySelector("script[type=module]").src.includes("feedfeedfeedfeed") && document.querySelector(".app-chip")?.innerText.includes("2 wait for network")`)
	held.Store(false)
	ph.do(`void dispatchEvent(new Event("online"))`)
	ph.until(`!document.querySelector(".app-chip")`)
	moves := 0
	for _, e := range s.rest("GET", "/order/"+id+"/events", nil)["events"].([]any) {
		if get(e, "actor", "kind") == "courier" {
			moves++
		}
	}
	require.Equal(t, 2, moves)
	require.Equal(t, "picked_up", s.rest("GET", "/order/"+id, nil)["status"])
}

// After the app was closed its worker sends what waits, when the browser wakes it.
func TestCourierStepsAreSentAfterTheAppIsClosed(t *testing.T) {
	s := newShop(t)
	ph := newHandset(t, s.http)
	_, id := s.given(ph)
	var worker atomic.Value
	require.NoError(t, chromedp.Listen(ph.ctx, func(e any) {
		if e, ok := e.(*serviceworker.EventWorkerRegistrationUpdated); ok && len(e.Registrations) > 0 {
			worker.Store(e.Registrations[0].RegistrationID)
		}
	}))
	_, err := chromedp.Call(ph.ctx, serviceworker.Enable, cdp.Empty{})
	require.NoError(t, err)
	ph.offline()
	ph.step()
	ph.until(`(async () => (await (await navigator.serviceWorker.ready).sync.getTags()).includes("outbox"))()`)
	origin := run[string](ph.tab, `origin`)
	ph.open("about:blank")
	ph.online()
	require.Equal(t, "assigned", s.rest("GET", "/order/"+id, nil)["status"])
	_, err = chromedp.Call(ph.ctx, serviceworker.DispatchSyncEvent, serviceworker.DispatchSyncEventParams{
		Origin: origin, RegistrationID: worker.Load().(serviceworker.RegistrationID), Tag: "outbox",
	})
	require.NoError(t, err)
	eventually(t, "the step arrives", func() bool { return s.rest("GET", "/order/"+id, nil)["status"] == "at_pickup" })
}
