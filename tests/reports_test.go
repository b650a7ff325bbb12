package tests

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// TestReportsAddUpHistories compares the reports of made days with the orders' own
// histories, by nothing but what the API shows of them. The server is restarted
// while it adds them up.
func TestReportsAddUpHistories(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 20))
	w := newTown(t, modes()[0])
	zones := map[string]*time.Location{"": time.UTC}
	for merchant, zone := range map[string]string{"m1": "Asia/Tokyo", "m2": "America/New_York"} {
		code, got := w.ask(t, adminKey, http.MethodPatch, "/merchants/"+merchant, object{"timezone": zone})
		require.Equal(t, http.StatusOK, code, "%v", got)
		zones[merchant], _ = time.LoadLocation(zone)
	}
	code, replies := w.sendText(t, adminKey, "/orders/import", "text/csv", madeDays(r, w.couriers[own]))
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, 150.0, replies[len(replies)-1]["created"], "%v", replies)
	w.restart(t)
	for i := range 12 { // offered today; some are delivered
		order := str(w.made(t, adminKey, "/order", object{"merchant_id": "m1", "customer": object{"name": "A"}, "dropoff": object{"address": "x"}}), "id")
		offer := str(w.made(t, adminKey, "/order/"+order+"/offers", object{"courier_ids": []string{w.couriers[own]}}), "id")
		if i%3 == 0 {
			w.made(t, adminKey, "/offer/"+offer+"/decline", object{"reason": []string{"far", "=tired"}[i%2]})
			continue
		}
		w.made(t, adminKey, "/offer/"+offer+"/accept", object{})
		for _, status := range []string{"picked_up", []string{"delivered", "failed"}[i%2]} {
			code, got := w.ask(t, adminKey, http.MethodPatch, "/order/"+order+"/status", object{"status": status})
			require.Equal(t, http.StatusOK, code, "%v", got)
		}
	}

	want := map[string]map[string]*tally{} // by merchant, or all, and day
	_, exported := w.ask(t, adminKey, http.MethodGet, "/orders/export", nil)
	for line := range strings.Lines(str(exported, "text")) {
		var o object
		require.NoError(t, json.Unmarshal([]byte(line), &o))
		if o["courier"] == nil {
			addHistory(t, want, o, zones[str(o, "merchant_id")])
		}
	}
	require.Greater(t, len(want[""]), 3, "several days")
	for merchant, days := range want {
		query := "/reports/deliveries?by=day&from=" + time.Now().AddDate(0, 0, -40).Format(time.DateOnly) + "&to=" + time.Now().AddDate(0, 0, 2).Format(time.DateOnly)
		key := adminKey
		if merchant == "m1" {
			key = w.keys[domain.RoleMerchant] // whose own it is
		} else if merchant != "" {
			query += "&merchant_id=" + merchant
		}
		var got map[string]*tally
		eventually(t, fmt.Sprintf("seed %d: the report of %q", seed, merchant), func() bool {
			_, report := w.ask(t, key, http.MethodGet, query, nil)
			got = map[string]*tally{}
			for _, g := range list(report["groups"]) {
				got[str(g, "group")] = tallied(g.(object))
			}
			return len(got) == len(days) && fmt.Sprint(sum(got)) == fmt.Sprint(sum(days))
		})
		require.Equal(t, days, got, "seed %d: %q", seed, merchant)
	}
	_, got := w.ask(t, w.keys[domain.RoleMerchant], http.MethodGet, "/reports/deliveries?by=merchant", nil)
	require.Len(t, got["groups"], 1)
	require.Equal(t, "m1", str(got["groups"], 0, "group"))
	eventually(t, "reasons of offers are counted", func() bool {
		_, got := w.ask(t, adminKey, http.MethodGet, "/reports/deliveries?by=reason&excel=true", nil)
		return strings.Contains(str(got, "text"), "\n'=tired,")
	})
	for query, status := range map[string]int{"by=courier": 403, "by=reason": 403, "by=zone": 200, "by=day&merchant_id=m2": 200} {
		code, got := w.ask(t, w.keys[domain.RoleMerchant], http.MethodGet, "/reports/deliveries?"+query, nil)
		require.Equal(t, status, code, "%s %v", query, got)
		if strings.Contains(query, "m2") {
			require.Empty(t, got["groups"], "another merchant's")
		}
	}
}

// madeDays are 150 finished orders of four days, as CSV.
func madeDays(r *rand.Rand, courier string) string {
	var b strings.Builder
	b.WriteString("merchant_id,status,customer.name,dropoff.address,dropoff.lat,dropoff.lon,courier_id,created_at,promised_at,at.assigned,at.picked_up,at.delivered,at.failed,at.cancelled\n")
	first := time.Now().UTC().AddDate(0, 0, -30).Truncate(24 * time.Hour)
	for range 150 {
		at := first.Add(time.Duration(r.IntN(4*24*60)) * time.Minute)
		later := func(minutes int) string { return at.Add(time.Duration(minutes) * time.Minute).Format(time.RFC3339) }
		promised, taken, ended := "", 2+r.IntN(20), 25+r.IntN(90)
		if r.IntN(4) > 0 {
			promised = later(30 + r.IntN(60))
		}
		row := []string{[]string{"m1", "m2", ""}[r.IntN(3)], "", "A", "x", "55.7", "37.6", courier, later(0), promised, later(1), later(taken), "", "", ""}
		switch r.IntN(6) {
		case 0:
			row[1], row[12] = "failed", later(ended)
		case 1:
			row[1], row[6], row[9], row[10], row[13] = "cancelled", "", "", "", later(ended)
		default:
			row[1], row[11] = "delivered", later(ended)
		}
		b.WriteString(strings.Join(row, ",") + "\n")
	}
	return b.String()
}

// tally is what is compared of a day.
type tally struct {
	Delivered, Failed, Cancelled, Promised, OnTime, Offers, Accepted, Declined int
	DoorSeconds                                                                int
}

func sum(days map[string]*tally) (all tally) {
	for _, d := range days {
		all.Delivered += d.Delivered
		all.Failed += d.Failed
		all.Offers += d.Accepted + 1000*d.Declined
	}
	return all
}

func tallied(g object) *tally {
	n := func(name string) int { v, _ := g[name].(float64); return int(v) }
	door, _ := g["door_minutes"].(float64)
	return &tally{
		Delivered: n("delivered"), Failed: n("failed"), Cancelled: n("cancelled"), Promised: n("promised"), OnTime: n("on_time"),
		Offers: n("offers"), Accepted: n("accepted"), Declined: n("declined"), DoorSeconds: int(math.Round(door * 60 * float64(n("delivered")))),
	}
}

// addHistory adds an exported order by its events.
func addHistory(t *testing.T, want map[string]map[string]*tally, o object, zone *time.Location) {
	at, ends := map[string]time.Time{}, map[string]string{}
	moment := func(v any, name string) time.Time {
		when, err := time.Parse(time.RFC3339, str(v, name))
		require.NoError(t, err)
		return when
	}
	each := func(when time.Time, add func(*tally)) {
		for _, scope := range []string{"", str(o, "merchant_id")}[:1+min(1, len(str(o, "merchant_id")))] {
			if want[scope] == nil {
				want[scope] = map[string]*tally{}
			}
			day := when.In(zone).Format(time.DateOnly)
			if want[scope][day] == nil {
				want[scope][day] = &tally{}
			}
			add(want[scope][day])
		}
	}
	for _, e := range list(o["events"]) {
		if offer := str(e, "data", "offer_id"); offer != "" {
			ends[offer] = str(e, "type")
		}
		if kind := str(e, "type"); kind == "order.created" || kind == "order.status_changed" {
			at[str(e, "status")] = moment(e, "occurred_at")
		}
	}
	for _, e := range list(o["events"]) {
		if str(e, "type") != "offer.made" {
			continue
		}
		each(moment(e, "occurred_at"), func(d *tally) {
			d.Offers++
			switch ends[str(e, "data", "offer_id")] {
			case "offer.accepted":
				d.Accepted++
			case "offer.declined":
				d.Declined++
			}
		})
	}
	status := str(o, "status")
	if status != "delivered" && status != "failed" && status != "cancelled" {
		return
	}
	each(at[status], func(d *tally) {
		switch status {
		case "failed":
			d.Failed++
		case "cancelled":
			d.Cancelled++
		case "delivered":
			d.Delivered++
			d.DoorSeconds += int(at[status].Sub(at["picked_up"]) / time.Second)
			if str(o, "promised_at") != "" {
				d.Promised++
				if !at[status].After(moment(o, "promised_at")) {
					d.OnTime++
				}
			}
		}
	})
}

// TestImportedOrdersTrainEstimates: a newcomer with a history starts with estimates from it.
func TestImportedOrdersTrainEstimates(t *testing.T) {
	w := newTown(t, modes()[0])
	var rows strings.Builder
	place := object{"address": "Main St 1", "location": object{"lat": 60.17, "lon": 24.94}}
	for i := range 60 {
		made := time.Now().UTC().Add(-time.Duration(i+2) * time.Hour).Truncate(time.Second)
		rows.Write(encode(t, object{
			"external_id": fmt.Sprint("old-", i), "merchant_id": "m1", "customer": object{"name": "A"}, "pickup": place, "dropoff": place,
			"status": "delivered", "created_at": made, "delivered_at": made.Add(75 * time.Minute),
		}))
		rows.WriteByte('\n')
	}
	code, replies := w.sendText(t, adminKey, "/orders/import", "application/x-ndjson", rows.String())
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, 60.0, replies[len(replies)-1]["created"], "%v", replies)
	var order object
	eventually(t, "an estimate from history", func() bool {
		order = w.made(t, adminKey, "/order", object{"merchant_id": "m1", "customer": object{"name": "A"}, "pickup": place, "dropoff": place})
		return get(order, "eta", "method") == "history"
	})
	require.InDelta(t, 75, get(order, "eta", "minutes_remaining"), 8)
}
