package grpcserver

import (
	"context"
	"errors"
	"io"
	"strconv"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
	pb "github.com/order-tracking/order-tracking/proto/ordertracking/v1"
)

func (s *service) TrackOrder(ctx context.Context, r *pb.TrackOrderRequest) (*pb.TrackOrderResponse, error) {
	t, err := s.Tracking.Track(ctx, r.GetOrderId())
	if err != nil {
		return nil, err
	}
	return trackTo(t)
}

func (s *service) GetCourierLocation(
	ctx context.Context, r *pb.GetCourierLocationRequest,
) (*pb.GetCourierLocationResponse, error) {
	p, err := s.Tracking.Position(ctx, r.GetCourierId())
	return locatedTo(p), err
}

func (s *service) ListCourierOrders(ctx context.Context, r *pb.ListCourierOrdersRequest) (*pb.ListCourierOrdersResponse, error) {
	orders, next, err := s.Couriers.Orders(ctx, r.GetCourierId(), pageFrom(r.PageSize, r.GetPageToken()))
	return &pb.ListCourierOrdersResponse{Orders: domain.Each(orders, orderTo), NextPageToken: next}, err
}

// ReportLocations handles one batch after another. A batch's faults point into its message;
// the error includes the results so far, so that the caller knows where to resume.
func (s *service) ReportLocations(stream pb.OrderService_ReportLocationsServer) error {
	total := &pb.ReportLocationsResponse{}
	var in locations
	for batch := 0; ; batch++ {
		err := stream.RecvMsg(&in)
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(total)
		}
		if err == nil {
			err = s.report(stream.Context(), &in, batch, total)
		}
		if err != nil {
			return batchFailure(err, batch, total)
		}
	}
}

func (s *service) report(ctx context.Context, in *locations, batch int, total *pb.ReportLocationsResponse) error {
	if key := callFrom(ctx).idem.Key; key != "" { // one key covers the stream, batch by batch
		ctx = idempotency.With(ctx, &idempotency.Request{Key: key + "/" + strconv.Itoa(batch)})
	}
	got, err := s.Tracking.Report(ctx, in.courierID, in.positions, false)
	total.Accepted += int64(got.Accepted)
	total.Dropped += int64(got.Dropped)
	return err
}

// batchFailure adds the stream's results so far to a domain error.
func batchFailure(err error, batch int, total *pb.ReportLocationsResponse) error {
	var e *domain.Error
	if !errors.As(err, &e) || e.Code == domain.CodeInternal {
		return err
	}
	inMessage := *e
	inMessage.Faults = nil
	for _, fault := range e.Faults {
		if fault.Pointer != "/courier_id" {
			fault.Pointer = "/positions" + fault.Pointer
		}
		inMessage.Faults = append(inMessage.Faults, fault)
	}
	f := failureOf(&inMessage)
	f.meta = map[string]string{
		"batch":    strconv.Itoa(batch),
		"accepted": strconv.FormatInt(total.GetAccepted(), 10),
		"dropped":  strconv.FormatInt(total.GetDropped(), 10),
	}
	return f
}
