package cli

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/pkg/client"
)

func TestOrderCommands(t *testing.T) {
	r := start(t)
	o := r.run("order", "create", "--name", "Anna", "--phone", "+7 916 123-45-67", "--dropoff", "Main St 1", "--dropoff-at", "55.75,37.61",
		"--external-id", "A-1", "--item", "3 x tea", "--item", "cup", "--meta", "a=b", "--promised", "45m", "--notes", "ring", "--json").json()
	id, number := o["id"].(string), o["number"].(string)
	require.Equal(t, "Anna", o["customer"].(map[string]any)["name"])
	require.Equal(t, map[string]any{"lat": 55.75, "lon": 37.61}, o["dropoff"].(map[string]any)["location"])
	require.Len(t, o["items"], 2)
	promised, err := time.Parse(time.RFC3339, o["promised_at"].(string))
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(45*time.Minute), promised, time.Minute)

	for _, name := range []string{id, "A-1", number, strings.ToLower(number)} {
		require.Contains(t, r.run("order", "get", name).ok(), "Main St 1")
	}
	human := r.run("order", "get", "A-1").ok()
	for _, line := range []string{"Status       created (version 1)\n", "Customer     Anna +79161234567\n", "Item         3 × tea\n"} {
		require.Contains(t, human, line)
	}
	r.run("order", "get", "nobody").fails(`"nobody"`)
	r.run("order", "get", "0190b7a1-7d3c-7c1e-9f3a-2b1c5d6e7f80").fails("order_not_found")

	require.Contains(t, r.run("order", "status", "A-1").ok(), "Next    confirmed, assigned, cancelled")
	require.Equal(t, "confirmed", r.run("order", "status", "A-1", "confirmed", "--reason", "paid", "--at", "-5m", "--location", "1,2", "--json").json()["status"])
	r.run("order", "status", "A-1", "delivered").fails("illegal_transition", "confirmed can't become delivered", "allowed: assigned, cancelled")
	r.run("order", "status", "A-1", "lost").fails("validation_failed", "/status must be one of the statuses")
	r.run("order", "status", "A-1", "cancelled", "--at", "noon").fails("--at", "must be a time")
	r.run("order", "status", "A-1", "cancelled", "--location", "x").fails("--location", "must be LAT,LON")

	edited := r.run("order", "edit", "A-1", "--name", "Anna P", "--dropoff", "Elm St 2", "--notes", "", "--exception", "customs",
		"--exception-detail", "papers", "--meta", "a=", "--meta", "c=d", "--json").json()
	require.Equal(t, map[string]any{"name": "Anna P", "phone": "+79161234567"}, edited["customer"])
	require.Equal(t, map[string]any{"address": "Elm St 2"}, edited["dropoff"], "the place of the old address is gone")
	require.Equal(t, map[string]any{"c": "d"}, edited["metadata"])
	require.NotContains(t, edited, "notes")
	require.NotContains(t, r.run("order", "edit", "A-1", "--clear", "exception,metadata", "--json").json(), "exception")
	r.run("order", "edit", "A-1").fails("nothing to change")

	courier := r.run("courier", "create", "--name", "Ivan", "--vehicle", "van", "--json").json()["id"].(string)
	r.run("order", "assign", "A-1").fails("COURIER is missing: name a courier, or say --nearest")
	r.run("order", "assign", "A-1", "Ivan", "--nearest").fails("COURIER is missing: name a courier, or say --nearest")
	r.run("order", "assign", "A-1", "--nearest").fails("no_courier_available")
	require.Equal(t, courier, r.run("order", "assign", "A-1", "ivan", "--json").json()["courier_id"])
	r.run("order", "status", "A-1", "picked_up").ok()
	r.run("order", "cancel", "A-1", "--reason", "x").fails("cancel_after_pickup", "allowed: in_transit")
	require.Contains(t, r.run("order", "track", "A-1").ok(), "Ivan (van)")
	require.Contains(t, r.run("order", "notify", "A-1", "--text", "soon").ok(), "nobody_watching")
	events := r.run("order", "events", "A-1").ok()
	require.Contains(t, events, "picked_up")
	require.Equal(t, 8, strings.Count(events, "\n"), events) // a header and seven
	require.Equal(t, 7, strings.Count(r.run("order", "events", "A-1", "--json").ok(), "\n"))
	r.run("order", "status", "A-1", "delivered").ok()
	r.run("order", "status", "A-1", "failed").fails("allowed: nothing")
}

func TestOrderListAndFiles(t *testing.T) {
	r := start(t)
	require.Empty(t, r.run("order", "list").ok())
	file := filepath.Join(t.TempDir(), "order.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"customer":{"name":"Ann"},"dropoff":{"address":"x"},"external_id":"F-1"}`), 0o600))
	require.Equal(t, "Boris", r.run("order", "create", "--file", file, "--name", "Boris", "--json").json()["customer"].(map[string]any)["name"])
	for range 24 {
		r.runWith(`{"customer":{"name":"Carl"},"dropoff":{"address":"y"}}`, "order", "create", "-f", "-").ok()
	}
	r.runWith(`{"customer":`, "order", "create", "-f", "-").fails("-: unexpected EOF")
	r.runWith(`{"custmer":{}}`, "order", "create", "-f", "-").fails("custmer")
	r.run("order", "create", "--file", filepath.Join(t.TempDir(), "no")).fails("no such file")
	r.run("order", "create").fails("/customer/name is required; /dropoff needs an address")

	lines := func(args ...string) int {
		return strings.Count(r.run(append([]string{"order", "list"}, args...)...).ok(), "\n")
	}
	require.Equal(t, 22, lines()) // a header, 20 orders, and that there are more
	require.Equal(t, 26, lines("--all"))
	require.Equal(t, 25, lines("--all", "--json"))
	require.Equal(t, 2, lines("--search", "boris"))
	require.Equal(t, 2, lines("--external-id", "F-1", "--active", "--status", "created,confirmed", "--from", "-1h", "--to", "1h"))
	require.Equal(t, 0, lines("--active=false"))
	require.Equal(t, 5, lines("--limit", "3"))
	r.run("order", "list", "--from", "x").fails("--from", "must be a time")
	r.run("order", "list", "--status", "lost").failsWith(3, "validation_failed")
}

func TestCourierCommands(t *testing.T) {
	r := start(t)
	c := r.run("courier", "create", "--name", "Ivan", "--phone", "+79161234567", "--capacity", "3", "--meta", "shift=night", "--json").json()
	id := c["id"].(string)
	r.run("courier", "create").fails("/name is required")
	r.run("courier", "create", "--name", "Olga", "--on-duty=false").ok()
	require.Contains(t, r.run("courier", "get", "Ivan").ok(), "Orders   0 of 3\n")
	r.run("courier", "locate", "Ivan").fails("position_not_found")
	require.Contains(t, r.run("courier", "locate", "Ivan", "--at", "-1.25,36.75").ok(), "Accepted  1\n")
	r.run("courier", "locate", "Ivan", "--at", "north").fails("--at", "must be LAT,LON")
	require.Contains(t, r.run("courier", "locate", id).ok(), "-1.250000,36.750000")
	require.Contains(t, r.run("courier", "near", "--", "-1.26,36.75").ok(), "1.11 km")
	r.run("courier", "near", "here").fails("LAT,LON")
	require.Equal(t, 3, strings.Count(r.run("courier", "list").ok(), "\n"))
	require.Equal(t, 1, strings.Count(r.run("courier", "list", "--on-duty", "--json").ok(), "\n"))
	require.Equal(t, 2, strings.Count(r.run("courier", "list", "--all", "-q", "olg").ok(), "\n"))
	require.Contains(t, r.run("courier", "edit", "Ivan", "--vehicle", "bicycle", "--on-duty=false").ok(), "bicycle")
	r.run("courier", "edit", "Ivan", "--capacity", "0").fails("/capacity must be between")
	r.run("courier", "get", "nobody").fails(`no courier has the id or name "nobody"`)
	r.run("courier", "create", "--name", "ivan").ok()
	r.run("courier", "get", "Ivan").fails("several couriers")

	r.run("order", "create", "--name", "A", "--dropoff", "x", "--external-id", "C-1").ok()
	r.run("courier", "edit", id, "--on-duty").ok()
	r.run("order", "assign", "C-1", id).ok()
	require.Contains(t, r.run("courier", "orders", id, "--all").ok(), "assigned")
	require.Empty(t, r.run("courier", "orders", "Olga").ok())
}

func TestWatch(t *testing.T) {
	r := start(t)
	r.run("order", "create", "--name", "Anna", "--dropoff", "Main St 1", "--external-id", "W-1").ok()
	r.run("courier", "create", "--name", "Ivan").ok()
	var out, asJSON lockedBuffer
	done := make(chan int, 2)
	watch := func(w *lockedBuffer, args ...string) {
		done <- newEnv(Build{}, r.environ(), nil, w, w).run(t.Context(), append([]string{"watch", "W-1"}, args...))
	}
	go watch(&out)
	go watch(&asJSON, "--json", "--history")
	for _, w := range []*lockedBuffer{&out, &asJSON} {
		require.Eventually(t, func() bool { return strings.Contains(w.String(), "Anna") }, 10*time.Second, 5*time.Millisecond)
	}
	r.run("order", "assign", "W-1", "Ivan").ok()
	r.run("order", "edit", "W-1", "--notes", "x").ok()
	r.run("order", "edit", "W-1", "--exception", "customs").ok()
	r.run("order", "status", "W-1", "picked_up", "--at", "-10m").ok()
	r.run("courier", "locate", "Ivan", "--at", "1,2").ok()
	for _, w := range []*lockedBuffer{&out, &asJSON} {
		require.Eventually(t, func() bool {
			return strings.Contains(w.String(), "1.000000,2.000000") || strings.Contains(w.String(), `"lat":1`)
		},
			10*time.Second, 5*time.Millisecond)
	}
	r.run("order", "notify", "W-1", "--text", "soon").ok()
	r.run("order", "status", "W-1", "delivered", "--reason", "door").ok()
	require.Zero(t, <-done, out.String())
	require.Zero(t, <-done, asJSON.String())
	for _, text := range []string{
		"for Anna is created, to Main St 1\n", "created → assigned, by admin\n", "changed: notes, by admin\n", "exception: customs",
		"assigned → picked_up, by admin (happened 10m0s before)\n", "at 1.000000,2.000000\n", "the customer was told: soon\n",
		"picked_up → delivered, by admin, because \"door\"\n", "the order is finished\n",
	} {
		require.Contains(t, out.String(), text)
	}
	require.NotContains(t, out.String(), "\x1b", "nobody watches: no escapes")
	for _, text := range []string{`{"type":"snapshot",`, `{"type":"status",`, `"type":"order.created"`, `{"type":"position",`, `{"type":"end",`} {
		require.Contains(t, asJSON.String(), text)
	}
	r.run("watch", "nobody").fails("nobody")

	// When interrupted, it ends without an error.
	r.run("order", "create", "--name", "Anna", "--dropoff", "Main St 1", "--external-id", "W-2").ok()
	ctx, cancel := context.WithCancel(t.Context())
	var second lockedBuffer
	go func() { done <- newEnv(Build{}, r.environ(), nil, &second, &second).run(ctx, []string{"watch", "W-2"}) }()
	require.Eventually(t, func() bool { return strings.Contains(second.String(), "Anna") }, 10*time.Second, 5*time.Millisecond)
	cancel()
	require.Zero(t, <-done, second.String())
}

// On a terminal the last line is overwritten.
func TestWatchOnATerminal(t *testing.T) {
	var out lockedBuffer
	v := &viewer{printer: printer{env: newEnv(Build{}, nil, nil, &out, &out)}, live: true, position: "1,2"}
	require.NoError(t, v.moving(time.Now(), "at 1,2"))
	v.position = "3,4"
	require.NoError(t, v.moving(time.Now(), "at 3,4"))
	at := time.Date(2026, 5, 4, 12, 0, 0, 0, time.Local)
	require.NoError(t, v.line(at, "delivered"))
	v.clear()
	require.Equal(t, "at 1,2\r\x1b[Kat 3,4\r\x1b[K12:00:00  delivered\nat 3,4\r\x1b[K", out.String())
}

// A command whose answer was lost is repeated and changes nothing twice.
func TestCommandsOutliveLostAnswers(t *testing.T) {
	r := start(t)
	target, err := url.Parse(r.server)
	require.NoError(t, err)
	forward := httputil.NewSingleHostReverseProxy(target)
	var seen sync.Map // keys of changes
	lossy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if _, again := seen.LoadOrStore(req.Header.Get("Idempotency-Key"), nil); req.Method == http.MethodGet || again {
			forward.ServeHTTP(w, req)
			return
		}
		forward.ServeHTTP(httptest.NewRecorder(), req)
		panic(http.ErrAbortHandler)
	}))
	defer lossy.Close()
	r.server = lossy.URL
	r.run("order", "create", "--name", "Anna", "--dropoff", "Main St 1", "--external-id", "A-1").ok()
	r.run("order", "create", "--name", "Anna", "--dropoff", "Main St 1").ok()
	r.run("courier", "create", "--name", "Ivan").ok()
	r.run("courier", "edit", "Ivan", "--capacity", "3").ok()
	r.run("order", "status", "A-1", "confirmed").ok()
	r.run("order", "edit", "A-1", "--notes", "ring").ok()
	r.run("order", "assign", "A-1", "Ivan").ok()
	r.run("order", "notify", "A-1", "--text", "soon").ok()
	r.run("order", "cancel", "A-1", "--reason", "x").ok()
	var orders []*client.Order
	for o, err := range r.client.Orders(t.Context(), client.OrderFilter{}) {
		require.NoError(t, err)
		orders = append(orders, o)
	}
	require.Len(t, orders, 2)
	events, err := r.client.Events(t.Context(), orders[1].ID)
	require.NoError(t, err)
	require.Len(t, events, 6)
	require.Equal(t, client.StatusCancelled, events[5].Status)
}
