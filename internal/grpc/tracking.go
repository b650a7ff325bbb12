package grpcserver

import (
	"context"
	"errors"
	"io"
	"math"
	"strconv"
	"unicode/utf8"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"

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

// locations decodes a ReportLocationsRequest straight into positions: building the library's messages would cost more than
// all further processing. A stream reuses one value for all of its messages.
type locations struct {
	courierID string
	positions []domain.Position
	// room holds the measurements that positions point into. It is allocated in small pieces,
	// so that a courier's newest position does not keep much other memory alive.
	room []float64
}

const roomSize = 24 // measurements in one piece

var errWire = errors.New("not protobuf, or invalid UTF-8")

// read decodes a message, replacing the previous one.
func (l *locations) read(data mem.BufferSlice) error {
	whole := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer whole.Free()
	return l.unmarshal(whole.ReadOnlyData())
}

func (l *locations) unmarshal(b []byte) error {
	l.positions = l.positions[:0]
	courier := []byte(nil)
	err := eachField(b, func(num protowire.Number, typ protowire.Type, value []byte, _ uint64) error {
		switch {
		case num == 1 && typ == protowire.BytesType:
			if !utf8.Valid(value) {
				return errWire
			}
			courier = value
		case num == 2 && typ == protowire.BytesType:
			return l.position(value)
		}
		return nil
	})
	if l.courierID != string(courier) { // consecutive reports often have the same courier
		l.courierID = string(courier)
	}
	return err
}

func (l *locations) position(b []byte) error {
	l.positions = append(l.positions, domain.Position{})
	p := &l.positions[len(l.positions)-1]
	measurements := [...]**float64{3: &p.Accuracy, 4: &p.Speed, 5: &p.Heading, 6: &p.Altitude, 7: &p.Battery}
	var recorded, received timestamp
	timed := false
	err := eachField(b, func(num protowire.Number, typ protowire.Type, value []byte, bits uint64) error {
		switch {
		case num == 1 && typ == protowire.Fixed64Type:
			p.Lat = math.Float64frombits(bits)
		case num == 2 && typ == protowire.Fixed64Type:
			p.Lon = math.Float64frombits(bits)
		case num >= 3 && num <= 7 && typ == protowire.Fixed64Type:
			*measurements[num] = l.measurement(math.Float64frombits(bits))
		case num == 8 && typ == protowire.BytesType:
			timed = true
			return recorded.merge(value)
		case num == 9 && typ == protowire.BytesType:
			return received.merge(value) // only to check that it can be decoded
		}
		return nil
	})
	if timed {
		p.RecordedAt = instant(recorded.seconds, recorded.nanos)
	}
	return err
}

func (l *locations) measurement(v float64) *float64 {
	if len(l.room) == cap(l.room) {
		l.room = make([]float64, 0, roomSize)
	}
	l.room = append(l.room, v)
	return &l.room[len(l.room)-1]
}

type timestamp struct {
	seconds int64
	nanos   int32
}

// merge sets the fields that are present.
func (t *timestamp) merge(b []byte) error {
	return eachField(b, func(num protowire.Number, typ protowire.Type, _ []byte, bits uint64) error {
		switch {
		case num == 1 && typ == protowire.VarintType:
			t.seconds = int64(bits)
		case num == 2 && typ == protowire.VarintType:
			t.nanos = int32(bits)
		}
		return nil
	})
}

// eachField iterates over a message's fields: value holds the content of a bytes field, bits
// that of a number. Unknown fields must be well formed too.
func eachField(b []byte, field func(num protowire.Number, typ protowire.Type, value []byte, bits uint64) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 || num > protowire.MaxValidNumber {
			return errWire
		}
		b = b[n:]
		var value []byte
		var bits uint64
		switch typ {
		case protowire.BytesType:
			value, n = protowire.ConsumeBytes(b)
		case protowire.VarintType:
			bits, n = protowire.ConsumeVarint(b)
		case protowire.Fixed64Type:
			bits, n = protowire.ConsumeFixed64(b)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return errWire
		}
		b = b[n:]
		if err := field(num, typ, value, bits); err != nil {
			return err
		}
	}
	return nil
}
