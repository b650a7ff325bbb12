package tests

import (
	"database/sql"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // to look into the server's database

	"github.com/order-tracking/order-tracking/internal/domain"
)

// stored returns everything in the server's database and in its part of Redis, as text.
func (w *town) stored(t testing.TB) string {
	t.Helper()
	driver, address, prefix := "sqlite", "file:"+filepath.Join(w.dir, "orders.db")+"?mode=ro", ""
	names := `SELECT name FROM sqlite_master WHERE type = 'table'`
	for _, arg := range w.args {
		if url, ok := strings.CutPrefix(arg, "--database-url="); ok {
			driver, address, names = "pgx", url, `SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()`
		}
		if p, ok := strings.CutPrefix(arg, "--set=redis.prefix="); ok {
			prefix = p
		}
	}
	db, err := sql.Open(driver, address)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	var out strings.Builder
	for _, table := range texts(t, db, names) {
		rows, err := db.QueryContext(t.Context(), "SELECT * FROM "+table)
		require.NoError(t, err)
		columns, err := rows.Columns()
		require.NoError(t, err)
		for rows.Next() {
			values, into := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				into[i] = &values[i]
			}
			require.NoError(t, rows.Scan(into...))
			_, _ = fmt.Fprintf(&out, "%s: %s\n", table, values)
		}
		require.NoError(t, rows.Err())
		require.NoError(t, rows.Close())
	}
	if prefix != "" {
		out.WriteString(inRedis(t, prefix))
	}
	return out.String()
}

func texts(t testing.TB, db *sql.DB, query string) (out []string) {
	rows, err := db.QueryContext(t.Context(), query)
	require.NoError(t, err)
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var name string
		require.NoError(t, rows.Scan(&name))
		out = append(out, name)
	}
	require.NoError(t, rows.Err())
	return out
}

// inRedis returns the keys with the prefix and their values.
func inRedis(t testing.TB, prefix string) string {
	o, err := rueidis.ParseURL(os.Getenv("TEST_REDIS_URL"))
	require.NoError(t, err)
	c, err := rueidis.NewClient(o)
	require.NoError(t, err)
	defer c.Close()
	var out strings.Builder
	for cursor := uint64(0); ; {
		page, err := c.Do(t.Context(), c.B().Scan().Cursor(cursor).Match(prefix+"*").Count(1000).Build()).AsScanEntry()
		require.NoError(t, err)
		for _, key := range page.Elements {
			value, err := c.Do(t.Context(), c.B().Dump().Key(key).Build()).ToString()
			if !rueidis.IsRedisNil(err) {
				require.NoError(t, err)
				out.WriteString("redis " + key + ": " + value + "\n")
			}
		}
		if cursor = page.Cursor; cursor == 0 {
			return out.String()
		}
	}
}

// person plants texts that are found again wherever they are stored.
type person struct{ word, phone, written string }

// order makes an order of the person with the words in every field.
func (w *town) orderOf(t testing.TB, p person, merchant, external string) string {
	place := object{"address": p.word + " street 1", "notes": p.word, "location": object{"lat": 55.712345, "lon": 37.612345}}
	id := str(w.made(t, adminKey, "/order", object{
		"merchant_id": merchant, "external_id": external, "notes": p.word, "metadata": object{"k": p.word},
		"customer": object{"name": p.word, "phone": p.written, "email": strings.ToLower(p.word) + "@example.com"},
		"pickup":   place, "dropoff": place,
		"items": []any{object{"name": p.word, "sku": p.word, "quantity": 2}}, "total": object{"amount": 129900, "currency": "RUB"},
	}), "id")
	for _, call := range []struct {
		method, path string
		body         object
	}{
		{http.MethodPost, "/notify", object{"text": p.word}},
		{http.MethodPost, "/instructions", object{"text": p.word}},
		{http.MethodPatch, "", object{"exception": object{"code": "wrong_address", "detail": p.word}, "notes": p.word + " again"}},
		{http.MethodPost, "/assign-courier", object{"courier_id": w.couriers[own]}},
		{http.MethodPatch, "/status", object{"status": "picked_up", "reason": p.word, "location": object{"lat": 55.712345, "lon": 37.612345}}},
		{http.MethodPost, "/proof", object{"recipient": p.word, "note": p.word, "signature": photo(t)}},
		{http.MethodPost, "/incidents", object{"code": "not_there", "text": p.word, "photo": photo(t)}},
	} {
		code, got := w.ask(t, adminKey, call.method, "/order/"+id+call.path, call.body)
		require.Less(t, code, 300, "%v", got)
	}
	return id
}

func (w *town) deliver(t testing.TB, id string, p person) {
	for _, call := range []struct {
		method, path string
		body         object
	}{
		{http.MethodPatch, "/status", object{"status": "delivered", "proof": object{"recipient": p.word, "note": p.word}}},
		{http.MethodPost, "/rating", object{"stars": 4, "text": p.word}},
	} {
		code, got := w.ask(t, adminKey, call.method, "/order/"+id+call.path, call.body)
		require.Less(t, code, 300, "%v", got)
	}
}

// TestAnErasedCustomerIsNowhere: what was planted appears nowhere afterwards, neither in the
// database nor in Redis nor in any answer; an active order follows at its end; sums and
// statuses stay.
func TestAnErasedCustomerIsNowhere(t *testing.T) {
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t, m)
			anna := person{"PLANTANNA", "+79165551234", "+7 (916) 555-12-34"}
			boris := person{"PLANTBORIS", "+79165559999", "+7 916 555 99 99"}
			one, two, active := w.orderOf(t, anna, "m1", "a-1"), w.orderOf(t, anna, "m2", "a-2"), w.orderOf(t, anna, "m1", "a-3")
			kept := w.orderOf(t, boris, "m1", "b-1")
			for id, p := range map[string]person{one: anna, two: anna, kept: boris} {
				w.deliver(t, id, p)
			}
			share := str(w.made(t, adminKey, "/order/"+one+"/share", object{}), "token")

			_, held := w.ask(t, adminKey, http.MethodGet, "/customers/export?phone="+url.QueryEscape("+7-916-555-12-34"), nil)
			require.Len(t, held["orders"], 3)
			require.Contains(t, string(encode(t, held)), one)
			require.Contains(t, string(encode(t, held)), "PLANTANNA street 1")
			require.NotContains(t, string(encode(t, held)), boris.word)
			require.Contains(t, w.stored(t), anna.word)

			code, got := w.ask(t, w.keys[domain.RoleMerchant], http.MethodDelete, "/customers?phone=%2B7%20(916)%20555%2012%2034", nil)
			require.Equal(t, http.StatusOK, code, "%v", got)
			require.Equal(t, object{"orders": 1.0, "at_their_end": 1.0}, got, "a merchant's own")
			code, got = w.ask(t, adminKey, http.MethodGet, "/order/"+two, nil)
			require.Equal(t, http.StatusOK, code)
			require.Contains(t, string(encode(t, got)), anna.word, "another merchant's")
			for range 2 {
				code, got = w.ask(t, adminKey, http.MethodDelete, "/customers?phone=%2B7%20916%20555-1234", nil)
				require.Equal(t, http.StatusOK, code, "%v", got)
				require.Equal(t, 1.0, got["at_their_end"], "%v", got)
			}

			code, got = w.ask(t, adminKey, http.MethodGet, "/order/"+one, nil)
			require.Equal(t, http.StatusOK, code)
			require.Equal(t, "delivered", str(got, "status"))
			require.Equal(t, 129900.0, get(got, "total", "amount"))
			require.Equal(t, 4.0, get(got, "rating", "stars"))
			for _, path := range []string{"", "/events", "/track", "/status"} {
				for _, id := range []string{one, two} {
					_, got := w.ask(t, adminKey, http.MethodGet, "/order/"+id+path, nil)
					text := string(encode(t, got))
					require.NotContains(t, text, anna.word, path)
					require.NotContains(t, text, "55.712345", path)
				}
			}
			code, _ = w.ask(t, share, http.MethodGet, "/order/"+one, nil)
			require.Equal(t, http.StatusUnauthorized, code, "links are withdrawn")
			_, got = w.ask(t, adminKey, http.MethodGet, "/orders?q="+anna.word, nil)
			require.Len(t, got["orders"], 1, "only the one that is still on its way")

			w.deliver(t, active, anna)
			require.Eventually(t, func() bool { return !strings.Contains(w.stored(t), anna.word) }, 50*time.Second, 500*time.Millisecond)
			text := w.stored(t)
			for _, gone := range []string{anna.word, strings.ToLower(anna.word), anna.phone, anna.written, strings.TrimPrefix(anna.phone, "+")} {
				require.NotContains(t, text, gone)
			}
			require.Contains(t, text, boris.word, "somebody else's data stays")
			require.Contains(t, text, boris.phone)

			_, audit := w.ask(t, adminKey, http.MethodGet, "/audit", nil)
			require.Contains(t, string(encode(t, audit)), "customer.erased")
			require.Contains(t, string(encode(t, audit)), "customer.exported")
			require.NotContains(t, string(encode(t, audit)), "9165551234")
		})
	}
}

func TestWhoMayEraseAndWhatIsNoPhone(t *testing.T) {
	w := newTown(t, modes()[0])
	for query, want := range map[string]int{
		"": 422, "?phone=": 422, "?phone=hello": 422, "?phone=%2B79165551234&phone=1": 422, "?phone=%2B79165551234&x=1": 422,
		"?phone=%2B79160000000": 200, "?phone=+79160000000": 200,
	} {
		code, got := w.ask(t, adminKey, http.MethodDelete, "/customers"+query, nil)
		require.Equal(t, want, code, "%s: %v", query, got)
	}
	code, got := w.ask(t, w.keys[domain.RoleDispatcher], http.MethodDelete, "/customers?phone=%2B79161234567", nil)
	require.Equal(t, http.StatusForbidden, code, "%v", got)
	_, held := w.ask(t, w.keys[domain.RoleMerchant], http.MethodGet, "/customers/export?phone=%2B79161234567", nil)
	require.Len(t, held["orders"], 1, "a merchant gets its own")
}
