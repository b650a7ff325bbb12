package httpserver

import (
	"bytes"
	"context"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/tracking"
	"github.com/order-tracking/order-tracking/internal/transport"
)

// CourierPath is the path parameter of a courier.
type CourierPath struct {
	ID string `path:"courier_id" format:"uuid" doc:"the courier's id" example:"0190b7a1-8f00-7a51-8d6e-1a2b3c4d5e6f"`
}

// check validates the id.
func (p CourierPath) check() error {
	_, err := domain.ParseID("/courier_id", p.ID)
	return err
}

func (p CourierPath) named() (string, error) { return p.ID, p.check() }

type courierOut struct {
	ETag     string `header:"ETag" doc:"the version, for If-Match"`
	Replayed string `header:"Idempotent-Replayed" doc:"true if this is the stored response to an earlier request with the same key"`
	Location string `header:"Location" doc:"where the courier is"`
	Body     *domain.Courier
}

type courierPage struct {
	Couriers []*domain.Courier `json:"couriers"`
	Next     string            `json:"next_page_token,omitempty"`
}

// courierRoutes registers the operations on couriers.
func (s *Server) courierRoutes() {
	handle(s, "createCourier", posting[newCourierIn](func(e domain.CourierEdit) error {
		return s.Couriers.CheckEdit(e, true)
	}, createdCourier, func(ctx context.Context, _ string, e domain.CourierEdit) (*domain.Courier, error) {
		return s.Couriers.Create(ctx, e)
	}))
	handle(s, "listCouriers", s.listCouriers)
	handle(s, "nearCouriers", s.nearCouriers)
	handle(s, "getCourier", reading[CourierPath](couriers.of, s.Couriers.Get))
	handle(s, "editCourier", changing[editCourierIn](func(e domain.CourierEdit) error {
		return s.Couriers.CheckEdit(e, false)
	}, couriers.current(s.Couriers.Get), couriers.out, s.Couriers.Edit))
	handle(s, "listCourierOrders", s.courierOrders)
	handle(s, "reportLocation", s.reportLocation)
	handle(s, "getCourierLocation", reading[CourierPath](bodyOf, s.Tracking.Position))
}

// newCourier is the body that creates a courier: an edit with a required name.
type newCourier struct {
	Name string `json:"name" minLength:"1" maxLength:"200" example:"Ivan Sokolov"`
	domain.CourierEdit
}

type newCourierIn struct {
	Unnamed
	Idempotent
	Sent[domain.CourierEdit]
}

func (newCourierIn) body() (reflect.Type, bool) { return reflect.TypeFor[newCourier](), false }

func createdCourier(c *domain.Courier, again string, err error) (*courierOut, error) {
	if err != nil {
		return nil, err
	}
	return &courierOut{ETag: transport.ETag(c.Version), Replayed: again, Location: "/courier/" + c.ID, Body: c}, nil
}

type listCouriersIn struct {
	OnDuty optional[bool] `query:"on_duty" doc:"whether the courier is on duty"`
	Search string         `query:"q" maxLength:"200" doc:"parts of the name or the phone number, as in lists of orders"`
	Paging
}

func (s *Server) listCouriers(ctx context.Context, in *listCouriersIn) (*bodyOnly[courierPage], error) {
	list, next, err := s.Couriers.List(ctx, domain.CourierFilter{OnDuty: in.OnDuty.ptr(), Search: in.Search}, in.request())
	return bodyOf(courierPage{Couriers: listed(list), Next: next}, err)
}

type nearIn struct {
	Lat   optional[float64] `query:"lat" required:"true" minimum:"-90" maximum:"90" doc:"degrees"`
	Lon   optional[float64] `query:"lon" required:"true" minimum:"-180" maximum:"180" doc:"degrees"`
	Limit optional[int]     `query:"limit" minimum:"1" maximum:"100" doc:"maximum number; default 10"`
}

type nearPage struct {
	Couriers []tracking.Nearby `json:"couriers"`
}

func (s *Server) nearCouriers(ctx context.Context, in *nearIn) (*bodyOnly[nearPage], error) {
	var f domain.Faults
	for name, p := range map[string]optional[float64]{"/lat": in.Lat, "/lon": in.Lon} {
		if !p.Set {
			f.Add(name, "required", "is required")
		}
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	limit := tracking.DefaultNear
	if in.Limit.Set {
		limit = in.Limit.Value
	}
	near, err := s.Couriers.Near(ctx, domain.Point{Lat: in.Lat.Value, Lon: in.Lon.Value}, limit)
	return bodyOf(nearPage{Couriers: near}, err)
}

type editCourierIn struct {
	CourierPath
	IfMatch
	Idempotent
	Patch[domain.CourierEdit]
}

type courierOrdersIn struct {
	CourierPath
	Paging
}

func (s *Server) courierOrders(ctx context.Context, in *courierOrdersIn) (*bodyOnly[*orderPage], error) {
	orders, next, err := s.Couriers.Orders(ctx, in.ID, in.request())
	return bodyOf(&orderPage{Orders: orders, Next: next}, err)
}

type reportIn struct {
	CourierPath
	Idempotent
	DeviceTime
	Sent[positionOrPositions]
	Without string `query:"without" enum:"no_permission,no_fix,screen_off" doc:"why the phone has no position; with an empty array"`
}

// positionOrPositions describes the body of a location report.
type positionOrPositions struct{}

// Schema describes one position or an array of them.
func (positionOrPositions) Schema(r huma.Registry) *huma.Schema {
	one := r.Schema(reflect.TypeFor[domain.Position](), true, "")
	limit := domain.MaxPositions
	return &huma.Schema{OneOf: []*huma.Schema{one, {Type: huma.TypeArray, Items: one, MaxItems: &limit}}}
}

func (s *Server) reportLocation(ctx context.Context, in *reportIn) (*repeatable[tracking.Received], error) {
	single := !bytes.HasPrefix(bytes.TrimLeft(in.RawBody, " \t\r\n"), []byte("["))
	positions, faults, err := decodePositions(in.JSONBody, single)
	if err != nil {
		return nil, err
	}
	if idErr := in.check(); len(faults) > 0 || idErr != nil {
		_, invalid := domain.NormalizePositions(positions, single, s.Clock.Now())
		return nil, refusal(faults, idErr, invalid)
	}
	if in.Without != "" {
		if len(positions) > 0 {
			return nil, domain.Invalid("/without", "too_many", "goes with an empty array")
		}
		return repeated(once(ctx, in.Idempotent, func(ctx context.Context) (tracking.Received, error) {
			return s.Tracking.Heartbeat(ctx, in.ID, domain.DropReason(in.Without))
		}))
	}
	return repeated(once(ctx, in.Idempotent, func(ctx context.Context) (tracking.Received, error) {
		return s.Tracking.Report(ctx, in.ID, positions, single)
	}))
}

// decodePositions reads one position or an array.
func decodePositions(in JSONBody, single bool) ([]domain.Position, []domain.Fault, error) {
	if !single {
		return decode[[]domain.Position](in)
	}
	one, faults, err := decode[domain.Position](in)
	if len(in.RawBody) == 0 {
		_, faults, err = decode[domain.Position](JSONBody{in.ContentType, []byte("{}")})
	}
	return []domain.Position{one}, faults, err
}
