// Package client calls the product's REST API and reads its live streams.
//
//	c, err := client.New("http://127.0.0.1:8080", client.WithKey(key))
//	order, err := c.CreateOrder(ctx, client.Draft{…})
//
// Every call that changes something by POST carries an Idempotency-Key that stays the
// same over the call's own retries, so an order is never made twice. Calls that can be
// repeated safely are repeated after a broken connection, 429, 502, 503 and 504, with
// growing, jittered pauses and never sooner than Retry-After asks, until the time of
// WithRetryFor is over. A refusal comes back as *Problem.
//
// A Client is safe for concurrent use.
package client
