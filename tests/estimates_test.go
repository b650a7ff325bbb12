package tests

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/carrier/cdek/sandbox"
	"github.com/order-tracking/order-tracking/internal/cli"
)

// setClock is a clock that a test sets.
type setClock struct{ atomic.Int64 }

func (c *setClock) Now() time.Time { return time.UnixMicro(c.Load()).UTC() }

func (c *setClock) set(at time.Time) { c.Store(at.UnixMicro()) }

// brought is a delivered order with what its customer was told first.
type brought struct {
	merchant, carrier, zone        string
	expected, earliest, latest, at time.Time
}

// held is what a report says of a group.
type held struct {
	orders               int
	mae, bias            float64 // minutes
	coverage, late, rank float64
}

// summed groups deliveries, by hand.
func summed(all []brought, by func(brought) string) map[string]held {
	out := map[string]held{}
	for _, b := range all {
		g := out[by(b)]
		off := b.expected.Sub(b.at).Minutes()
		g.orders++
		g.mae, g.bias = g.mae+math.Abs(off), g.bias+off
		if !b.at.Before(b.earliest) && !b.at.After(b.latest) {
			g.coverage++
		}
		if b.at.After(b.latest) {
			g.late++
		}
		out[by(b)] = g
	}
	for name, g := range out {
		n := float64(g.orders)
		// A group of few orders counts as if ten more had been as they should be.
		out[name] = held{g.orders, g.mae / n, g.bias / n, g.coverage / n, g.late / n, (g.coverage + 8) / (n + 10)}
	}
	return out
}

// worst are the names of groups, the worst first.
func worst(groups map[string]held) (names []string) {
	for name := range groups {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		x, y := groups[a], groups[b]
		switch {
		case math.Abs(x.rank-y.rank) > 1e-9:
			return int(math.Copysign(1, x.rank-y.rank))
		case x.orders != y.orders:
			return y.orders - x.orders
		}
		return strings.Compare(a, b)
	})
	return names
}

func (g held) equals(t *testing.T, orders, mae, bias, coverage, late any, what string) {
	t.Helper()
	require.InDeltaSlice(t, []float64{float64(g.orders), g.mae, g.bias, g.coverage, g.late},
		[]float64{orders.(float64), mae.(float64), bias.(float64), coverage.(float64), late.(float64)}, 1e-6, what)
}

var groupings = map[string]func(brought) string{
	"merchant": func(b brought) string { return b.merchant },
	"carrier":  func(b brought) string { return b.carrier },
	"zone":     func(b brought) string { return b.zone },
	"week": func(b brought) string { // its Monday
		return b.at.AddDate(0, 0, -(int(b.at.Weekday())+6)%7).Format(time.DateOnly)
	},
}

// month is a server that has delivered for four weeks.
type month struct {
	*town
	clock   *setClock
	now     time.Time
	courier string
	all     []brought
}

// told notes what an order says of its delivery.
func (m *month) told(t *testing.T, o object, zone string) brought {
	b := brought{merchant: str(o, "merchant_id"), carrier: str(o, "shipment", "carrier"), zone: zone}
	for name, to := range map[string]*time.Time{"eta": &b.expected, "earliest": &b.earliest, "latest": &b.latest} {
		at, err := time.Parse(time.RFC3339Nano, str(o, "eta", name))
		require.NoError(t, err, "%v", o)
		*to = at
	}
	return b
}

func (m *month) status(t *testing.T, id, status string) {
	code, got := m.ask(t, adminKey, http.MethodPatch, "/order/"+id+"/status", object{"status": status})
	require.Equal(t, http.StatusOK, code, "%v", got)
}

// take has the courier take an order.
func (m *month) take(t *testing.T, id string) {
	m.made(t, adminKey, "/order/"+id+"/assign-courier", object{"courier_id": m.courier})
	m.status(t, id, "picked_up")
}

// deliver has an order delivered after a share of the time that was told, from somewhere
// north of a place, and counts it when it is to be trusted.
func (m *month) deliver(t *testing.T, merchant string, made time.Time, north int, share float64) {
	lat := 50.02 + .04*float64(north) // the middle of a cell
	m.clock.set(made)
	o := m.made(t, adminKey, "/order", object{
		"merchant_id": merchant, "customer": object{"name": "A"}, "pickup": object{"location": object{"lat": lat - .01, "lon": 10.02}},
		"dropoff": object{"location": object{"lat": lat, "lon": 10.02}},
	})
	b := m.told(t, o, fmt.Sprintf("%.2f,10.02", lat))
	took := time.Duration(share * float64(b.expected.Sub(made)))
	m.clock.set(made.Add(took / 2))
	m.take(t, str(o, "id"))
	b.at = made.Add(took)
	m.clock.set(b.at)
	m.status(t, str(o, "id"), "delivered")
	m.all = append(m.all, b)
}

// others are orders that no report counts: not delivered, pressed wrongly, without an estimate
// as nothing was learned yet.
func (m *month) others(t *testing.T, made time.Time) {
	m.clock.set(made)
	place := object{"address": "x", "location": object{"lat": 50.02, "lon": 10.02}}
	order := func(dropoff object) string {
		return str(m.made(t, adminKey, "/order", object{"merchant_id": "good", "customer": object{"name": "A"}, "dropoff": dropoff, "pickup": place}), "id")
	}
	code, got := m.ask(t, adminKey, http.MethodDelete, "/order/"+order(place), nil)
	require.Equal(t, http.StatusOK, code, "%v", got)
	blind, wrong := order(object{"address": "x"}), order(object{"location": object{"lat": 50.1, "lon": 10.02}})
	m.take(t, wrong)
	m.clock.set(made.Add(20 * time.Second))
	m.status(t, wrong, "delivered")
	m.take(t, blind)
	m.clock.set(made.Add(40 * time.Minute))
	m.status(t, blind, "delivered")
}

// parcel has a delivery company take an order; the result delivers it.
func (m *month) parcel(t *testing.T) func(at time.Time) {
	id := str(m.made(t, adminKey, "/order", object{
		"merchant_id": "good", "customer": object{"name": "Anna", "phone": "+79161234567"}, "dropoff": object{"address": "ул. Ленина, 1", "location": object{"lat": 55.02, "lon": 10.02}},
	}), "id")
	m.made(t, adminKey, "/order/"+id+"/shipment", object{"carrier": "cdek", "tariff": "139", "to": object{"city": "Новосибирск", "address": "ул. Ленина, 1"}})
	_, o := m.ask(t, adminKey, http.MethodGet, "/order/"+id, nil)
	require.Equal(t, "carrier", str(o, "eta", "method"))
	b := m.told(t, o, "55.02,10.02")
	require.True(t, b.earliest.After(m.clock.Now()), "the period is yet to come, so that it is the same in each version")
	return func(at time.Time) {
		m.clock.set(at.Add(-time.Hour))
		m.take(t, id)
		m.clock.set(at)
		b.at = at
		m.status(t, id, "delivered")
		m.all = append(m.all, b)
	}
}

func aMonth(t *testing.T) *month {
	_, flags := emulated(t, sandbox.Options{})
	m := &month{clock: &setClock{}, now: time.Now().UTC().Truncate(time.Second)}
	m.clock.set(m.now.AddDate(0, 0, -28))
	m.town = &town{server: &server{dir: t.TempDir(), args: flags, key: adminKey, clock: m.clock}}
	t.Cleanup(func() { m.down(t) })
	m.up(t)
	m.courier = str(m.made(t, adminKey, "/couriers", object{"name": "Boris"}), "id")
	m.others(t, m.now.AddDate(0, 0, -28))
	parcels := map[int]func(time.Time){4: m.parcel(t), 30: m.parcel(t)} // when they come
	for i := range 60 {
		made := m.now.AddDate(0, 0, -27).Add(time.Duration(i) * 10 * time.Hour)
		merchant, share := "good", .8+.05*float64(i%8)
		switch {
		case i == 17:
			merchant, share = "rare", 4
		case i > 50 && i%3 == 1: // nothing is known of them: a little of each in the last week
			merchant, share = "new", []float64{.1, 6}[i%2]
		case i%3 == 0:
			merchant, share = "bad", []float64{.2, .3, 3, 4, 1}[i/3%5]
		case i%7 == 0:
			merchant = ""
		}
		if come := parcels[i]; come != nil {
			come(made)
		}
		m.deliver(t, merchant, made, i%13, share)
	}
	m.clock.set(m.now)
	return m
}

func (m *month) within(from, to time.Time) (out []brought) {
	for _, b := range m.all {
		if !b.at.Before(from) && b.at.Before(to) {
			out = append(out, b)
		}
	}
	return out
}

// report asks for a report and compares it with the deliveries themselves.
func (m *month) report(t *testing.T, key, query string, deliveries []brought, by string) {
	t.Helper()
	code, got := m.ask(t, key, http.MethodGet, "/reports/eta?by="+by+query, nil)
	require.Equal(t, http.StatusOK, code, "%v", got)
	want := summed(deliveries, groupings[by])
	var names []string
	for _, g := range list(got["groups"]) {
		name := str(g, "group")
		names = append(names, name)
		want[name].equals(t, get(g, "orders"), get(g, "mae_minutes"), get(g, "bias_minutes"), get(g, "coverage"), get(g, "late_share"), by+" "+name)
	}
	require.Equal(t, worst(want), names, "%s%s: the worst first", by, query)
	all := summed(deliveries, func(brought) string { return "" })[""]
	all.equals(t, get(got, "all", "orders"), get(got, "all", "mae_minutes"), get(got, "all", "bias_minutes"), get(got, "all", "coverage"), get(got, "all", "late_share"), "all")
}

// The reports over HTTP and on the command line, and the metrics, say of a month what its
// deliveries were: computed here from what each order told its customer first.
func TestEstimatesAreReportedAsTheyWere(t *testing.T) {
	m := aMonth(t)
	eventually(t, "all are counted", func() bool {
		_, got := m.ask(t, adminKey, http.MethodGet, "/reports/eta", nil)
		n, _ := get(got, "all", "orders").(float64)
		return int(n) >= len(m.all)
	})
	key := str(m.made(t, adminKey, "/keys", object{"name": "x", "role": "merchant", "merchant_id": "bad"}), "key")
	theirs := slices.DeleteFunc(slices.Clone(m.all), func(b brought) bool { return b.merchant != "bad" })
	from, to := m.now.AddDate(0, 0, -20).Add(-5*time.Hour), m.now.AddDate(0, 0, -6).Add(-time.Minute)
	times := "&from=" + from.Format(time.RFC3339) + "&to=" + to.Format(time.RFC3339)
	for by := range groupings {
		m.report(t, adminKey, "", m.all, by)
		m.report(t, adminKey, times, m.within(from, to), by)
		m.report(t, adminKey, "&merchant_id=bad", theirs, by)
		m.report(t, key, "", theirs, by)
		m.onTheCommandLine(t, by)
	}
	require.Equal(t, []string{"bad", "new", "rare"}, worst(summed(m.all, groupings["merchant"]))[:3], "one order that came late is no pattern")
	require.Greater(t, len(summed(m.all, groupings["week"])), 3)
	require.Len(t, summed(m.all, groupings["carrier"]), 2)
	m.asCSV(t)
	_, got := m.ask(t, adminKey, http.MethodGet, "/reports/eta?limit=1", nil)
	require.Len(t, got["groups"], 1)
	m.restart(t) // the metrics are renewed some minutes later, or at once with a start
	m.inMetrics(t)
}

// onTheCommandLine compares what the command prints.
func (m *month) onTheCommandLine(t *testing.T, by string) {
	var out, errs bytes.Buffer
	code := cli.Main(cli.Build{}, []string{"report", "eta", "--by", by}, []string{"OT_SERVER=http://" + m.http, "OT_KEY=" + adminKey}, &out, &errs)
	require.Zero(t, code, errs.String())
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	groups := summed(m.all, groupings[by])
	want := []string{"GROUP ORDERS ERROR BIAS IN WINDOW LATER"}
	row := func(name string, g held) {
		if name == "" {
			name = "-"
		}
		want = append(want, fmt.Sprintf("%s %d %.1f min %+.1f min %.0f %% %.0f %%", name, g.orders, g.mae, g.bias, 100*g.coverage, 100*g.late))
	}
	row("all", summed(m.all, func(brought) string { return "" })[""])
	for _, name := range worst(groups) {
		row(name, groups[name])
	}
	for i := range lines {
		lines[i] = strings.Join(strings.Fields(lines[i]), " ")
	}
	require.Equal(t, want, lines)
}

func (m *month) asCSV(t *testing.T) {
	_, got := m.ask(t, adminKey, http.MethodGet, "/reports/eta?by=zone&format=csv", nil)
	rows, err := csv.NewReader(strings.NewReader(str(got, "text"))).ReadAll()
	require.NoError(t, err)
	require.Equal(t, []string{"group", "orders", "mae_minutes", "bias_minutes", "coverage", "late_share"}, rows[0])
	want := summed(m.all, groupings["zone"])
	for i, name := range worst(want) {
		require.Equal(t, name, rows[i+1][0])
		numbers := make([]any, 5)
		for k := range numbers {
			numbers[k], err = strconv.ParseFloat(rows[i+1][k+1], 64)
			require.NoError(t, err)
		}
		want[name].equals(t, numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], name)
	}
}

var sample = regexp.MustCompile(`(?m)^(ordertracking_eta_\w+)\{by="(\w+)",group="([^"]*)"\} (\S+)$`)

// inMetrics compares the metrics with the deliveries of the last week, and the alert with the metrics.
func (m *month) inMetrics(t *testing.T) {
	want := map[string]float64{}
	week := m.within(m.now.AddDate(0, 0, -7), m.now)
	groups := map[string]func(brought) string{"all": func(brought) string { return "" }}
	for _, by := range []string{"merchant", "carrier", "zone"} {
		groups[by] = groupings[by]
	}
	for by, of := range groups {
		found := summed(week, of)
		for i, name := range worst(found) {
			if i == 10 {
				break
			}
			for metric, v := range map[string]float64{
				"orders": float64(found[name].orders), "coverage_ratio": found[name].coverage, "late_ratio": found[name].late,
				"absolute_error_seconds": 60 * found[name].mae, "bias_seconds": 60 * found[name].bias,
			} {
				want["ordertracking_eta_"+metric+" "+by+" "+name] = v
			}
		}
	}
	require.Greater(t, len(summed(week, groups["zone"])), 10, "more zones than are told of")
	some := summed(week, groups["all"])[""]
	require.True(t, 0 < some.late && some.late < 1-some.coverage && some.coverage > 0, "some come early, some late: %v", some)
	var got map[string]float64
	metrics := map[string]bool{}
	eventually(t, "metrics of estimates", func() bool {
		_, body := m.ask(t, adminKey, http.MethodGet, "/metrics", nil)
		got = map[string]float64{}
		for _, s := range sample.FindAllStringSubmatch(str(body, "text"), -1) {
			v, err := strconv.ParseFloat(s[4], 64)
			require.NoError(t, err)
			got[s[1]+" "+s[2]+" "+s[3]], metrics[s[1]] = v, true
		}
		return len(got) > 0
	})
	require.InDeltaMapValues(t, want, got, 1e-4)
	alerts, err := os.ReadFile("../deploy/alerts.yml")
	require.NoError(t, err)
	_, rule, ok := strings.Cut(string(alerts), "OrderTrackingEstimatesOff")
	require.True(t, ok)
	require.Contains(t, rule, "ordertracking_eta_coverage_ratio < 0.7 or ordertracking_eta_coverage_ratio > 0.9")
	for _, name := range regexp.MustCompile(`ordertracking_\w+`).FindAllString(rule, -1) {
		require.True(t, metrics[name], "%s is no metric", name)
	}
	for _, label := range regexp.MustCompile(`\$labels\.(\w+)`).FindAllStringSubmatch(rule, -1) {
		require.Contains(t, []string{"by", "group"}, label[1])
	}
}
