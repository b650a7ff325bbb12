package client

import (
	"context"
	"net/http"
	"time"
)

// Share is a link that shows one order to whoever has it.
type Share struct {
	ID        string     `json:"id"`
	Token     string     `json:"token"`
	URL       string     `json:"url"` // the customer's page
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// ShareOrder makes a link to an order for its customer; at is when it ends, nil is a while after
// the order's end. Refusals: validation_failed, order_not_found.
func (c *Client) ShareOrder(ctx context.Context, id string, at *time.Time, opts ...CallOption) (*Share, error) {
	in := struct {
		ExpiresAt *time.Time `json:"expires_at,omitempty"`
	}{at}
	return do[*Share](ctx, c, http.MethodPost, orderPath(id, "/share"), in, opts...)
}
