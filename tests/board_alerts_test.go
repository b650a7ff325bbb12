package tests

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// standsStill answers for /metrics, as when a carrier is away and Kafka takes nothing.
const standsStill = `
	const real = fetch;
	window.fetch = (path, options) => path === "/metrics"
		? Promise.resolve(new Response('ordertracking_carrier_suspended{carrier="cdek",operation="book"} 1\nordertracking_outbox_oldest_age_seconds 300\n'))
		: real(path, options);`

// The queue has each kind of alert, the most urgent first, and each alert has one action that does something about it.
func TestBoardQueuesEveryKindOfAlert(t *testing.T) {
	gone := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }))
	defer gone.Close()
	s := newShop(t)
	s.args = append(s.args, "--set=webhooks.allow=127.0.0.0/8")
	s.restart(t)
	s.rest("POST", "/webhooks", object{"url": gone.URL, "description": "Warehouse"})

	courier := str(s.rest("POST", "/couriers", object{"name": "Bo", "vehicle": "car", "on_duty": true, "phone": "+358401112233"}), "id")
	made := map[string]string{}
	for _, kind := range []string{"incident", "failed", "no_taker", "exception", "late", "risk"} {
		made[kind], _ = s.pizza(nil)
	}
	s.rest("POST", "/order/"+made["incident"]+"/incidents", object{"code": "damaged"})
	s.rest("POST", "/order/"+made["failed"]+"/assign-courier", object{"courier_id": courier})
	for _, status := range []string{"picked_up", "out_for_delivery", "delivery_failed"} {
		s.status(made["failed"], status)
	}
	s.rest("PATCH", "/order/"+made["no_taker"], object{"exception": object{"code": "no_taker"}})
	s.rest("PATCH", "/order/"+made["exception"], object{"exception": object{"code": "wrong_address"}})
	s.rest("PATCH", "/order/"+made["late"], object{"promised_at": time.Now().Add(time.Minute)})
	latest, err := time.Parse(time.RFC3339, get(s.rest("GET", "/order/"+made["risk"], nil), "eta", "latest").(string))
	require.NoError(t, err)
	s.rest("PATCH", "/order/"+made["risk"], object{"promised_at": latest.Add(-time.Second)})
	s.rest("POST", "/courier/"+courier+"/location?without=no_permission", []any{})
	eventually(t, "the webhook is off", func() bool { return get(s.rest("GET", "/webhooks", nil), "webhooks", 0, "enabled") == false })

	p := look(t, "http://"+s.http+"/?lang=en&view=alerts", 1440, standsStill)
	p.until(`document.querySelector(".login input")`)
	p.do(`document.querySelector(".login input").focus()`)
	p.keys(s.key + kb.Enter)
	p.shows([]string{
		"incident: Look", "failed: Try again", "no_taker: Assign a courier", "exception: Assign a courier", "silent: Call", "late: Assign a courier",
		"carrier: Look", "webhook: Look", "outbox: Look", "risk: Assign a courier",
	}, `[...document.querySelectorAll(".alert")].map(e => e.className.split(" ")[1] + ": " + [...e.querySelectorAll("button, a")].map(b => b.innerText.trim()).join(" + "))`)
	act := func(kind, effect string) {
		p.until(`document.querySelector(".alert.%s .button")`, kind)
		p.do(`void document.querySelector(".alert.%s .button").click()`, kind)
		p.until(effect)
	}
	require.Equal(t, "tel:+358401112233", run[string](p, `document.querySelector(".alert.silent a").getAttribute("href")`))
	require.Equal(t, "/metrics", run[string](p, `document.querySelector(".alert.outbox a").getAttribute("href")`))
	act("failed", `!document.querySelector(".alert.failed")`)
	require.Equal(t, "out_for_delivery", s.rest("GET", "/order/"+made["failed"], nil)["status"])
	act("no_taker", `document.querySelector("dialog[open] .assign-list button")`)
	p.do(`void document.querySelector("dialog[open]").close()`)
	act("incident", `document.querySelector(".drawer .incident.open")`)
	p.press("Escape")
	act("webhook", `document.querySelector(".settings-page")?.innerText.includes("Warehouse")`)
	p.do(`history.back()`)
	act("carrier", `document.querySelector(".search")?.value === "CDEK"`)
	p.calm()
}
