package tests

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/tools/proc"
)

// handset is a courier's phone: a browser whose profile survives it, behind a network that can fail.
type handset struct {
	*tab
	net  *wire
	dir  string
	cmd  *exec.Cmd
	stop context.CancelFunc
}

// newHandset is a handset that reaches the server at an address.
func newHandset(t *testing.T, addr string) *handset {
	if os.Getenv("TEST_BROWSER") == "" {
		t.Skip("needs Chromium: set TEST_BROWSER to it (scripts/services.sh)")
	}
	ph := &handset{tab: &tab{t: t}, net: newWire(t, addr), dir: t.TempDir()}
	t.Cleanup(func() {
		if folder := os.Getenv("TEST_PICTURES"); t.Failed() && folder != "" && ph.stop != nil {
			if picture, err := chromedp.Run(ph.ctx, chromedp.CaptureScreenshot()); err == nil {
				_ = os.WriteFile(folder+"/"+t.Name()+".png", picture, 0o600)
			}
		}
		ph.off()
	})
	return ph
}

// on starts the browser with an empty page, at a place in Helsinki.
func (ph *handset) on() {
	t := ph.t
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 4*time.Minute)
	ctx, stop := chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(os.Getenv("TEST_BROWSER")), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(ph.dir),
		chromedp.Flag("disable-background-networking", true), chromedp.ModifyCmdFunc(func(cmd *exec.Cmd) { ph.cmd = cmd }))...)
	ph.stop = func() { stop(); cancel() }
	ph.ctx, _ = chromedp.NewContext(ctx) // ends with its parent
	require.NoError(t, chromedp.Do(ph.ctx, chromedp.EmulateViewport(360, 740)))
	ph.lets("geolocation", cdpbrowser.PermissionSettingGranted)
	ph.at(60.1680, 24.9440)
}

// lets answers the browser's question for a permission.
func (ph *handset) lets(what string, answer cdpbrowser.PermissionSetting) {
	_, err := chromedp.CallBrowser(ph.ctx, cdpbrowser.SetPermission, cdpbrowser.SetPermissionParams{
		Permission: &cdpbrowser.PermissionDescriptor{Name: what}, Setting: answer,
	})
	require.NoError(ph.t, err)
}

func (ph *handset) at(lat, lon float64) {
	_, err := chromedp.Call(ph.ctx, emulation.SetGeolocationOverride, emulation.SetGeolocationOverrideParams{
		Latitude: &lat, Longitude: &lon, Accuracy: new(8.0),
	})
	require.NoError(ph.t, err)
}

// off closes the browser, which writes its cookies to the disk.
func (ph *handset) off() {
	if ph.stop != nil {
		_ = chromedp.Cancel(ph.ctx)
		ph.stop()
		ph.stop = nil
	}
}

// dies kills the browser.
func (ph *handset) dies() {
	require.NoError(ph.t, ph.cmd.Process.Kill())
	ph.stop()
	ph.stop = nil
}

// visit opens the app and waits for the stop that is next.
func (ph *handset) visit(fragment string) {
	ph.t.Helper()
	ph.open("http://" + ph.net.listener.Addr().String() + "/courier-app?lang=en" + fragment)
	ph.until(`document.querySelector(".app-main")`)
	ph.do(watchButton)
}

// watchButton notes in window.back when the button offers a step of an order that was made already.
const watchButton = `{
	const steps = ["I’m at the pick-up", "I have the order", "On my way", "I’m at the door", "Handed over"], reached = new Map();
	window.back = [];
	new MutationObserver(() => {
		const number = document.querySelector(".app-card-head .num")?.innerText, text = document.querySelector(".app-go .main")?.innerText;
		const step = steps.indexOf(text);
		if (step >= 0 && step < reached.get(number)) window.back.push(number + ": " + text);
		reached.set(number, Math.max(step, reached.get(number) ?? 0));
	}).observe(document.body, { subtree: true, childList: true, characterData: true });
}`

// offline cuts the network.
func (ph *handset) offline() { ph.net.shut() }

func (ph *handset) online() { ph.net.reopen(ph.t) }

// step taps the one button and says what it did. It returns when the page shows what comes next.
func (ph *handset) step() (number, did string) {
	ph.t.Helper()
	const shown = `((document.querySelector(".app-card-head .num")?.innerText ?? "") + "|" + (document.querySelector(".app-go .main")?.innerText ?? ""))`
	ph.until(`document.querySelector(".app-go .main")`)
	was := run[string](ph.tab, shown)
	ph.do(`document.querySelector(".app-go .main").click()`)
	ph.until(shown+` !== %q`, was)
	number, did, _ = strings.Cut(was, "|")
	return number, did
}

// signedIn signs a new courier in on a phone, and closes the browser once, so that the
// session is on the disk.
func (s *shop) signedIn(ph *handset, name string) (courier string) {
	courier = str(s.rest("POST", "/couriers", object{"name": name, "vehicle": "bicycle", "capacity": 50}), "id")
	link := get(s.rest("POST", "/courier/"+courier+"/onboarding", object{}), "apps", 3, "deep_link").(string)
	_, code, _ := strings.Cut(link, "#")
	ph.on()
	ph.visit("#" + code)
	ph.until(`navigator.serviceWorker.controller`)
	ph.until(`!location.href.includes("code")`) // it is not left in the address
	ph.off()
	ph.on()
	return courier
}

// given signs a courier in whose app shows the order that he was given.
func (s *shop) given(ph *handset) (courier, id string) {
	courier = s.signedIn(ph, "Ivan")
	id, _ = s.pizza(nil)
	s.rest("POST", "/order/"+id+"/assign-courier", object{"courier_id": courier})
	ph.visit("")
	ph.until(`document.querySelector(".app-go .main")`)
	return courier, id
}

// killable is a shop whose server is a process.
func killable(t *testing.T) (*shop, *proc.Server) {
	bin, err := proc.Build(t.Context(), t.TempDir())
	require.NoError(t, err)
	key := strings.Repeat("k", 32)
	p, err := proc.New(bin, t.TempDir(), "LOG_LEVEL=warn", "BOOTSTRAP_ADMIN_KEY="+key)
	require.NoError(t, err)
	_, err = p.Start(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Kill() })
	return &shop{server: &server{http: p.HTTP, key: key}, t: t}, p
}

var courierSteps = map[string]string{
	"I’m at the pick-up": "at_pickup", "I have the order": "picked_up", "On my way": "out_for_delivery", "I’m at the door": "at_dropoff", "Handed over": "delivered",
}

// A shift of 40 stops. The network fails, the browser is killed twice and the server once;
// every step arrives once, in order, with the phone's own time.
func TestCourierWorksAShift(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: builds and kills real processes")
	}
	s, p := killable(t)
	ph := newHandset(t, s.http)
	courier := s.signedIn(ph, "Olga")
	const orders = 20
	ids := map[string]string{} // by number
	for n := range orders {
		id, _ := s.pizza(object{"dropoff": object{"address": fmt.Sprint("Street ", n), "location": object{"lat": 60.16 + float64(n)/1000, "lon": 24.93}}})
		o := s.rest("POST", "/order/"+id+"/assign-courier", object{"courier_id": courier})
		ids[str(o, "number")] = id
	}
	ph.visit("")
	ph.until(`document.querySelectorAll(".app-tour li").length === 40`)
	type mark struct {
		status   string
		from, to time.Time
	}
	did := map[string][]mark{}
	steps := 0
	work := func(n int) {
		for range n {
			from := time.Now()
			number, text := ph.step()
			require.Empty(t, run[[]string](ph.tab, `window.back`), "a step that was made is offered again")
			did[number] = append(did[number], mark{courierSteps[text], from, time.Now()})
			steps++
			ph.at(60.16+float64(steps)/10000, 24.93)
		}
	}
	again := func() { ph.on(); ph.visit("") }

	work(15)
	ph.until(`!document.querySelector(".app-chip")`)
	ph.offline()
	work(4)
	ph.until(`document.querySelector(".app-chip")?.innerText.includes("4 wait for network")`)
	ph.dies() // with four steps that nobody has heard of
	again()
	ph.until(`document.querySelector(".app-chip")?.innerText.includes("4 wait for network")`)
	work(6) // ten made offline
	ph.online()
	work(10)
	require.NoError(t, p.Kill()) // while steps are being sent
	work(10)
	_, err := p.Start(t.Context())
	require.NoError(t, err)
	work(10)
	ph.dies()
	again()
	for len(did) < orders || steps < 5*orders {
		work(1)
	}
	ph.until(`document.querySelector(".empty") && !document.querySelector(".app-chip")`)

	sent := 0
	for number, id := range ids {
		var got []string
		for _, e := range s.rest("GET", "/order/"+id+"/events", nil)["events"].([]any) {
			e := e.(object)
			if get(e, "type") != "order.status_changed" || get(e, "actor", "kind") != "courier" {
				continue
			}
			mark := did[number][len(got)]
			got = append(got, str(e, "status"))
			require.Equal(t, mark.status, str(e, "status"), "%s: in order", number)
			at, err := time.Parse(time.RFC3339, str(e, "occurred_at"))
			require.NoError(t, err)
			require.WithinRange(t, at, mark.from.Add(-time.Second), mark.to.Add(time.Second), "%s %s: the phone's time", number, mark.status)
			sent++
		}
		require.Equal(t, []string{"at_pickup", "picked_up", "out_for_delivery", "at_dropoff", "delivered"}, got, "%s: each once", number)
	}
	require.Equal(t, 5*orders, sent)
	ph.until(`document.querySelector(".app-sums")?.innerText.includes("20 orders delivered")`)
	fixes := s.rest("GET", "/courier/"+courier+"/track", nil)
	require.NotEmpty(t, fixes)
}

// Two tabs of one phone send each step once; an order that went to somebody else is told, and what follows is sent.
func TestCourierIsToldWhatWasRefused(t *testing.T) {
	s := newShop(t)
	ph := newHandset(t, s.http)
	courier := s.signedIn(ph, "Ivan")
	other := str(s.rest("POST", "/couriers", object{"name": "Olga Petrova", "vehicle": "car"}), "id")
	var ids []string
	for range 2 {
		id, _ := s.pizza(nil)
		s.rest("POST", "/order/"+id+"/assign-courier", object{"courier_id": courier})
		ids = append(ids, id)
	}
	ph.visit("")
	two, done := chromedp.NewContext(ph.ctx)
	defer done()
	second := &handset{tab: &tab{t: t, ctx: two}, net: ph.net}
	second.visit("")
	second.until(`document.querySelectorAll(".app-tour li").length === 4`)
	ph.offline()
	number, _ := ph.step()
	second.until(`document.querySelector(".app-chip")?.innerText.includes("1 wait")`)
	second.step()
	second.step()
	ph.until(`document.querySelector(".app-chip")?.innerText.includes("3 wait for network")`)
	lost, kept := ids[0], ids[1]
	if str(s.rest("GET", "/order/"+lost, nil), "number") != number {
		lost, kept = kept, lost
	}
	s.rest("POST", "/order/"+lost+"/assign-courier", object{"courier_id": other})
	ph.online()
	for _, p := range []*handset{ph, second} {
		p.until(`document.querySelector(".notice.bad")?.innerText.includes("was given to Olga at")`)
		p.until(`!document.querySelector(".app-chip")`)
	}
	require.Equal(t, "at_pickup", s.rest("GET", "/order/"+kept, nil)["status"], "what follows is sent")
	require.Equal(t, "assigned", s.rest("GET", "/order/"+lost, nil)["status"])
	ph.shows(1, `document.querySelectorAll(".notice.bad").length`) // one for an order
	ph.do(`document.querySelector(".notice.bad button").click()`)
	second.until(`!document.querySelector(".notice.bad")`)
	events := s.rest("GET", "/order/"+kept+"/events", nil)["events"].([]any)
	var moved int
	for _, e := range events {
		if get(e, "status") == "at_pickup" {
			moved++
		}
	}
	require.Equal(t, 1, moved, "two tabs are one sender")
}

// The first attempt of a step, whose answer was lost, may still be at work: the repeat is told so, and is no refusal.
func TestCourierRepeatsAStepThatIsStillAtWork(t *testing.T) {
	s := newShop(t)
	ph := newHandset(t, s.http)
	_, id := s.given(ph)
	end := ph.net.refuse(t, http.StatusConflict, `{"status":409,"code":"idempotency_in_progress"}`)
	ph.step()
	ph.until(`performance.getEntriesByType("resource").some(e => e.name.endsWith("/status"))`) // it was sent, and answered
	ph.until(`document.querySelector(".app-chip")?.innerText.includes("1 wait")`)
	end()
	ph.until(`!document.querySelector(".app-chip")`)
	require.Empty(t, run[string](ph.tab, `document.querySelector(".notice.bad")?.innerText ?? ""`))
	require.Equal(t, "at_pickup", s.rest("GET", "/order/"+id, nil)["status"])
}

// An offer rings with the time that is left; one is accepted and one declined with a reason.
func TestCourierAnswersOffers(t *testing.T) {
	s := newShop(t)
	ph := newHandset(t, s.http)
	courier := s.signedIn(ph, "Ivan")
	ph.visit("")
	ph.until(`document.querySelector(".empty")`)
	taken, _ := s.pizza(nil)
	offer := object{"courier_ids": []string{courier}, "expires_in_s": 300}
	s.rest("POST", "/order/"+taken+"/offers", offer)
	ph.until(`document.querySelector(".app-offer")?.innerText.includes("Kalevankatu 12")`)
	ph.do(`document.querySelector(".app-offer .main").click()`)
	ph.until(`document.querySelector(".app-card-head")?.innerText.includes("Pick up")`)
	require.Equal(t, courier, s.rest("GET", "/order/"+taken, nil)["courier_id"])
	declined, _ := s.pizza(nil)
	s.rest("POST", "/order/"+declined+"/offers", offer)
	ph.until(`document.querySelector(".app-offer button")`)
	ph.do(`document.querySelector(".app-offer button").click()`)
	ph.until(`document.querySelector("dialog[open] .app-choices button")`)
	ph.do(`document.querySelector("dialog[open] .app-choices button").click()`)
	ph.until(`!document.querySelector(".app-offer")`)
	events := s.rest("GET", "/order/"+declined+"/events", nil)["events"].([]any)
	last := events[len(events)-1].(object)
	require.Equal(t, "offer.declined", str(last, "type"))
	require.Equal(t, "Too far away", get(last, "data", "reason"))
}

// A full disk is told, and nothing counts as done that was not kept.
func TestCourierIsToldThatThePhoneIsFull(t *testing.T) {
	s := newShop(t)
	ph := newHandset(t, s.http)
	courier := s.signedIn(ph, "Ivan")
	id, _ := s.pizza(nil)
	s.rest("POST", "/order/"+id+"/assign-courier", object{"courier_id": courier})
	room := func(bytes *float64) {
		_, err := chromedp.Call(ph.ctx, storage.OverrideQuotaForOrigin, storage.OverrideQuotaForOriginParams{Origin: "http://" + ph.net.listener.Addr().String(), QuotaSize: bytes})
		require.NoError(t, err)
	}
	ph.lets("geolocation", cdpbrowser.PermissionSettingDenied) // so that only the step has to be kept
	room(new(1.0))
	ph.visit("")
	ph.until(`document.querySelector(".app-go .main")`)
	ph.do(`document.querySelector(".app-go .main").click()`)
	ph.until(`document.querySelector(".notice.bad")?.innerText.includes("The phone is full")`)
	require.Equal(t, "I’m at the pick-up", run[string](ph.tab, `document.querySelector(".app-go .main").innerText`))
	room(nil)
	ph.step()
	ph.until(`!document.querySelector(".notice.bad")`)
	eventually(t, "the step arrives", func() bool { return s.rest("GET", "/order/"+id, nil)["status"] == "at_pickup" })
}

// A link works once; without a session nothing is lost, and a new link sends what waits.
func TestCourierSignsInAgain(t *testing.T) {
	s := newShop(t)
	ph := newHandset(t, s.http)
	courier, id := s.given(ph)
	ph.offline()
	ph.step()
	s.rest("DELETE", "/courier/"+courier+"/onboarding", nil)
	ph.online()
	ph.until(`document.querySelector(".app-gate")?.innerText.includes("1 waits for network")`)
	link := get(s.rest("POST", "/courier/"+courier+"/onboarding", object{}), "apps", 3, "deep_link").(string)
	ph.do(`document.querySelector(".app-gate input").focus()`)
	ph.keys(link + "\r")
	ph.until(`document.querySelector(".app-go .main")`)
	eventually(t, "the step arrives", func() bool { return s.rest("GET", "/order/"+id, nil)["status"] == "at_pickup" })
	ph.do(`document.querySelector(".app-duty").click()`)
	ph.until(`document.querySelector("dialog[open] .danger")`)
	ph.do(`document.querySelector("dialog[open] .danger").click()`)
	ph.until(`document.querySelector(".app-gate input")`)
	ph.do(`document.querySelector(".app-gate input").focus()`)
	ph.keys(link + "\r")
	ph.until(`document.querySelector(".app-gate .field-error")?.innerText.includes("already")`)
}

// The hand-over asks for what the order requires. What was taken without a network is sent later, the proof before the
// step; a wrong code is told, and the right one delivers.
func TestCourierHandsOver(t *testing.T) {
	s := newShop(t)
	ph := newHandset(t, s.http)
	courier := s.signedIn(ph, "Ivan")
	id, token := s.pizza(object{
		"proof_required": []string{"photo", "signature", "pin"},
		"payment":        object{"due": object{"amount": 2450, "currency": "EUR"}, "delivery": object{"amount": 290, "currency": "EUR"}, "method": "cash"},
	})
	s.rest("POST", "/order/"+id+"/assign-courier", object{"courier_id": courier})
	for _, status := range []string{"picked_up", "out_for_delivery", "at_dropoff"} {
		s.status(id, status)
	}
	resp, err := http.Get("http://" + s.http + "/order/" + id + "?token=" + token) // nobody else is shown the code
	require.NoError(t, err)
	pin := str(readObject(resp), "pin")
	ph.visit("")
	ph.until(`document.querySelector(".app-go .main")`)
	ph.offline()
	handOver := func(code string) {
		ph.until(`document.querySelector(".app-go .main")?.innerText === "Handed over" && !document.querySelector("dialog[open]")`)
		ph.do(`document.querySelector(".app-go .main").click()`)
		ph.until(`document.querySelector("dialog[open] .app-signature canvas")?.width > 400`)
		ph.do(`document.querySelector("dialog[open] .dialog-actions .main").click()`)
		ph.until(`document.querySelectorAll("dialog[open] [role=alert], dialog[open] .field-error").length >= 4`) // all of it is missing
		ph.photographs()
		ph.do(`(() => {
			const pad = document.querySelector("dialog[open] .app-signature canvas"), box = pad.getBoundingClientRect();
			for (const [type, x] of [["pointerdown", 10], ["pointermove", 90], ["pointerup", 90]])
				pad.dispatchEvent(new PointerEvent(type, { pointerId: 1, buttons: 1, clientX: box.left + x, clientY: box.top + 40, bubbles: true }));
			document.querySelector("dialog[open] .check input").click();
		})()`)
		ph.do(`document.querySelector("dialog[open] .field input").focus()`)
		ph.keys(code)
		ph.until(`!document.querySelector("dialog[open] .field-error")`) // nothing is
		ph.do(`document.querySelector("dialog[open] .dialog-actions .main").click()`)
	}
	ph.do(`void (HTMLElement.prototype.setPointerCapture = () => {})`) // a made-up pointer can't be captured
	wrong := "0000"
	if pin == wrong {
		wrong = "1111"
	}
	handOver(wrong)
	ph.until(`document.querySelector(".app-chip")?.innerText.includes("2 wait for network")`)
	ph.online()
	ph.until(`document.querySelector(".notice.bad")?.innerText.includes("the code was wrong")`)
	ph.do(`document.querySelector(".notice.bad button").click()`)
	handOver(pin)
	eventually(t, "it is delivered", func() bool { return s.rest("GET", "/order/"+id, nil)["status"] == "delivered" })
	proofs := s.rest("GET", "/order/"+id+"/proof", nil)["proofs"].([]any)
	require.NotEmpty(t, proofs)
	require.ElementsMatch(t, []any{"photo", "signature", "pin"}, get(proofs[len(proofs)-1], "kinds"))
	ph.until(`document.querySelector(".app-sums")?.innerText.includes("€27.40")`)
	require.EqualValues(t, 2740, get(s.rest("GET", "/order/"+id, nil), "payment", "received", "amount"), "what was due, and the delivery")
}

// A break is known to the server, which plans nothing for the courier until it is over.
func TestCourierTakesABreak(t *testing.T) {
	s := newShop(t)
	ph := newHandset(t, s.http)
	courier := s.signedIn(ph, "Ivan")
	ph.visit("")
	tap := func(button string) {
		ph.until(`document.querySelector(".app-duty") && !document.querySelector("dialog[open]")`)
		ph.do(`document.querySelector(".app-duty").click()`)
		ph.until(`[...document.querySelectorAll("dialog[open] button")].some(b => b.innerText === %q)`, button)
		ph.do(`[...document.querySelectorAll("dialog[open] button")].find(b => b.innerText === %q).click()`, button)
	}
	is := func(duty, pause bool) {
		eventually(t, fmt.Sprint("on duty ", duty, ", on a break ", pause), func() bool {
			c := s.rest("GET", "/courier/"+courier, nil)
			return c["on_duty"] == duty && (c["break_since"] != nil) == pause
		})
	}
	tap("Take a break")
	is(false, true)
	ph.until(`document.querySelector(".app-duty").innerText === "On a break" && document.querySelector(".empty")?.innerText.includes("Enjoy your break")`)
	tap("Back to work")
	is(true, false)
	tap("Finish work")
	is(false, false)
	ph.until(`document.querySelector(".app-duty").innerText === "Off duty"`)
}

// A problem with a photo becomes an incident and ends the attempt; the goods go back to the sender.
func TestCourierReportsAProblem(t *testing.T) {
	s := newShop(t)
	ph := newHandset(t, s.http)
	courier := s.signedIn(ph, "Ivan")
	id, _ := s.pizza(nil)
	s.rest("POST", "/order/"+id+"/assign-courier", object{"courier_id": courier})
	for _, status := range []string{"picked_up", "out_for_delivery", "at_dropoff"} {
		s.status(id, status)
	}
	ph.visit("")
	report := func(code, button string) {
		ph.until(`document.querySelector(".app-actions button")`)
		ph.do(`document.querySelector(".app-actions button").click()`)
		ph.until(`document.querySelector("dialog[open] input[value=%s]")`, code)
		ph.do(`document.querySelector("dialog[open] input[value=%s]").click()`, code)
		ph.do(`[...document.querySelectorAll("dialog[open] .app-ways button")].find(b => b.innerText === %q).click()`, button)
	}
	report("not_there", "I couldn’t hand it over")
	eventually(t, "the attempt failed", func() bool { return s.rest("GET", "/order/"+id, nil)["status"] == "delivery_failed" })
	report("refused", "Take it back to the sender")
	ph.until(`document.querySelector(".app-go .main")?.innerText === "Given back"`)
	ph.step()
	eventually(t, "it is back", func() bool { return s.rest("GET", "/order/"+id, nil)["status"] == "returned" })
	incidents := s.rest("GET", "/order/"+id+"/incidents", nil)["incidents"].([]any)
	require.Len(t, incidents, 2)
	require.Equal(t, "not_there", get(incidents[0], "code"))
}
