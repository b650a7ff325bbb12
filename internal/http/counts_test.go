package httpserver

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

func TestFiltersOfPromises(t *testing.T) {
	d := open(t)
	make := func(promised string) string {
		return d.do("POST", "/order", `{"customer":{"name":"A"},"dropoff":{"address":"Quayside"},"promised_at":"`+promised+`"}`).ok(201)["id"].(string)
	}
	past, future := make("2020-05-04T12:00:00Z"), make("2120-05-04T12:00:00Z")
	d.do("PATCH", "/order/"+future, `{"exception":{"code":"damaged"}}`).ok(200)
	none, gone := d.order(), d.order()
	d.do("DELETE", "/order/"+gone, nil).ok(200)
	ids := func(query string) (out []string) {
		for _, o := range d.do("GET", "/orders?"+query, nil).ok(200)["orders"].([]any) {
			out = append(out, o.(map[string]any)["id"].(string))
		}
		return out
	}
	require.Equal(t, []string{past}, ids("late=true"))
	require.Equal(t, []string{gone, none, future}, ids("late=false"))
	require.Equal(t, []string{future}, ids("exception=true"))
	require.Equal(t, []string{future}, ids("exception=damaged"))
	require.Empty(t, ids("exception=dam"))
	require.Equal(t, []string{future, past}, ids("promised_from=2020-05-04T12:00:00Z"))
	require.Equal(t, []string{past}, ids("promised_from=2020-05-04T12:00:00Z&promised_to=2020-05-04T12:00:01Z"))
	require.Empty(t, ids("promised_to=2020-05-04T12:00:00Z"))

	counts := func(query string) map[string]any { return d.do("GET", "/orders/counts?"+query, nil).ok(200) }
	of := func(waiting, trouble, done, late int) map[string]any {
		return map[string]any{
			"waiting": float64(waiting), "assigned": 0., "moving": 0., "ready": 0., "trouble": float64(trouble), "done": float64(done),
			"open": float64(waiting + trouble), "late": float64(late), "delivery_failed": 0.,
		}
	}
	require.Equal(t, of(2, 1, 1, 1), counts(""))
	require.Equal(t, of(1, 0, 0, 1), counts("late=true"))
	require.Equal(t, of(0, 1, 0, 0), counts("exception=damaged"))
	require.Equal(t, of(0, 0, 1, 0), counts("active=false"))
	require.Equal(t, of(1, 1, 0, 1), counts("q=quayside"), "of other addresses")

	// A token belongs to its filters, whatever time it is.
	next := d.do("GET", "/orders?late=false&page_size=2", nil).ok(200)["next_page_token"].(string)
	require.Equal(t, []string{future}, ids("late=false&page_token="+url.QueryEscape(next)))
	for _, other := range []string{"", "late=true&", "late=false&exception=true&", "late=false&promised_to=2020-05-04T12:00:00Z&"} {
		d.do("GET", "/orders?"+other+"page_token="+url.QueryEscape(next), nil).problem(400, domain.CodeMalformed)
	}
}
