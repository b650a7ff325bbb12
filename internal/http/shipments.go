package httpserver

import (
	"cmp"
	"context"
	"io"
	"net/http"

	"github.com/gin-gonic/gin"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/shipping"
	"github.com/order-tracking/order-tracking/internal/transport"
)

type bookedOut struct {
	ETag     string `header:"ETag" doc:"the order's version"`
	Location string `header:"Location" doc:"URL of the shipment"`
	Replayed string `header:"Idempotent-Replayed" doc:"true if this is the stored response to an earlier request with the same key"`
	Body     *domain.Shipment
}

// CarrierPath is the path parameter of a delivery company.
type CarrierPath struct {
	Carrier string `path:"carrier" doc:"the delivery company's code" example:"cdek"`
}

type quoteList struct {
	Quotes []domain.Quote `json:"quotes"`
}

type intervalList struct {
	Intervals []domain.DeliveryInterval `json:"intervals"`
}

type pointList struct {
	Points []domain.DeliveryPoint `json:"points"`
	Next   string                 `json:"next_page_token,omitempty"`
}

// shipmentRoutes registers the operations on parcels at delivery companies.
func (s *Server) shipmentRoutes() {
	handle(s, "bookShipment", onOrder(s.Shipments.Check, booked, s.Shipments.Book))
	handle(s, "getShipment", reading[OrderPath](bodyOf, s.Shipments.Get))
	plain[OrderPath, struct{}](s, "getShipmentLabel", s.labels("kind", "format"))
	plain[labelsIn, struct{}](s, "getShipmentLabels", s.labels("kind", "format", "order_id"))
	handle(s, "quoteShipment", s.quoteShipment)
	handle(s, "listPoints", s.listPoints)
	plain[CarrierPath, bodyOnly[health]](s, "receiveHook", s.receiveHook)
	handle(s, "refuseShipment", changing[changeIn[shipping.Refusal]](s.Shipments.CheckRefusal, s.orderVersion, booked, s.Shipments.Refuse))
	handle(s, "editShipment", changing[changeIn[domain.ShipmentEdit]](s.Shipments.CheckEdit, s.orderVersion, booked, s.Shipments.Edit))
	handle(s, "bookIntake", onOrder(domain.IntakeRequest.Validate, booked, s.Shipments.BookIntake))
	handle(s, "cancelIntake", doing[cancelIntakeIn](booked, s.Shipments.CancelIntake))
	handle(s, "returnShipment", onOrder(domain.Checked[domain.ShipmentReturn], booked, s.Shipments.Return))
	handle(s, "listDeliveryIntervals", listing[OrderPath](func(list []domain.DeliveryInterval) intervalList { return intervalList{list} }, s.Shipments.Intervals))
	handle(s, "agreeDelivery", onOrder(domain.DeliveryAgreement.Validate, booked, s.Shipments.AgreeDelivery))
	handle(s, "resolveShipment", onOrder(s.Shipments.CheckResolution, booked, s.Shipments.Resolve))
}

type cancelIntakeIn struct {
	OrderPath
	Idempotent
}

// booked responds with an order's shipment.
func booked(o *domain.Order, again string, err error) (*bookedOut, error) {
	if err != nil {
		return nil, err
	}
	return &bookedOut{ETag: transport.ETag(o.Version), Location: "/order/" + o.ID + "/shipment", Replayed: again, Body: o.Shipment}, nil
}

type labelsIn struct {
	Orders []string `query:"order_id,explode" format:"uuid" required:"true" maxItems:"100" doc:"the orders; may be repeated"`
}

// labels makes the handler that prints papers, which takes parameters of these names.
func (s *Server) labels(names ...string) gin.HandlerFunc {
	return s.guarded(func(ctx context.Context, c *gin.Context) error {
		if err := onlyQuery(c.Request.URL, names...); err != nil {
			return err
		}
		orders := c.QueryArray("order_id")
		if id := c.Param("order_id"); id != "" {
			orders = []string{id}
		}
		paper := domain.Paper{Kind: cmp.Or(domain.LabelKind(c.Query("kind")), domain.LabelBarcode), Format: c.Query("format")}
		pdf, err := s.Shipments.Label(ctx, orders, paper)
		if err != nil {
			return err
		}
		c.Header("Content-Disposition", `inline; filename="`+string(paper.Kind)+`.pdf"`)
		c.Data(http.StatusOK, "application/pdf", pdf)
		return nil
	})
}

type quoteIn struct {
	CarrierPath
	OrderID     string            `query:"order_id" format:"uuid" doc:"to this order's address, with its items"`
	FromCity    string            `query:"from_city" maxLength:"200" doc:"its name or the company's code"`
	FromPoint   string            `query:"from_point" maxLength:"128" doc:"code of an office that accepts parcels"`
	FromAddress string            `query:"from_address" maxLength:"500" doc:"an address"`
	ToCity      string            `query:"to_city" maxLength:"200" doc:"its name or the company's code"`
	ToPoint     string            `query:"to_point" maxLength:"128" doc:"code of an office or locker"`
	ToAddress   string            `query:"to_address" maxLength:"500" doc:"an address"`
	ToLat       optional[float64] `query:"to_lat" minimum:"-90" maximum:"90" doc:"degrees"`
	ToLon       optional[float64] `query:"to_lon" minimum:"-180" maximum:"180" doc:"degrees"`
	Weight      int               `query:"weight_g" minimum:"0" maximum:"1000000" doc:"grams"`
	Length      int               `query:"length_cm" minimum:"0" maximum:"1000" doc:"centimetres"`
	Width       int               `query:"width_cm" minimum:"0" maximum:"1000" doc:"centimetres"`
	Height      int               `query:"height_cm" minimum:"0" maximum:"1000" doc:"centimetres"`
	Tariff      string            `query:"tariff" maxLength:"128" doc:"only this tariff"`
}

func (in *quoteIn) booking() domain.Booking {
	b := domain.Booking{
		Tariff: in.Tariff,
		From:   domain.Stop{City: in.FromCity, Point: in.FromPoint, Place: domain.Place{Address: in.FromAddress}},
		To:     domain.Stop{City: in.ToCity, Point: in.ToPoint, Place: domain.Place{Address: in.ToAddress}},
	}
	if in.Weight+in.Length+in.Width+in.Height > 0 {
		b.Packages = []domain.Package{{WeightG: in.Weight, LengthCm: in.Length, WidthCm: in.Width, HeightCm: in.Height}}
	}
	return b
}

func (s *Server) quoteShipment(ctx context.Context, in *quoteIn) (*bodyOnly[quoteList], error) {
	to, err := pair("to_", in.ToLat, in.ToLon)
	if err != nil {
		return nil, err
	}
	b := in.booking()
	b.To.Location = to
	quotes, err := s.Shipments.Quote(ctx, in.Carrier, in.OrderID, b)
	return bodyOf(quoteList{listed(quotes)}, err)
}

type pointsIn struct {
	CarrierPath
	City string            `query:"city" maxLength:"200" doc:"its name or the company's code"`
	Lat  optional[float64] `query:"lat" minimum:"-90" maximum:"90" doc:"degrees; sorts by distance"`
	Lon  optional[float64] `query:"lon" minimum:"-180" maximum:"180" doc:"degrees"`
	Code string            `query:"code" maxLength:"128" doc:"only this point"`
	Kind domain.PointKind  `query:"kind" enum:"office,locker" doc:"only of this kind"`
	COD  bool              `query:"cod" doc:"only where money is taken in from recipients"`
	// The parcel that the point must accept.
	Weight int `query:"weight_g" minimum:"0" maximum:"1000000" doc:"of a parcel that must be taken, grams"`
	Length int `query:"length_cm" minimum:"0" maximum:"1000" doc:"of a parcel that must fit, however it is turned"`
	Width  int `query:"width_cm" minimum:"0" maximum:"1000" doc:"centimetres"`
	Height int `query:"height_cm" minimum:"0" maximum:"1000" doc:"centimetres"`
	Paging
}

func (s *Server) listPoints(ctx context.Context, in *pointsIn) (*bodyOnly[pointList], error) {
	near, err := pair("", in.Lat, in.Lon)
	if err != nil {
		return nil, err
	}
	q := domain.PointQuery{City: in.City, Code: in.Code, Kind: in.Kind, Near: near, COD: in.COD}
	q.Fits = domain.Package{WeightG: in.Weight, LengthCm: in.Length, WidthCm: in.Width, HeightCm: in.Height}
	points, next, err := s.Shipments.Points(ctx, in.Carrier, q, in.request())
	return bodyOf(pointList{listed(points), next}, err)
}

// receiveHook answers 200 to any body sent with the right token: companies disable webhooks that return errors.
func (s *Server) receiveHook(c *gin.Context) {
	body, readErr := io.ReadAll(c.Request.Body)
	if err := s.Shipments.Receive(c.Request.Context(), c.Param("carrier"), c.Param("token"), c.Request.Header, c.Request.URL.Query(), body); err != nil {
		fail(c, err)
		return
	}
	if readErr != nil {
		s.Log.Warn("a carrier's webhook body was not read completely", zap.String("carrier", c.Param("carrier")), zap.Error(readErr))
	}
	c.Data(http.StatusOK, jsonType, []byte(`{"status":"ok"}`))
}
