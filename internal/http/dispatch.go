package httpserver

import (
	"context"
	"net/http"

	"github.com/order-tracking/order-tracking/internal/dispatch"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/transport"
)

// dispatchRoutes registers the operations on plans and shifts.
func (s *Server) dispatchRoutes() {
	unknown := []domain.Code{domain.CodeOrderNotFound, domain.CodeCourierNotFound}
	handle(s, operation{
		method: http.MethodPost, path: "/dispatch/plan", id: "planDispatch", tag: tagDispatch, body: dispatch.Ask{},
		codes: unknown,
	}, s.planDispatch)
	handle(s, operation{
		method: http.MethodPost, path: "/dispatch/run", id: "runDispatch", tag: tagDispatch, body: dispatch.Ask{},
		codes: unknown,
	}, creating(dispatch.Ask.Check, repeated, s.Dispatch.Run))
	handle(s, operation{
		method: http.MethodGet, path: "/courier/{courier_id}/route", id: "getRoute", tag: tagDispatch,
		live: true,
	}, func(ctx context.Context, in *CourierPath) (*routeOut, error) {
		return routed(s.Dispatch.Route(ctx, in.ID))
	})
	handle(s, operation{
		method: http.MethodPut, path: "/courier/{courier_id}/route", id: "setRoute", tag: tagDispatch,
		body: dispatch.RouteOrder{}, codes: []domain.Code{domain.CodeVersionConflict},
	}, s.setRoute)
	handle(s, operation{
		method: http.MethodGet, path: "/courier/{courier_id}/shifts", id: "getShifts", tag: tagDispatch,
	}, func(ctx context.Context, in *CourierPath) (*bodyOnly[*dispatch.Shifts], error) {
		return bodyOf(s.Dispatch.Shifts(ctx, in.ID))
	})
	handle(s, operation{
		method: http.MethodPut, path: "/courier/{courier_id}/shifts", id: "setShifts", tag: tagDispatch, body: dispatch.Shifts{},
	}, s.setShifts)
}

func (s *Server) planDispatch(ctx context.Context, in *struct{ JSONBody }) (*bodyOnly[*dispatch.Proposal], error) {
	ask, err := request(in.JSONBody, nil, dispatch.Ask.Check)
	if err != nil {
		return nil, err
	}
	return bodyOf(s.Dispatch.Plan(ctx, ask))
}

type routeIn struct {
	CourierPath
	IfMatch
	JSONBody
}

type routeOut struct {
	ETag string `header:"ETag" doc:"the version, for If-Match"`
	Body *domain.Route
}

func routed(r *domain.Route, err error) (*routeOut, error) {
	if err != nil {
		return nil, err
	}
	return &routeOut{transport.ETag(r.Version), r}, nil
}

func (s *Server) setRoute(ctx context.Context, in *routeIn) (*routeOut, error) {
	order, err := request(in.JSONBody, in.check(), dispatch.RouteOrder.Check)
	if err != nil {
		return nil, err
	}
	expected, err := transport.ExpectedVersion(in.Tags, func() (int64, error) {
		r, err := s.Dispatch.Route(ctx, in.ID)
		if err != nil {
			return 0, err
		}
		return r.Version, nil
	})
	if err != nil {
		return nil, err
	}
	return routed(s.Dispatch.SetRoute(ctx, in.ID, order, expected))
}

type shiftsIn struct {
	CourierPath
	JSONBody
}

func (s *Server) setShifts(ctx context.Context, in *shiftsIn) (*bodyOnly[*dispatch.Shifts], error) {
	shifts, err := request(in.JSONBody, in.check(), dispatch.Shifts.Check)
	if err != nil {
		return nil, err
	}
	return bodyOf(s.Dispatch.SetShifts(ctx, in.ID, shifts))
}

func (p OfferPath) named() (string, error) { return p.ID, nil } //nolint:unparam // as posted demands

type declineIn struct {
	OfferPath
	Idempotent
	JSONBody
}
