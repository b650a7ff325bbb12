package httpserver

import (
	"context"

	"github.com/order-tracking/order-tracking/internal/idempotency"
	"github.com/order-tracking/order-tracking/internal/transport"
)

// Types embedded in inputs are exported because huma reads exported fields only.

// Idempotent is the header of every operation that creates something.
type Idempotent struct {
	Key string `header:"Idempotency-Key" doc:"Makes retries safe: for 24 hours, the same request with the same key gets the first response again. Bare or in double quotes." minLength:"1" maxLength:"255" pattern:"^(\"([^\"\\\\]|\\\\[\"\\\\])+\"|[!#-~]([ !#-~]*[!#-~])?)$" example:"\"order-1042-try\""`
}

// enter puts the request's idempotency key into the context.
func (h Idempotent) enter(ctx context.Context) (context.Context, *idempotency.Request, error) {
	key, err := transport.IdempotencyKey(h.Key)
	i := &idempotency.Request{Key: key}
	if key != "" {
		ctx = idempotency.With(ctx, i)
	}
	return ctx, i, err
}

// replayed is the value of Idempotent-Replayed: absent unless true.
func replayed(i *idempotency.Request) string {
	if i.Replayed {
		return "true"
	}
	return ""
}

// IfMatch is the header of every change of an order.
type IfMatch struct {
	Tags string `header:"If-Match" doc:"Change the order only if it still has this ETag; otherwise 412." minLength:"1" pattern:"^([*]|(W/)?\"[!#-~]*\"( *, *(W/)?\"[!#-~]*\")*)$" example:"\"v3\""`
}
