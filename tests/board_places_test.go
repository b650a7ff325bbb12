package tests

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// geocoder is a server that knows one street, until it breaks.
type geocoder struct {
	*httptest.Server
	asked  atomic.Int64
	broken atomic.Bool
}

func newGeocoder(t *testing.T) *geocoder {
	g := &geocoder{}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.asked.Add(1)
		switch q := r.URL.Query().Get("q"); {
		case g.broken.Load():
			w.WriteHeader(http.StatusBadGateway)
		case q == "bulev":
			_, _ = fmt.Fprint(w, `[{"lat":"60.16","lon":"24.93","place_rank":26,"display_name":"Bulevardi, Helsinki"},
				{"lat":"60.165","lon":"24.94","place_rank":30,"display_name":"Bulevardi 7, Helsinki","address":{"house_number":"7"}}]`)
		default:
			_, _ = fmt.Fprint(w, `[]`)
		}
	}))
	t.Cleanup(g.Close)
	return g
}

// An address is found, chosen and stored with its place, all from the keyboard; what nobody finds, and a geocoder that is
// away, hold no order up.
func TestBoardFindsAddresses(t *testing.T) {
	g := newGeocoder(t)
	s := newShop(t)
	s.args = append(s.args, "--set=geocoding.url="+g.URL, "--set=geocoding.every=1ms")
	s.restart(t)
	p := s.board("", s.key)
	const field = `document.querySelector("dialog[open] [role=combobox]")`
	begin := func(address string) {
		p.do(`document.activeElement.blur()`)
		p.press("n")
		p.until(field)
		p.fill("Customer", "Anna")
		p.fill("To", address)
	}
	created := func(n int) object {
		p.until(`document.querySelector(".drawer h2") && !document.querySelector("dialog[open]")`)
		orders := s.rest("GET", "/orders", nil)["orders"].([]any)
		require.Len(t, orders, n)
		p.press("Escape")
		p.until(`!document.querySelector(".drawer")`)
		return orders[0].(object)["dropoff"].(object)
	}
	begin("bulev")
	require.Zero(t, g.asked.Load(), "nothing is sent while one writes")
	p.press("Enter")
	p.shows([]string{"Bulevardi, Helsinki\nstreet", "Bulevardi 7, Helsinki"}, `[...document.querySelectorAll(".address [role=option]")].map(e => e.innerText)`)
	p.shows("true", field+`.ariaExpanded`)
	p.keys(kb.ArrowDown)
	p.shows("Bulevardi 7, Helsinki", `document.getElementById(`+field+`.getAttribute("aria-activedescendant"))?.innerText`)
	p.keys(kb.Escape)
	p.until(`document.querySelector("dialog[open] .address-list").hidden`) // and the form stays
	p.keys("x" + kb.Backspace)
	p.press("Enter")
	p.until(`document.querySelectorAll(".address [role=option]").length === 2 && !document.querySelector(".address-list").hidden`)
	p.keys(kb.ArrowDown)
	p.until(`document.querySelector(".address [aria-selected=true]")?.innerText === "Bulevardi 7, Helsinki"`)
	p.press("Enter")
	p.shows("Bulevardi 7, Helsinki", field+`.value`)
	p.until(`document.querySelectorAll("dialog[open] .pin.home").length === 1 && document.querySelector(".address [role=status]").innerText.includes("set on the map")`)
	p.keys(kb.Enter)
	require.Equal(t, object{"address": "Bulevardi 7, Helsinki", "location": object{"lat": 60.165, "lon": 24.94}}, created(1))

	begin("Nowhere 1")
	p.press("Enter")
	p.until(`document.querySelector(".address [role=status]").innerText.startsWith("Nothing found")`)
	p.keys(kb.Enter)
	require.Equal(t, object{"address": "Nowhere 1"}, created(2))

	g.broken.Store(true)
	begin("bulev")
	p.press("Enter")
	p.until(`document.querySelector(".address [role=status]").innerText.includes("doesn’t answer")`)
	p.keys(kb.Enter)
	require.Equal(t, object{"address": "bulev"}, created(3))
}

// Without a geocoder an address is a field for text, and the API says why.
func TestBoardWithoutAGeocoder(t *testing.T) {
	s := newShop(t)
	require.Equal(t, object{"configured": false, "places": []any{}}, s.rest("GET", "/places?q=Bulevardi", nil))
	p := s.board("", s.key)
	p.press("n")
	p.fill("To", "Bulevardi 7")
	p.shows(false, `Boolean(document.querySelector("dialog[open] [role=combobox], dialog[open] .address button"))`)
	p.keys(kb.Tab)
	p.fill("Customer", "Anna")
	p.keys(kb.Enter)
	p.until(`document.querySelector(".drawer h2")`)
	p.calm()
}
