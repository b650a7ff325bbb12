package httpserver

import (
	"context"
	"slices"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/orders"
	"github.com/order-tracking/order-tracking/internal/transport"
)

// orderPatch is a change of an order's particulars: absent stays, null removes.
type orderPatch struct {
	Customer   *domain.Customer      `json:"customer,omitempty"`
	Pickup     *domain.Place         `json:"pickup,omitempty"`
	Dropoff    *domain.Place         `json:"dropoff,omitempty"`
	Notes      *string               `json:"notes,omitempty"`
	ReadyAt    *time.Time            `json:"ready_at,omitempty"`
	PromisedAt *time.Time            `json:"promised_at,omitempty"`
	Exception  *domain.ExceptionEdit `json:"exception,omitempty"`
	Metadata   map[string]string     `json:"metadata,omitempty"`
}

func (p orderPatch) edit(removed []string) domain.Edit {
	return domain.Edit{
		Customer: p.Customer, Pickup: p.Pickup, Dropoff: p.Dropoff, Notes: p.Notes, ReadyAt: p.ReadyAt,
		PromisedAt: p.PromisedAt, Exception: p.Exception, Metadata: p.Metadata, Clear: removed,
	}
}

func (s *Server) editOrder(ctx context.Context, in *ChangeIn) (*orderOut, error) {
	patch, faults, err := decode[orderPatch](in.JSONBody)
	if err != nil {
		return nil, err
	}
	removed := slices.DeleteFunc(nullMembers(in.RawBody), func(name string) bool {
		return slices.ContainsFunc(faults, func(f domain.Fault) bool { return f.Pointer == "/"+name }) // unknown
	})
	edit := patch.edit(removed)
	if idErr := in.check(); len(faults) > 0 || idErr != nil {
		return nil, refusal(faults, idErr, s.Orders.CheckEdit(edit))
	}
	expected, err := s.expectedOf(ctx, in)
	if err != nil {
		return nil, err
	}
	return answer(s.Orders.Edit(ctx, in.ID, edit, expected))
}

func (s *Server) updateStatus(ctx context.Context, in *ChangeIn) (*orderOut, error) {
	step, expected, err := change(ctx, s, in, s.Orders.CheckStatus)
	if err != nil {
		return nil, err
	}
	return answer(s.Orders.UpdateStatus(ctx, in.ID, step, expected))
}

// cancellation is why an order is cancelled.
type cancellation struct {
	Reason string `json:"reason,omitempty"`
}

func (s *Server) cancelOrder(ctx context.Context, in *ChangeIn) (*orderOut, error) {
	body, expected, err := change(ctx, s, in, func(c cancellation) error {
		return s.Orders.CheckStatus(orders.StatusChange{Status: domain.StatusCancelled, Reason: c.Reason})
	})
	if err != nil {
		return nil, err
	}
	return answer(s.Orders.Cancel(ctx, in.ID, body.Reason, expected))
}

type assignIn struct {
	ChangeIn
	Idempotent
}

type assignedOut struct {
	ETag     string `header:"ETag" doc:"the order's version, for If-Match and If-None-Match"`
	Replayed string `header:"Idempotent-Replayed" doc:"true when this is the answer to an earlier request with the same key"`
	Body     *domain.Order
}

func (s *Server) assignCourier(ctx context.Context, in *assignIn) (*assignedOut, error) {
	body, expected, err := change(ctx, s, &in.ChangeIn, unchecked[orders.Assignment])
	if err != nil {
		return nil, err
	}
	o, again, err := once(ctx, in.Idempotent, func(ctx context.Context) (*domain.Order, error) {
		return s.Orders.Assign(ctx, in.ID, body, expected)
	})
	if err != nil {
		return nil, err
	}
	return &assignedOut{ETag: transport.ETag(o.Version), Replayed: again, Body: o}, nil
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
