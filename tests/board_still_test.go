package tests

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is in an order's drawer does not move once it is shown, though its actions come later: with its page, and by a click.
func TestTheBoardsDrawerStaysStill(t *testing.T) {
	s := newShop(t)
	id, _ := s.pizza(nil)
	other, _ := s.pizza(nil)
	slowly := `window.places = new Set();
		const ask = window.fetch; // the steps are told late
		window.fetch = async (path, ...more) => { if (String(path).endsWith("/status")) await new Promise(done => setTimeout(done, 400)); return ask(path, ...more); };
		(function look() { // at every frame
			const facts = document.querySelector(".drawer-body .facts");
			if (facts) window.places.add(Math.round(facts.getBoundingClientRect().top));
			requestAnimationFrame(look);
		})();`
	p := s.boardAfter(slowly, "&order="+id, s.key)
	const there = `document.querySelector(".drawer h2") && document.querySelector(".drawer-actions > button") && document.querySelector(".drawer-body .facts")`
	p.until(there)
	p.do(`document.querySelector(".drawer-head button").click()`)
	p.until(`!document.querySelector(".drawer")`)
	p.do(`history.pushState(null, "", %q); dispatchEvent(new PopStateEvent("popstate"))`, fmt.Sprint("/?lang=en&order=", other))
	p.until(there)
	p.do(`new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))`)
	require.Len(t, run[[]int](p, `[...window.places]`), 1, "the facts stand where they were first shown")
}
