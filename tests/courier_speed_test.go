package tests

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	cdp "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// The first view of a new phone, with ten orders, is light: all that it fetches, with the heads of the answers.
func TestCourierAppIsLight(t *testing.T) {
	s := newShop(t)
	courier := str(s.rest("POST", "/couriers", object{"name": "Ivan", "vehicle": "bicycle", "capacity": 50}), "id")
	for range 10 {
		id, _ := s.pizza(nil)
		s.rest("POST", "/order/"+id+"/assign-courier", object{"courier_id": courier})
	}
	for _, lang := range []string{"en", "ru"} {
		ph := newHandset(t, s.http)
		ph.on()
		var bytes atomic.Int64
		require.NoError(t, chromedp.Listen(ph.ctx, func(e any) {
			if e, ok := e.(*network.EventLoadingFinished); ok {
				bytes.Add(int64(e.EncodedDataLength))
			}
		}))
		_, err := chromedp.Call(ph.ctx, network.Enable, network.EnableParams{})
		require.NoError(t, err)
		link := get(s.rest("POST", "/courier/"+courier+"/onboarding", object{}), "apps", 3, "deep_link").(string)
		_, code, _ := strings.Cut(link, "#")
		ph.open("http://" + ph.net.listener.Addr().String() + "/courier-app?lang=" + lang + "#" + code)
		ph.until(`document.querySelectorAll(".app-tour li").length === 20 && document.querySelector(".app-go .main")`)
		t.Logf("first view, %s: %d KiB", lang, bytes.Load()>>10)
		require.Greater(t, bytes.Load(), int64(50<<10), "it was measured")
		require.Less(t, bytes.Load(), int64(95<<10))
		ph.off()
	}
}

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
