package grpcserver

import (
	"context"

	"github.com/order-tracking/order-tracking/internal/dispatch"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/tracking"
	pb "github.com/order-tracking/order-tracking/proto/ordertracking/v1"
)

// couriers implements CourierService on top of the use cases.
type couriers struct {
	pb.UnimplementedCourierServiceServer
	*tracking.Couriers
	dispatch *dispatch.Service
}

func (s *couriers) CreateCourier(ctx context.Context, r *pb.CreateCourierRequest) (*pb.CreateCourierResponse, error) {
	c, err := s.Create(ctx, newCourierFrom(r))
	return &pb.CreateCourierResponse{Courier: courierTo(c)}, err
}

func (s *couriers) GetCourier(ctx context.Context, r *pb.GetCourierRequest) (*pb.GetCourierResponse, error) {
	c, err := s.Get(ctx, r.GetCourierId())
	return &pb.GetCourierResponse{Courier: courierTo(c)}, err
}

func (s *couriers) EditCourier(ctx context.Context, r *pb.EditCourierRequest) (*pb.EditCourierResponse, error) {
	c, err := changed(ctx, r.IfMatch, r.GetCourierId(), s.Get, func(c *domain.Courier) int64 { return c.Version }, s.Edit, courierEditFrom(r))
	return &pb.EditCourierResponse{Courier: courierTo(c)}, err
}

func (s *couriers) ListCouriers(ctx context.Context, r *pb.ListCouriersRequest) (*pb.ListCouriersResponse, error) {
	list, next, err := s.List(ctx, domain.CourierFilter{OnDuty: r.OnDuty, Search: r.GetQ()}, pageFrom(r.PageSize, r.GetPageToken()))
	return &pb.ListCouriersResponse{Couriers: domain.Each(list, courierTo), NextPageToken: next}, err
}

func (s *couriers) NearCouriers(ctx context.Context, r *pb.NearCouriersRequest) (*pb.NearCouriersResponse, error) {
	limit := tracking.DefaultNear
	if r.Limit != nil {
		limit = widen(*r.Limit)
	}
	near, err := s.Near(ctx, domain.Point{Lat: r.GetLat(), Lon: r.GetLon()}, limit)
	return &pb.NearCouriersResponse{Couriers: domain.Each(near, func(n tracking.Nearby) *pb.NearCourier {
		return &pb.NearCourier{Courier: courierTo(n.Courier), DistanceM: n.DistanceM}
	})}, err
}

func (s *couriers) SetRoute(ctx context.Context, r *pb.SetRouteRequest) (*pb.SetRouteResponse, error) {
	order := dispatch.RouteOrder{Stops: []dispatch.StopRef{}} // none: as planned
	for _, stop := range r.GetStops() {
		order.Stops = append(order.Stops, dispatch.StopRef{OrderID: stop.GetOrderId(), Kind: domain.StopKind(stop.GetKind())})
	}
	route, err := changed(ctx, r.IfMatch, r.GetCourierId(), s.dispatch.Route, func(route *domain.Route) int64 { return route.Version },
		s.dispatch.SetRoute, order)
	return &pb.SetRouteResponse{Route: routeTo(route)}, err
}

func (s *couriers) ListOffers(ctx context.Context, r *pb.ListOffersRequest) (*pb.ListOffersResponse, error) {
	offers, err := s.dispatch.CourierOffers(ctx, r.GetCourierId())
	return &pb.ListOffersResponse{Offers: domain.Each(offers, offerTo)}, err
}

func offerOf(f *domain.Offer, err error) (*pb.Offer, error) {
	if err != nil {
		return nil, err
	}
	return offerTo(*f), nil
}

func (s *couriers) AcceptOffer(ctx context.Context, r *pb.AcceptOfferRequest) (*pb.AcceptOfferResponse, error) {
	f, err := offerOf(s.dispatch.Accept(ctx, r.GetOfferId()))
	return &pb.AcceptOfferResponse{Offer: f}, err
}

func (s *couriers) DeclineOffer(ctx context.Context, r *pb.DeclineOfferRequest) (*pb.DeclineOfferResponse, error) {
	f, err := offerOf(s.dispatch.Decline(ctx, r.GetOfferId(), r.GetReason()))
	return &pb.DeclineOfferResponse{Offer: f}, err
}

func (s *couriers) GetRoute(ctx context.Context, r *pb.GetRouteRequest) (*pb.GetRouteResponse, error) {
	route, err := s.dispatch.Route(ctx, r.GetCourierId())
	return &pb.GetRouteResponse{Route: routeTo(route)}, err
}

// dispatching implements DispatchService on top of the use cases.
type dispatching struct {
	pb.UnimplementedDispatchServiceServer
	*dispatch.Service
}

func (s *dispatching) PlanDispatch(ctx context.Context, r *pb.PlanDispatchRequest) (*pb.PlanDispatchResponse, error) {
	p, err := s.Plan(ctx, dispatch.Ask{OrderIDs: r.GetOrderIds(), CourierIDs: r.GetCourierIds()})
	return planTo(p), err
}

func (s *dispatching) RunDispatch(ctx context.Context, r *pb.RunDispatchRequest) (*pb.RunDispatchResponse, error) {
	p, err := s.Run(ctx, dispatch.Ask{OrderIDs: r.GetOrderIds(), CourierIDs: r.GetCourierIds()})
	return ranTo(p), err
}

func (s *dispatching) OfferOrder(ctx context.Context, r *pb.OfferOrderRequest) (*pb.OfferOrderResponse, error) {
	made, err := s.Offer(ctx, r.GetOrderId(), dispatch.OfferAsk{
		CourierIDs: r.GetCourierIds(), Auto: r.GetAuto(), ExpiresInS: int(r.GetExpiresInS()),
	})
	if err != nil {
		return nil, err
	}
	return &pb.OfferOrderResponse{Offer: offerTo(made.Offer), Others: domain.Each(made.Others, offerTo)}, nil
}
