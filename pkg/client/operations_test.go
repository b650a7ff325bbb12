package client

import (
	"context"
	"iter"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOperations(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.FixedZone("", 3600))
	const order = `{"id":"o1","status":"assigned","version":2}`
	for name, tc := range map[string]struct {
		call       func(context.Context, *Client) (any, error)
		reply      string
		line, body string
		want       any
	}{
		"create": {
			func(ctx context.Context, c *Client) (any, error) { return c.CreateOrder(ctx, Draft{ExternalID: "x"}) },
			order, "POST /order", `{"external_id":"x","customer":{"name":""}}`, &Order{ID: "o1", Status: StatusAssigned, Version: 2},
		},
		"get": {
			func(ctx context.Context, c *Client) (any, error) { return c.Order(ctx, "../o 1") },
			order, "GET /order/..%2Fo%201", "", &Order{ID: "o1", Status: StatusAssigned, Version: 2},
		},
		"status": {
			func(ctx context.Context, c *Client) (any, error) { return c.Status(ctx, "o1") },
			`{"order_id":"o1","status":"delivered","version":4,"allowed_transitions":[]}`, "GET /order/o1/status", "",
			&OrderStatus{OrderID: "o1", Status: StatusDelivered, Version: 4, AllowedTransitions: []Status{}},
		},
		"update status": {
			func(ctx context.Context, c *Client) (any, error) {
				return c.UpdateStatus(ctx, "o1", StatusChange{Status: StatusDelivered, OccurredAt: &at, Location: &Point{1, 2}, Proof: &Proof{Code: "4"}})
			},
			`{}`, "PATCH /order/o1/status",
			`{"status":"delivered","occurred_at":"2026-01-02T03:04:05.000006+01:00","location":{"lat":1,"lon":2},"proof":{"code":"4"}}`, &Order{},
		},
		"track": {
			func(ctx context.Context, c *Client) (any, error) { return c.Track(ctx, "o1") },
			`{"order_id":"o1","trail":[{"lat":1,"lon":2}],"timeline":[{"seq":1}]}`, "GET /order/o1/track", "",
			&Track{OrderID: "o1", Trail: []Position{{Lat: 1, Lon: 2}}, Timeline: []Event{{Seq: 1}}},
		},
		"cancel": {
			func(ctx context.Context, c *Client) (any, error) { return c.CancelOrder(ctx, "o1", "") },
			`{}`, "DELETE /order/o1", "", &Order{},
		},
		"cancel with a reason": {
			func(ctx context.Context, c *Client) (any, error) { return c.CancelOrder(ctx, "o1", "r") },
			`{}`, "DELETE /order/o1", `{"reason":"r"}`, &Order{},
		},
		"ticket": {
			func(ctx context.Context, c *Client) (any, error) { return c.Ticket(ctx) },
			`{"ticket":"t","expires_at":"2026-01-02T03:04:05Z"}`, "POST /ws/ticket", "",
			&Ticket{Ticket: "t", ExpiresAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		},
		"delivery time": {
			func(ctx context.Context, c *Client) (any, error) { return c.DeliveryTime(ctx, "o1") },
			`{"order_id":"o1","minutes_remaining":7,"method":"live"}`, "GET /order/o1/delivery-time", "",
			&Estimate{OrderID: "o1", MinutesRemaining: 7, Method: "live"},
		},
		"assign": {
			func(ctx context.Context, c *Client) (any, error) { return c.AssignCourier(ctx, "o1", "c1") },
			`{}`, "POST /order/o1/assign-courier", `{"courier_id":"c1"}`, &Order{},
		},
		"assign the nearest": {
			func(ctx context.Context, c *Client) (any, error) { return c.AssignNearest(ctx, "o1") },
			`{}`, "POST /order/o1/assign-courier", `{"auto":true}`, &Order{},
		},
		"location": {
			func(ctx context.Context, c *Client) (any, error) { return c.CourierLocation(ctx, "c1") },
			`{"lat":1,"lon":2,"age_seconds":1.5,"stale":true}`, "GET /courier/c1/location", "",
			&LocatedPosition{Position: Position{Lat: 1, Lon: 2}, AgeSeconds: 1.5, Stale: true},
		},
		"notify": {
			func(ctx context.Context, c *Client) (any, error) { return c.Notify(ctx, "o1", Notice{Text: "hi"}) },
			`{"notification_id":"n","deliveries":[{"channel":"live","status":"sent"}]}`, "POST /order/o1/notify", `{"text":"hi"}`,
			&Notified{NotificationID: "n", Deliveries: []Delivery{{"live", "sent"}}},
		},
		"edit": {
			func(ctx context.Context, c *Client) (any, error) {
				return c.EditOrder(ctx, "o1", Edit{PromisedAt: &at})
			},
			`{}`, "PATCH /order/o1", `{"promised_at":"2026-01-02T03:04:05.000006+01:00"}`, &Order{},
		},
		"events": {
			func(ctx context.Context, c *Client) (any, error) { return c.Events(ctx, "o1") },
			`{"events":[{"id":"e","seq":1,"type":"order.created"}]}`, "GET /order/o1/events", "",
			[]Event{{ID: "e", Seq: 1, Type: "order.created"}},
		},
		"create courier": {
			func(ctx context.Context, c *Client) (any, error) {
				return c.CreateCourier(ctx, CourierEdit{Name: Ptr("N"), Capacity: Ptr(3)})
			},
			`{"id":"c1"}`, "POST /couriers", `{"name":"N","capacity":3}`, &Courier{ID: "c1"},
		},
		"courier": {
			func(ctx context.Context, c *Client) (any, error) { return c.Courier(ctx, "c1") },
			`{"id":"c1"}`, "GET /courier/c1", "", &Courier{ID: "c1"},
		},
		"edit courier": {
			func(ctx context.Context, c *Client) (any, error) {
				return c.EditCourier(ctx, "c1", CourierEdit{OnDuty: Ptr(false)})
			},
			`{"id":"c1"}`, "PATCH /courier/c1", `{"on_duty":false}`, &Courier{ID: "c1"},
		},
		"positions": {
			func(ctx context.Context, c *Client) (any, error) {
				return c.ReportPositions(ctx, "c1", []Position{{Lat: 1, Lon: 2, Speed: Ptr(0.0)}})
			},
			`{"accepted":1,"dropped":0}`, "POST /courier/c1/location", `[{"lat":1,"lon":2,"speed":0}]`, Received{Accepted: 1},
		},
		"near": {
			func(ctx context.Context, c *Client) (any, error) { return c.NearCouriers(ctx, Point{-1.25, 36}, 3) },
			`{"couriers":[{"id":"c1","distance_m":4.5}]}`, "GET /couriers/near?lat=-1.25&limit=3&lon=36", "", []Nearby{{Courier{ID: "c1"}, 4.5}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, s := serve(t, []http.HandlerFunc{answer(200, nil, tc.reply)})
			got, err := tc.call(t.Context(), c)
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
			r := s.got()[0]
			require.Equal(t, tc.line, r.Method+" "+r.URL)
			if tc.body == "" {
				require.Empty(t, r.Body)
				require.Empty(t, r.Header.Get("Content-Type"))
			} else {
				require.JSONEq(t, tc.body, r.Body)
			}
			require.Equal(t, !strings.HasPrefix(tc.line, "GET "), r.Header.Get("Idempotency-Key") != "")
		})
	}
}

func TestListsGoThroughPages(t *testing.T) {
	steps := []http.HandlerFunc{
		answer(200, nil, `{"orders":[{"id":"1"},{"id":"2"}],"next_page_token":"t-1"}`),
		answer(503, nil, unavailable),
		answer(200, nil, `{"orders":[{"id":"3"}]}`),
	}
	filter := OrderFilter{
		Statuses: []Status{StatusAssigned, StatusPickedUp}, Active: Ptr(true), Search: "a b", PageSize: 2,
		CreatedFrom: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	c, s := serve(t, steps)
	var ids []string
	for o, err := range c.Orders(t.Context(), filter) {
		require.NoError(t, err)
		ids = append(ids, o.ID)
	}
	require.Equal(t, []string{"1", "2", "3"}, ids)
	const first = "/orders?active=true&created_from=2026-01-02T03%3A04%3A05Z&page_size=2"
	require.Equal(t, first+"&q=a+b&status=assigned&status=picked_up", s.got()[0].URL)
	require.Equal(t, first+"&page_token=t-1&q=a+b&status=assigned&status=picked_up", s.got()[2].URL)

	c, s = serve(t, steps)
	for range c.Orders(t.Context(), OrderFilter{}) {
		break
	}
	require.Len(t, s.got(), 1, "a reader who stops fetches no more")

	c, _ = serve(t, []http.HandlerFunc{answer(422, nil, `{"code":"validation_failed"}`)})
	require.Equal(t, CodeValidationFailed, CodeOf(lastError(c.Orders(t.Context(), OrderFilter{}))))
	c, _ = serve(t, []http.HandlerFunc{answer(200, nil, `[]`)})
	require.ErrorContains(t, lastError(c.Orders(t.Context(), OrderFilter{})), "not a page of orders")
}

func TestListsOfCouriers(t *testing.T) {
	c, s := serve(t, []http.HandlerFunc{answer(200, nil, `{"couriers":[{"id":"c1"}]}`), answer(200, nil, `{"orders":[{"id":"o1"}]}`)})
	for courier, err := range c.Couriers(t.Context(), CourierFilter{OnDuty: Ptr(true), Search: "n"}) {
		require.NoError(t, err)
		require.Equal(t, "c1", courier.ID)
	}
	for o, err := range c.CourierOrders(t.Context(), "c1", 10) {
		require.NoError(t, err)
		require.Equal(t, "o1", o.ID)
	}
	require.Equal(t, "/couriers?on_duty=true&q=n", s.got()[0].URL)
	require.Equal(t, "/courier/c1/orders?page_size=10", s.got()[1].URL)
}

func lastError[T any](list iter.Seq2[T, error]) (last error) {
	for _, err := range list {
		last = err
	}
	return last
}
