package tests

import (
	"net/http"
	"testing"

	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// fill replaces what the field of a label has, by typing.
func (p *tab) fill(label, text string) {
	p.t.Helper()
	const find = `[...document.querySelectorAll(".field")].find(f => f.checkVisibility() && f.querySelector("label, legend")?.innerText === %q)?.querySelector("input, textarea")`
	p.until(find, label)
	p.do(`(field => { field.focus(); field.select(); })(`+find+`)`, label)
	p.keys(text)
}

// click presses the visible button, or the link that looks like one, of a text, once it can be pressed; of several the last.
func (p *tab) click(text string) {
	p.t.Helper()
	p.until(`(b => b && (b.click(), true))([...document.querySelectorAll(":is(dialog[open], main, .drawer) button")].findLast(b =>
		b.checkVisibility() && !b.disabled && (b.innerText.trim() || b.ariaLabel) === %q))`, text)
}

// confirm presses the button of a text in the dialog that asks.
func (p *tab) confirm(text string) {
	p.t.Helper()
	p.until(`(b => b && (b.click(), true))([...document.querySelectorAll("dialog:modal button")].find(b => b.innerText.trim() === %q && !b.disabled))`, text)
}

// A form that somebody else was faster with says who and what, and keeps both.
func TestSettingsOfTwoAdministratorsAreBothKept(t *testing.T) {
	s := newShop(t)
	p := s.board("&view=settings&tab=brand", s.key)
	p.fill("Name that customers see", "Soma")
	s.rest("PATCH", "/settings", object{"brand": object{"accent": "#1a4f9c"}, "retention": object{"positions_days": 7}})
	p.keys(kb.Enter)
	for _, part := range []string{"administrator", "Colour", "Positions of couriers"} {
		p.until(`document.querySelector(".notice.late")?.innerText.includes(%q)`, part)
	}
	require.NotEqual(t, "Soma", get(s.rest("GET", "/settings", nil), "brand", "name"), "nothing was overwritten")
	p.click("Save")
	p.until(`!document.querySelector(".notice.late") && document.querySelector(".toast")`)
	got := s.rest("GET", "/settings", nil)
	require.Equal(t, "Soma", get(got, "brand", "name"))
	require.Equal(t, "#1a4f9c", get(got, "brand", "accent"))

	p.fill("Colour", "mauve")
	p.click("Save")
	p.until(`document.querySelector(".field-error")?.innerText.includes("#1a4f9c")`)
	p.calm()
}

// A webhook's secret is shown when it is made and when it is renewed, and its calls can be sent again.
func TestWebhooksAreLookedAfterOnTheBoard(t *testing.T) {
	s := newShop(t)
	p := s.board("&view=settings&tab=webhooks", s.key)
	p.click("Make a webhook")
	p.fill("Address", "http://127.0.0.1/hooks")
	p.keys(kb.Enter)
	p.until(`document.querySelector("dialog[open] .field-error")`)
	p.fill("Address", "https://93.184.216.34/hooks")
	p.fill("What it is for", "Warehouse")
	p.keys(kb.Enter)
	p.until(`document.querySelector("dialog[open] .secret")?.innerText.startsWith("whsec_")`)
	first := run[string](p, `document.querySelector("dialog[open] .secret").innerText`)
	p.do(`void document.querySelector("dialog[open]").close()`)
	p.click("Warehouse\nhttps://93.184.216.34/hooks")
	p.until(`location.search.includes("id=")`)
	p.click("New secret")
	p.confirm("New secret")
	p.until(`document.querySelector("dialog[open] .secret")?.innerText.startsWith("whsec_")`)
	require.NotEqual(t, first, run[string](p, `document.querySelector("dialog[open] .secret").innerText`))
	p.do(`void document.querySelector("dialog[open]").close()`)
	p.click("Turn off")
	p.until(`document.querySelector(".notice.bad")`)
	s.pizza(nil)
	p.click("Look again")
	p.until(`document.querySelector(".deliveries li")?.innerText.includes("held back")`)
	require.False(t, s.rest("GET", "/webhooks", nil)["webhooks"].([]any)[0].(object)["enabled"].(bool))
	p.click("Delete")
	p.confirm("Delete")
	p.until(`document.querySelector(".empty")`)
	p.calm()
}

// A rule's text is shown as the customer reads it, and a wrong variable is told before it is saved.
func TestRulesOfMessagesAreWrittenOnTheBoard(t *testing.T) {
	s := newShop(t)
	p := s.board("&view=settings&tab=rules", s.key)
	p.click("Add a rule")
	p.until(`document.querySelector("dialog[open] .preview-text")?.innerText`)
	p.fill("Your own text", "Dear {{nobody}}")
	p.until(`document.querySelector("dialog[open] .field-error")?.innerText.includes("{{nobody}}")`)
	p.fill("Your own text", "Dear {{name}}, it comes.")
	p.until(`/^Dear \w+, it comes/.test(document.querySelector("dialog[open] .preview-text").innerText)`)
	p.do(`void [...document.querySelectorAll("dialog[open] .check")].find(c => c.innerText.startsWith("by e-mail")).click()`)
	p.click("Done")
	p.click("Save")
	p.until(`document.querySelector(".toast")`)
	rules := s.rest("GET", "/notification-rules", nil)["rules"].([]any)
	require.Equal(t, object{"event": "order.status_changed", "status": "out_for_delivery", "channels": []any{"email"}, "template": "Dear {{name}}, it comes."}, rules[len(rules)-1])
	p.calm()
}

// Each role has the pages of the settings that it may use, and no others by their address.
func TestEachRoleHasItsSettings(t *testing.T) {
	s := newShop(t)
	for role, want := range map[string]string{
		"admin":      "You, Webhooks, Messages to customers, Shops, Brand, Privacy, Dispatch, How long data is kept, Customers’ data, Keys and roles, Who changed what",
		"dispatcher": "You, Messages to customers, Shops",
		"merchant":   "You, Webhooks, Messages to customers, Your shop, Customers’ data",
	} {
		body := object{"name": "Olga", "role": role}
		if role == "merchant" {
			body["merchant_id"] = "soma"
		}
		p := s.board("&view=settings&tab=keys", str(s.rest(http.MethodPost, "/keys", body), "key"))
		p.until(`document.querySelector(".settings-page .card")`)
		p.shows(want, `[...document.querySelectorAll(".settings-tabs button")].map(b => b.innerText).join(", ")`)
		p.shows(role == "admin", `document.querySelector(".keys-list") !== null`)
		p.calm()
	}
}
