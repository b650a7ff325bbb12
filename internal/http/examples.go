package httpserver

import (
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/orders"
	"github.com/order-tracking/order-tracking/internal/shipping"
	"github.com/order-tracking/order-tracking/internal/tracking"
)

// The examples of the document tell one story; being made of the domain's own
// types they can't have the wrong shape.
var (
	exampleTime    = time.Date(2026, 5, 4, 12, 30, 0, 0, time.UTC)
	exampleID      = "0190b7a1-7d3c-7c1e-9f3a-2b1c5d6e7f80"
	exampleCarrier = "0190b7a1-8f00-7a51-8d6e-1a2b3c4d5e6f"
	exampleNote    = "0190b7a2-1111-7aaa-8bbb-0123456789ab"
	exampleActor   = domain.Actor{Kind: domain.RoleAdmin, ID: "local"}

	exampleDropoff = domain.Place{
		Address: "Tverskaya 7, Moscow", Location: &domain.Point{Lat: 55.7586, Lon: 37.6137}, Notes: "the green door",
	}
	examplePickup = domain.Place{Address: "Arbat 10, Moscow", Location: &domain.Point{Lat: 55.7522, Lon: 37.5989}}
	examplePerson = domain.Customer{Name: "Anna Petrova", Phone: "+79161234567", Locale: "ru"}
	exampleItems  = []domain.Item{{Name: "Pizza", SKU: "P-1", Quantity: 2, Price: &domain.Money{Amount: 64950, Currency: "RUB"}}}
	exampleTotal  = domain.Money{Amount: 129900, Currency: "RUB"}

	exampleDraft = domain.Draft{
		ExternalID: "shop-1042", Customer: examplePerson, Pickup: &examplePickup, Dropoff: &exampleDropoff,
		Items: exampleItems, Total: &exampleTotal, Metadata: map[string]string{"channel": "web"},
	}
	exampleEstimate = domain.Estimate{
		OrderID: exampleID, ETA: exampleTime.Add(40 * time.Minute), Earliest: exampleTime.Add(25 * time.Minute),
		Latest: exampleTime.Add(70 * time.Minute), MinutesRemaining: 40, Method: domain.MethodDefault,
		Confidence: 0.3, ComputedAt: exampleTime,
	}
	exampleOrder = &domain.Order{
		ID: exampleID, Number: "7K2-9QF-M4X", ExternalID: "shop-1042", Status: domain.StatusCreated, Version: 1,
		Customer: examplePerson, Pickup: &examplePickup, Dropoff: exampleDropoff, Items: exampleItems, Total: &exampleTotal,
		Metadata: map[string]string{"channel": "web"}, ETA: &exampleEstimate, CreatedAt: exampleTime, UpdatedAt: exampleTime,
	}
	exampleOrders = orderPage{Orders: []*domain.Order{exampleOrder}, Next: "eyJhIjp7fX0"}
	exampleNotes  = "ring twice"
	examplePatch  = orderPatch{Notes: &exampleNotes, PromisedAt: &exampleTime}
	exampleStep   = orders.StatusChange{
		Status: domain.StatusDelivered, OccurredAt: &exampleTime, Location: exampleDropoff.Location,
		Proof: &domain.Proof{Recipient: "Anna"},
	}
	exampleAssignment = orders.Assignment{CourierID: exampleCarrier}
	exampleNotice     = orders.Notice{Template: "arriving"}
	exampleNotified   = orders.Notified{
		NotificationID: exampleNote, Deliveries: []orders.Delivery{{Channel: orders.ChannelLive, Status: "sent"}},
	}
	exampleStatus = statusAnswer{
		OrderID: exampleID, Status: domain.StatusCreated, Version: 1, UpdatedAt: exampleTime, Allowed: domain.StatusCreated.Next(),
	}
	exampleEvent = domain.Event{
		ID: exampleNote, OrderID: exampleID, Seq: 1, Version: 1, Type: domain.EventCreated, Status: domain.StatusCreated,
		OccurredAt: exampleTime, RecordedAt: exampleTime, Actor: exampleActor, Source: domain.SourceAPI,
	}
	exampleTrack = &tracking.Track{
		OrderID: exampleID, Status: domain.StatusCreated, Trail: []domain.Position{},
		Timeline: []domain.Event{exampleEvent}, ETA: &exampleEstimate,
	}

	exampleSpeed    = 4.2
	examplePosition = domain.Position{
		Lat: 55.7551, Lon: 37.6052, Speed: &exampleSpeed, RecordedAt: exampleTime, ReceivedAt: exampleTime,
	}
	examplePositionIn = map[string]any{"lat": 55.7551, "lon": 37.6052, "speed": exampleSpeed, "recorded_at": exampleTime}
	exampleOnboarded  = onboarded{ //nolint:gosec // a token that opens nothing
		ID: exampleNote, Token: "QX3VZ4M7T5K2A6BD4RWEHYLFPC", CreatedAt: exampleTime, Apps: exampleApps(),
	}
	exampleCourierTrack = &tracking.CourierTrack{
		CourierID: exampleCarrier, From: exampleTime.Add(-time.Hour), To: exampleTime,
		Trail: []domain.Position{examplePosition}, Polyline: "aekrHecsdF", Complete: true,
	}
	exampleOsmand = osmandBody{Device: "48241179", Location: map[string]any{
		"timestamp": "2026-05-04T12:30:00.000Z", "coords": map[string]any{"latitude": 55.7551, "longitude": 37.6052, "accuracy": 5, "speed": 4.2},
		"battery": map[string]any{"level": 0.8, "is_charging": false},
	}}
	exampleOwnTracks   = ownTracksBody{Type: "location", Lat: 55.7551, Lon: 37.6052, Time: exampleTime.Unix(), Velocity: 15, Tracker: "ab"}
	exampleLocated     = tracking.Located{Position: examplePosition, AgeSeconds: 2.5}
	exampleName        = "Ivan Sokolov"
	exampleVehicle     = domain.VehicleBicycle
	exampleDuty        = false
	exampleCourierEdit = domain.CourierEdit{OnDuty: &exampleDuty}
	exampleNewCourier  = newCourier{Name: exampleName, CourierEdit: domain.CourierEdit{Vehicle: &exampleVehicle}}
	exampleCourier     = &domain.Courier{
		ID: exampleCarrier, Name: exampleName, Vehicle: exampleVehicle, Capacity: 3, OnDuty: true,
		Position: &examplePosition, CreatedAt: exampleTime, UpdatedAt: exampleTime,
	}

	exampleShipmentDraft = shipping.ShipmentDraft{
		Carrier: "cdek", Booking: domain.Booking{Tariff: domain.TariffCheapest, Packages: []domain.Package{{WeightG: 1500}}},
	}
	examplePeriod   = domain.DeliveryPeriod{Earliest: exampleTime.AddDate(0, 0, 3), Latest: exampleTime.AddDate(0, 0, 5)}
	exampleShipment = &domain.Shipment{
		Carrier: "cdek", TrackingNumber: "1106094897", Reference: "7K2-9QF-M4X-MOR0K1", CarrierStatus: "RECEIVED_AT_SHIPMENT_WAREHOUSE",
		CarrierStatusText: "Принят на склад отправителя", Phase: domain.PhaseRegistered, Tariff: "139",
		Price: &domain.Money{Amount: 52200, Currency: "RUB"}, LabelURL: "/order/" + exampleID + "/shipment/label", Expected: &examplePeriod,
		Events: []domain.CarrierEvent{{
			ID: "a93fd1b1:RECEIVED_AT_SHIPMENT_WAREHOUSE:20260504T123000Z:Москва", Kind: domain.CarrierScan,
			Code: "RECEIVED_AT_SHIPMENT_WAREHOUSE", Text: "Принят на склад отправителя", Status: domain.StatusPickedUp,
			OccurredAt: exampleTime, City: "Москва",
		}},
	}
	exampleQuote = domain.Quote{
		Carrier: "cdek", Tariff: "139", Name: "Посылка дверь-дверь", Mode: "door-door", Price: domain.Money{Amount: 49500, Currency: "RUB"},
		DaysMin: 3, DaysMax: 5, Expected: examplePeriod,
	}
	examplePoint = domain.DeliveryPoint{
		Carrier: "cdek", Code: "MSK5", Kind: domain.PointOffice, Name: "MSK5, Москва", Address: "ул. Первая, 1", City: "Москва",
		Location: &domain.Point{Lat: 55.7522, Lon: 37.5989}, Hours: "Пн-Вс 09:00-21:00", HandsOut: true, TakesIn: true, Cards: true,
	}
)

func exampleApps() []phoneApp {
	const report = "https://track.example/ingest/"
	return []phoneApp{
		{App: "traccar", URL: report + "osmand/QX3V", DeepLink: "org.traccar.client://config?url=", QR: "data:image/png;base64,"},
		{App: "owntracks", URL: report + "owntracks/QX3V", DeepLink: "owntracks:///config?inline=", QR: "data:image/png;base64,"},
	}
}
