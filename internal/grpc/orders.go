package grpcserver

import (
	"context"
	"strconv"
	"strings"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/orders"
	"github.com/order-tracking/order-tracking/internal/paging"
	"github.com/order-tracking/order-tracking/internal/transport"
	pb "github.com/order-tracking/order-tracking/proto/ordertracking/v1"
)

// The proto file documents what each method does and which errors it returns. The
// interceptor drops a response returned together with an error.

func (s *service) CreateOrder(ctx context.Context, r *pb.CreateOrderRequest) (*pb.CreateOrderResponse, error) {
	o, err := s.Orders.Create(ctx, draftFrom(r))
	return &pb.CreateOrderResponse{Order: orderTo(o)}, err
}

func (s *service) CreateOrders(ctx context.Context, r *pb.CreateOrdersRequest) (*pb.CreateOrdersResponse, error) {
	created, err := s.Orders.CreateMany(ctx, domain.Each(r.GetOrders(), draftFrom))
	return &pb.CreateOrdersResponse{
		Results: domain.Each(created, func(c orders.Created) *pb.CreateOrdersResult { return s.created(ctx, c) }),
	}, err
}

func (s *service) created(ctx context.Context, c orders.Created) *pb.CreateOrdersResult {
	if c.Err == nil {
		return &pb.CreateOrdersResult{Result: &pb.CreateOrdersResult_Order{Order: orderTo(c.Order)}}
	}
	s.seen.failed(callFrom(ctx), c.Err)
	return &pb.CreateOrdersResult{Result: &pb.CreateOrdersResult_Error{Error: problemTo(failureOf(c.Err).err)}}
}

func (s *service) GetOrder(ctx context.Context, r *pb.GetOrderRequest) (*pb.GetOrderResponse, error) {
	o, err := s.Orders.Get(ctx, r.GetOrderId())
	return &pb.GetOrderResponse{Order: orderTo(o)}, err
}

func (s *service) GetOrders(ctx context.Context, r *pb.GetOrdersRequest) (*pb.GetOrdersResponse, error) {
	filter, err := filterFrom(r)
	if err != nil {
		return nil, err
	}
	orders, next, err := s.Orders.List(ctx, filter, pageFrom(r.PageSize, r.GetPageToken()))
	return &pb.GetOrdersResponse{Orders: domain.Each(orders, orderTo), NextPageToken: next}, err
}

func pageFrom(size *int32, token string) paging.Request {
	p := paging.Request{Token: token}
	if size != nil {
		n := int(*size)
		p.Size = &n
	}
	return p
}

func (s *service) GetOrderStatus(ctx context.Context, r *pb.GetOrderStatusRequest) (*pb.GetOrderStatusResponse, error) {
	o, err := s.Orders.Get(ctx, r.GetOrderId())
	if err != nil {
		return nil, err
	}
	return &pb.GetOrderStatusResponse{
		OrderId: o.ID, Status: protoStatus[o.Status], Version: o.Version, UpdatedAt: timeTo(o.UpdatedAt),
		AllowedTransitions: domain.Each(o.Status.Next(), statusTo),
	}, nil
}

func (s *service) UpdateOrderStatus(ctx context.Context, r *pb.UpdateOrderStatusRequest) (*pb.UpdateOrderStatusResponse, error) {
	o, err := changedOrder(ctx, s, r.IfMatch, r.GetOrderId(), s.Orders.UpdateStatus, stepFrom(r))
	return &pb.UpdateOrderStatusResponse{Order: orderTo(o)}, err
}

func (s *service) CancelOrder(ctx context.Context, r *pb.CancelOrderRequest) (*pb.CancelOrderResponse, error) {
	o, err := changedOrder(ctx, s, r.IfMatch, r.GetOrderId(), s.Orders.Cancel, r.GetReason())
	return &pb.CancelOrderResponse{Order: orderTo(o)}, err
}

func (s *service) EstimateDelivery(ctx context.Context, r *pb.EstimateDeliveryRequest) (*pb.EstimateDeliveryResponse, error) {
	e, err := s.Orders.DeliveryTime(ctx, r.GetOrderId())
	return &pb.EstimateDeliveryResponse{Estimate: estimateTo(&e)}, err
}

func (s *service) AssignCourier(ctx context.Context, r *pb.AssignCourierRequest) (*pb.AssignCourierResponse, error) {
	o, err := changedOrder(ctx, s, r.IfMatch, r.GetOrderId(), s.Orders.Assign, orders.Assignment{CourierID: r.GetCourierId(), Auto: r.GetAuto()})
	return &pb.AssignCourierResponse{Order: orderTo(o)}, err
}

func (s *service) NotifyCustomer(ctx context.Context, r *pb.NotifyCustomerRequest) (*pb.NotifyCustomerResponse, error) {
	n, err := s.Orders.Notify(ctx, r.GetOrderId(), orders.Notice{
		Channel: r.GetChannel(), Template: r.GetTemplate(), Text: r.GetText(),
	})
	return notifiedTo(n), err
}

func (s *service) EditOrder(ctx context.Context, r *pb.EditOrderRequest) (*pb.EditOrderResponse, error) {
	o, err := changedOrder(ctx, s, r.IfMatch, r.GetOrderId(), s.Orders.Edit, editFrom(r))
	return &pb.EditOrderResponse{Order: orderTo(o)}, err
}

func (s *service) ListEvents(ctx context.Context, r *pb.ListEventsRequest) (*pb.ListEventsResponse, error) {
	events, err := s.Orders.Events(ctx, r.GetOrderId())
	out := &pb.ListEventsResponse{}
	for _, e := range events {
		one, convertErr := eventTo(e)
		if convertErr != nil {
			return nil, convertErr
		}
		out.Events = append(out.Events, one)
	}
	return out, err
}

// changedOrder makes a change of an order.
func changedOrder[C any](
	ctx context.Context, s *service, ifMatch *int64, id string, do func(context.Context, string, C, int64) (*domain.Order, error), change C,
) (*domain.Order, error) {
	return changed(ctx, ifMatch, id, s.Orders.Get, func(o *domain.Order) int64 { return o.Version }, do, change)
}

// changed makes a change of what has a version, in the version that the caller requires.
func changed[C, T any](
	ctx context.Context, ifMatch *int64, id string, get func(context.Context, string) (T, error), version func(T) int64,
	do func(ctx context.Context, id string, change C, expected int64) (T, error), change C,
) (result T, err error) {
	expected, err := expectedOf(ctx, ifMatch, id, get, version)
	if err != nil {
		return result, err
	}
	return do(ctx, id, change, expected)
}

// expectedOf returns the version that the caller requires: the field's, else that of
// the if-match metadata, which may lack quotes, else 0, which means any.
func expectedOf[T any](ctx context.Context, field *int64, id string, get func(context.Context, string) (T, error), version func(T) int64) (int64, error) {
	if field != nil {
		if *field < 1 {
			return 0, domain.Invalid("/if_match", "out_of_range", "must be a version, 1 or more")
		}
		return *field, nil
	}
	tag := strings.TrimSpace(callFrom(ctx).header(headerIfMatch))
	if digits, ok := strings.CutPrefix(tag, "v"); ok && digits != "" {
		tag = strconv.Quote(tag)
	}
	return transport.ExpectedVersion(tag, func() (int64, error) {
		v, err := get(ctx, id)
		if err != nil {
			return 0, err
		}
		return version(v), nil
	})
}
