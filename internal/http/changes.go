package httpdoor

import (
	"context"
	"slices"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/usecase"
)

// ChangeIn is the input of an operation that changes an order.
type ChangeIn struct {
	OrderPath
	IfMatch
	JSONBody
}

// expectedOf returns the version that the caller insists on.
func (s *Server) expectedOf(ctx context.Context, p OrderPath, h IfMatch) (int64, error) {
	return h.expected(func() (int64, error) {
		o, err := s.UseCases.Orders.Get(ctx, p.ID)
		if err != nil {
			return 0, err
		}
		return o.Version, nil
	})
}

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
		return nil, refusal(faults, idErr, s.UseCases.Orders.CheckEdit(edit))
	}
	expected, err := s.expectedOf(ctx, in.OrderPath, in.IfMatch)
	if err != nil {
		return nil, err
	}
	return answer(s.UseCases.Orders.Edit(ctx, in.ID, edit, expected))
}

func (s *Server) updateStatus(ctx context.Context, in *ChangeIn) (*orderOut, error) {
	step, faults, err := decode[usecase.StatusChange](in.JSONBody)
	if err != nil {
		return nil, err
	}
	if idErr := in.check(); len(faults) > 0 || idErr != nil {
		return nil, refusal(faults, idErr, s.UseCases.Orders.CheckStatus(step))
	}
	expected, err := s.expectedOf(ctx, in.OrderPath, in.IfMatch)
	if err != nil {
		return nil, err
	}
	return answer(s.UseCases.Orders.UpdateStatus(ctx, in.ID, step, expected))
}

// cancellation is why an order is cancelled.
type cancellation struct {
	Reason string `json:"reason,omitempty"`
}

func (s *Server) cancelOrder(ctx context.Context, in *ChangeIn) (*orderOut, error) {
	body, faults, err := decode[cancellation](in.JSONBody)
	if err != nil {
		return nil, err
	}
	if idErr := in.check(); len(faults) > 0 || idErr != nil {
		check := usecase.StatusChange{Status: domain.StatusCancelled, Reason: body.Reason}
		return nil, refusal(faults, idErr, s.UseCases.Orders.CheckStatus(check))
	}
	expected, err := s.expectedOf(ctx, in.OrderPath, in.IfMatch)
	if err != nil {
		return nil, err
	}
	return answer(s.UseCases.Orders.Cancel(ctx, in.ID, body.Reason, expected))
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
	body, faults, err := decode[usecase.Assignment](in.JSONBody)
	if err != nil {
		return nil, err
	}
	if err := refusal(faults, in.check()); err != nil {
		return nil, err
	}
	expected, err := s.expectedOf(ctx, in.OrderPath, in.IfMatch)
	if err != nil {
		return nil, err
	}
	ctx, idem, err := in.enter(ctx)
	if err != nil {
		return nil, err
	}
	o, err := s.UseCases.Orders.Assign(ctx, in.ID, body, expected)
	if err != nil {
		return nil, err
	}
	return &assignedOut{ETag: etag(o.Version), Replayed: replayed(idem), Body: o}, nil
}

type notifyIn struct {
	OrderPath
	Idempotent
	JSONBody
}

type notifiedOut struct {
	Replayed string `header:"Idempotent-Replayed" doc:"true when this is the answer to an earlier request with the same key"`
	Body     usecase.Notified
}

func (s *Server) notify(ctx context.Context, in *notifyIn) (*notifiedOut, error) {
	notice, faults, err := decode[usecase.Notice](in.JSONBody)
	if err != nil {
		return nil, err
	}
	if idErr := in.check(); len(faults) > 0 || idErr != nil {
		return nil, refusal(faults, idErr, s.UseCases.Orders.CheckNotice(notice))
	}
	ctx, idem, err := in.enter(ctx)
	if err != nil {
		return nil, err
	}
	done, err := s.UseCases.Orders.Notify(ctx, in.ID, notice)
	if err != nil {
		return nil, err
	}
	return &notifiedOut{Replayed: replayed(idem), Body: done}, nil
}
