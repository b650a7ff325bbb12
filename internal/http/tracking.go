package httpserver

import (
	"context"
	"encoding/json"
	"math"
	"mime"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/tracking"
	"github.com/order-tracking/order-tracking/internal/transport"
)

type eventList struct {
	Events []domain.Event `json:"events"`
}

// statusAnswer is an order's current status.
type statusAnswer struct {
	OrderID   string          `json:"order_id"`
	Status    domain.Status   `json:"status"`
	Version   int64           `json:"version"`
	UpdatedAt time.Time       `json:"updated_at"`
	Allowed   []domain.Status `json:"allowed_transitions" doc:"the allowed next statuses, in table order; [] if final"`
}

type statusOut struct {
	ETag string `header:"ETag" doc:"the order's version"`
	Body statusAnswer
}

// trackingRoutes registers the operations on orders' positions and statuses.
func (s *Server) trackingRoutes() {
	handle(s, "getOrderStatus", reading[OrderPath](func(o *domain.Order, err error) (*statusOut, error) {
		if err != nil {
			return nil, err
		}
		return &statusOut{transport.ETag(o.Version), statusAnswer{o.ID, o.Status, o.Version, o.UpdatedAt, o.Status.Next()}}, nil
	}, s.Orders.Get))
	handle(s, "getOrderEvents", listing[OrderPath](func(list []domain.Event) eventList { return eventList{list} }, s.Orders.Events))
	handle(s, "trackOrder", reading[OrderPath](bodyOf, s.Tracking.Track))
	handle(s, "estimateDelivery", reading[OrderPath](bodyOf, s.Orders.DeliveryTime))
}

const geoJSONType = "application/geo+json"

type courierTrackIn struct {
	CourierPath
	From   Moment        `query:"from" doc:"default: a day before to"`
	To     Moment        `query:"to" doc:"default: now"`
	Limit  optional[int] `query:"limit" minimum:"2" maximum:"50000" doc:"maximum number of points; default 5000. A longer track is simplified."`
	Format string        `query:"format" enum:"json,geojson" doc:"geojson, or Accept: application/geo+json, for a GeoJSON feature (RFC 7946)"`
	Accept string        `header:"Accept" hidden:"true"`
}

type courierTrackOut struct {
	ContentType string `header:"Content-Type"`
	Body        trackBody
}

// trackBody is a track in our own format or as GeoJSON.
type trackBody struct{ value any }

// MarshalJSON encodes whichever format is set.
func (b trackBody) MarshalJSON() ([]byte, error) { return json.Marshal(b.value) }

// Schema is that of our own format.
func (trackBody) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[tracking.CourierTrack](), true, "")
}

// courierTrackRoutes show dispatchers where couriers were.
func (s *Server) courierTrackRoutes() {
	handle(s, "trackCourier", s.courierTrack)
	feature := s.schemas().Schema(reflect.TypeFor[geoJSON](), true, "")
	s.api.OpenAPI().Paths[operations()["trackCourier"].path].Get.Responses["200"].Content[geoJSONType] = &huma.MediaType{
		Schema: feature, Example: geoJSONOf(&tracking.CourierTrack{
			CourierID: exampleCourier, From: exampleTime.Add(-time.Hour), To: exampleTime, Complete: true,
			Trail: []domain.Position{{Lat: 55.7551, Lon: 37.6052, RecordedAt: exampleTime}},
		}),
	}
	members := s.schemas().SchemaFromRef(feature.Ref).Properties
	members["geometry"] = &huma.Schema{AnyOf: []*huma.Schema{members["geometry"], {Type: "null"}}}
}

func (s *Server) courierTrack(ctx context.Context, in *courierTrackIn) (*courierTrackOut, error) {
	if in.Format != "" && in.Format != "json" && in.Format != "geojson" {
		return nil, domain.Invalid("/format", "unknown_format", "must be json or geojson")
	}
	r := tracking.TrackRequest{From: in.From.Time, To: in.To.Time}
	if in.Limit.Set {
		if r.Limit = in.Limit.Value; r.Limit == 0 {
			r.Limit = -1 // an explicit 0 is not an absent limit
		}
	}
	t, err := s.Tracking.CourierTrack(ctx, in.ID, r)
	if err != nil {
		return nil, err
	}
	if in.Format == "geojson" || in.Format == "" && prefersGeoJSON(in.Accept) {
		return &courierTrackOut{ContentType: geoJSONType, Body: trackBody{geoJSONOf(t)}}, nil
	}
	return &courierTrackOut{ContentType: jsonType, Body: trackBody{t}}, nil
}

// prefersGeoJSON reports whether GeoJSON is listed before JSON.
func prefersGeoJSON(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		media, _, err := mime.ParseMediaType(part)
		if err == nil && (media == geoJSONType || media == jsonType) {
			return media == geoJSONType
		}
	}
	return false
}

// geoJSON converts a track to a feature: a line, a point when there is only one place, or no geometry.
type geoJSON struct {
	Type       string         `json:"type"`
	Geometry   *geometry      `json:"geometry"`
	Properties map[string]any `json:"properties"`
}

type geometry struct {
	Type        string `json:"type"`
	Coordinates any    `json:"coordinates"`
}

func geoJSONOf(t *tracking.CourierTrack) geoJSON {
	trail := domain.Line(t.Trail)
	line, times := make([][2]float64, len(trail)), make([]time.Time, len(trail))
	for i, p := range trail {
		line[i], times[i] = [2]float64{p.Lon, p.Lat}, p.RecordedAt
	}
	out := geoJSON{Type: "Feature", Properties: map[string]any{
		"courier_id": t.CourierID, "from": t.From, "to": t.To, "times": times, "complete": t.Complete,
	}}
	switch len(line) {
	case 0:
	case 1:
		out.Geometry = &geometry{"Point", line[0]}
	default:
		if parts := cutAtDateLine(line); len(parts) > 1 {
			out.Geometry = &geometry{"MultiLineString", parts}
		} else {
			out.Geometry = &geometry{"LineString", line}
		}
	}
	return out
}

// cutAtDateLine splits a track where it crosses 180° (RFC 7946, 3.1.9).
func cutAtDateLine(line [][2]float64) (parts [][][2]float64) {
	part := [][2]float64{line[0]}
	for i, to := range line[1:] {
		from := line[i]
		if math.Abs(to[0]-from[0]) > 180 {
			side := math.Copysign(180, from[0])
			beyond := to[0] + 2*side
			lat := from[1]
			if beyond != from[0] {
				lat += (to[1] - from[1]) * (side - from[0]) / (beyond - from[0])
			}
			parts = append(parts, append(part, [2]float64{side, lat}))
			part = [][2]float64{{-side, lat}}
		}
		part = append(part, to)
	}
	return append(parts, part)
}
