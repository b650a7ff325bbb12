package tests

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	cdp "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// rest calls the shop's server as its administrator.
func (s *shop) rest(method, path string, body any) object {
	s.t.Helper()
	encoded, err := json.Marshal(body)
	require.NoError(s.t, err)
	req, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.http+path, bytes.NewReader(encoded))
	require.NoError(s.t, err)
	req.Header.Set("Authorization", "Bearer "+s.key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(s.t, err)
	require.Less(s.t, resp.StatusCode, 300, "%s %s", method, path)
	return readObject(resp)
}

// pizza creates an order in Helsinki and a share link.
func (s *shop) pizza(more object) (id, token string) {
	in := object{
		"customer": object{"name": "Anna", "phone": "+358401234567"},
		"pickup":   object{"address": "Eteläesplanadi 14", "location": object{"lat": 60.1672, "lon": 24.9478}},
		"dropoff":  object{"address": "Kalevankatu 12", "location": object{"lat": 60.1670, "lon": 24.9372}},
		"items":    []any{object{"name": "Margherita", "quantity": 2}},
	}
	for k, v := range more {
		if in[k] = v; v == nil {
			delete(in, k)
		}
	}
	id = str(s.rest("POST", "/order", in), "id")
	return id, str(s.rest("POST", "/order/"+id+"/share", object{}), "token")
}

// hand assigns the order to a courier who has picked it up.
func (s *shop) hand(id, name string) (courier string) {
	courier = str(s.rest("POST", "/couriers", object{"name": name, "vehicle": "bicycle"}), "id")
	s.rest("POST", "/order/"+id+"/assign-courier", object{"courier_id": courier})
	s.status(id, "picked_up")
	return courier
}

func (s *shop) status(id, status string) {
	s.rest("PATCH", "/order/"+id+"/status", object{"status": status})
}

func (s *shop) fix(courier string, lat, lon float64) {
	s.rest("POST", "/courier/"+courier+"/location", object{"lat": lat, "lon": lon, "speed": 4, "heading": 270})
}

// look opens a page on a phone or desktop screen and records the browser's errors.
func look(t *testing.T, url string, width int64, before string) *tab {
	p := openTab(t, strings.SplitN(strings.TrimPrefix(url, "http://"), "/", 2)[0])
	p.prepare(width, before)
	p.open(url)
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		if picture, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot()); err == nil && os.Getenv("TEST_PICTURES") != "" {
			_ = os.WriteFile(os.Getenv("TEST_PICTURES")+"/"+strings.ReplaceAll(t.Name(), "/", "-")+".png", picture, 0o600)
		}
	})
	return p
}

// prepare gives the tab a size and has its pages record the browser's errors.
func (p *tab) prepare(width int64, before string) {
	p.t.Helper()
	_, err := chromedp.Call(p.ctx, cdp.AddScriptToEvaluateOnNewDocument, cdp.AddScriptToEvaluateOnNewDocumentParams{Source: `
		window.complaints = [];
		addEventListener("error", e => complaints.push(String(e.message)));
		addEventListener("unhandledrejection", e => complaints.push(String(e.reason)));
		addEventListener("securitypolicyviolation", e => complaints.push(e.violatedDirective + " " + e.blockedURI));
		console.error = (...said) => complaints.push(said.join(" "));` + before})
	require.NoError(p.t, err)
	require.NoError(p.t, chromedp.Do(p.ctx, chromedp.EmulateViewport(width, 740)))
}

func (p *tab) open(url string) {
	p.t.Helper()
	require.NoError(p.t, chromedp.Do(p.ctx, chromedp.Navigate(url)))
}

// says waits for the page's headline.
func (p *tab) says(headline string) {
	p.t.Helper()
	p.until(`document.querySelector("h1, h2")?.textContent === %q`, headline)
}

// calm requires a page without errors or requests to other hosts.
func (p *tab) calm() {
	p.t.Helper()
	require.Empty(p.t, run[[]string](p, `complaints`))
	require.Empty(p.t, run[[]string](p, `performance.getEntriesByType("resource").map(e => e.name).filter(n => !n.startsWith(location.origin))`))
	require.LessOrEqual(p.t, run[int](p, `document.documentElement.scrollWidth - innerWidth`), 0, "it scrolls sideways")
}

// A whole delivery on the page, with a server restart and a network outage.
func TestCustomerFollowsTheOrder(t *testing.T) {
	s := newShop(t)
	s.args = append(s.args, "--set=map.pmtiles="+helsinki)
	s.restart(t)
	w := newWire(t, s.http)
	id, token := s.pizza(object{"customer": object{"name": "Anna", "locale": "ru"}})
	p := look(t, "http://"+w.listener.Addr().String()+"/t/"+token, 360, `
		window.requests = 0;`)
	p.says("Мы получили ваш заказ")
	p.until(`document.documentElement.lang === "ru"`)
	p.until(`document.querySelectorAll(".pin.home, .pin.shop").length === 2`)
	require.Equal(t, 0, run[int](p, `document.querySelectorAll(".pin.courier").length`), "nobody has the goods yet")
	first := run[object](p, `(() => { const all = performance.getEntriesByType("resource").filter(e => !e.name.includes(".pmtiles"));
		return { n: all.length + 2, bytes: all.reduce((sum, e) => sum + e.transferSize, performance.getEntriesByType("navigation")[0].transferSize) }; })()`)
	require.LessOrEqual(t, first["n"], 40.0, "requests of the first view, with the page itself and its stream")
	require.LessOrEqual(t, first["bytes"], 150.0*1024)

	p.do(`(() => { const e = document.querySelector("textarea"); e.value = "Код 42"; e.dispatchEvent(new Event("input", { bubbles: true })); })()`)
	p.until(`document.querySelector(".note button")`)
	p.do(`document.querySelector(".note button").click()`)
	eventually(t, "the note", func() bool { return get(s.rest("GET", "/order/"+id, nil), "instructions") == "Код 42" })
	courier := s.hand(id, "Ivan Petrov")
	p.says("Ivan уже везёт ваш заказ")
	s.fix(courier, 60.1676, 24.9490)
	p.until(`document.querySelectorAll(".pin.courier").length === 1 && document.querySelectorAll(".pin.shop").length === 0`)
	place := `document.querySelector(".pin.courier").style.transform`
	was := run[string](p, "%s", place)
	s.fix(courier, 60.1678, 24.9472)
	p.until(`%s !== %q`, place, was)
	require.Equal(t, 1, run[int](p, `fetch(location.href).then(r => r.text()).then(page => page.split("received_at").length - 1)`), "a page is as small after a long way")

	s.status(id, "out_for_delivery")
	p.says("Ivan едет к вам")
	s.restart(t)
	s.status(id, "at_dropoff")
	p.says("Ivan у вашей двери")

	w.shut() // as in a lift
	p.until(`document.querySelector(".notice.offline")?.textContent.startsWith("Нет связи")`)
	s.status(id, "delivered")
	w.reopen(t)
	p.says("Заказ доставлен")
	p.until(`!document.querySelector(".notice.offline")`)
	p.until(`document.querySelectorAll(".rating .stars button").length === 5`)
	p.do(`document.querySelectorAll(".rating .stars button")[4].click()`)
	eventually(t, "the rating", func() bool { return get(s.rest("GET", "/order/"+id, nil), "rating", "stars") == 5.0 })
	p.says("Заказ доставлен")
	p.until(`document.querySelectorAll(".timeline li").length >= 5`)
	require.Empty(t, run[[]string](p, `complaints.filter(c => !/Failed to fetch|WebSocket/.test(c))`))
}

// The code for the courier stays on the page, whatever arrives, until the order has ended.
func TestCustomersSeeTheirCode(t *testing.T) {
	s := newShop(t)
	id, token := s.pizza(object{"proof_required": []string{"pin"}})
	resp, err := http.Get("http://" + s.http + "/order/" + id + "?token=" + token)
	require.NoError(t, err)
	pin := str(readObject(resp), "pin")
	p := look(t, "http://"+s.http+"/t/"+token+"?lang=en", 360, `
		window.missing = 0;
		new MutationObserver(() => { if (document.querySelector("h1") && !document.querySelector(".pin-digits")) missing++; }).observe(document, { childList: true, subtree: true });`)
	p.says("We’ve got your order")
	courier := s.hand(id, "Ivan")
	s.fix(courier, 60.1676, 24.9490)
	p.until(`document.querySelector(".pin.courier")`)
	p.until(`missing === 0 && document.querySelector(".pin-digits").innerText === %q`, pin)
	s.status(id, "out_for_delivery")
	s.rest("POST", "/order/"+id+"/proof", object{"pin": pin})
	s.status(id, "delivered")
	p.says("Delivered")
	p.until(`!document.querySelector(".pin-digits")`)
	p.calm()
}

// A laptop sleeps for a night with its lid closed, and its clock is five hours off; the network has forgotten it meanwhile.
func TestCustomersPageWakesUp(t *testing.T) {
	s := newShop(t)
	w := newWire(t, s.http)
	id, token := s.pizza(object{"promised_at": time.Now().Add(40 * time.Minute).UTC().Format(time.RFC3339)})
	p := look(t, "http://"+w.listener.Addr().String()+"/t/"+token+"?lang=en", 1280, `window.wrong = 5 * 3600e3;`+pageClock)
	p.says("We’ve got your order")
	p.until(`/^\d\d:\d\d–\d\d:\d\d$/.test(document.querySelector(".window-time")?.textContent)`) // and not "Any minute now": the server's clock counts
	s.status(id, "confirmed")
	p.says("Your order is confirmed") // it is live
	freeze := func(state cdp.SetWebLifecycleStateState) {
		_, err := chromedp.Call(p.ctx, cdp.SetWebLifecycleState, cdp.SetWebLifecycleStateParams{State: state})
		require.NoError(t, err)
	}
	freeze("frozen")
	s.hand(id, "Ivan")
	w.forget()
	s.status(id, "out_for_delivery")
	freeze("active")
	p.do(`void (dream(8 * 3600e3), document.dispatchEvent(new Event("visibilitychange")))`)
	p.says("Ivan is on the way")
	p.tellsOnce("Courier set off to you", "Courier took your order", "Courier assigned", "Confirmed by the shop", "Order received")
	s.status(id, "at_dropoff")
	p.says("Ivan is at your door") // it is live again
	p.calm()
}

// tellsOnce requires the timeline to have these entries, newest first: nothing is lost or doubled.
func (p *tab) tellsOnce(entries ...string) {
	p.t.Helper()
	p.shows(entries, `[...document.querySelectorAll(".timeline-text")].map(e => e.innerText)`)
}

// A minute without a network, and a minute each of proxies that refuse: the page keeps what it knows, says how old that is, and
// goes on by itself with nothing lost or doubled.
func TestCustomersPageOutlivesAMinuteWithoutANetwork(t *testing.T) {
	s := newShop(t)
	w := newWire(t, s.http)
	id, token := s.pizza(nil)
	p := look(t, "http://"+w.listener.Addr().String()+"/t/"+token+"?lang=en", 360, pageClock)
	p.says("We’ve got your order")
	courier := s.hand(id, "Ivan")
	lon := 24.9750 // far enough not to be near
	drive := func() {
		lon -= 0.001
		s.fix(courier, 60.1676, lon)
	}
	drive()
	p.until(`document.querySelector(".pin.courier:not(.stale)")`)
	p.says("Ivan has your order")
	told := []string{"Courier took your order", "Courier assigned", "Order received"}
	for _, outage := range []struct {
		name, status, headline, entry string
		begin                         func() (end func())
	}{
		{"no network", "in_transit", "Your order is on its way", "On its way", func() func() {
			w.shut()
			return func() { w.reopen(t) }
		}},
		{"a proxy without its server", "out_for_delivery", "Ivan is on the way", "Courier set off to you", func() func() { return w.refuse(t, http.StatusBadGateway, blocked) }},
		{"a proxy that forbids", "delivery_failed", "We couldn’t hand over your order", "Couldn’t be handed over", func() func() { return w.refuse(t, http.StatusForbidden, blocked) }},
		{"a proxy that knows nothing", "at_dropoff", "Ivan is at your door", "Courier at your door", func() func() { return w.refuse(t, http.StatusNotFound, blocked) }},
	} {
		was := run[string](p, `document.querySelector("h1").textContent`)
		end := outage.begin()
		if outage.status == "at_dropoff" {
			s.status(id, "out_for_delivery")
			told = append([]string{"Courier set off to you"}, told...)
		}
		s.status(id, outage.status)
		told = append([]string{outage.entry}, told...)
		drive()
		p.do(`leap(60_000)`)
		p.until(`document.querySelector(".notice.offline")?.textContent.startsWith("No connection. This is how things stood at ") &&
			document.querySelector("h1").textContent === %q && document.querySelector(".pin.courier.stale")`, was)
		end()
		p.do(`leap(31_000)`) // the longest pause between two attempts
		p.says(outage.headline)
		p.until(`!document.querySelector(".notice.offline") && document.querySelector(".pin.courier:not(.stale)")`)
		p.tellsOnce(told...)
	}
	s.status(id, "delivered")
	p.says("Delivered")
	p.tellsOnce(append([]string{"Delivered"}, told...)...)
}

// The server is killed while the page is open: the page finds its way back.
func TestCustomersPageOutlivesAKill(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: builds and kills a real process")
	}
	s, server := killable(t)
	id, token := s.pizza(nil)
	p := look(t, "http://"+s.http+"/t/"+token+"?lang=en", 360, "")
	p.says("We’ve got your order")
	s.hand(id, "Ivan")
	p.says("Ivan has your order")
	require.NoError(t, server.Kill())
	p.until(`document.querySelector(".notice.offline")`)
	_, err := server.Start(t.Context())
	require.NoError(t, err)
	s.status(id, "out_for_delivery")
	p.says("Ivan is on the way")
	p.until(`!document.querySelector(".notice.offline")`)
}

// User input is shown as text: markup, long texts, right-to-left.
func TestCustomersPageShowsTextAsText(t *testing.T) {
	s := newShop(t)
	p := look(t, "http://"+s.http+"/t/x", 360, "")
	evil := `<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>"'` + "`${window.pwned=1}`"
	for name, order := range map[string]object{
		"markup": {
			"customer": object{"name": evil}, "pickup": object{"address": evil}, "dropoff": object{"address": evil, "notes": evil},
			"items": []any{object{"name": evil, "quantity": 1}}, "notes": evil, "external_id": evil, "metadata": object{"a": evil},
		},
		"a wall of 5,000 characters": {"items": slices.Repeat([]any{object{"name": strings.Repeat("Margherita", 20), "quantity": 999}}, 23), "dropoff": object{"address": strings.Repeat("W", 500)}},
		"right to left": {
			"customer": object{"name": "أحمد"}, "dropoff": object{"address": "شارع التحرير ١٢، القاهرة", "location": object{"lat": 30.04, "lon": 31.23}},
			"items": []any{object{"name": "שקשוקה 🍳🇮🇱", "quantity": 1}},
		},
		"no place":   {"pickup": nil, "dropoff": object{"address": "Somewhere"}},
		"no address": {"pickup": nil, "dropoff": object{"location": object{"lat": 60.1670, "lon": 24.9372}}, "items": nil},
	} {
		t.Run(name, func(t *testing.T) {
			id, token := s.pizza(order)
			p.open("http://" + s.http + "/t/" + token + "?lang=en")
			p.says("We’ve got your order")
			if name == "markup" {
				s.rest("POST", "/order/"+id+"/instructions", object{"text": evil})
				s.hand(id, evil)
				p.until(`document.querySelector("h1").textContent.startsWith("<img") && document.querySelector(".note textarea").value.startsWith("<img")`)
				s.rest("POST", "/order/"+id+"/proof", object{"recipient": evil, "note": evil})
				s.status(id, "delivered")
				s.rest("POST", "/order/"+id+"/rating", object{"stars": 1, "text": evil})
				p.until(`document.querySelectorAll(".rating .stars .on").length === 1`)
			}
			p.until(`document.querySelectorAll(".timeline li").length > 0`)
			require.True(t, run[bool](p, `window.pwned === undefined && document.querySelectorAll("main img, main script").length === 0`))
			p.calm()
		})
	}
}

// forged is the token with another last character.
func forged(token string) string {
	last := "x"
	if strings.HasSuffix(token, last) {
		last = "y"
	}
	return token[:len(token)-1] + last
}

// Invalid links reveal nothing, and a revoked link clears the page.
func TestLinksThatDoNotWork(t *testing.T) {
	s := newShop(t)
	id, token := s.pizza(nil)
	s.rest("POST", "/order/"+id+"/share", object{})
	for name, link := range map[string]string{
		"forged": forged(token), "nothing": "x", "an order's id": id, "an administrator's key": s.key,
	} {
		resp, err := http.Get("http://" + s.http + "/t/" + link)
		require.NoError(t, err)
		var b bytes.Buffer
		_, err = b.ReadFrom(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusNotFound, resp.StatusCode, name)
		require.Contains(t, resp.Header.Get("Content-Type"), "text/html")
		for _, secret := range []string{"Anna", "Kalevankatu", "Margherita"} {
			require.NotContains(t, b.String(), secret, name)
		}
	}
	p := look(t, "http://"+s.http+"/t/"+token+"?lang=en", 360, "")
	p.says("We’ve got your order")
	for _, one := range get(s.rest("GET", "/order/"+id+"/share", nil), "shares").([]any) {
		s.rest("DELETE", "/order/"+id+"/share/"+str(one, "id"), nil)
	}
	p.says("There’s nothing here")
	p.until(`document.title === "There’s nothing here" && !document.body.innerText.includes("Margherita")`)
}

// The page works with the keyboard, and axe finds no serious issues.
func TestCustomersPageByKeyboard(t *testing.T) {
	s := newShop(t)
	id, token := s.pizza(nil)
	p := look(t, "http://"+s.http+"/t/"+token+"?lang=en", 1280, "")
	p.says("We’ve got your order")
	s.hand(id, "Ivan")
	for _, status := range []string{"out_for_delivery", "delivered"} {
		s.status(id, status)
	}
	p.says("Delivered")
	p.until(`document.querySelectorAll(".rating .stars button").length === 5 && document.querySelector(".map-ground .pin")`)
	var seen []string
	for range 12 {
		require.NoError(t, chromedp.Do(p.ctx, chromedp.KeyEvent(kb.Tab)))
		require.Equal(t, 0, run[int](p, `document.querySelectorAll(".map-tools [aria-label='Back to the courier']").length`), "passing by moves no map")
		seen = append(seen, run[string](p, `document.activeElement.getAttribute("aria-label") ?? document.activeElement.classList[0] ?? ""`))
	}
	for _, reached := range []string{"map-ground", "1 star", "5 stars"} {
		require.Contains(t, seen, reached)
	}
	axe := os.Getenv("TEST_AXE")
	if axe == "" {
		t.Skip("and axe: set TEST_AXE to axe.min.js (scripts/web.sh modules)")
	}
	code, err := os.ReadFile(axe)
	require.NoError(t, err)
	p.do(`%s`, string(code)+";undefined")
	require.Empty(t, run[[]string](p, `axe.run().then(r => r.violations.filter(v => ["serious", "critical"].includes(v.impact)).map(v => v.id + " " + v.nodes[0].target))`))
}

// What a customer may and may not change on an order.
func TestCustomersSayWhatTheyMay(t *testing.T) {
	s := newShop(t)
	id, token := s.pizza(nil)
	other, _ := s.pizza(nil)
	key := ""
	say := func(order, what, body string) (status int, code string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.http+"/order/"+order+"/"+what, strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", "application/json")
		if key != "" {
			req.Header.Set("Idempotency-Key", key)
		}
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		var answer object
		require.NoError(t, json.NewDecoder(resp.Body).Decode(&answer))
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode, str(answer, "code")
	}
	for _, c := range []struct {
		order, what, body string
		status            int
		code              string
	}{
		{id, "instructions", `{"text": "code 42"}`, 200, ""},
		{id, "instructions", `{"text": "` + strings.Repeat("x", 501) + `"}`, 422, "validation_failed"},
		{id, "instructions", `{"words": "code 42"}`, 422, "validation_failed"},
		{other, "instructions", `{"text": "code 42"}`, 404, "order_not_found"},
		{id, "rating", `{"stars": 5}`, 409, "illegal_transition"},
		{id, "rating", `{"stars": 6}`, 422, "validation_failed"},
		{id, "rating", `{}`, 422, "validation_failed"},
		{id, "share", `{}`, 403, "forbidden"},
		{id, "notify", `{}`, 403, "forbidden"},
	} {
		status, code := say(c.order, c.what, c.body)
		require.Equal(t, c.status, status, "%+v", c)
		require.Equal(t, c.code, code, "%+v", c)
	}
	require.Equal(t, "code 42", str(s.rest("GET", "/order/"+id, nil), "instructions"))
	key = "once"
	for range 2 { // one change
		status, _ := say(id, "instructions", `{"text": "code 43"}`)
		require.Equal(t, http.StatusOK, status)
	}
	_, code := say(id, "instructions", `{"text": "code 44"}`)
	require.Equal(t, "idempotency_key_reused", code)
	key = ""
	status, _ := say(id, "instructions", `{"text": "code 42"}`)
	require.Equal(t, http.StatusOK, status)
	s.hand(id, "Ivan")
	s.status(id, "delivered")
	status, code = say(id, "instructions", `{"text": "too late"}`)
	require.Equal(t, http.StatusConflict, status)
	require.Equal(t, "order_finished", code)
	for _, stars := range []string{"2", "5"} { // the later one counts
		status, _ = say(id, "rating", `{"stars": `+stars+`, "text": "Спасибо"}`)
		require.Equal(t, http.StatusOK, status)
	}
	require.Equal(t, object{"stars": 5.0, "text": "Спасибо"}, get(s.rest("GET", "/order/"+id, nil), "rating"))
	resp, err := http.Get("http://" + s.http + "/order/" + id + "?token=" + token)
	require.NoError(t, err)
	own := readObject(resp)
	require.Equal(t, "code 42", own["instructions"], "and see what they said")
	require.Equal(t, 5.0, get(own, "rating", "stars"))
}
