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

// editOrder changes the members present in the body; null removes one.
func (s *Server) editOrder(ctx context.Context, in *ChangeIn) (*changedOut, error) {
	removed, rest := cutNulls[domain.Edit](in.RawBody)
	edit, faults, err := decode[domain.Edit](JSONBody{in.ContentType, rest})
	if err != nil {
		return nil, err
	}
	edit.Clear = removed
	if idErr := in.check(); len(faults) > 0 || idErr != nil {
		return nil, refusal(faults, idErr, s.Orders.CheckEdit(edit))
	}
	expected, err := s.expectedOf(ctx, in)
	if err != nil {
		return nil, err
	}
	return changed(ctx, in, func(ctx context.Context) (*domain.Order, error) { return s.Orders.Edit(ctx, in.ID, edit, expected) })
}

// cutNulls removes the null members of a T from an object and returns their names in order.
func cutNulls[T any](body []byte) (names []string, rest []byte) {
	var members map[string]jsontext.Value
	if !bytes.Contains(body, []byte("null")) || json.Unmarshal(body, &members) != nil {
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

func (s *Server) updateStatus(ctx context.Context, in *ChangeIn) (*changedOut, error) {
	step, expected, err := change(ctx, s, in, s.Orders.CheckStatus)
	if err != nil {
		return nil, err
	}
	return changed(ctx, in, func(ctx context.Context) (*domain.Order, error) {
		return s.Orders.UpdateStatus(ctx, in.ID, step, expected)
	})
}

// cancellation is the reason for cancelling an order.
type cancellation struct {
	Reason string `json:"reason,omitempty" maxLength:"2000" example:"ordered twice"`
}

func (s *Server) cancelOrder(ctx context.Context, in *ChangeIn) (*changedOut, error) {
	body, expected, err := change(ctx, s, in, func(c cancellation) error {
		return s.Orders.CheckStatus(orders.StatusChange{Status: domain.StatusCancelled, Reason: c.Reason})
	})
	if err != nil {
		return nil, err
	}
	return changed(ctx, in, func(ctx context.Context) (*domain.Order, error) {
		return s.Orders.Cancel(ctx, in.ID, body.Reason, expected)
	})
}

type changedOut struct {
	ETag     string `header:"ETag" doc:"the order's version, for If-Match and If-None-Match"`
	Replayed string `header:"Idempotent-Replayed" doc:"true if this is the stored response to an earlier request with the same key"`
	Body     *domain.Order
}

// changed responds with the order returned by do, or with the result stored for the same key.
func changed(ctx context.Context, in *ChangeIn, do func(context.Context) (*domain.Order, error)) (*changedOut, error) {
	o, again, err := once(ctx, in.Idempotent, do)
	if err != nil {
		return nil, err
	}
	return &changedOut{ETag: transport.ETag(o.Version), Replayed: again, Body: o}, nil
}

func (s *Server) assignCourier(ctx context.Context, in *ChangeIn) (*changedOut, error) {
	body, expected, err := change(ctx, s, in, unchecked[orders.Assignment])
	if err != nil {
		return nil, err
	}
	return changed(ctx, in, func(ctx context.Context) (*domain.Order, error) { return s.Orders.Assign(ctx, in.ID, body, expected) })
}

type notifyIn struct {
	OrderPath
	Idempotent
	JSONBody
}

func (s *Server) notify(ctx context.Context, in *notifyIn) (*repeatable[orders.Notified], error) {
	notice, err := request(in.JSONBody, in.check(), s.Orders.CheckNotice)
	if err != nil {
		return nil, err
	}
	done, again, err := once(ctx, in.Idempotent, func(ctx context.Context) (orders.Notified, error) {
		return s.Orders.Notify(ctx, in.ID, notice)
	})
	return &repeatable[orders.Notified]{again, done}, err
}
