package cdek_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/carrier"
	"github.com/order-tracking/order-tracking/internal/carrier/carriertest"
	"github.com/order-tracking/order-tracking/internal/carrier/cdek"
	"github.com/order-tracking/order-tracking/internal/carrier/cdek/sandbox"
	"github.com/order-tracking/order-tracking/internal/domain"
)

func TestConforms(t *testing.T) {
	request := domain.ShipmentRequest{
		ClientRef: "A-1", Tariff: "139", Recipient: domain.Customer{Name: "Anna", Phone: "+79161234567"},
		From: domain.Stop{City: "44", Place: domain.Place{Address: "ул. Складская, 1"}}, To: domain.Stop{City: "270", Place: domain.Place{Address: "ул. Ленина, 1"}},
		Items: []domain.Item{{Name: "Чай", Quantity: 1}},
	}
	carriertest.Run(t, func(t *testing.T) carriertest.Case {
		now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
		s := sandbox.New(sandbox.Options{Now: func() time.Time { return now }})
		c := cdek.New(cdek.Config{BaseURL: "http://cdek.test/v2", HTTP: s.Client(), Account: "a", Secret: "b", Limits: carrier.Limits{Attempts: 1}})
		return carriertest.Case{
			Carrier: c, Faults: &s.Faults, Request: request, Parcels: func() int { return len(s.Booked()) },
			Parcel: func(t *testing.T) domain.ShipmentRef {
				snap, err := c.CreateShipment(t.Context(), request)
				require.NoError(t, err)
				now = now.Add(time.Minute)
				return snap.Ref
			},
		}
	})
}
