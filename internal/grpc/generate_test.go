package grpcserver

import (
	"time"

	"pgregory.net/rapid"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Generators of domain values, complete enough to cover every field both set and absent.
var (
	text  = rapid.StringN(0, 12, -1)
	id    = rapid.StringMatching(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}`)
	texts = rapid.MapOfN(text, text, 0, 3)

	moment = rapid.Map(rapid.Int64Range(0, 4e15), func(us int64) time.Time { return time.UnixMicro(us).UTC() })

	point = rapid.Custom(func(t *rapid.T) domain.Point {
		return domain.Point{Lat: rapid.Float64Range(-90, 90).Draw(t, "lat"), Lon: rapid.Float64Range(-180, 180).Draw(t, "lon")}
	})
	money = rapid.Custom(func(t *rapid.T) domain.Money {
		return domain.Money{Amount: rapid.Int64Range(0, 1<<52).Draw(t, "amount"), Currency: text.Draw(t, "currency")}
	})
	place = rapid.Custom(func(t *rapid.T) domain.Place {
		return domain.Place{Address: text.Draw(t, "address"), Location: maybe(point).Draw(t, "location"), Notes: text.Draw(t, "notes")}
	})
	item = rapid.Custom(func(t *rapid.T) domain.Item {
		return domain.Item{
			Name: text.Draw(t, "name"), SKU: text.Draw(t, "sku"), Quantity: rapid.IntRange(0, domain.MaxQuantity).Draw(t, "quantity"),
			Price: maybe(money).Draw(t, "price"), WeightG: rapid.IntRange(0, domain.MaxWeightG).Draw(t, "weight"),
		}
	})
	estimate = rapid.Custom(func(t *rapid.T) domain.Estimate {
		return domain.Estimate{
			OrderID: id.Draw(t, "order"), ETA: moment.Draw(t, "eta"), Earliest: moment.Draw(t, "earliest"),
			Latest: moment.Draw(t, "latest"), MinutesRemaining: rapid.IntRange(0, 1e6).Draw(t, "minutes"),
			DistanceM: maybe(rapid.Float64Range(0, 1e7)).Draw(t, "distance"), Method: domain.MethodDefault,
			Confidence: rapid.Float64Range(0, 1).Draw(t, "confidence"), ComputedAt: moment.Draw(t, "computed"),
		}
	})
	position = rapid.Custom(func(t *rapid.T) *domain.Position {
		number := maybe(rapid.Float64Range(0, 100))
		at := point.Draw(t, "at")
		return &domain.Position{
			Lat: at.Lat, Lon: at.Lon, Accuracy: number.Draw(t, "accuracy"), Speed: number.Draw(t, "speed"),
			Heading: number.Draw(t, "heading"), Altitude: number.Draw(t, "altitude"), Battery: number.Draw(t, "battery"),
			RecordedAt: moment.Draw(t, "recorded"), ReceivedAt: moment.Draw(t, "received"),
		}
	})
	period = rapid.Custom(func(t *rapid.T) domain.DeliveryPeriod {
		return domain.DeliveryPeriod{Earliest: moment.Draw(t, "earliest"), Latest: moment.Draw(t, "latest")}
	})
	warning = rapid.Custom(func(t *rapid.T) domain.CarrierMessage {
		return domain.CarrierMessage{Code: text.Draw(t, "code"), Message: text.Draw(t, "message")}
	})
	scan = rapid.Custom(func(t *rapid.T) domain.CarrierEvent {
		return domain.CarrierEvent{
			ID: text.Draw(t, "id"), Kind: domain.CarrierScan, Code: text.Draw(t, "code"), Text: text.Draw(t, "text"),
			Status: rapid.SampledFrom(append(domain.Statuses(), "")).Draw(t, "status"), Detail: text.Draw(t, "detail"),
			ReasonCode: text.Draw(t, "reason code"), Reason: text.Draw(t, "reason"), Exception: text.Draw(t, "exception"),
			OccurredAt: moment.Draw(t, "occurred"), City: text.Draw(t, "city"), Value: text.Draw(t, "value"),
			Unknown: rapid.Bool().Draw(t, "unknown"), Retracted: rapid.Bool().Draw(t, "retracted"),
		}
	})
	shipment = rapid.Custom(func(t *rapid.T) domain.Shipment {
		return domain.Shipment{
			Carrier: text.Draw(t, "carrier"), TrackingNumber: text.Draw(t, "number"), Reference: text.Draw(t, "reference"),
			CarrierStatus: text.Draw(t, "status"), CarrierStatusText: text.Draw(t, "status text"), Phase: domain.PhaseRegistered,
			Tariff: text.Draw(t, "tariff"), Price: maybe(money).Draw(t, "price"), LabelURL: text.Draw(t, "label"),
			Expected: maybe(period).Draw(t, "expected"), Warnings: rapid.SliceOfN(warning, 0, 2).Draw(t, "warnings"),
			Events: rapid.SliceOfN(scan, 0, 2).Draw(t, "events"),
		}
	})
	order   = rapid.Custom(drawOrder)
	courier = rapid.Custom(func(t *rapid.T) *domain.Courier {
		return &domain.Courier{
			ID: id.Draw(t, "id"), Name: text.Draw(t, "name"), Phone: text.Draw(t, "phone"),
			Vehicle:  rapid.SampledFrom(domain.Vehicles()).Draw(t, "vehicle"),
			Capacity: rapid.IntRange(1, 1000).Draw(t, "capacity"), OnDuty: rapid.Bool().Draw(t, "on duty"),
			ActiveOrders: rapid.IntRange(0, 9).Draw(t, "active"), Position: rapid.OneOf(rapid.Just[*domain.Position](nil), position).Draw(t, "position"),
			Metadata: texts.Draw(t, "metadata"), CreatedAt: moment.Draw(t, "created"), UpdatedAt: moment.Draw(t, "updated"),
		}
	})
	event = rapid.Custom(func(t *rapid.T) domain.Event {
		return domain.Event{
			ID: id.Draw(t, "id"), OrderID: id.Draw(t, "order"), Seq: rapid.Int64Range(1, 1<<52).Draw(t, "seq"),
			Version: rapid.Int64Range(1, 1<<52).Draw(t, "version"), Type: domain.EventStatusChanged,
			Status:         rapid.SampledFrom(domain.Statuses()).Draw(t, "status"),
			PreviousStatus: rapid.SampledFrom(append(domain.Statuses(), "")).Draw(t, "previous"),
			OccurredAt:     moment.Draw(t, "occurred"), RecordedAt: moment.Draw(t, "recorded"),
			Actor:  domain.Actor{Kind: domain.RoleCourier, ID: text.Draw(t, "actor")},
			Source: text.Draw(t, "source"), Reason: text.Draw(t, "reason"), Location: maybe(point).Draw(t, "location"),
			Data: rapid.SampledFrom([]map[string]any{
				nil, {"courier_id": "c"}, {"fields": []string{"notes"}, "proof": map[string]any{"code": "1"}},
			}).Draw(t, "data"),
		}
	})
)

func drawOrder(t *rapid.T) *domain.Order {
	return &domain.Order{
		ID: id.Draw(t, "id"), Number: text.Draw(t, "number"), ExternalID: text.Draw(t, "external"),
		MerchantID: text.Draw(t, "merchant"), Status: rapid.SampledFrom(domain.Statuses()).Draw(t, "status"),
		Version: rapid.Int64Range(1, 1<<52).Draw(t, "version"),
		Customer: domain.Customer{
			Name: text.Draw(t, "name"), Phone: text.Draw(t, "phone"), Email: text.Draw(t, "email"), Locale: text.Draw(t, "locale"),
		},
		Pickup: maybe(place).Draw(t, "pickup"), Dropoff: place.Draw(t, "dropoff"),
		Items: rapid.SliceOfN(item, 0, 3).Draw(t, "items"), Total: maybe(money).Draw(t, "total"),
		Notes: text.Draw(t, "notes"), Metadata: texts.Draw(t, "metadata"), CourierID: text.Draw(t, "courier"),
		Shipment: maybe(shipment).Draw(t, "shipment"),
		ReadyAt:  maybe(moment).Draw(t, "ready"), PromisedAt: maybe(moment).Draw(t, "promised"),
		ETA: maybe(estimate).Draw(t, "eta"), Attempts: rapid.IntRange(0, 9).Draw(t, "attempts"),
		Exception: maybe(rapid.Map(moment, func(since time.Time) domain.Exception {
			return domain.Exception{Code: "on_hold", Detail: "customs", Since: since}
		})).Draw(t, "exception"),
		CreatedAt: moment.Draw(t, "created"), UpdatedAt: moment.Draw(t, "updated"),
		DeliveredAt: maybe(moment).Draw(t, "delivered"), CancelledAt: maybe(moment).Draw(t, "cancelled"),
	}
}

// maybe returns a value or nothing.
func maybe[T any](g *rapid.Generator[T]) *rapid.Generator[*T] { return rapid.Ptr(g, true) }
