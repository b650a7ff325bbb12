package grpcserver

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/order-tracking/order-tracking/internal/dispatch"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/orders"
	"github.com/order-tracking/order-tracking/internal/shipping"
	"github.com/order-tracking/order-tracking/internal/tracking"
	pb "github.com/order-tracking/order-tracking/proto/ordertracking/v1"
)

//go:generate go tool -modfile=../../tools/goverter/go.mod goverter gen .

// Messages are converted to domain values unchecked, and back: the domain reports what is wrong with them together with all other
// faults of the request. goverter generates the conversions and fails when one misses a field.
//
// goverter:variables
// goverter:ignoreUnexported yes
// goverter:matchIgnoreCase yes
// goverter:skipCopySameType yes
// goverter:useZeroValueOnPointerInconsistency yes
// goverter:enum no
// goverter:output:file ./convert_gen.go
// goverter:extend timeTo timePointerTo statusTo structTo attributesTo narrow
// goverter:extend vehicleFrom widenPointer timeFrom timePointerFrom statusFrom widen stopFrom stopPointerFrom
var (
	orderTo    func(*domain.Order) *pb.Order
	estimateTo func(*domain.Estimate) *pb.Estimate
	courierTo  func(*domain.Courier) *pb.Courier
	positionTo func(*domain.Position) *pb.Position
	eventTo    func(domain.Event) (*pb.Event, error)
	trackTo    func(*tracking.Track) (*pb.TrackOrderResponse, error)
	locatedTo  func(tracking.Located) *pb.GetCourierLocationResponse
	notifiedTo func(orders.Notified) *pb.NotifyCustomerResponse
	planTo     func(*dispatch.Proposal) *pb.PlanDispatchResponse
	ranTo      func(*dispatch.Proposal) *pb.RunDispatchResponse
	offerTo    func(domain.Offer) *pb.Offer
	// goverter:map ETA Eta
	stopTo  func(domain.RouteStop) *pb.RouteStop
	routeTo func(*domain.Route) *pb.Route
	// goverter:map WeightG | weightTo
	itemTo func(domain.Item) *pb.Item

	shipmentTo func(*domain.Shipment) *pb.Shipment
	intervalTo func(domain.DeliveryInterval) *pb.DeliveryInterval
	// goverter:map Working WorkingDays
	quoteTo func(domain.Quote) *pb.Quote
	// goverter:map MaxWeightG | narrow
	deliveryPointTo func(domain.DeliveryPoint) *pb.DeliveryPoint

	bookingFrom func(*pb.BookShipmentRequest) domain.Booking
	// goverter:ignore Comment Sender Payment Seller Services Invoice
	quoteFrom        func(*pb.QuoteShipmentRequest) domain.Booking
	placeOfStopFrom  func(*pb.Stop) domain.Place
	shipmentEditFrom func(*pb.EditShipmentRequest) domain.ShipmentEdit
	refusalFrom      func(*pb.RefuseShipmentRequest) shipping.Refusal
	resolutionFrom   func(*pb.ResolveShipmentRequest) shipping.Resolution
	intakeFrom       func(*pb.BookIntakeRequest) domain.IntakeRequest
	// goverter:ignore Limit
	// goverter:map . Fits | fitsFrom
	pointQueryFrom func(*pb.ListPointsRequest) domain.PointQuery

	draftFrom func(*pb.CreateOrderRequest) domain.Draft
	editFrom  func(*pb.EditOrderRequest) domain.Edit
	// goverter:map Skills | skillsFrom
	courierEditFrom func(*pb.EditCourierRequest) domain.CourierEdit
	// goverter:map Skills | skillsFrom
	// goverter:ignore Clear
	newCourierFrom func(*pb.CreateCourierRequest) domain.CourierEdit
	pointFrom      func(*pb.Point) *domain.Point
	proofFrom      func(*pb.Proof) *domain.Proof
	// goverter:map Quantity | quantityFrom
	itemFrom func(*pb.Item) domain.Item
	// goverter:map Q Search
	// goverter:map Status Statuses
	// goverter:ignore Now
	orderFilterFrom func(*pb.GetOrdersRequest) domain.OrderFilter
	stepFrom        func(*pb.UpdateOrderStatusRequest) orders.StatusChange
)

func narrow(n int) int32 { return int32(n) } //nolint:gosec // counts, which the domain limits

func widen(n int32) int { return int(n) }

func widenPointer(n *int32) *int {
	if n == nil {
		return nil
	}
	return new(int(*n))
}

func vehicleFrom(v *string) *domain.Vehicle {
	if v == nil {
		return nil
	}
	return new(domain.Vehicle(*v))
}

// skillsFrom reads no skills as unchanged ones.
func skillsFrom(skills []string) *[]string {
	if len(skills) == 0 {
		return nil
	}
	return &skills
}

// weightTo omits an item's unknown weight.
func weightTo(grams int) *int32 {
	if grams == 0 {
		return nil
	}
	return new(narrow(grams))
}

// quantityFrom reads an absent quantity as one, as JSON does.
func quantityFrom(n *int32) int {
	if n == nil {
		return 1
	}
	return int(*n)
}

// stopFrom reads an end of a parcel's way.
func stopFrom(m *pb.Stop) domain.Stop {
	return domain.Stop{
		Place: placeOfStopFrom(m), City: m.GetCity(), Region: m.GetRegion(), Postcode: m.GetPostcode(), Country: m.GetCountry(), Point: m.GetPoint(),
	}
}

func stopPointerFrom(m *pb.Stop) *domain.Stop {
	if m == nil {
		return nil
	}
	return new(stopFrom(m))
}

// fitsFrom reads the parcel that a point must accept.
func fitsFrom(r *pb.ListPointsRequest) domain.Package {
	return domain.Package{
		WeightG: widen(r.GetWeightG()), LengthCm: widen(r.GetLengthCm()), WidthCm: widen(r.GetWidthCm()), HeightCm: widen(r.GetHeightCm()),
	}
}

// The enum's names derive from the statuses, so the lookup tables are built from the names.
var (
	protoStatus  = map[domain.Status]pb.OrderStatus{}
	domainStatus = map[pb.OrderStatus]domain.Status{}
)

func init() {
	for name, number := range pb.OrderStatus_value {
		s := domain.Status(strings.ToLower(strings.TrimPrefix(name, "ORDER_STATUS_")))
		if s.Valid() {
			protoStatus[s], domainStatus[pb.OrderStatus(number)] = pb.OrderStatus(number), s
		}
	}
}

func statusTo(s domain.Status) pb.OrderStatus { return protoStatus[s] }

// statusFrom returns the status of an enum number; for an unknown number it returns a value that the domain rejects by name.
func statusFrom(n pb.OrderStatus) domain.Status {
	if s, ok := domainStatus[n]; ok || n == pb.OrderStatus_ORDER_STATUS_UNSPECIFIED {
		return s
	}
	return domain.Status(strconv.Itoa(int(n)))
}

func timeTo(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func timePointerTo(t *time.Time) *timestamppb.Timestamp {
	if t == nil {
		return nil
	}
	return timestamppb.New(*t)
}

// impossible stands for an invalid timestamp. The domain rejects every time after the year 9999 and reports its field.
var impossible = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)

// timeFrom returns the zero time for an absent timestamp.
func timeFrom(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return instant(t.GetSeconds(), t.GetNanos())
}

func timePointerFrom(t *timestamppb.Timestamp) *time.Time {
	if t == nil {
		return nil
	}
	return new(timeFrom(t))
}

// instant converts a timestamp's fields to a time.
func instant(seconds int64, nanos int32) time.Time {
	t := time.Unix(seconds, int64(nanos)).UTC()
	if seconds < firstSecond || seconds >= endSecond || nanos < 0 || nanos > 999_999_999 || t.IsZero() {
		return impossible
	}
	return t
}

// A timestamp ranges from the start of the year 1 to the end of the year 9999.
const (
	firstSecond = -62_135_596_800
	endSecond   = 253_402_300_800
)

// filterFrom rejects invalid times; the use case checks the rest of the filter.
func filterFrom(r *pb.GetOrdersRequest) (domain.OrderFilter, error) {
	f := orderFilterFrom(r)
	var faults domain.Faults
	for pointer, t := range map[string]time.Time{"/created_from": f.CreatedFrom, "/created_to": f.CreatedTo, "/promised_from": f.PromisedFrom, "/promised_to": f.PromisedTo} {
		if t.Equal(impossible) {
			faults.Add(pointer, string(domain.CodeImpossibleTime), "must be a time between the years 1 and 9999")
		}
	}
	return f, faults.Err()
}

// structTo converts through JSON where the data holds more than JSON's own types, so that both transports show the same.
func structTo(data map[string]any) (*structpb.Struct, error) {
	if len(data) == 0 {
		return nil, nil
	}
	if s, err := structpb.NewStruct(data); err == nil {
		return s, nil
	}
	b, err := json.Marshal(data)
	if err != nil {
		return nil, err
	}
	out := &structpb.Struct{}
	return out, out.UnmarshalJSON(b)
}

func attributesTo(a domain.Attributes) *structpb.Struct {
	s, _ := structTo(a) // strings, numbers and booleans always fit
	return s
}

// problemTo converts an error inside a response that succeeded as a whole.
func problemTo(e *domain.Error) *pb.Problem {
	out := &pb.Problem{Code: string(e.Code), Detail: valid(e.Message)}
	for _, f := range e.Faults {
		out.Errors = append(out.Errors, &pb.Fault{Pointer: valid(f.Pointer), Code: f.Code, Detail: valid(f.Detail)})
	}
	return out
}
