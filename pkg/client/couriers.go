package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// CreateCourier creates a courier; the name is required. Errors: validation_failed.
func (c *Client) CreateCourier(ctx context.Context, in CourierEdit, opts ...CallOption) (*Courier, error) {
	return do[*Courier](ctx, c, http.MethodPost, "/couriers", in, opts...)
}

// Courier returns a courier with the newest position. Errors: courier_not_found.
func (c *Client) Courier(ctx context.Context, id string, opts ...CallOption) (*Courier, error) {
	return do[*Courier](ctx, c, http.MethodGet, courierPath(id, ""), nil, opts...)
}

// EditCourier changes a courier. Errors: validation_failed, courier_not_found.
func (c *Client) EditCourier(ctx context.Context, id string, in CourierEdit, opts ...CallOption) (*Courier, error) {
	return do[*Courier](ctx, c, http.MethodPatch, courierPath(id, ""), in, opts...)
}

// CourierFilter filters a list of couriers; zero fields are ignored.
type CourierFilter struct {
	OnDuty   *bool
	Search   string
	PageSize int // couriers fetched at a time, at most 500; zero is the server's default
}

// Couriers iterates over the couriers, newest first, fetching a page at a time. An
// error ends the iteration.
func (c *Client) Couriers(ctx context.Context, f CourierFilter) iter.Seq2[*Courier, error] {
	q := url.Values{}
	if f.Search != "" {
		q.Set("q", f.Search)
	}
	setFlag(q, "on_duty", f.OnDuty)
	setSize(q, f.PageSize)
	return pages[*Courier](ctx, c, "/couriers", "couriers", q)
}

// CourierOrders iterates over a courier's orders, active ones first, pageSize at a
// time (zero is the server's default). An error ends the iteration.
func (c *Client) CourierOrders(ctx context.Context, id string, pageSize int) iter.Seq2[*Order, error] {
	q := url.Values{}
	setSize(q, pageSize)
	return pages[*Order](ctx, c, courierPath(id, "/orders"), "orders", q)
}

// CourierLocation returns a courier's newest position. Errors: position_not_found
// when there is none yet, courier_not_found.
func (c *Client) CourierLocation(ctx context.Context, id string, opts ...CallOption) (*LocatedPosition, error) {
	return do[*LocatedPosition](ctx, c, http.MethodGet, courierPath(id, "/location"), nil, opts...)
}

// ReportPositions reports positions of a courier. Errors: validation_failed,
// courier_not_found.
func (c *Client) ReportPositions(ctx context.Context, id string, in []Position, opts ...CallOption) (Received, error) {
	if in == nil {
		in = []Position{}
	}
	return do[Received](ctx, c, http.MethodPost, courierPath(id, "/location"), in, opts...)
}

// Nearby is a courier with the distance.
type Nearby struct {
	Courier
	DistanceM float64 `json:"distance_m"`
}

// NearCouriers returns the couriers on duty nearest to a place, nearest first, at most limit
// (zero is the server's default).
func (c *Client) NearCouriers(ctx context.Context, at Point, limit int, opts ...CallOption) ([]Nearby, error) {
	q := url.Values{}
	q.Set("lat", strconv.FormatFloat(at.Lat, 'f', -1, 64))
	q.Set("lon", strconv.FormatFloat(at.Lon, 'f', -1, 64))
	if limit != 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	out, err := do[struct {
		Couriers []Nearby `json:"couriers"`
	}](ctx, c, http.MethodGet, "/couriers/near", nil, slices.Concat(opts, []CallOption{withQuery(q)})...)
	return out.Couriers, err
}

func courierPath(id, rest string) string { return "/courier/" + url.PathEscape(id) + rest }

func withQuery(q url.Values) CallOption { return func(k *call) { k.query = q } }
