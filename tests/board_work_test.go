package tests

import (
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// An order is offered to several couriers; what they answer is told while the order is open.
func TestBoardOffersAnOrder(t *testing.T) {
	s := newShop(t)
	for _, name := range []string{"Ada", "Bo"} {
		s.rest("POST", "/couriers", object{"name": name, "vehicle": "car", "on_duty": true})
	}
	id, _ := s.pizza(nil)
	p := s.board("&order="+id, s.key)
	p.until(`document.querySelector(".drawer h2")`)
	p.press("o")
	p.until(`document.querySelectorAll("dialog[open] .assign-list button").length === 2`)
	p.until(`document.activeElement?.matches("dialog[open] .palette-field")`)
	p.keys(kb.Enter) // Ada, who comes first
	p.until(`document.querySelectorAll("dialog[open] .assign-list [aria-pressed=true]").length === 1`)
	p.keys("bo")
	p.until(`document.querySelectorAll("dialog[open] .assign-list button").length === 1`)
	p.keys(kb.Enter)
	p.click("Offer to 2")
	p.until(`/Bo\s+\d:\d\d/.test(document.querySelector(".offers")?.innerText)`)
	var offer string
	for _, e := range s.rest("GET", "/order/"+id+"/events", nil)["events"].([]any) {
		if e.(object)["type"] == "offer.made" {
			offer = get(e.(object), "data", "offer_id").(string)
		}
	}
	s.rest("POST", "/offer/"+offer+"/decline", object{"reason": "too far"})
	p.until(`document.querySelector(".offers").innerText.includes("declined: too far")`)
	p.calm()
}

// An incident is an alert until it is closed, on boards that were opened later too.
func TestBoardShowsIncidents(t *testing.T) {
	s := newShop(t)
	id, _ := s.pizza(nil)
	other, _ := s.pizza(nil)
	s.rest("POST", "/order/"+other+"/incidents", object{"code": "damaged"})
	p := s.board("&view=alerts", s.key)
	p.until(`document.querySelectorAll(".alert.incident").length === 1`)
	s.rest("POST", "/order/"+id+"/incidents", object{"code": "wrong_address", "text": "There is no number 12"})
	p.until(`document.querySelectorAll(".alert.incident").length === 2`)
	p.do(`void [...document.querySelectorAll(".alert.incident button")].at(-1).click()`)
	p.until(`document.querySelector(".drawer .incident.open")`)
	p.click("Close it")
	p.until(`!document.querySelector(".drawer .incident.open") && document.querySelectorAll(".alert.incident").length === 1`)
	p.click("Report an incident")
	p.fill("In words", "It is wet")
	p.click("Report an incident")
	p.until(`document.querySelector(".drawer .incident.open")?.innerText.includes("It is wet") && document.querySelectorAll(".alert.incident").length === 2`)
	p.calm()
}

// A row that is dropped on a courier on the map is assigned to that courier.
func TestBoardAssignsByDragging(t *testing.T) {
	s := newShop(t)
	courier := str(s.rest("POST", "/couriers", object{"name": "Bo", "vehicle": "car", "on_duty": true}), "id")
	s.rest("POST", "/courier/"+courier+"/location", object{"lat": 60.17, "lon": 24.94})
	id, _ := s.pizza(nil)
	p := s.board("", s.key)
	p.until(`document.querySelector(".table-body .table-row") && document.querySelector(".orders-map .pin.courier")`)
	p.do(`(() => {
		const dataTransfer = new DataTransfer();
		const fire = (at, type, more) => at.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true, ...more }));
		fire(document.querySelector(".table-body .table-row"), "dragstart");
		const map = document.querySelector(".orders-map .map");
		const pin = document.querySelector(".orders-map .pin.courier .pin-body").getBoundingClientRect();
		const nowhere = { clientX: pin.x + 200, clientY: pin.y };
		const there = { clientX: pin.x + pin.width / 2, clientY: pin.y + pin.height / 2 };
		if (!fire(map, "dragover", nowhere)) throw new Error("a place without a courier takes it");
		if (fire(map, "dragover", there)) throw new Error("the courier does not take it");
		fire(map, "drop", there);
	})()`)
	p.until(`document.querySelector(".toast")`)
	require.Equal(t, courier, s.rest("GET", "/order/"+id, nil)["courier_id"])
	p.calm()
}

// A file is imported with a line for each row that is refused.
func TestBoardImportsAFile(t *testing.T) {
	s := newShop(t)
	p := s.board("", s.key)
	p.do(`void document.querySelector('.orders-bar [aria-label="Import orders"]').click()`)
	p.until(`document.querySelector("dialog[open] input[type=file]")`)
	p.do(`(() => {
		const files = new DataTransfer();
		const rows = Array.from({ length: 300 }, (_, i) => i === 7 ? ",Nowhere," : "shop-" + i + ",Street " + i + ",Anna");
		files.items.add(new File(["external_id,dropoff.address,customer.name\n" + rows.join("\n")], "заказы.csv"));
		const field = document.querySelector("dialog[open] input[type=file]");
		field.files = files.files;
		field.dispatchEvent(new Event("change", { bubbles: true }));
	})()`)
	p.click("Import")
	p.until(`document.querySelector("dialog[open] [role=status]").innerText.includes("300 rows read: 299 new, 0 known, 1 refused")`)
	p.until(`document.querySelector(".refused")?.innerText.includes("customer/name")`)
	p.until(`document.querySelectorAll(".group-line .num")[0].innerText === "299"`)
	p.calm()
}

// A filter gets a name, stays in the browser and is shown again.
func TestBoardKeepsViews(t *testing.T) {
	s := newShop(t)
	for _, name := range []string{"Anna", "Boris", "Vera"} {
		s.pizza(object{"customer": object{"name": name}})
	}
	p := s.board("&q=anna", s.key)
	p.until(`document.querySelectorAll(".table-body .table-row").length === 1`)
	p.click("Save this view…")
	p.until(`document.activeElement?.matches(".view-name")`)
	p.do(`document.activeElement.select()`)
	p.keys("Anna’s" + kb.Enter)
	p.until(`document.querySelector(".view-line [aria-current]")`)
	_, err := chromedp.Run(p.ctx, chromedp.Navigate("http://"+s.http+"/?lang=en"))
	require.NoError(t, err)
	p.until(`document.querySelectorAll(".table-body .table-row").length === 3`)
	p.click("Anna’s")
	p.until(`document.querySelectorAll(".table-body .table-row").length === 1 && location.search.includes("q=anna")`)
}

// Partners only read, and couriers are sent to their app.
func TestBoardOffersNothingThatARoleMayNotDo(t *testing.T) {
	s := newShop(t)
	courier := str(s.rest("POST", "/couriers", object{"name": "Bo", "vehicle": "car"}), "id")
	id, _ := s.pizza(object{"merchant_id": "soma"})
	key := func(body object) string { return str(s.rest(http.MethodPost, "/keys", body), "key") }
	p := s.board("&order="+id, key(object{"name": "P", "role": "partner", "merchant_id": "soma"}))
	p.until(`document.querySelector(".drawer .timeline")`)
	p.shows([]string{"Orders", "Alerts", "Settings", "Find", "Keys"}, `[...document.querySelectorAll(".rail-place > span:not(.badge)")].map(e => e.innerText)`)
	p.shows([]string{""}, `[...document.querySelectorAll(".drawer button")].filter(b => b.checkVisibility()).map(e => e.innerText)`) // only the cross
	p.do(`void document.querySelector(".box input").click()`)
	p.until(`document.querySelector(".bulk")`)
	p.shows([]string{"Save as CSV", ""}, `[...document.querySelectorAll(".bulk > button, .bulk > select")].map(e => e.innerText)`)
	p.calm()

	p = s.board("", key(object{"name": "D", "role": "dispatcher"}))
	p.shows([]string{"Orders", "Alerts", "Couriers", "Plan", "Reports", "Settings", "Find", "Keys"}, `[...document.querySelectorAll(".rail-place > span:not(.badge)")].map(e => e.innerText)`)
	p.press("?")
	p.until(`["a", "x", "o", "n"].every(key => [...document.querySelectorAll("dialog[open] kbd")].some(e => e.innerText === key))`) // also what has nothing to act on yet
	p.calm()

	for where, role := range map[string]object{
		`a[href="/courier-app"]`: {"name": "C", "role": "courier", "courier_id": courier},
		`.field-error`:           {"name": "M", "role": "monitor"}, // which opens no pages
	} {
		p = look(t, "http://"+s.http+"/?lang=en", 1280, "")
		p.until(`document.querySelector(".login input")`)
		p.do(`document.querySelector(".login input").focus()`)
		p.keys(key(role) + kb.Enter)
		p.until(`document.querySelector(%q)`, where)
		require.Empty(t, run[[]string](p, `performance.getEntriesByType("resource").map(e => new URL(e.name).pathname).filter(path => /^.(orders|couriers|ws|metrics|webhooks)/.test(path))`), role["name"])
		p.calm()
	}
}

// A message to several customers has a result for each, and the drawer tells what became of it.
func TestBoardWritesToCustomers(t *testing.T) {
	s := newShop(t)
	for range 3 {
		s.pizza(nil)
	}
	id, _ := s.pizza(nil)
	s.hand(id, "Bo")
	s.rest("PATCH", "/order/"+id+"/status", object{"status": "delivered", "proof": object{"recipient": "Aunt Vera", "photo": photo(t)}})
	p := s.board("", s.key)
	p.until(`document.querySelectorAll(".table-body .table-row").length === 3`)
	p.press("*")
	p.click("Write to the customers")
	p.fill("Message", "The oven is slow today")
	p.click("Send")
	p.until(`document.querySelectorAll(".outcome li.done").length === 3 && document.querySelector(".outcome").innerText.includes("Nobody was reached")`)
	p.click("Close")
	p.do(`void document.querySelector(".table-body .table-row").click()`)
	p.until(`document.querySelector(".drawer .timeline")?.innerText.includes("The oven is slow today")`)
	p.until(`document.querySelectorAll(".drawer .small-map .pin").length === 2`)

	p.press("Escape")
	p.do(`void document.querySelector(".group-line.done").click()`)
	p.until(`document.querySelectorAll(".table-body .table-row").length === 1`)
	p.do(`void document.querySelector(".table-body .table-row").click()`)
	p.until(`document.querySelector(".drawer .proof")?.innerText.includes("Handed to Aunt Vera") && document.querySelector(".drawer .proof img").naturalWidth > 0`)
	p.calm()
}

// Many orders are divided among the couriers by the plan; those that it leaves have the reason.
func TestBoardDividesOrders(t *testing.T) {
	s := newShop(t)
	for i, name := range []string{"Ada", "Bo"} {
		courier := str(s.rest("POST", "/couriers", object{"name": name, "vehicle": "car", "on_duty": true, "capacity": 3}), "id")
		s.rest("POST", "/courier/"+courier+"/location", object{"lat": 60.17, "lon": 24.94 + float64(i)*0.01})
	}
	for range 4 {
		s.pizza(nil)
	}
	lost, _ := s.pizza(object{"dropoff": object{"address": "Somewhere"}})
	p := s.board("", s.key)
	p.until(`document.querySelectorAll(".table-body .table-row").length === 5`)
	p.press("*", "a")
	p.click("Choose for me")
	p.until(`document.querySelectorAll(".outcome li.done").length === 4 && document.querySelector(".outcome li.bad")?.innerText.includes("The place of delivery is unknown")`)
	for _, o := range s.rest("GET", "/orders", nil)["orders"].([]any) {
		require.Equal(t, str(o.(object), "id") != lost, str(o.(object), "status") == "assigned")
	}
	p.click("Undo")
	p.until(`document.querySelector(".toast")?.innerText.includes("4 orders are as they were")`)
	for _, o := range s.rest("GET", "/orders", nil)["orders"].([]any) {
		require.Equal(t, str(o.(object), "id") != lost, str(o.(object), "status") == "confirmed")
	}
	p.calm()
}

// A stop of a courier's tour is dragged to another place.
func TestBoardReordersATourByDragging(t *testing.T) {
	s := newShop(t)
	courier := str(s.rest("POST", "/couriers", object{"name": "Bo", "vehicle": "car", "on_duty": true}), "id")
	s.rest("POST", "/courier/"+courier+"/location", object{"lat": 60.167, "lon": 24.947})
	for i := range 3 {
		id, _ := s.pizza(object{"pickup": nil, "dropoff": object{"address": []string{"One", "Two", "Three"}[i], "location": object{"lat": 60.167, "lon": 24.93 - float64(i)*0.01}}})
		s.rest("POST", "/order/"+id+"/assign-courier", object{"courier_id": courier})
	}
	p := s.board("&view=couriers&courier="+courier, s.key)
	const stops = `[...document.querySelectorAll(".tour li .link")].map(e => e.innerText).join()`
	p.until(stops + ` === "One,Two,Three"`)
	p.do(`(() => {
		const dataTransfer = new DataTransfer(), [first, , third] = document.querySelectorAll(".tour li");
		const fire = (at, type) => at.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
		fire(first, "dragstart");
		if (fire(third, "dragover")) throw new Error("the last place does not take it");
		fire(third, "drop");
	})()`)
	p.until(stops + ` === "Two,Three,One"`)
	set := s.rest("GET", "/courier/"+courier+"/route", nil)["stops"].([]any)
	require.Equal(t, "One", str(set[2].(object), "address"))
	p.calm()
}
