// Package client calls the product's REST API and reads its live streams.
//
//	c, err := client.New("http://127.0.0.1:8080", client.WithKey(key))
//	order, err := c.CreateOrder(ctx, client.Draft{…})
//
// Every change carries an Idempotency-Key that stays the same over the call's own retries,
// so that a change whose answer was lost is not made twice. Calls are retried after a broken
// connection, 429, 502, 503 and 504, with exponential, jittered backoff and not before
// Retry-After, until the time of WithRetryFor is over. A rejected request returns a *Problem.
//
// A Client is safe for concurrent use.
package client
