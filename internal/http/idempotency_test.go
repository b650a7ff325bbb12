package httpserver

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

func TestIdempotency(t *testing.T) {
	d := open(t)
	first := d.do("POST", "/order", minimal, "Idempotency-Key", `"try-1"`)
	first.ok(201)
	require.Empty(t, first.Header.Get("Idempotent-Replayed"))
	d.move(first.ok(201)["id"].(string), domain.StatusConfirmed)
	again := d.do("POST", "/order", minimal, "Idempotency-Key", `try-1`)
	require.Equal(t, string(first.body), string(again.body), "the first answer, as it was")
	require.Equal(t, 201, again.StatusCode)
	require.Equal(t, "true", again.Header.Get("Idempotent-Replayed"))
	require.Equal(t, first.Header.Get("Location"), again.Header.Get("Location"))
	require.Equal(t, `"v1"`, again.Header.Get("ETag"))
	d.do("POST", "/order", `{"customer":{"name":"Bob"},"dropoff":{"address":"x"}}`, "Idempotency-Key", "try-1").problem(422, "idempotency_key_reused")
	d.do("POST", "/order", minimal, "Idempotency-Key", `"broken`).problem(400, "malformed")
	p := d.do("POST", "/order", minimal, "Idempotency-Key", strings.Repeat("k", 300)).problem(422, "validation_failed")
	require.Contains(t, p.pointers(), "/idempotency_key")
	require.Len(t, d.do("GET", "/orders", nil).ok(200)["orders"], 1)

	id := d.order()
	for _, c := range []struct{ method, path, body, other string }{
		{"PATCH", "/order/" + id, `{"notes":"a","pickup":null}`, `{"notes":"a"}`},
		{"PATCH", "/order/" + id + "/status", `{"status":"confirmed"}`, `{"status":"confirmed","reason":"x"}`},
		{"PATCH", "/courier/" + d.courier(), `{"capacity":7}`, `{"capacity":8}`},
		{"DELETE", "/order/" + id, `{"reason":"a"}`, `{"reason":"b"}`},
		{"DELETE", "/courier/" + d.courier() + "/onboarding", ``, ``},
	} {
		done := d.do(c.method, c.path, c.body, "Idempotency-Key", c.method+c.path)
		done.ok(200)
		d.do("PATCH", "/order/"+id, `{"notes":"in between"}`)
		again := d.do(c.method, c.path, c.body, "Idempotency-Key", c.method+c.path)
		require.Equal(t, string(done.body), string(again.body), c.path)
		require.Equal(t, "true", again.Header.Get("Idempotent-Replayed"))
		require.Equal(t, done.Header.Get("ETag"), again.Header.Get("ETag"))
		if c.other != c.body {
			d.do(c.method, c.path, c.other, "Idempotency-Key", c.method+c.path).problem(422, "idempotency_key_reused")
		}
	}

	id = d.order()
	courier := d.courier()
	share := d.do("POST", "/order/"+id+"/share", `{}`).ok(201)["id"].(string)
	key := d.do("POST", "/keys", `{"name":"shop","role":"dispatcher"}`).ok(201)["id"].(string)
	for _, c := range []struct{ method, path, body, other string }{
		{"DELETE", "/order/" + id + "/share/" + share, ``, ``},
		{"DELETE", "/keys/" + key, ``, ``},
		{"PATCH", "/merchants/shop", `{"name":"Shop"}`, `{"name":"Other"}`},
		{"PATCH", "/settings", `{"privacy":{"show_courier":"custody"}}`, `{}`},
		{"POST", "/dispatch/run", `{}`, `{"order_ids":["` + id + `"]}`},
		{"PATCH", "/order/" + id + "/status", `{"status":"created"}`, `{"status":"cancelled"}`}, // which it is already
	} {
		done := d.do(c.method, c.path, c.body, "Idempotency-Key", c.method+c.path)
		require.Less(t, done.StatusCode, 300, c.path+string(done.body))
		again := d.do(c.method, c.path, c.body, "Idempotency-Key", c.method+c.path)
		require.Equal(t, done.StatusCode, again.StatusCode, c.path)
		require.Equal(t, string(done.body), string(again.body), c.path)
		require.Equal(t, "true", again.Header.Get("Idempotent-Replayed"), c.path)
		require.Equal(t, done.Header.Get("ETag"), again.Header.Get("ETag"), c.path)
		if c.other != c.body {
			d.do(c.method, c.path, c.other, "Idempotency-Key", c.method+c.path).problem(422, "idempotency_key_reused")
		}
	}
	for _, path := range []string{"/courier/" + courier + "/onboarding", "/order/" + id + "/share"} {
		d.do("POST", path, nil, "Idempotency-Key", path).ok(201)
		d.do("POST", path, nil, "Idempotency-Key", path).problem(409, "secret_not_repeated")
	}
	require.Len(t, d.do("GET", "/courier/"+courier+"/onboarding", nil).ok(200)["tokens"], 1)

	for _, path := range []string{
		"/couriers|" + `{"name":"Ivan"}`, "/order/" + d.order() + "/notify|" + `{}`,
		"/courier/" + d.courier() + "/location|" + `{"lat":1,"lon":2}`,
		"/order/" + d.order() + "/assign-courier|" + `{"courier_id":"` + d.courier() + `"}`,
	} {
		path, body, _ := strings.Cut(path, "|")
		one := d.do("POST", path, body, "Idempotency-Key", path)
		two := d.do("POST", path, body, "Idempotency-Key", path)
		require.Less(t, one.StatusCode, 300, string(one.body))
		require.Equal(t, string(one.body), string(two.body))
		require.Equal(t, one.StatusCode, two.StatusCode)
		require.Equal(t, "true", two.Header.Get("Idempotent-Replayed"))
	}
}

func TestIdempotencyUnderRace(t *testing.T) {
	d := open(t)
	var wg sync.WaitGroup
	ids := make(chan string, 20)
	for range 20 {
		wg.Go(func() {
			r := d.do("POST", "/order", minimal, "Idempotency-Key", "race")
			if r.StatusCode == 201 {
				ids <- r.Header.Get("Location")
			} else if r.StatusCode != 409 {
				t.Errorf("status %d: %s", r.StatusCode, r.body)
			}
		})
	}
	wg.Wait()
	close(ids)
	one := <-ids
	for id := range ids {
		require.Equal(t, one, id)
	}
	require.Len(t, d.do("GET", "/orders", nil).ok(200)["orders"], 1)
}

// A key or a condition that is sent empty or twice is a fault: without it the change would
// be made unconditionally.
func TestHeadersOfChangesAreStrict(t *testing.T) {
	d := open(t)
	path := "/order/" + d.order()
	for _, header := range []string{"Idempotency-Key", "If-Match"} {
		p := d.do("PATCH", path, `{"notes":"x"}`, header, " ").problem(400, "malformed")
		require.Contains(t, string(encoded(t, p)), header+" is empty")
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.URL+"/order", strings.NewReader(minimal))
	require.NoError(t, err)
	req.Header["Idempotency-Key"] = []string{"one", "two"}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, 400, resp.StatusCode)
	require.Len(t, d.do("GET", "/orders", nil).ok(200)["orders"], 1)
	d.do("PUT", "/courier/"+d.courier()+"/shifts", nil).problem(422, "validation_failed")
	d.do("PUT", "/courier/"+d.courier()+"/route", `{}`).problem(422, "validation_failed")
	d.do("GET", "/debug/pprof/heap?seconds=0", nil).problem(422, "validation_failed")
}
