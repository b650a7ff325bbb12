package tests

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/backgroundservice"
	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/serviceworker"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/notify/pushtest"
)

// peers are a push service and the API of a bot: they record what they are asked.
type peers struct {
	*httptest.Server
	mu    sync.Mutex
	asked map[string][][]byte // by path
}

func newPeers(t *testing.T) *peers {
	p := &peers{asked: map[string][][]byte{}}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		p.mu.Lock()
		p.asked[r.URL.Path] = append(p.asked[r.URL.Path], body)
		p.mu.Unlock()
		_, _ = w.Write([]byte(`{"ok":true,"result":{}}`))
	}))
	t.Cleanup(p.Close)
	return p
}

// got waits for the n-th call of a path.
func (p *peers) got(t *testing.T, path string, n int) (body []byte) {
	eventually(t, path, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.asked[path]) >= n {
			body = p.asked[path][n-1]
		}
		return body != nil
	})
	return body
}

// way is a line of the page's messages, with its button.
const way = `[...document.querySelectorAll(".ways li")].find(li => li.innerText.includes(%q))`

// reaching is a shop with web push and a bot, and an order's page.
func reaching(t *testing.T, before string, more ...string) (s *shop, p *tab, away *peers, id string) {
	away = newPeers(t)
	s = newShop(t)
	s.args = append(s.args, "--set=notify.webpush=mailto:a@shop.example", "--set=webhooks.allow=127.0.0.0/8", "--set=http.public_url=http://"+s.http,
		"--set=notify.telegram.name=shop_bot", "--set=notify.telegram.token=t0ken", "--set=notify.telegram.api="+away.URL)
	s.args = append(s.args, more...)
	s.restart(t)
	s.rest("PUT", "/notification-rules", object{"channels": object{"telegram": object{"enabled": true}}})
	id, token := s.pizza(nil)
	p = look(t, "http://"+s.http+"/t/"+token+"?lang=en", 360, before)
	p.says("We’ve got your order")
	return s, p, away, id
}

// pressWay presses the button of a way.
func (p *tab) pressWay(name string) {
	p.t.Helper()
	p.until(way+`?.querySelector("button:not([aria-busy])")`, name)
	p.do(`void `+way+`.querySelector("button").click()`, name)
}

// A customer turns messages on: the push service gets them encrypted, the worker shows them, and none come once they are off.
func TestCustomersBrowserIsTold(t *testing.T) {
	s, p, away, id := reaching(t, "")
	browser := pushtest.NewBrowser(t, away.URL+"/push")
	// The browser's own push service is on the internet.
	p.do(`void (window.own = %s, window.subscription = undefined,
		PushManager.prototype.subscribe = async options => {
			if (!options.userVisibleOnly || options.applicationServerKey.length < 80) throw new Error("bad key");
			return subscription = { toJSON: () => ({ ...own, expirationTime: null }), unsubscribe: async () => { subscription = undefined; return true; } };
		},
		PushManager.prototype.getSubscription = async () => subscription)`, browser.Subscription(t))
	_, err := chromedp.CallBrowser(p.ctx, cdpbrowser.SetPermission, cdpbrowser.SetPermissionParams{
		Permission: &cdpbrowser.PermissionDescriptor{Name: "notifications"}, Setting: cdpbrowser.PermissionSettingGranted,
	})
	require.NoError(t, err)
	p.do(`void (window.keys = [], window.sent = fetch, window.fetch = (url, options) => {
		if (options?.method === "POST") keys.push(url + " " + options.headers["Idempotency-Key"]); return sent(url, options); })`)
	p.pressWay("In this browser")
	p.until(way+`.innerText.includes("On until your order is with you")`, "In this browser")
	p.until(`keys.some(k => /contacts \d+-/.test(k))`)
	require.Equal(t, []any{"webpush"}, s.seen(p)["contacts"])

	found, shown := make(chan *serviceworker.Registration, 1), make(chan string, 10)
	require.NoError(t, chromedp.Listen(p.ctx, func(ev any) {
		if e, ok := ev.(*serviceworker.EventWorkerRegistrationUpdated); ok && len(e.Registrations) > 0 {
			select {
			case found <- e.Registrations[0]: // there is only this one
			default:
			}
		}
		if e, ok := ev.(*backgroundservice.EventBackgroundServiceEventReceived); ok {
			shown <- string(encode(t, e.BackgroundServiceEvent))
		}
	}))
	_, err = chromedp.Call(p.ctx, backgroundservice.StartObserving, backgroundservice.StartObservingParams{Service: "notifications"})
	require.NoError(t, err)
	_, err = chromedp.Call(p.ctx, backgroundservice.SetRecording, backgroundservice.SetRecordingParams{ShouldRecord: true, Service: "notifications"})
	require.NoError(t, err)
	_, err = chromedp.Call(p.ctx, serviceworker.Enable, cdp.Empty{})
	require.NoError(t, err)
	worker := <-found
	s.hand(id, "Ivan")
	s.status(id, "out_for_delivery")
	message := browser.Decrypt(t, away.got(t, "/push", 1))
	_, err = chromedp.Call(p.ctx, serviceworker.DeliverPushMessage, serviceworker.DeliverPushMessageParams{
		Origin: "http://" + s.http, RegistrationID: worker.RegistrationID, Data: string(message),
	})
	require.NoError(t, err)
	require.Contains(t, <-shown, "is on its way")

	p.pressWay("In this browser")
	p.until(way+`.innerText.includes("Also when this page is closed")`, "In this browser")
	require.Nil(t, s.seen(p)["contacts"])
	p.until(`subscription === undefined`)
	s.status(id, "delivered")
	p.says("Delivered")
	p.until(`!document.querySelector(".ways")`)
	eventually(t, "no push", func() bool {
		return len(s.rest("GET", "/order/"+id+"/notifications", nil)["notifications"].([]any)) >= 1
	})
	require.Len(t, away.asked["/push"], 1)
	p.calm()
}

// seen is the order as the page's link shows it.
func (s *shop) seen(p *tab) object {
	path := run[string](p, `location.pathname`)
	id := run[string](p, `JSON.parse(document.body.dataset.boot).order_id`)
	resp, err := http.Get("http://" + s.http + "/order/" + id + "?token=" + strings.TrimPrefix(path, "/t/"))
	require.NoError(s.t, err)
	return readObject(resp)
}

// A messenger's bot is started with a code for one use; the page shows that it was, and turns it off again.
func TestCustomersMessengerIsConnected(t *testing.T) {
	s, p, away, id := reaching(t, `window.open = () => ({ location: { set href(url) { window.opened = url; } } });`)
	var hook struct {
		URL    string `json:"url"`
		Secret string `json:"secret_token"`
	}
	require.NoError(t, json.Unmarshal(away.got(t, "/bott0ken/setWebhook", 1), &hook))
	p.pressWay("Telegram")
	p.until(`window.opened?.startsWith("https://t.me/shop_bot?start=")`)
	_, code, _ := strings.Cut(run[string](p, `opened`), "start=")
	req, err := http.NewRequest(http.MethodPost, hook.URL, strings.NewReader(`{"message":{"text":"/start `+code+`","chat":{"id":42,"type":"private"}}}`))
	require.NoError(t, err)
	req.Header.Set("X-Telegram-Bot-Api-Secret-Token", hook.Secret)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)
	p.do(`document.dispatchEvent(new Event("visibilitychange"))`) // the customer comes back from the chat
	p.until(way+`.innerText.includes("On until your order is with you")`, "Telegram")
	s.hand(id, "Ivan")
	s.status(id, "out_for_delivery")
	require.Contains(t, string(away.got(t, "/bott0ken/sendMessage", 1)), `"chat_id":"42"`)
	p.pressWay("Telegram")
	p.until(way+`.innerText.includes("The chat opens")`, "Telegram")
	p.calm()
}

// What an operator has not set up is not offered; a phone is told what it takes.
func TestCustomersAreOfferedWhatThereIs(t *testing.T) {
	s := newShop(t)
	_, token := s.pizza(nil)
	p := look(t, "http://"+s.http+"/t/"+token+"?lang=en", 360, "")
	p.says("We’ve got your order")
	p.until(`document.querySelector(".timeline li") && !document.querySelector(".ways")`)
	_, p, _, _ = reaching(t, `
		delete window.PushManager;
		Object.defineProperty(navigator, "userAgent", { value: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_4 like Mac OS X)" });
		Object.defineProperty(navigator, "maxTouchPoints", { value: 5 });`)
	p.until(way+`.innerText.includes("Add to Home Screen")`, "In this browser")
	p.until(`document.querySelectorAll(".ways li").length === 2 && document.querySelectorAll(".ways button").length === 1`)
}

// A mail's link asks before it ends messages, in the look of all pages; a wrong one tells nothing.
func TestOptingOutOnThePage(t *testing.T) {
	mails, port := newMailServer(t)
	s, p, _, _ := reaching(t, "", "--set=brand.name=Soma", "--set=notify.smtp.host=127.0.0.1", "--set=notify.smtp.port="+port,
		"--set=notify.smtp.security=none", "--set=notify.smtp.from=orders@shop.example")
	s.pizza(object{"customer": object{"name": "Anna", "email": "anna@example.com"}})
	link := regexp.MustCompile(`List-Unsubscribe:\s+<([^>]+)>`).FindStringSubmatch(<-mails)[1]
	p.open(link + "?lang=ru")
	p.says("Больше не писать?")
	p.until(`document.title === "Больше не писать?" && document.querySelector(".brand")?.innerText === "Soma"`)
	p.calm()
	_, err := chromedp.Run(p.ctx, chromedp.WaitEvent(cdppage.LoadEventFired, func(cdppage.EventLoadEventFired) bool { return true }, chromedp.Click("form button")))
	require.NoError(t, err)
	p.says("Готово")
	p.calm()
	second, _ := s.pizza(object{"customer": object{"name": "Anna", "email": "Anna@example.com"}})
	eventually(t, "it is skipped", func() bool {
		all := s.rest("GET", "/order/"+second+"/notifications", nil)["notifications"].([]any)
		return len(all) == 1 && str(all[0], "error") == "the customer wants no messages"
	})
	wrong := strings.Replace(link, "/opt-out/", "/opt-out/A", 1)
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		req, err := http.NewRequest(method, wrong, nil)
		require.NoError(t, err)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusNotFound, resp.StatusCode, method)
		require.Equal(t, "application/problem+json", resp.Header.Get("Content-Type"))
	}
	p.open(wrong + "?lang=en")
	p.says("There’s nothing here")
}

// newMailServer takes every mail, without encryption.
func newMailServer(t *testing.T) (mails chan string, port string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	mails = make(chan string, 10)
	var serving sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); serving.Wait() })
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c := textproto.NewConn(conn)
			_ = c.PrintfLine("220 mail.test")
			for line, err := c.ReadLine(); err == nil; line, err = c.ReadLine() {
				switch line {
				case "DATA":
					_ = c.PrintfLine("354 go on")
					text, _ := c.ReadDotBytes()
					mails <- string(text)
				case "QUIT":
					_ = c.Close()
				}
				_ = c.PrintfLine("250 ok")
			}
		}
	})
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return mails, port
}
