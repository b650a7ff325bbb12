package httpserver

import (
	"bytes"
	"context"
	"reflect"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/orders"
	"github.com/order-tracking/order-tracking/internal/transport"
)

// cutNulls removes the null members of a T from an object and returns their names in order.
func cutNulls[T any](body []byte) (names []string, rest []byte) {
	var members map[string]jsontext.Value
	if !bytes.Contains(body, []byte("null")) || json.Unmarshal(body, &members) != nil || members == nil {
		return nil, body
	}
	known := fieldsOf(reflect.TypeFor[T]())
	for name, value := range members {
		if _, ok := known[name]; ok && value.Kind() == 'n' {
			names = append(names, name)
			delete(members, name)
		}
	}
	slices.Sort(names)
	rest, _ = json.Marshal(members) // it was parsed from JSON
	return names, rest
}

// cancellation is the reason for cancelling an order.
type cancellation struct {
	Reason string `json:"reason,omitempty" maxLength:"2000" example:"ordered twice"`
}

// cancelling makes the handler that cancels an order.
func (s *Server) cancelling() func(context.Context, *changeIn[cancellation]) (*changedOut, error) {
	return changing[changeIn[cancellation]](func(c cancellation) error {
		return s.Orders.CheckStatus(orders.StatusChange{Status: domain.StatusCancelled, Reason: c.Reason})
	}, s.orderVersion, changedOrder, func(ctx context.Context, id string, c cancellation, expected int64) (*domain.Order, error) {
		return s.Orders.Cancel(ctx, id, c.Reason, expected)
	})
}

type changedOut struct {
	ETag     string `header:"ETag" doc:"the order's version, for If-Match and If-None-Match"`
	Replayed string `header:"Idempotent-Replayed" doc:"true if this is the stored response to an earlier request with the same key"`
	Body     *domain.Order
}

// changedOrder responds with a changed order, or with the result stored for the same key.
func changedOrder(o *domain.Order, again string, err error) (*changedOut, error) {
	if err != nil {
		return nil, err
	}
	return &changedOut{ETag: transport.ETag(o.Version), Replayed: again, Body: o}, nil
}
