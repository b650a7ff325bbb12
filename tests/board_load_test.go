package tests

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/order-tracking/order-tracking/pkg/client"
)

const truck = "Truck" // the courier who gets what is assigned at once

// city fills a server with couriers and open orders, some of which are named to be found.
func (s *shop) city(couriers, orders, bulky int) (ids []string) {
	var lines strings.Builder
	for i := range couriers {
		ids = append(ids, newID())
		name := fmt.Sprint("Courier ", i)
		if i == 0 {
			name = truck
		}
		lines.Write(encode(s.t, object{"courier": object{"id": ids[i], "name": name, "vehicle": "car", "capacity": 1000, "on_duty": true, "created_at": "2026-05-04T12:00:00Z", "updated_at": "2026-05-04T12:00:00Z"}}))
		lines.WriteByte('\n')
	}
	for i := range orders {
		name := fmt.Sprint("Customer ", i)
		if i < 2*bulky {
			name = fmt.Sprint([]string{"Bulky ", "Heavy "}[i%2], i)
		}
		lines.Write(encode(s.t, object{
			"external_id": fmt.Sprint("load-", i), "customer": object{"name": name}, "promised_at": time.Now().Add(time.Hour),
			"dropoff": object{"address": fmt.Sprintf("Street %d", i%700), "location": object{"lat": 60.15 + float64(i%83)*0.0007, "lon": 24.88 + float64(i%97)*0.001}},
		}))
		lines.WriteByte('\n')
	}
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, "http://"+s.http+"/orders/import", strings.NewReader(lines.String()))
	require.NoError(s.t, err)
	req.Header.Set("Content-Type", "application/x-ndjson")
	req.Header.Set("Authorization", "Bearer "+s.key)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(s.t, err)
	defer func() { _ = resp.Body.Close() }()
	told, err := io.ReadAll(resp.Body)
	require.NoError(s.t, err)
	require.Contains(s.t, string(told[max(0, len(told)-300):]), fmt.Sprintf(`"created":%d,"known":0,"failed":0`, couriers+orders))
	return ids
}

// drive places all couriers, then moves them, so many a second, until the test ends.
func (s *shop) drive(ids []string, moves int) {
	at := func(ctx context.Context, i, n int) error {
		_, err := s.ReportPositions(ctx, ids[i], []client.Position{{Lat: 60.15 + float64((i*7919+n*13)%6000)*1e-5, Lon: 24.88 + float64((i*104729+n*31)%12000)*1e-5}})
		return err
	}
	var placed errgroup.Group
	placed.SetLimit(32)
	for i := range ids {
		placed.Go(func() error { return at(s.t.Context(), i, 0) })
	}
	require.NoError(s.t, placed.Wait())
	ctx, stop := context.WithCancel(s.t.Context())
	var running sync.WaitGroup
	next := make(chan int)
	for range 16 {
		running.Go(func() {
			for n := range next {
				_ = at(ctx, n%len(ids), n/len(ids)+1) // one that is late is dropped
			}
		})
	}
	running.Go(func() {
		defer close(next)
		tick := time.NewTicker(time.Second / time.Duration(moves))
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				next <- n
			}
		}
	})
	s.t.Cleanup(func() {
		stop()
		running.Wait()
	})
}

// frames counts frames for some seconds, still or while the map is dragged to and fro.
const frames = `new Promise(tell => {
	const ground = document.querySelector(".orders-map .map-ground"), pane = ground.querySelector(".leaflet-map-pane"), box = ground.getBoundingClientRect();
	const mouse = (at, type, x) => at.dispatchEvent(new MouseEvent(type, { clientX: box.x + x, clientY: box.y + 300, button: 0, buttons: 1, bubbles: true }));
	const pan = %t, start = performance.now();
	if (pan) mouse(pane, "mousedown", 300);
	let n = 0;
	const step = now => {
		n++;
		if (pan) mouse(pane, "mousemove", 300 + 150 * Math.sin(n / 20));
		if (now - start < 5000) return requestAnimationFrame(step);
		if (pan) mouse(pane, "mouseup", 300);
		tell(n / (now - start) * 1000);
	};
	requestAnimationFrame(step);
})`

// The board with many couriers under way and many open orders. BOARD_LOAD=1 makes it 10,000 and
// 5,000 at 300 moves a second, and holds the times against their limits.
func TestBoardUnderLoad(t *testing.T) {
	couriers, orders, bulky, moves := 300, 150, 40, 100 // more couriers than the map has pins for
	full := os.Getenv("BOARD_LOAD") != ""
	if full {
		couriers, orders, bulky, moves = 10_000, 5000, 200, 300
	}
	s := newShop(t)
	s.args = append(s.args, "--set=limits.key_rate=0") // the couriers have the board's key
	s.restart(t)
	s.drive(s.city(couriers, orders, bulky), moves)
	p := look(t, "http://"+s.http+"/?lang=en", 1920, "")
	require.NoError(t, chromedp.Do(p.ctx, chromedp.EmulateViewport(1920, 1080)))
	limit := func(name string, got, most float64) {
		t.Logf("%s: %.0f (%.0f)", name, got, most)
		if full {
			assert.LessOrEqual(t, got, most, name)
		}
	}
	// took is how long a script needs until a condition holds and has been drawn, milliseconds.
	took := func(script, condition string) float64 {
		return run[float64](p, `new Promise(tell => {
			const start = performance.now();
			%s;
			const look = () => (%s) ? requestAnimationFrame(() => tell(performance.now() - start)) : requestAnimationFrame(look);
			look();
		})`, script, condition)
	}
	const rows = `document.querySelectorAll(".table-body .table-row").length`
	write := func(field, text string) string {
		return fmt.Sprintf(`(f => { f.value = %q; f.dispatchEvent(new Event("input", { bubbles: true })); })(document.querySelector(%q))`, text, field)
	}
	p.until(`document.querySelector(".login input")`)
	limit("first view, KiB", run[float64](p, `performance.getEntries().reduce((n, e) => n + (e.encodedBodySize ?? 0), 0) / 1024`), 250)
	p.do(`%s`, write(".login input", s.key))
	limit("login until usable, ms", took(`document.querySelector(".login").requestSubmit()`, rows+` > 20`), 1000)
	p.until(`document.querySelector(".group-line .num")?.innerText.replace(/\D/g, "") === "%d"`, orders)
	for _, text := range []string{"b", "bu", "bul", "bulk"} {
		limit("typing, ms", took(write(".search", text), `document.querySelector(".search").value === "`+text+`"`), 100)
	}
	// give assigns the orders that a search finds, and wants a result for each.
	give := func(what, find, how string, most float64) {
		p.do(`%s`, write(".search", find))
		p.until(`document.querySelector(".table").ariaRowCount === "%d"`, bulky+1)
		p.do(`document.activeElement.blur()`)
		p.press("*", "a")
		p.until(`document.querySelector("dialog[open] .assign-list button")`)
		p.do(`%s`, write("dialog[open] .palette-field", truck))
		p.until(`document.querySelectorAll("dialog[open] .assign-list button").length === 1`)
		p.do(`performance.setResourceTimingBufferSize(10000); performance.clearResourceTimings()`)
		limit(what, took(how, fmt.Sprintf(`document.querySelectorAll(".outcome li").length === %d`, bulky)), most)
		require.Empty(t, run[[]string](p, `[...document.querySelectorAll(".outcome .bad")].map(e => e.innerText).slice(0, 3)`))
		p.do(`void [...document.querySelectorAll("dialog[open] .dialog-actions button")].at(-1).click()`)
		p.until(`!document.querySelector("dialog[open]")`)
	}
	give("bulk, ms", "bulk", `[...document.querySelectorAll("dialog[open] .assign button")].find(b => b.innerText === "Choose for me").click()`, 1000)
	give("bulk to one courier, ms", "heavy", `document.querySelector("dialog[open] .assign").requestSubmit()`, 5000) // each joins the tour of all before it
	require.Zero(t, run[int](p, `(() => {
		const names = performance.getEntriesByType("resource").map(e => e.name), given = new Set(names.flatMap(n => n.match(/^(.*)\/assign-courier$/)?.[1] ?? []));
		return names.filter(n => given.has(n)).length;
	})()`), "each answer brought its order")
	p.until(`document.querySelector(".leaflet-crowd-pane canvas")`)
	for _, pan := range []bool{false, true} {
		n := run[float64](p, frames, pan)
		t.Logf("frames a second, panning %t: %.0f", pan, n)
		if full {
			assert.GreaterOrEqual(t, n, 30.0)
		}
	}
	limit("memory, MB", run[float64](p, `performance.memory.usedJSHeapSize / 1e6`), 150)
	p.calm()
}
