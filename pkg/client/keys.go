package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// Key is a program's credential, without the secret. Role is admin, dispatcher, merchant,
// courier, partner or monitor.
type Key struct {
	ID         string     `json:"id"`
	Prefix     string     `json:"prefix"`
	Name       string     `json:"name"`
	Role       string     `json:"role"`
	MerchantID string     `json:"merchant_id,omitempty"`
	CourierID  string     `json:"courier_id,omitempty"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at,omitempty"`
	LastUsedAt *time.Time `json:"last_used_at,omitempty"` // accurate to a minute
}

// IssuedKey is a new key; Key is shown only once.
type IssuedKey struct {
	Key
	Secret string `json:"key"`
}

// NewKey describes a key to create. Merchants and partners need MerchantID, couriers CourierID.
type NewKey struct {
	Name       string     `json:"name"`
	Role       string     `json:"role"`
	MerchantID string     `json:"merchant_id,omitempty"`
	CourierID  string     `json:"courier_id,omitempty"`
	ExpiresAt  *time.Time `json:"expires_at,omitempty"`
}

// CreateKey creates a key. Errors: validation_failed, courier_not_found,
// secret_not_repeated if the response to an earlier try was lost.
func (c *Client) CreateKey(ctx context.Context, in NewKey, opts ...CallOption) (*IssuedKey, error) {
	return do[*IssuedKey](ctx, c, http.MethodPost, "/keys", in, opts...)
}

// Keys iterates over the keys, newest first, pageSize at a time (zero is the server's
// default). An error ends the iteration.
func (c *Client) Keys(ctx context.Context, pageSize int) iter.Seq2[*Key, error] {
	q := url.Values{}
	setSize(q, pageSize)
	return pages[*Key](ctx, c, "/keys", "keys", q)
}

// RotateKey issues a replacement key; the old one expires after the overlap, in whole
// seconds. Errors: not_found, validation_failed, secret_not_repeated.
func (c *Client) RotateKey(ctx context.Context, id string, overlap time.Duration, opts ...CallOption) (*IssuedKey, error) {
	in := map[string]int{"overlap_seconds": int(overlap / time.Second)}
	return do[*IssuedKey](ctx, c, http.MethodPost, "/keys/"+url.PathEscape(id)+"/rotate", in, opts...)
}

// RevokeKey revokes a key and ends its sessions and streams. Errors: not_found.
func (c *Client) RevokeKey(ctx context.Context, id string, opts ...CallOption) error {
	k, err := newCall(http.MethodDelete, "/keys/"+url.PathEscape(id), nil, opts)
	if err == nil {
		_, err = c.run(ctx, k)
	}
	return err
}

// Share is a link that shows one order to its customer; Token is shown only once.
type Share struct {
	ID        string     `json:"id"`
	Token     string     `json:"token,omitempty"`
	URL       string     `json:"url,omitempty"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// ShareOrder creates a link to an order, which by default expires a day after the order ends.
// Errors: order_not_found, validation_failed, secret_not_repeated.
func (c *Client) ShareOrder(ctx context.Context, orderID string, expiresAt *time.Time, opts ...CallOption) (*Share, error) {
	in := struct {
		ExpiresAt *time.Time `json:"expires_at,omitempty"`
	}{expiresAt}
	return do[*Share](ctx, c, http.MethodPost, "/order/"+url.PathEscape(orderID)+"/share", in, opts...)
}
