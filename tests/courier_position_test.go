package tests

import (
	"fmt"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	cdp "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// stoppedClock gives a page a clock that stands still until pass moves it; whatever is due after that long is run.
const stoppedClock = `{
	const began = Date.now(), later = setInterval, due = [];
	let passed = 0;
	Date.now = () => began + passed;
	window.setInterval = (work, every, ...more) => (due.push([work, every]), later(() => {}, 1e9));
	window.due = ms => due.filter(([_, every]) => every <= ms).forEach(([work]) => work());
	window.pass = ms => {
		passed += ms;
		window.due(ms);
	};
};`

func (p *tab) passes(d time.Duration) { p.do(`pass(%d)`, d.Milliseconds()) }

// hidden switches the screen off, as far as pages know, or on again.
func (ph *handset) hidden(yes bool) {
	window, err := chromedp.Call(ph.ctx, cdpbrowser.GetWindowForTarget, cdpbrowser.GetWindowForTargetParams{})
	require.NoError(ph.t, err)
	state := map[bool]cdpbrowser.WindowState{true: cdpbrowser.WindowStateMinimized, false: cdpbrowser.WindowStateNormal}[yes]
	_, err = chromedp.Call(ph.ctx, cdpbrowser.SetWindowBounds, cdpbrowser.SetWindowBoundsParams{WindowID: window.WindowID, Bounds: &cdpbrowser.Bounds{WindowState: state}})
	require.NoError(ph.t, err)
	ph.until(`document.hidden === %t`, yes)
}

// A phone that loses permission, its fix or the screen tells the courier and the board why within a minute, and not at
// once where a fix is only late; when it has a position again, both know.
func TestCourierWithoutAPosition(t *testing.T) {
	const (
		late = 39 * time.Second // without a fix: that may be
		lost = 2 * time.Second  // more
		asks = 15 * time.Second // how often boards do
	)
	require.Less(t, late+lost+asks, time.Minute)
	s := newShop(t)
	ph := newHandset(t, s.http)
	courier := s.signedIn(ph, "Ivan")
	id, _ := s.pizza(nil)
	s.rest("POST", "/order/"+id+"/assign-courier", object{"courier_id": courier})
	_, err := chromedp.Call(ph.ctx, cdp.AddScriptToEvaluateOnNewDocument, cdp.AddScriptToEvaluateOnNewDocumentParams{Source: stoppedClock + `
		window.reminders = [];
		const show = ServiceWorkerRegistration.prototype.showNotification;
		ServiceWorkerRegistration.prototype.showNotification = function (title, ...more) {
			reminders.push(title);
			return show.call(this, title, ...more);
		};`})
	require.NoError(t, err)
	ph.lets("notifications", cdpbrowser.PermissionSettingGranted)
	board := s.boardAfter(stoppedClock, "&view=alerts", s.key)
	onTheBoard := func(condition string) {
		t.Helper()
		eventually(t, condition, func() bool {
			board.do(`due(%d)`, asks.Milliseconds()) // what it asked for before may have been on its way
			return run[bool](board, `!!(%s)`, condition)
		})
	}
	told := func(reason, onBoard string) {
		t.Helper()
		eventually(t, "the server knows: "+reason, func() bool {
			return get(s.rest("GET", "/courier/"+courier, nil), "last_contact", "dropped_reason") == reason
		})
		onTheBoard(fmt.Sprintf(`document.querySelector(".alert.silent")?.innerText.includes(%q)`, onBoard))
	}
	found := func(lat float64) {
		t.Helper()
		eventually(t, "the server knows where he is", func() bool {
			c := s.rest("GET", "/courier/"+courier, nil)
			return get(c, "last_contact", "dropped_reason") == nil && get(c, "position", "lat") == lat
		})
		ph.until(`!document.querySelector(".notice.late")`)
		onTheBoard(`!document.querySelector(".alert.silent")`)
	}
	ph.at(60.1675, 24.9440) // not where he signed in
	ph.visit("")
	ph.until(`document.querySelector(".app-go")`)
	ph.passes(time.Second)
	found(60.1675)

	_, err = chromedp.Call(ph.ctx, emulation.SetGeolocationOverride, emulation.SetGeolocationOverrideParams{}) // unavailable
	require.NoError(t, err)
	ph.passes(late)
	require.False(t, run[bool](ph.tab, `!!document.querySelector(".notice.late")`), "it is only late")
	ph.passes(lost)
	ph.until(`document.querySelector(".notice.late")?.innerText.includes("The phone doesn’t find where it is")`)
	told("no_fix", "The phone doesn’t find where it is")
	ph.at(60.1690, 24.9440)
	found(60.1690)

	ph.lets("geolocation", cdpbrowser.PermissionSettingDenied)
	ph.until(`document.querySelector(".notice.late")?.innerText.includes("You haven’t allowed it")`)
	told("no_permission", "The courier hasn’t allowed the app to send the position")
	ph.at(60.1700, 24.9440)
	ph.lets("geolocation", cdpbrowser.PermissionSettingGranted)
	found(60.1700)

	ph.hidden(true)
	told("screen_off", "The courier’s app is not on the screen")
	ph.passes(late)
	require.Empty(t, run[[]string](ph.tab, `reminders`), "he may only look at something")
	ph.passes(lost)
	ph.shows([]string{"Nobody sees where you are"}, `reminders`)
	ph.hidden(false)
	ph.until(`document.querySelector(".notice.late")?.innerText.includes("Nobody saw where you were")`)
}
