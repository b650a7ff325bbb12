package tests

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// keys types into the page, as a person without a mouse does.
func (p *tab) keys(keys string) {
	p.t.Helper()
	require.NoError(p.t, chromedp.Do(p.ctx, chromedp.KeyEvent(keys)))
}

// press presses keys that are commands. A real keyboard's command does not also arrive as text
// in the field that it opens; what chromedp types does.
func (p *tab) press(keys ...string) {
	p.t.Helper()
	for _, key := range keys {
		p.do(`void document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: %q, bubbles: true, cancelable: true }))`, key)
	}
}

// board opens the board, signed in with a key.
func (s *shop) board(path, key string) *tab { return s.boardAfter("", path, key) }

// boardAfter runs a script before the page's own.
func (s *shop) boardAfter(script, path, key string) *tab {
	p := look(s.t, "http://"+s.http+"/?lang=en"+path, 1440, script)
	p.until(`document.querySelector(".login input")`)
	p.do(`document.querySelector(".login input").focus()`)
	p.keys(key + kb.Enter)
	p.until(`document.querySelector(".board-main:not([aria-busy])")`)
	return p
}

// A day's work without a mouse: sign in, enter an order, assign it, take it further, find it again.
func TestBoardIsWorkedFromTheKeyboard(t *testing.T) {
	s := newShop(t)
	courier := str(s.rest("POST", "/couriers", object{"name": "Olga Petrova", "vehicle": "bicycle"}), "id")
	p := s.board("", s.key)
	p.until(`document.querySelector(".empty")`)
	p.press("n")
	p.until(`document.querySelector("dialog[open] form")`)
	p.do(`document.querySelector("dialog[open] form input").focus()`)
	p.keys("Anna Virtanen" + kb.Tab + "+358401234567" + kb.Tab + "Kalevankatu 12")
	p.keys(kb.Enter)
	p.until(`document.querySelector(".drawer h2") && !document.querySelector("dialog[open]")`)
	orders := s.rest("GET", "/orders", nil)["orders"].([]any)
	require.Len(t, orders, 1)
	id := str(orders[0].(object), "id")
	require.Equal(t, "Kalevankatu 12", orders[0].(object)["dropoff"].(object)["address"])

	p.press("a")
	p.until(`document.querySelector("dialog[open] .assign-list button")`)
	p.keys("olg" + kb.Enter)
	p.until(`document.querySelector(".drawer .mark")?.innerText === "Courier assigned"`)
	got := s.rest("GET", "/order/"+id, nil)
	require.Equal(t, "assigned", got["status"])
	require.Equal(t, courier, got["courier_id"])
	p.until(`document.querySelector(".toast button")`) // an undo

	s.status(id, "picked_up") // by the courier's phone: the board shows it by itself
	p.until(`document.querySelector(".drawer .mark")?.innerText === "Picked up"`)
	p.press("Escape")
	p.until(`!document.querySelector(".drawer")`)
	for range 3 {
		s.pizza(nil)
	}
	p.until(`document.querySelectorAll(".table-body .table-row").length === 4`)
	p.press("/")
	p.until(`document.activeElement.matches("input.search")`)
	p.keys("virtanen")
	p.until(`document.querySelectorAll(".table-body .table-row").length === 1`)
	p.until(`document.querySelector(".table-body .table-row").innerText.includes("Olga Petrova")`)
	p.until(`location.search.includes("q=virtanen")`)
	p.do(`document.activeElement.blur()`)
	p.press("g", "c")
	p.until(`document.querySelector(".couriers .table-row.pick")`)
	p.calm()
}

// Several orders at once: each has its result, and what failed stays selected.
func TestBoardChangesManyOrders(t *testing.T) {
	s := newShop(t)
	courier := str(s.rest("POST", "/couriers", object{"name": "Bo", "vehicle": "car", "capacity": 20}), "id")
	var ids []string
	for range 12 {
		id, _ := s.pizza(nil)
		ids = append(ids, id)
	}
	gone, _ := s.pizza(nil)
	p := s.board("", s.key)
	p.until(`document.querySelectorAll(".table-body .table-row").length === 13`)
	p.press("*", "a")
	p.until(`document.querySelector("dialog[open] .assign-list button")`)
	s.rest("DELETE", "/order/"+gone, object{}) // somebody else was faster
	p.keys("bo" + kb.Enter)
	p.until(`document.querySelectorAll(".outcome li").length === 13 && document.querySelectorAll(".outcome .bad").length === 1`)
	for _, id := range ids {
		require.Equal(t, courier, s.rest("GET", "/order/"+id, nil)["courier_id"])
	}
	p.do(`document.querySelector("dialog[open] .dialog-actions button").click()`) // undo
	p.until(`document.querySelector(".toast")`)
	for _, id := range ids {
		require.Equal(t, "confirmed", s.rest("GET", "/order/"+id, nil)["status"])
	}
	p.calm()
}

// Two boards decide on the same versions at once: one wins each time, and the other is told who
// changed what. BOARD_EDITS sets how many edits there are.
func TestBoardsNeverOverwriteEachOther(t *testing.T) {
	edits := 50
	if n, err := strconv.Atoi(os.Getenv("BOARD_EDITS")); err == nil {
		edits = n
	}
	s := newShop(t)
	id, _ := s.pizza(nil)
	one, two := s.board("", s.key), s.board("", s.key)
	for _, p := range []*tab{one, two} {
		p.do(`import(document.querySelector("script[type=module]").src.replace("main.js", "actions.js")).then(m => { window.actions = m; })`)
	}
	const edit = `(window.told = undefined, window.board = { put() {}, fetch: async () => {}, clock: Date.now, nameOf: () => "", rereading: { during: (_, change) => change() } },
		void actions.apply(board, { id: %q, version: %d }, { method: "PATCH", path: "", body: { notes: %q } })
		.then(() => told = "", e => told = actions.whyNot(e, board)))`
	for n := range edits / 2 {
		version := n + 1
		one.do(edit, id, version, fmt.Sprint("one ", n))
		two.do(edit, id, version, fmt.Sprint("two ", n))
		one.until(`told !== undefined`)
		two.until(`told !== undefined`)
		told := []string{run[string](one, `told`), run[string](two, `told`)}
		winner := slices.Index(told, "")
		require.GreaterOrEqual(t, winner, 0, "%v", told)
		require.Regexp(t, `^Changed by administrator, .+: notes\.`, told[1-winner])
		got := s.rest("GET", "/order/"+id, nil)
		require.Equal(t, fmt.Sprint([]string{"one ", "two "}[winner], n), got["notes"], "the loser changed nothing")
	}
}

// A wrong key is refused, a merchant sees its own orders and no couriers.
func TestBoardShowsEachRoleItsOwn(t *testing.T) {
	s := newShop(t)
	s.pizza(object{"merchant_id": "soma"})
	s.pizza(object{"merchant_id": "other"})
	key := str(s.rest("POST", "/keys", object{"name": "Soma", "role": "merchant", "merchant_id": "soma"}), "key")
	p := look(t, "http://"+s.http+"/?lang=en", 1280, "")
	p.until(`document.querySelector(".login input")`)
	p.do(`document.querySelector(".login input").focus()`)
	p.keys(strings.Repeat("x", 40) + kb.Enter)
	p.until(`document.querySelector(".field-error")`)
	p.do(`(document.querySelector(".login input").focus(), document.querySelector(".login input").select())`)
	p.keys(key + kb.Enter)
	p.until(`document.querySelectorAll(".table-body .table-row").length === 1`)
	p.shows([]string{"Orders", "Alerts", "Reports", "Settings", "Find", "Keys"}, `[...document.querySelectorAll(".rail-place > span:not(.badge)")].map(e => e.innerText)`)
	require.Equal(t, 0, run[int](p, `document.querySelectorAll(".keys-list").length`))
	s.pizza(object{"merchant_id": "other"})
	s.pizza(object{"merchant_id": "soma"}) // appears by itself
	p.until(`document.querySelectorAll(".table-body .table-row").length === 2`)
}

// The server restarts while the board is open: it catches up by itself.
func TestBoardCatchesUpAfterARestart(t *testing.T) {
	s := newShop(t)
	id, _ := s.pizza(nil)
	p := s.board("", s.key)
	p.until(`document.querySelectorAll(".table-body .table-row").length === 1`)
	s.restart(t)
	s.rest("DELETE", "/order/"+id, object{})
	second, _ := s.pizza(nil)
	number := str(s.rest("GET", "/order/"+second, nil), "number")
	p.until(`document.querySelectorAll(".table-body .table-row").length === 1 && document.querySelector(".table-body .table-row").innerText.includes(%q)`, number)
}
