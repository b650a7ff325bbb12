package tests

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// change changes a resource that must have a version.
func (w *town) change(t testing.TB, key, method, path, etag string, body object) (int, object) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+w.http+path, strings.NewReader(string(encode(t, body))))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("If-Match", etag)
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	var got object
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&got))
	return resp.StatusCode, got
}

func TestAConflictTellsWhoChangedWhat(t *testing.T) {
	w := newTown(t, modes()[0])
	id := str(w.made(t, adminKey, "/order", object{"merchant_id": "m1", "customer": object{"name": "Anna"}, "dropoff": object{"address": "Here 1"}}), "id")
	for _, change := range []object{{"notes": "a"}, {"priority": 3}} {
		code, got := w.ask(t, adminKey, http.MethodPatch, "/order/"+id, change)
		require.Equal(t, http.StatusOK, code, "%v", got)
	}
	w.made(t, adminKey, "/order/"+id+"/assign-courier", object{"courier_id": w.couriers[own]})
	code, got := w.change(t, adminKey, http.MethodPatch, "/order/"+id, `"v2"`, object{"notes": "b"})
	require.Equal(t, http.StatusPreconditionFailed, code)
	require.Equal(t, 4.0, got["current_version"], "%v", got)
	require.Equal(t, []any{"courier_id", "priority", "status"}, got["changed"])
	require.Equal(t, object{"kind": "admin", "id": "bootstrap"}, got["changed_by"])
	require.NotEmpty(t, got["changed_at"])
	_, got = w.change(t, w.keys[domain.RoleMerchant], http.MethodPatch, "/order/"+id, `"v3"`, object{"notes": "b"})
	require.Equal(t, object{"kind": "admin"}, got["changed_by"], "staff are nameless")

	code, got = w.change(t, w.keys[domain.RoleMerchant], http.MethodPatch, "/merchants/m1", `"v7"`, object{"locale": "ru"})
	require.Equal(t, http.StatusPreconditionFailed, code)
	require.Equal(t, 1.0, got["current_version"])
	require.Equal(t, object{"kind": "admin"}, got["changed_by"])
}

func TestEveryVersionedResourceExplainsItsConflicts(t *testing.T) {
	w := newTown(t, modes()[0])
	hook := str(w.made(t, adminKey, "/webhooks", object{"url": "https://8.8.8.8/hook"}), "id")
	for name, c := range map[string]struct {
		method, path string
		bodies       []object // three changes, the last two of the same member
		member       string
	}{
		"rules": {http.MethodPut, "/notification-rules?merchant_id=m1", []object{
			{}, {"rules": []object{}}, {"rules": []object{}, "channels": object{"email": object{"enabled": false}}},
		}, "channels"},
		"courier":  {http.MethodPatch, "/courier/" + w.couriers[own], []object{{"capacity": 3}, {"name": "Igor"}, {"name": "Pavel"}}, "name"},
		"webhook":  {http.MethodPatch, "/webhooks/" + hook, []object{{"description": "a"}, {"types": []string{"order.created"}}, {"types": []string{"order.late"}}}, "types"},
		"merchant": {http.MethodPatch, "/merchants/m1", []object{{"locale": "ru"}, {"timezone": "Europe/Moscow"}, {"timezone": "Asia/Omsk"}}, "timezone"},
		"settings": {http.MethodPatch, "/settings", []object{{"brand": object{"name": "A"}}, {"privacy": object{"show_courier": "custody"}}, {"privacy": object{"show_courier": "metres:500"}}}, "privacy"},
	} {
		t.Run(name, func(t *testing.T) {
			var version float64
			for _, body := range c.bodies {
				code, got := w.ask(t, adminKey, c.method, c.path, body)
				require.Equal(t, http.StatusOK, code, "%v", got)
				version, _ = got["version"].(float64)
			}
			code, got := w.change(t, adminKey, c.method, c.path, fmt.Sprintf(`W/"v%.0f"`, version-1), c.bodies[2])
			require.Equal(t, http.StatusPreconditionFailed, code, "%v", got)
			require.Equal(t, version, got["current_version"])
			require.Equal(t, object{"kind": "admin", "id": "bootstrap"}, got["changed_by"])
			require.NotEmpty(t, got["changed_at"])
			require.Equal(t, []any{c.member}, got["changed"])
			code, got = w.change(t, adminKey, c.method, c.path, fmt.Sprintf(`"v%.0f"`, version), c.bodies[1])
			require.Equal(t, http.StatusOK, code, "%v", got)
		})
	}
}

// What nobody has set yet has the version 0: of two who set it first, the second is told.
func TestTheFirstVersionIsNotOverwritten(t *testing.T) {
	w := newTown(t, modes()[0])
	hook := str(w.made(t, adminKey, "/webhooks", object{"url": "https://93.184.216.34/hooks"}), "id")
	for path, c := range map[string]struct {
		method string
		seen   int
		body   object
	}{
		"/settings":                          {http.MethodPatch, 0, object{"brand": object{"name": "Ours"}}},
		"/merchants/m7":                      {http.MethodPatch, 0, object{"name": "Seven"}},
		"/notification-rules?merchant_id=m7": {http.MethodPut, 0, object{"rules": []any{}}},
		"/webhooks/" + hook:                  {http.MethodPatch, 1, object{"description": "orders"}},
	} {
		etag := fmt.Sprintf(`"v%d"`, c.seen)
		code, got := w.change(t, adminKey, c.method, path, etag, c.body)
		require.Equal(t, http.StatusOK, code, "%s: %v", path, got)
		code, got = w.change(t, adminKey, c.method, path, etag, c.body)
		require.Equal(t, http.StatusPreconditionFailed, code, path)
		require.InDelta(t, c.seen+1, got["current_version"], 0, path)
		require.Equal(t, object{"kind": "admin", "id": "bootstrap"}, got["changed_by"], path)
		require.NotEmpty(t, got["changed_at"], path)
	}
}

func TestACourierLearnsWhoHasTheOrderNow(t *testing.T) {
	w := newTown(t, modes()[0])
	courier := w.keys[domain.RoleCourier]
	id := str(w.made(t, adminKey, "/order", object{"customer": object{"name": "Anna"}, "dropoff": object{"address": "Here 1"}}), "id")
	code, got := w.ask(t, courier, http.MethodGet, "/order/"+id, nil)
	require.Equal(t, http.StatusNotFound, code, "it never was his: %v", got)
	w.made(t, adminKey, "/order/"+id+"/assign-courier", object{"courier_id": w.couriers[own]})
	w.made(t, adminKey, "/order/"+id+"/assign-courier", object{"courier_id": w.couriers[foreign]})
	for _, call := range [][2]string{{http.MethodGet, ""}, {http.MethodGet, "/track"}, {http.MethodPatch, "/status"}} {
		var body any
		if call[0] == http.MethodPatch {
			body = object{"status": "picked_up"}
		}
		code, got = w.ask(t, courier, call[0], "/order/"+id+call[1], body)
		require.Equal(t, http.StatusConflict, code, "%v", got)
		require.Equal(t, "order_reassigned", str(got, "code"))
		require.Equal(t, "Oleg", get(got, "reassigned", "to"))
		require.NotEmpty(t, get(got, "reassigned", "at"))
		require.NotContains(t, string(encode(t, got)), w.couriers[foreign])
	}
	code, _ = w.ask(t, adminKey, http.MethodPatch, "/order/"+id+"/status", object{"status": "confirmed"})
	require.Equal(t, http.StatusOK, code)
	code, _ = w.ask(t, courier, http.MethodGet, "/order/"+id, nil)
	require.Equal(t, http.StatusNotFound, code, "nobody has it")
}
