package grpcserver

import (
	"cmp"
	"context"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/shipping"
	pb "github.com/order-tracking/order-tracking/proto/ordertracking/v1"
)

// parcels implements ShipmentService on top of the use cases.
type parcels struct {
	pb.UnimplementedShipmentServiceServer
	*shipping.Service
	orders *service
}

// parcelOf returns the shipment of a changed order.
func parcelOf(o *domain.Order, err error) (*pb.Shipment, error) {
	if err != nil {
		return nil, err
	}
	return shipmentTo(o.Shipment), nil
}

func (s *parcels) BookShipment(ctx context.Context, r *pb.BookShipmentRequest) (*pb.BookShipmentResponse, error) {
	p, err := parcelOf(s.Book(ctx, r.GetOrderId(), shipping.ShipmentDraft{
		Carrier: r.GetCarrier(), Account: r.GetAccount(), TrackingNumber: r.GetTrackingNumber(), Booking: bookingFrom(r),
	}))
	return &pb.BookShipmentResponse{Shipment: p}, err
}

func (s *parcels) GetShipment(ctx context.Context, r *pb.GetShipmentRequest) (*pb.GetShipmentResponse, error) {
	p, err := s.Get(ctx, r.GetOrderId())
	return &pb.GetShipmentResponse{Shipment: shipmentTo(p)}, err
}

func (s *parcels) EditShipment(ctx context.Context, r *pb.EditShipmentRequest) (*pb.EditShipmentResponse, error) {
	p, err := parcelOf(changedOrder(ctx, s.orders, r.IfMatch, r.GetOrderId(), s.Edit, shipmentEditFrom(r)))
	return &pb.EditShipmentResponse{Shipment: p}, err
}

func (s *parcels) RefuseShipment(ctx context.Context, r *pb.RefuseShipmentRequest) (*pb.RefuseShipmentResponse, error) {
	p, err := parcelOf(changedOrder(ctx, s.orders, r.IfMatch, r.GetOrderId(), s.Refuse, refusalFrom(r)))
	return &pb.RefuseShipmentResponse{Shipment: p}, err
}

func (s *parcels) ResolveShipment(ctx context.Context, r *pb.ResolveShipmentRequest) (*pb.ResolveShipmentResponse, error) {
	p, err := parcelOf(s.Resolve(ctx, r.GetOrderId(), resolutionFrom(r)))
	return &pb.ResolveShipmentResponse{Shipment: p}, err
}

func (s *parcels) BookIntake(ctx context.Context, r *pb.BookIntakeRequest) (*pb.BookIntakeResponse, error) {
	p, err := parcelOf(s.Service.BookIntake(ctx, r.GetOrderId(), intakeFrom(r)))
	return &pb.BookIntakeResponse{Shipment: p}, err
}

func (s *parcels) CancelIntake(ctx context.Context, r *pb.CancelIntakeRequest) (*pb.CancelIntakeResponse, error) {
	p, err := parcelOf(s.Service.CancelIntake(ctx, r.GetOrderId()))
	return &pb.CancelIntakeResponse{Shipment: p}, err
}

func (s *parcels) ReturnShipment(ctx context.Context, r *pb.ReturnShipmentRequest) (*pb.ReturnShipmentResponse, error) {
	p, err := parcelOf(s.Return(ctx, r.GetOrderId(), domain.ShipmentReturn{Tariff: r.GetTariff()}))
	return &pb.ReturnShipmentResponse{Shipment: p}, err
}

func (s *parcels) ListDeliveryIntervals(
	ctx context.Context, r *pb.ListDeliveryIntervalsRequest,
) (*pb.ListDeliveryIntervalsResponse, error) {
	list, err := s.Intervals(ctx, r.GetOrderId())
	return &pb.ListDeliveryIntervalsResponse{Intervals: domain.Each(list, intervalTo)}, err
}

func (s *parcels) AgreeDelivery(ctx context.Context, r *pb.AgreeDeliveryRequest) (*pb.AgreeDeliveryResponse, error) {
	p, err := parcelOf(s.Service.AgreeDelivery(ctx, r.GetOrderId(), domain.DeliveryAgreement{
		DeliveryInterval: domain.DeliveryInterval{Date: r.GetDate(), From: r.GetFrom(), To: r.GetTo()}, Comment: r.GetComment(),
	}))
	return &pb.AgreeDeliveryResponse{Shipment: p}, err
}

func (s *parcels) GetShipmentLabels(ctx context.Context, r *pb.GetShipmentLabelsRequest) (*pb.GetShipmentLabelsResponse, error) {
	pdf, err := s.Label(ctx, r.GetOrderIds(), domain.Paper{
		Kind: cmp.Or(domain.LabelKind(r.GetKind()), domain.LabelBarcode), Format: r.GetFormat(),
	})
	return &pb.GetShipmentLabelsResponse{Pdf: pdf}, err
}

func (s *parcels) QuoteShipment(ctx context.Context, r *pb.QuoteShipmentRequest) (*pb.QuoteShipmentResponse, error) {
	quotes, err := s.Quote(ctx, r.GetCarrier(), r.GetOrderId(), quoteFrom(r))
	return &pb.QuoteShipmentResponse{Quotes: domain.Each(quotes, quoteTo)}, err
}

func (s *parcels) ListPoints(ctx context.Context, r *pb.ListPointsRequest) (*pb.ListPointsResponse, error) {
	points, next, err := s.Points(ctx, r.GetCarrier(), pointQueryFrom(r), pageFrom(r.PageSize, r.GetPageToken()))
	return &pb.ListPointsResponse{Points: domain.Each(points, deliveryPointTo), NextPageToken: next}, err
}
