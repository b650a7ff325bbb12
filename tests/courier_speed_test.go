package tests

import (
	"testing"

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
