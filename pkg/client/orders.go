package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// CreateOrder creates an order. Errors: validation_failed, duplicate_external_id.
func (c *Client) CreateOrder(ctx context.Context, d Draft, opts ...CallOption) (*Order, error) {
	return do[*Order](ctx, c, http.MethodPost, "/order", d, opts...)
}

// Order returns an order. Errors: order_not_found.
func (c *Client) Order(ctx context.Context, id string, opts ...CallOption) (*Order, error) {
	return do[*Order](ctx, c, http.MethodGet, orderPath(id, ""), nil, opts...)
}

// OrderFilter filters a list of orders; zero fields are ignored.
type OrderFilter struct {
	Statuses      []Status
	CourierID     string
	MerchantID    string
	ExternalID    string
	CustomerPhone string
	Search        string
	CreatedFrom   time.Time
	CreatedTo     time.Time // exclusive
	Active        *bool
	Exception     string // a code; true for any
	Late          *bool  // whether the promise has passed or may well be broken
	Incident      *bool  // whether one is open
	PromisedFrom  time.Time
	PromisedTo    time.Time // exclusive
	PageSize      int       // orders fetched at a time, at most 500; zero is the server's default
}

func (f OrderFilter) query() url.Values {
	q := url.Values{}
	for _, s := range f.Statuses {
		q.Add("status", string(s))
	}
	for name, value := range map[string]string{
		"courier_id": f.CourierID, "merchant_id": f.MerchantID, "external_id": f.ExternalID,
		"customer_phone": f.CustomerPhone, "q": f.Search,
		"created_from": formatTime(f.CreatedFrom), "created_to": formatTime(f.CreatedTo),
		"exception": f.Exception, "promised_from": formatTime(f.PromisedFrom), "promised_to": formatTime(f.PromisedTo),
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	setFlag(q, "active", f.Active)
	setFlag(q, "late", f.Late)
	setFlag(q, "incident", f.Incident)
	setSize(q, f.PageSize)
	return q
}

// Orders iterates over all orders that match the filter, newest first, fetching a page
// at a time. An error ends the iteration.
func (c *Client) Orders(ctx context.Context, f OrderFilter) iter.Seq2[*Order, error] {
	return pages[*Order](ctx, c, "/orders", "orders", f.query())
}

// Status returns an order's status and its allowed transitions. Errors: order_not_found.
func (c *Client) Status(ctx context.Context, id string, opts ...CallOption) (*OrderStatus, error) {
	return do[*OrderStatus](ctx, c, http.MethodGet, orderPath(id, "/status"), nil, opts...)
}

// UpdateStatus moves an order one step of the status table; its current status
// changes nothing. Errors: illegal_transition and cancel_after_pickup with
// AllowedTransitions, version_conflict, validation_failed, order_not_found.
func (c *Client) UpdateStatus(ctx context.Context, id string, in StatusChange, opts ...CallOption) (*Order, error) {
	return do[*Order](ctx, c, http.MethodPatch, orderPath(id, "/status"), in, opts...)
}

// Track returns an order's position and trail. Errors: order_not_found.
func (c *Client) Track(ctx context.Context, id string, opts ...CallOption) (*Track, error) {
	return do[*Track](ctx, c, http.MethodGet, orderPath(id, "/track"), nil, opts...)
}

// CancelOrder ends an order before its goods are handed over; reason may be empty.
// Errors: cancel_after_pickup, illegal_transition, version_conflict, order_not_found.
func (c *Client) CancelOrder(ctx context.Context, id, reason string, opts ...CallOption) (*Order, error) {
	var in any
	if reason != "" {
		in = map[string]string{"reason": reason}
	}
	return do[*Order](ctx, c, http.MethodDelete, orderPath(id, ""), in, opts...)
}

// DeliveryTime returns the expected or actual time of delivery. Errors:
// order_finished for one that ended otherwise, order_not_found.
func (c *Client) DeliveryTime(ctx context.Context, id string, opts ...CallOption) (*Estimate, error) {
	return do[*Estimate](ctx, c, http.MethodGet, orderPath(id, "/delivery-time"), nil, opts...)
}

// AssignCourier assigns an order to a courier. Errors: courier_not_found, courier_busy,
// illegal_transition, version_conflict, order_not_found.
func (c *Client) AssignCourier(ctx context.Context, id, courierID string, opts ...CallOption) (*Order, error) {
	in := map[string]string{"courier_id": courierID}
	return do[*Order](ctx, c, http.MethodPost, orderPath(id, "/assign-courier"), in, opts...)
}

// AssignNearest assigns an order to the nearest courier on duty with free capacity. Errors:
// no_courier_available, illegal_transition, version_conflict, order_not_found.
func (c *Client) AssignNearest(ctx context.Context, id string, opts ...CallOption) (*Order, error) {
	in := map[string]bool{"auto": true}
	return do[*Order](ctx, c, http.MethodPost, orderPath(id, "/assign-courier"), in, opts...)
}

// Notify sends the customer a message. Errors: validation_failed, order_not_found.
func (c *Client) Notify(ctx context.Context, id string, n Notice, opts ...CallOption) (*Notified, error) {
	return do[*Notified](ctx, c, http.MethodPost, orderPath(id, "/notify"), n, opts...)
}

// EditOrder changes an order's fields. Errors: order_finished,
// version_conflict, validation_failed, order_not_found.
func (c *Client) EditOrder(ctx context.Context, id string, e Edit, opts ...CallOption) (*Order, error) {
	return do[*Order](ctx, c, http.MethodPatch, orderPath(id, ""), e, opts...)
}

// Events returns the whole history of an order, oldest first. Errors: order_not_found.
func (c *Client) Events(ctx context.Context, id string, opts ...CallOption) ([]Event, error) {
	out, err := do[struct {
		Events []Event `json:"events"`
	}](ctx, c, http.MethodGet, orderPath(id, "/events"), nil, opts...)
	return out.Events, err
}

func orderPath(id, rest string) string { return "/order/" + url.PathEscape(id) + rest }

func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func setFlag(q url.Values, name string, v *bool) {
	if v != nil {
		q.Set(name, strconv.FormatBool(*v))
	}
}

func setSize(q url.Values, size int) {
	if size != 0 {
		q.Set("page_size", strconv.Itoa(size))
	}
}
