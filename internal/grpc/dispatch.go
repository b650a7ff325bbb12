package grpcserver

import (
	"context"

	"github.com/order-tracking/order-tracking/internal/dispatch"
	"github.com/order-tracking/order-tracking/internal/domain"
	pb "github.com/order-tracking/order-tracking/proto/ordertracking/v1"
)

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
