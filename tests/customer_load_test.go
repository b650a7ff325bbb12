package tests

import (
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// watchDot records where the courier's dot is drawn, frame by frame.
const watchDot = `void (window.frames = [], (function look() {
	const [dot, home] = [".pin.courier", ".pin.home"].map(pin => document.querySelector(pin)?.getBoundingClientRect());
	if (dot && home) frames.push([Date.now(), dot.x, dot.y, home.x, home.y]);
	requestAnimationFrame(look);
})())`

// The dot on the customer's page moves when the courier does. CUSTOMER_LOAD=1 measures 200 fixes instead of 8.
func TestCustomersDotMovesWithTheCourier(t *testing.T) {
	n := 8
	if os.Getenv("CUSTOMER_LOAD") != "" {
		n = 200
	}
	s := newShop(t)
	id, token := s.pizza(nil)
	p := look(t, "http://"+s.http+"/t/"+token+"?lang=en", 360, "")
	p.says("We’ve got your order")
	courier := s.hand(id, "Ivan")
	s.fix(courier, 60.1700, 24.9400)
	p.until(`document.querySelector(".pin.courier")`)
	p.do(watchDot)
	type fix struct{ accepted, east float64 }
	fixes := make([]fix, 0, n)
	tick := time.NewTicker(time.Second) // the courier goes to and fro, so that every fix turns the dot
	defer tick.Stop()
	for i := range n {
		<-tick.C
		east := float64(1 - i%2*2)
		s.fix(courier, 60.1700, 24.9400+0.00018*east)
		fixes = append(fixes, fix{float64(time.Now().UnixMilli()), east})
	}
	last := `frames.at(-1)[1]`
	was := run[float64](p, "%s", last)
	<-tick.C
	s.fix(courier, 60.1700, 24.9403)
	p.until(last+` > %f`, was+3) // it is not behind
	drawn := run[[][]float64](p, `frames`)
	var delays, jumps []float64
	for i := 1; i < len(drawn); i++ {
		now, was := drawn[i], drawn[i-1]
		if now[3] == was[3] && now[4] == was[4] { // else the map itself moves, to have all pins in view
			jumps = append(jumps, math.Hypot(now[1]-was[1], now[2]-was[2]))
		}
	}
	for i, f := range fixes[1:] { // the first may find the dot on its way to where it stands
		for j := 1; j < len(drawn); j++ {
			if drawn[j][0] >= f.accepted && (drawn[j][1]-drawn[j-1][1])*f.east > 0 {
				delays = append(delays, drawn[j][0]-f.accepted)
				break
			}
		}
		require.Len(t, delays, i+1, "the dot never turned for fix %d", i+1)
	}
	slices.Sort(delays)
	slices.Sort(jumps)
	at := func(list []float64, part float64) float64 { return list[int(float64(len(list)-1)*part)] }
	t.Logf("fix accepted until the dot moves: median %.0f, p99 %.0f, most %.0f ms", at(delays, .5), at(delays, .99), at(delays, 1))
	t.Logf("largest step between two of %d frames: %.1f px", len(drawn), at(jumps, 1))
}

// hurry makes a page's clocks and timers run 60 times as fast.
const hurry = `
	const fast = 60, now = Date.now, mono = performance.now.bind(performance), begun = now(), monoBegun = mono(), RealDate = Date;
	const wall = () => begun + (now() - begun) * fast;
	window.Date = class extends RealDate { constructor(...a) { a.length ? super(...a) : super(wall()); } static now() { return wall(); } };
	performance.now = () => monoBegun + (mono() - monoBegun) * fast;
	for (const name of ["setTimeout", "setInterval"]) { const real = window[name]; window[name] = (f, ms, ...a) => real(f, (ms ?? 0) / fast, ...a); }`

// The memory of a page that is open for hours, with a fix a second, does not grow. CUSTOMER_LOAD=1 makes it two hours by the
// page's clock instead of four minutes; then the map is dragged about.
func TestCustomersPageStaysSmall(t *testing.T) {
	const parts = 4
	fixes := 60
	if os.Getenv("CUSTOMER_LOAD") != "" {
		fixes = 7200 / parts
	}
	s := newShop(t)
	s.args = append(s.args, "--set=map.pmtiles="+helsinki, "--set=limits.key_rate=0")
	s.restart(t)
	id, token := s.pizza(nil)
	p := look(t, "http://"+s.http+"/t/"+token+"?lang=en", 360, hurry)
	p.says("We’ve got your order")
	courier := s.hand(id, "Ivan")
	s.status(id, "out_for_delivery")
	heap := func() float64 {
		_, err := chromedp.Call(p.ctx, heapprofiler.CollectGarbage, cdp.Empty{})
		require.NoError(t, err)
		used, err := chromedp.Call(p.ctx, runtime.GetHeapUsage, cdp.Empty{})
		require.NoError(t, err)
		return used.UsedSize / 1e6
	}
	var sizes []float64
	tick := time.NewTicker(time.Second / 60)
	defer tick.Stop()
	for range parts {
		for i := range fixes {
			<-tick.C
			s.fix(courier, 60.1700+float64(i)*1e-6, 24.9400) // the same way each time: the map keeps a number of tiles of where it has been
		}
		p.until(`document.querySelector(".pin.courier")`)
		sizes = append(sizes, heap())
	}
	t.Logf("JavaScript heap, MB, after each quarter of %d fixes: %.1f", parts*fixes, sizes)
	require.Less(t, sizes[parts-1]-sizes[parts/2-1], 1.0, "MB more in the second half")
	p.do(`void (performance.now = mono)`)
	p.do(`window.panned = %s`, strings.Replace(strings.Replace(frames, ".orders-map ", "", 1), "%t", "true", 1))
	t.Logf("frames a second while the map is dragged: %.0f; heap after it %.1f MB", run[float64](p, `panned`), heap())
	p.calm()
}
