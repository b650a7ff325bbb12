package tests

import (
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	cdp "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// The times that couriers wait are printed, for docs/measurements.md: those of a shared machine prove nothing.
func TestCourierAppIsQuick(t *testing.T) {
	s := newShop(t)
	ph := newHandset(t, s.http)
	courier := s.signedIn(ph, "Ivan")
	for range 10 {
		id, _ := s.pizza(nil)
		s.rest("POST", "/order/"+id+"/assign-courier", object{"courier_id": courier})
	}
	ph.visit("")
	ph.until(`document.querySelectorAll(".app-tour li").length === 20 && document.querySelector(".app-go .main")`)
	_, err := chromedp.Call(ph.ctx, cdp.AddScriptToEvaluateOnNewDocument, cdp.AddScriptToEvaluateOnNewDocumentParams{Source: `
		const shown = () => (document.querySelector(".app-card-head .num")?.innerText ?? "") + document.querySelector(".app-go .main")?.innerText;
		const painted = () => new Promise(done => requestAnimationFrame(() => setTimeout(() => done(performance.now()))));
		new MutationObserver(async (_, o) => {
			if (!document.querySelector(".app-go .main")) return;
			o.disconnect();
			window.usable = await painted();
		}).observe(document, { subtree: true, childList: true });
		window.tap = () => new Promise(done => {
			const was = shown(), began = performance.now();
			new MutationObserver(async (_, o) => {
				if (shown() === was) return;
				o.disconnect();
				done(await painted() - began);
			}).observe(document.body, { subtree: true, childList: true, characterData: true });
			document.querySelector(".app-go .main").click();
		});`})
	require.NoError(t, err)
	ph.visit("")
	ph.until(`window.usable`)
	t.Logf("usable with a network: %.0f ms", run[float64](ph.tab, `usable`))
	ph.offline()
	for _, slower := range []float64{1, 4} {
		_, err := chromedp.Call(ph.ctx, emulation.SetCPUThrottlingRate, emulation.SetCPUThrottlingRateParams{Rate: slower})
		require.NoError(t, err)
		ph.visit("")
		ph.until(`window.usable`)
		t.Logf("usable without a network, processor %.0f times slower: %.0f ms", slower, run[float64](ph.tab, `usable`))
		ph.until(`!document.querySelector(".bone")`)
		for range 8 {
			t.Logf("from the tap to the next step on the screen, processor %.0f times slower: %.0f ms", slower, run[float64](ph.tab, `tap()`))
		}
	}
	ph.until(`document.querySelector(".app-chip")?.innerText.includes("16 wait for network")`)
}

// Whatever stops a phone's positions is on the board at once, but for a lost fix, which is told after 50 s.
func TestCourierLosesThePosition(t *testing.T) {
	s := newShop(t)
	ph := newHandset(t, s.http)
	courier := s.signedIn(ph, "Ivan")
	ph.visit("")
	contact := func() any { return get(s.rest("GET", "/courier/"+courier, nil), "last_contact") }
	told := func(why string, began time.Time) {
		eventually(t, why, func() bool { return get(contact(), "dropped_reason") == why })
		t.Logf("%s is on the board after %d ms", why, time.Since(began).Milliseconds())
	}
	located := func() {
		ph.at(60.17, 24.94)
		eventually(t, "a position", func() bool { return get(contact(), "kind") == "position" && get(contact(), "dropped_reason") == nil })
	}
	located()
	// A minute passes for the page, in which the phone finds no place.
	_, err := chromedp.Call(ph.ctx, emulation.SetGeolocationOverride, emulation.SetGeolocationOverrideParams{})
	require.NoError(t, err)
	ph.do(`void (window.now = Date.now, Date.now = () => now.call(Date) + 51_000)`)
	told("no_fix", time.Now())
	ph.until(`document.querySelector(".notice.late")`)
	located()
	ph.until(`!document.querySelector(".notice.late")`)
	began := time.Now()
	ph.do(`void (Object.defineProperty(document, "hidden", { get: () => true, configurable: true }), document.dispatchEvent(new Event("visibilitychange")))`)
	told("screen_off", began)
	ph.do(`void (delete document.hidden, document.dispatchEvent(new Event("visibilitychange")))`)
	located()
	began = time.Now()
	_, err = chromedp.CallBrowser(ph.ctx, cdpbrowser.SetPermission, cdpbrowser.SetPermissionParams{
		Permission: &cdpbrowser.PermissionDescriptor{Name: "geolocation"}, Setting: cdpbrowser.PermissionSettingDenied,
	})
	require.NoError(t, err)
	told("no_permission", began)
	ph.until(`document.querySelector(".notice.late")?.innerText.includes("You haven’t allowed it")`)
}
