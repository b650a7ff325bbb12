package tests

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// sendText sends a body that is no JSON document and returns the response's lines.
func (w *town) sendText(t testing.TB, key, path, contentType, body string) (int, []object) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+w.http+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	var out []object
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		var one object
		require.NoError(t, json.Unmarshal(lines.Bytes(), &one), lines.Text())
		out = append(out, one)
	}
	return resp.StatusCode, out
}

func TestAMerchantImportsAndExportsItsOwn(t *testing.T) {
	w := newTown(t, modes()[0])
	shop := w.keys[domain.RoleMerchant]
	code, replies := w.sendText(t, shop, "/orders/import", "application/x-ndjson", strings.Join([]string{
		`{"external_id":"new-1","customer":{"name":"Boris"},"dropoff":{"address":"Here 1"}}`,
		`{"external_id":"new-2","merchant_id":"m1","customer":{"name":"Boris"},"dropoff":{"address":"Here 1"}}`,
		`{"external_id":"new-3","merchant_id":"m2","customer":{"name":"Boris"},"dropoff":{"address":"Here 1"}}`,
		`{"courier":{"name":"Gleb"}}`,
		`{"id":"` + w.orders[foreign] + `","status":"created","created_at":"2026-05-04T12:30:00Z","customer":{"name":"Boris"},"dropoff":{"address":"Here 1"}}`,
		`{"id":"` + newID() + `","status":"assigned","courier_id":"` + w.couriers[own] + `","created_at":"2026-05-04T12:30:00Z","customer":{"name":"Boris"},"dropoff":{"address":"Here 1"}}`,
		`{"external_id":"ext-m2","customer":{"name":"Boris"},"dropoff":{"address":"Here 1"}}`,
	}, "\n"))
	require.Equal(t, http.StatusOK, code, "%v", replies)
	refused := map[float64]string{}
	for _, r := range replies {
		if r["error"] != nil {
			refused[r["line"].(float64)] = string(encode(t, r["error"]))
		}
	}
	require.Len(t, refused, 4, "%v", replies)
	for line, why := range map[float64]string{3: "/merchant_id", 4: "/courier", 5: "duplicate_external_id", 6: "/courier_id"} {
		require.Contains(t, refused[line], why)
		require.NotContains(t, refused[line], "Anna")
	}
	last := replies[len(replies)-1]
	require.Equal(t, 3.0, last["created"], "%v", last)
	require.Equal(t, true, last["finished"])
	_, found := w.ask(t, adminKey, http.MethodGet, "/orders?external_id=new-1", nil)
	require.Equal(t, "m1", str(get(found, "orders").([]any)[0], "merchant_id"))

	for _, query := range []string{"", "?merchant_id=m1", "?merchant_id=m2", "?format=csv"} {
		code, got := w.ask(t, shop, http.MethodGet, "/orders/export"+query, nil)
		require.Equal(t, http.StatusOK, code)
		text := str(got, "text")
		require.Equal(t, query != "?merchant_id=m2", strings.Contains(text, "ext-m1"), query)
		for _, hidden := range []string{`"m2"`, "Anna m2", `{"courier":`, "+79160000001", "Oleg", `"walker"`} {
			require.NotContains(t, text, hidden, query)
		}
	}
	// Its export can be imported again: everything is known.
	_, got := w.ask(t, shop, http.MethodGet, "/orders/export", nil)
	_, replies = w.sendText(t, shop, "/orders/import", "application/x-ndjson", str(got, "text"))
	last = replies[len(replies)-1]
	require.Zero(t, last["created"], "%v", replies)
	require.Equal(t, last["read"], last["known"].(float64)+last["failed"].(float64))
	for _, r := range replies { // active orders with a courier are another's to assign
		if r["error"] != nil {
			require.Contains(t, string(encode(t, r)), "/courier_id")
		}
	}
}

// TestACustomersPageIsTheMerchants: its brand, its time zone, its language.
func TestACustomersPageIsTheMerchants(t *testing.T) {
	w := newTown(t, modes()[0])
	code, got := w.ask(t, w.keys[domain.RoleMerchant], http.MethodPatch, "/merchants/m1", object{
		"brand": object{"name": "Лавка <1>", "accent": "#1a4f9c", "logo": "data:image/png;base64,iVBORw0KGgo="}, "timezone": "Asia/Tokyo", "locale": "ru",
	})
	require.Equal(t, http.StatusOK, code, "%v", got)
	code, got = w.ask(t, adminKey, http.MethodPatch, "/settings", object{"brand": object{"name": "Couriers Ltd"}})
	require.Equal(t, http.StatusOK, code, "%v", got)
	page := func(order string) string {
		token := str(w.made(t, adminKey, "/order/"+order+"/share", object{}), "token")
		resp, err := http.Get("http://" + w.http + "/t/" + token) //nolint:noctx // a short request
		require.NoError(t, err)
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return string(text)
	}
	text := page(w.orders[own])
	for _, part := range []string{"Лавка &lt;1&gt;</title>", `lang="ru"`, "#1a4f9c", "data:image/png;base64,iVBORw0KGgo=", "Asia/Tokyo"} {
		require.Contains(t, text, part)
	}
	text = page(w.orders[foreign])
	require.Contains(t, text, "Shop m2</title>")
	require.NotContains(t, text, "#1a4f9c")
	code, got = w.ask(t, "", http.MethodGet, "/t/nonsense", nil)
	require.Equal(t, http.StatusNotFound, code)
	require.Contains(t, str(got, "text"), "Couriers Ltd")
}
