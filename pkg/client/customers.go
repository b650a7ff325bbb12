package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
)

// ErasedCustomer is the result of EraseCustomer.
type ErasedCustomer struct {
	// Orders are those whose customer's data is erased; AtTheEnd are still active and follow.
	Orders   int `json:"orders"`
	AtTheEnd int `json:"at_their_end"`
}

// EraseCustomer erases a customer's data from all orders with this phone number, for good.
// Errors: validation_failed.
func (c *Client) EraseCustomer(ctx context.Context, phone string, opts ...CallOption) (*ErasedCustomer, error) {
	return do[*ErasedCustomer](ctx, c, http.MethodDelete, "/customers?phone="+url.QueryEscape(phone), nil, opts...)
}

// ExportCustomer returns everything that is held about a customer, as JSON. Errors: validation_failed.
func (c *Client) ExportCustomer(ctx context.Context, phone string, opts ...CallOption) (json.RawMessage, error) {
	return do[json.RawMessage](ctx, c, http.MethodGet, "/customers/export?phone="+url.QueryEscape(phone), nil, opts...)
}
