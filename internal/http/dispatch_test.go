package httpserver

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDispatch(t *testing.T) {
	d := open(t)
	ivan := d.do("POST", "/couriers", `{"name":"Ivan","skills":["fridge"],"base":{"lat":55.75,"lon":37.61}}`).ok(201)
	d.do("POST", "/courier/"+ivan["id"].(string)+"/location", `{"lat":55.75,"lon":37.61}`).ok(202)
	near := d.do("POST", "/order", `{"customer":{"name":"A"},"dropoff":{"location":{"lat":55.76,"lon":37.61}},"requirements":{"skills":["fridge"]}}`).ok(201)
	lost := d.do("POST", "/order", `{"customer":{"name":"B"},"dropoff":{"address":"somewhere"}}`).ok(201)

	plan := d.do("POST", "/dispatch/plan", `{}`).ok(200)
	a := plan["assignments"].([]any)[0].(map[string]any)
	require.Equal(t, near["id"], a["order_id"])
	require.Equal(t, ivan["id"], a["courier_id"])
	require.NotEmpty(t, a["detail"])
	require.Equal(t, map[string]any{"order_id": lost["id"], "reason": "no_location", "detail": "it is not known where the order goes"}, plan["unassigned"].([]any)[0])
	require.Equal(t, "created", d.do("GET", "/order/"+near["id"].(string), nil).ok(200)["status"])

	done := d.do("POST", "/dispatch/run", `{}`).ok(200)
	require.Len(t, done["assignments"], 1)
	require.Equal(t, "assigned", d.do("GET", "/order/"+near["id"].(string), nil).ok(200)["status"])
	require.Empty(t, d.do("POST", "/dispatch/run", nil).ok(200)["assignments"], "an empty body is all")

	d.do("POST", "/dispatch/plan", `{"order_ids":["x"]}`).problem(422, "validation_failed")
	d.do("POST", "/dispatch/plan", `{"order_ids":["0190b7a1-7d3c-7c1e-9f3a-2b1c5d6e7f80"]}`).problem(404, "order_not_found")
	d.do("POST", "/dispatch/plan", `{"courier_ids":["0190b7a1-7d3c-7c1e-9f3a-2b1c5d6e7f80"]}`).problem(404, "courier_not_found")
	d.do("POST", "/dispatch/run", `{"orders":[]}`).problem(422, "validation_failed")
}

func TestPlacesWithoutAGeocoder(t *testing.T) {
	d := open(t)
	require.Equal(t, false, d.do("GET", "/places?q="+strings.Repeat("0", 500), nil).ok(200)["configured"])
	d.do("GET", "/places?q="+strings.Repeat("0", 501), nil).problem(422, "validation_failed")
}

func TestShifts(t *testing.T) {
	d := open(t)
	path := "/courier/" + d.do("POST", "/couriers", `{"name":"Ivan"}`).ok(201)["id"].(string) + "/shifts"
	require.Empty(t, d.do("GET", path, nil).ok(200)["shifts"])
	one := `{"start":"2026-05-04T08:00:00Z","end":"2026-05-04T16:00:00Z","breaks":[{"start":"2026-05-04T12:00:00Z","end":"2026-05-04T12:30:00Z"}]}`
	set := d.do("PUT", path, `{"shifts":[`+one+`]}`).ok(200)
	require.Equal(t, set, d.do("GET", path, nil).ok(200))
	require.Len(t, set["shifts"], 1)
	d.do("PUT", path, `{"shifts":[`+one+`,`+one+`]}`).problem(422, "validation_failed")
	d.do("PUT", "/courier/x/shifts", `{"shifts":[]}`).problem(422, "validation_failed")
	d.do("GET", "/courier/0190b7a1-7d3c-7c1e-9f3a-2b1c5d6e7f80/shifts", nil).problem(404, "courier_not_found")
}

func TestOffers(t *testing.T) {
	d := open(t)
	courier := d.do("POST", "/couriers", `{"name":"Ivan"}`).ok(201)["id"].(string)
	other := d.do("POST", "/couriers", `{"name":"Petr"}`).ok(201)["id"].(string)
	order := "/order/" + d.order()
	made := d.do("POST", order+"/offers", `{"courier_ids":["`+courier+`","`+other+`"],"expires_in_s":60}`, "Idempotency-Key", "k").ok(201)
	require.Equal(t, "open", made["status"])
	again := d.do("POST", order+"/offers", `{"courier_ids":["`+courier+`","`+other+`"],"expires_in_s":60}`, "Idempotency-Key", "k")
	require.Equal(t, made, again.ok(201))
	list := d.do("GET", "/courier/"+courier+"/offers", nil).ok(200)["offers"].([]any)
	require.Len(t, list, 1)
	require.Equal(t, made["id"], list[0].(map[string]any)["id"])
	second := made["others"].([]any)[0].(map[string]any)["id"].(string)
	require.Equal(t, "declined", d.do("POST", "/offer/"+second+"/decline", `{"reason":"too far"}`).ok(200)["status"])
	require.Equal(t, "accepted", d.do("POST", "/offer/"+made["id"].(string)+"/accept", nil).ok(200)["status"])
	d.do("POST", "/offer/"+second+"/accept", nil).problem(409, "offer_gone")
	d.do("POST", "/offer/0190b7a1-7d3c-7c1e-9f3a-2b1c5d6e7f80/accept", nil).problem(404, "offer_not_found")
	d.do("POST", "/offer/x/accept", nil).problem(422, "validation_failed")
	d.do("POST", order+"/offers", `{}`).problem(422, "validation_failed")
	d.do("POST", order+"/offers", `{"courier_ids":["`+courier+`"]}`).problem(409, "illegal_transition")
}

func TestRoute(t *testing.T) {
	d := open(t)
	courier := d.do("POST", "/couriers", `{"name":"Ivan"}`).ok(201)["id"].(string)
	path := "/courier/" + courier + "/route"
	require.Empty(t, d.do("GET", path, nil).ok(200)["stops"])
	order := d.do("POST", "/order", `{"customer":{"name":"A"},"dropoff":{"address":"Door 1","location":{"lat":55.76,"lon":37.61}}}`).ok(201)["id"].(string)
	d.do("POST", "/order/"+order+"/assign-courier", `{"courier_id":"`+courier+`"}`).ok(200)
	stop := d.do("GET", path, nil).ok(200)["stops"].([]any)[0].(map[string]any)
	require.Equal(t, "dropoff", stop["kind"])
	require.Equal(t, "Door 1", stop["address"])
	require.EqualValues(t, 2, d.do("PUT", path, `{"stops":[{"order_id":"`+order+`","kind":"dropoff"}]}`).ok(200)["version"])
	d.do("PUT", path, `{"stops":[{"order_id":"`+order+`","kind":"pickup"}]}`).problem(422, "validation_failed")
	d.do("PUT", path, `{"stops":[{"order_id":"`+order+`","kind":"nap"}]}`).problem(422, "validation_failed")
}
