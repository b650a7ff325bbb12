package tests

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// patch changes a resource that must have a version.
func (w *town) patch(t testing.TB, key, path, etag string, body object) (int, object) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, "http://"+w.http+path, strings.NewReader(string(encode(t, body))))
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
	code, got := w.patch(t, adminKey, "/order/"+id, `"v2"`, object{"notes": "b"})
	require.Equal(t, http.StatusPreconditionFailed, code)
	require.Equal(t, 4.0, got["current_version"], "%v", got)
	require.Equal(t, []any{"courier_id", "priority", "status"}, got["changed"])
	require.Equal(t, object{"kind": "admin", "id": "bootstrap"}, got["changed_by"])
	require.NotEmpty(t, got["changed_at"])
	_, got = w.patch(t, w.keys[domain.RoleMerchant], "/order/"+id, `"v3"`, object{"notes": "b"})
	require.Equal(t, object{"kind": "admin"}, got["changed_by"], "staff are nameless")

	code, got = w.patch(t, w.keys[domain.RoleMerchant], "/merchants/m1", `"v7"`, object{"locale": "ru"})
	require.Equal(t, http.StatusPreconditionFailed, code)
	require.Equal(t, 1.0, got["current_version"])
	require.Equal(t, object{"kind": "admin"}, got["changed_by"])
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
