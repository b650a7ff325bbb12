package tests

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/carrier/cdek/sandbox"
	ordertrackingv1 "github.com/order-tracking/order-tracking/proto/ordertracking/v1"
)

// emulated starts an emulator whose parcels move only when told, and returns it with the
// flags of a server that uses it.
func emulated(t testing.TB, options ...sandbox.Options) (*sandbox.Server, []string) {
	life, end := context.WithCancel(context.WithoutCancel(t.Context()))
	emulator := sandbox.New(append(options, sandbox.Options{})[0])
	base, done, err := emulator.Listen(life)
	require.NoError(t, err)
	t.Cleanup(func() { end(); <-done })
	return emulator, []string{
		"--set=carriers.cdek.base_url=" + base, "--set=carriers.cdek.account=a", "--set=carriers.cdek.secret=b",
		"--set=carriers.cdek.from_city=44", "--set=carriers.cdek.from_address=x",
	}
}

// Both APIs do the same with a parcel, from the booking to the paid refusal.
func TestParcels(t *testing.T) {
	t.Parallel() // it waits for most of its time
	var emulator *sandbox.Server
	flags := func(t testing.TB) (flags []string) {
		emulator, flags = emulated(t)
		return flags
	}
	bothAPIsWith(t, flags, func(t *testing.T, s *server, d api) {
		shipment := func() object {
			_, body := s.rest(t, "GET", "/orders?external_id=A1", nil, nil)
			out, _ := get(decode(t, body), "orders").([]any)
			parcel, _ := get(out[0], "shipment").(object)
			return parcel
		}
		made := d.do(t, call{op: "CreateOrder", in: object{
			"external_id": "A1", "customer": object{"name": "Anna", "phone": "+79161234567"}, "dropoff": object{"address": "ул. Ленина, 1"},
			"items": []any{object{"name": "Tea", "quantity": 2.0, "weight_g": 500.0, "price": object{"amount": 50000.0, "currency": "RUB"}}},
		}})
		id := str(made.body, "order", "id")
		require.Equal(t, "shipment_not_found", d.do(t, call{op: "GetShipment", in: object{"order_id": id}}).code)
		d.do(t, call{op: "QuoteShipment", in: object{"carrier": "cdek", "order_id": id, "tariff": "139"}})
		d.do(t, call{op: "QuoteShipment", in: object{"carrier": "pigeon", "order_id": id}})
		points := d.do(t, call{op: "ListPoints", in: object{"carrier": "cdek", "city": "Москва", "kind": "office", "cod": true, "weight_g": 2000.0, "page_size": 1.0}})
		require.Len(t, points.body["points"], 1)
		d.do(t, call{op: "ListPoints", in: object{
			"carrier": "cdek", "city": "Москва", "kind": "office", "cod": true, "weight_g": 2000.0, "page_token": str(points.body, "next_page_token"),
		}})
		d.do(t, call{op: "ListPoints", in: object{"carrier": "cdek", "city": "Москва", "page_token": str(points.body, "next_page_token")}})

		booking := object{
			"order_id": id, "carrier": "cdek", "tariff": "139", "comment": "call first",
			"to":       object{"address": "ул. Ленина, 1", "city": "Новосибирск"},
			"packages": []any{object{"weight_g": 1200.0, "length_cm": 20.0, "width_cm": 10.0, "height_cm": 10.0}},
			"services": []any{object{"code": "sms", "parameter": "+79161234567"}},
		}
		d.do(t, call{op: "BookShipment", in: object{"order_id": id, "carrier": "pigeon"}})
		d.do(t, call{op: "BookShipment", in: object{"order_id": id, "packages": []any{object{"weight_g": -1.0}}, "to": object{"country": "kz"}}})
		require.Equal(t, "139", str(d.do(t, call{op: "BookShipment", in: booking, key: "book-1"}).body, "shipment", "tariff"))
		require.True(t, d.do(t, call{op: "BookShipment", in: booking, key: "book-1"}).replayed)
		require.Equal(t, "shipment_exists", d.do(t, call{op: "BookShipment", in: booking}).code)
		eventually(t, "it is registered", func() bool { return str(shipment(), "phase") == "registered" })
		d.do(t, call{op: "GetShipment", in: object{"order_id": id}})

		d.do(t, call{op: "BookIntake", in: object{"order_id": id, "date": "tomorrow", "from": "10", "to": "9:00"}})
		day := time.Now().AddDate(0, 0, 1).Format(time.DateOnly)
		require.Equal(t, "open", str(d.do(t, call{op: "BookIntake", in: object{"order_id": id, "date": day, "from": "10:00", "to": "17:00"}}).body, "shipment", "intake", "status"))
		d.do(t, call{op: "BookIntake", in: object{"order_id": id, "date": day, "from": "10:00", "to": "17:00"}})
		d.do(t, call{op: "CancelIntake", in: object{"order_id": id}})
		d.do(t, call{op: "CancelIntake", in: object{"order_id": id}})
		d.do(t, call{op: "EditShipment", in: object{"order_id": id}})
		d.do(t, call{op: "EditShipment", in: object{"order_id": id, "comment": "leave at the door"}})
		require.Equal(t, "leave at the door", emulator.Booked()[0].Input["comment"])
		require.Equal(t, "version_conflict", d.do(t, call{op: "EditShipment", in: object{"order_id": id, "comment": "x"}, expected: 1}).code)
		d.do(t, call{op: "EditShipment", in: object{"order_id": id, "payment": object{"due": object{"amount": 100.0, "currency": "KZT"}}}})
		due := object{"amount": 150000.0, "currency": "RUB"}
		require.Equal(t, due, get(d.do(t, call{op: "EditShipment", in: object{"order_id": id, "payment": object{"due": due}}}).body, "shipment", "payment", "due"))
		require.Equal(t, "illegal_transition", d.do(t, call{op: "ResolveShipment", in: object{"order_id": id, "action": "retry"}}).code)

		days := d.do(t, call{op: "ListDeliveryIntervals", in: object{"order_id": id}})
		require.Len(t, days.body["intervals"], 6)
		d.do(t, call{op: "AgreeDelivery", in: object{"order_id": id, "date": "soon", "from": "18:00", "to": "14:00"}})
		require.Empty(t, d.do(t, call{op: "AgreeDelivery", in: object{"order_id": id, "date": day, "from": "14:00", "to": "18:00"}}).code)
		require.Equal(t, "illegal_transition", d.do(t, call{op: "ReturnShipment", in: object{"order_id": id}}).code)

		require.True(t, emulator.Report(emulator.Booked()[0].UUID, "RECEIVED_AT_SHIPMENT_WAREHOUSE", "", "Москва"))
		require.Equal(t, "paid_cancel_required", d.do(t, call{op: "CancelOrder", in: object{"order_id": id}}).code)
		d.do(t, call{op: "RefuseShipment", in: object{"order_id": id}})
		require.Zero(t, emulator.Charged())
		require.Empty(t, d.do(t, call{op: "RefuseShipment", in: object{"order_id": id, "confirm": true}}).code)
		eventually(t, "it is charged once", func() bool { emulator.Booked(); return emulator.Charged() == 1 })
		labels, err := ordertrackingv1.NewShipmentServiceClient(s.conn).GetShipmentLabels(t.Context(), &ordertrackingv1.GetShipmentLabelsRequest{OrderIds: []string{id}})
		require.NoError(t, err)
		require.Equal(t, "%PDF-", string(labels.GetPdf()[:5]))
	})
}

// What a customer sends back has its number in the order, which stays delivered.
func TestCustomersReturn(t *testing.T) {
	t.Parallel() // it waits for most of its time
	var emulator *sandbox.Server
	flags := func(t testing.TB) (flags []string) {
		emulator, flags = emulated(t)
		return flags
	}
	bothAPIsWith(t, flags, func(t *testing.T, s *server, d api) {
		made := d.do(t, call{op: "CreateOrder", in: object{"customer": object{"name": "Anna"}, "dropoff": object{"address": "ул. Ленина, 1"}}})
		id := str(made.body, "order", "id")
		d.do(t, call{op: "BookShipment", in: object{"order_id": id, "tariff": "139", "to": object{"address": "ул. Ленина, 1", "city": "Новосибирск"}}})
		seen := func(path ...any) any {
			_, body := s.rest(t, "GET", "/order/"+id, nil, nil)
			return get(decode(t, body), path...)
		}
		eventually(t, "it is registered", func() bool { return seen("shipment", "phase") == "registered" })
		day := time.Now().AddDate(0, 0, 1).Format(time.DateOnly)
		d.do(t, call{op: "AgreeDelivery", in: object{"order_id": id, "date": day, "from": "14:00", "to": "18:00"}})
		require.True(t, emulator.Report(emulator.Booked()[0].UUID, "RECEIVED_AT_SHIPMENT_WAREHOUSE", "", "Москва"))
		require.True(t, emulator.Report(emulator.Booked()[0].UUID, "DELIVERED", "", "Новосибирск"))
		eventually(t, "it is delivered", func() bool { return seen("status") == "delivered" })
		require.Equal(t, day+"T11:00:00Z", seen("shipment", "expected", "earliest"), "what was agreed, in Moscow's time")
		require.Empty(t, d.do(t, call{op: "ReturnShipment", in: object{"order_id": id, "tariff": "137"}, key: "back"}).code)
		require.True(t, d.do(t, call{op: "ReturnShipment", in: object{"order_id": id, "tariff": "137"}, key: "back"}).replayed)
		eventually(t, "its number is known", func() bool {
			return seen("shipment", "return_number") != "" && seen("shipment", "return_number") != nil
		})
		require.Equal(t, "illegal_transition", d.do(t, call{op: "ReturnShipment", in: object{"order_id": id}}).code)
		require.Equal(t, "order_finished", d.do(t, call{op: "AgreeDelivery", in: object{"order_id": id, "date": day, "from": "14:00", "to": "18:00"}}).code)
		require.Equal(t, "delivered", seen("status"))
		require.Len(t, emulator.Booked(), 2)
	})
}
