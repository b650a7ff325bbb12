package tests

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Orders that nobody expects have a delivery time that makes sense: before anything was
// learned, after that, and after they were learned from themselves.
func TestOddOrdersHaveSensibleTimes(t *testing.T) {
	w := &town{server: &server{dir: t.TempDir(), key: adminKey}}
	t.Cleanup(func() { w.down(t) })
	w.up(t)
	courier := str(w.made(t, adminKey, "/couriers", object{"name": "Polar", "capacity": 100}), "id")
	home := object{"address": "Main St 1", "location": object{"lat": 60.17, "lon": 24.94}}
	shop := object{"location": object{"lat": 60.18, "lon": 24.96}}
	with := func(more object) object {
		o := object{"merchant_id": "m1", "customer": object{"name": "A"}, "pickup": shop, "dropoff": home}
		for k, v := range more {
			if o[k] = v; v == nil {
				delete(o, k)
			}
		}
		return o
	}
	imported := func(rows ...object) {
		var text strings.Builder
		for _, row := range rows {
			text.Write(append(encode(t, row), '\n'))
		}
		code, replies := w.sendText(t, adminKey, "/orders/import", "application/x-ndjson", text.String())
		require.Equal(t, http.StatusOK, code)
		require.Equal(t, float64(len(rows)), replies[len(replies)-1]["created"], "%v", replies)
	}
	const last = "9999-12-31T23:59:59Z"
	sensible := func(what, id string) {
		t.Helper()
		for _, key := range []string{adminKey, str(w.made(t, adminKey, "/order/"+id+"/share", object{}), "token")} {
			code, got := w.ask(t, key, http.MethodGet, "/order/"+id+"/delivery-time", nil)
			require.Equal(t, http.StatusOK, code, "%s: %v", what, got)
			var at []time.Time
			for _, name := range []string{"computed_at", "earliest", "eta", "latest"} {
				when, err := time.Parse(time.RFC3339Nano, str(got, name))
				require.NoError(t, err, "%s: %v", what, got)
				at = append(at, when)
			}
			require.False(t, at[1].Before(at[0]) || at[2].Before(at[1]) || at[3].Before(at[2]), "%s: %v", what, got)
			require.GreaterOrEqual(t, got["minutes_remaining"], 0.0, "%s: %v", what, got)
			require.True(t, at[3].Year() < 9999 || str(got, "eta") == last, "%s: %v", what, got)
		}
	}
	old := 0
	all := func(when string) (ids []string) {
		for what, more := range map[string]object{
			"promised in the year 9999":       {"promised_at": last},
			"promised then to nowhere":        {"promised_at": last, "pickup": nil, "dropoff": object{"address": "x"}},
			"ready in the year 9999":          {"ready_at": last},
			"ready then, and promised":        {"ready_at": last, "promised_at": last},
			"no distance":                     {"pickup": home},
			"from pole to pole":               {"pickup": object{"location": object{"lat": 90, "lon": 180}}, "dropoff": object{"location": object{"lat": -90, "lon": -180}}},
			"half around the world":           {"pickup": object{"location": object{"lat": 0, "lon": -180}}, "dropoff": object{"location": object{"lat": 0, "lon": 0}}},
			"brought by a courier on a pole":  {},
			"brought to where the courier is": {"dropoff": object{"location": object{"lat": 90, "lon": -180}}},
		} {
			what = when + ", " + what
			id := str(w.made(t, adminKey, "/order", with(more)), "id")
			sensible(what, id)
			w.made(t, adminKey, "/order/"+id+"/assign-courier", object{"courier_id": courier})
			sensible(what, id)
			code, got := w.ask(t, adminKey, http.MethodPatch, "/order/"+id+"/status", object{"status": "picked_up"})
			require.Equal(t, http.StatusOK, code, "%v", got)
			w.made(t, adminKey, "/courier/"+courier+"/location", object{"lat": 90, "lon": 180})
			sensible(what, id)
			ids = append(ids, id)
		}
		old++
		imported(with(object{"external_id": fmt.Sprint("open-", old), "status": "created", "created_at": "1990-01-01T00:00:00Z"}))
		_, found := w.ask(t, adminKey, http.MethodGet, fmt.Sprint("/orders?external_id=open-", old), nil)
		id := str(found, "orders", 0, "id")
		sensible(when+", older than what was learned", id)
		return append(ids, id)
	}
	ids := all("nothing learned")
	var rows []object
	for i := range 60 {
		made := time.Now().UTC().Add(-time.Duration(i+2) * time.Hour).Truncate(time.Second)
		if i%20 == 0 {
			made = made.AddDate(-30, 0, 0)
		}
		rows = append(rows, with(object{"external_id": fmt.Sprint("old-", i), "status": "delivered", "created_at": made, "delivered_at": made.Add(75 * time.Minute)}))
	}
	imported(rows...)
	eventually(t, "what was imported is learned", func() bool {
		return get(w.made(t, adminKey, "/order", with(object{})), "eta", "method") == "history"
	})
	for _, id := range append(ids, all("learned")...) {
		sensible("later", id)
		if _, got := w.ask(t, adminKey, http.MethodGet, "/order/"+id+"/status", nil); str(got, "status") == "picked_up" {
			code, got := w.ask(t, adminKey, http.MethodPatch, "/order/"+id+"/status", object{"status": "delivered"})
			require.Equal(t, http.StatusOK, code, "%v", got)
		}
	}
	all("learned from themselves")
	code, got := w.ask(t, adminKey, http.MethodGet, "/reports/eta?by=zone", nil)
	require.Equal(t, http.StatusOK, code, "%v", got)
}
