package domain_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

func TestTermsOfADraft(t *testing.T) {
	noon := time.Date(2026, 5, 4, 12, 0, 0, 123, time.FixedZone("", 3600))
	d := domain.Draft{
		Customer: domain.Customer{Name: "A"}, Dropoff: &domain.Place{Address: "B"}, DeliverAfter: &noon,
		DeliverBefore: new(noon.Add(time.Hour)), Timezone: "Europe/Moscow", Priority: 9,
		Requirements: &domain.Requirements{Skills: []string{"fridge"}, Vehicle: []domain.Vehicle{"van"}},
	}
	got, err := d.Normalize("")
	require.NoError(t, err)
	require.Equal(t, domain.Timestamp(noon), *got.DeliverAfter)
	o, _ := domain.NewOrder(got, domain.By{Now: noon})
	require.Equal(t, "Europe/Moscow", o.Zone().String())
	require.Equal(t, got, o.Draft())

	d.DeliverBefore, d.Timezone, d.Priority = &noon, "Local", 10
	d.Requirements = &domain.Requirements{Skills: []string{" "}, Vehicle: []domain.Vehicle{"van", "sled"}}
	_, err = d.Normalize("")
	var pointers []string
	for _, f := range err.(*domain.Error).Faults { //nolint:errorlint // it is one
		pointers = append(pointers, f.Pointer)
	}
	require.ElementsMatch(t, []string{"/deliver_before", "/timezone", "/priority", "/requirements/skills/0", "/requirements/vehicle/1"}, pointers)
}

func TestTermsAreEdited(t *testing.T) {
	noon := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	d, err := domain.Draft{Customer: domain.Customer{Name: "A"}, Dropoff: &domain.Place{Address: "B"}, DeliverAfter: &noon}.Normalize("")
	require.NoError(t, err)
	by := domain.By{Now: noon}
	o, _ := domain.NewOrder(d, by)
	_, err = o.Edit(domain.Edit{DeliverBefore: &noon}, "", by)
	require.Equal(t, domain.CodeValidationFailed, domain.CodeOf(err), "before what the order has as deliver_after")
	events, err := o.Edit(domain.Edit{
		DeliverBefore: new(noon.Add(time.Minute)), Priority: new(3), Timezone: new("Asia/Tokyo"),
		Requirements: &domain.Requirements{Skills: []string{"fridge"}},
	}, "", by)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"deliver_before", "priority", "timezone", "requirements"}, events[0].Data["fields"])
	_, err = o.Edit(domain.Edit{Clear: []string{"deliver_after", "deliver_before", "priority", "timezone", "requirements"}}, "", by)
	require.NoError(t, err)
	require.Equal(t, d.Customer, o.Draft().Customer)
	require.Nil(t, o.DeliverAfter)
	require.Nil(t, o.DeliverBefore)
	require.Nil(t, o.Requirements)
	require.Zero(t, o.Priority)
	require.Equal(t, time.UTC, o.Zone())
}

func TestRequirementsAreMet(t *testing.T) {
	met := func(r domain.Requirements) bool { return r.MetBy(domain.VehicleVan, []string{"fridge"}) }
	require.True(t, met(domain.Requirements{}))
	require.True(t, met(domain.Requirements{Skills: []string{"fridge"}, Vehicle: []domain.Vehicle{"car", "van"}}))
	require.False(t, met(domain.Requirements{Skills: []string{"fridge", "id"}}))
	require.False(t, met(domain.Requirements{Vehicle: []domain.Vehicle{"car"}}))
}

func TestCouriersHaveSkillsAndABase(t *testing.T) {
	base := domain.Point{Lat: 1, Lon: 2}
	c, err := domain.NewCourier(domain.CourierEdit{Name: new("A"), Skills: &[]string{"fridge"}, Base: &base}, "", time.Now())
	require.NoError(t, err)
	require.Equal(t, []string{"fridge"}, c.Skills)
	require.NoError(t, c.Edit(domain.CourierEdit{Skills: &[]string{}}, "", 0, &domain.Caller{}, time.Now()))
	require.Empty(t, c.Skills)
	require.Equal(t, base, *c.Base)
	require.Error(t, c.Edit(domain.CourierEdit{Base: &domain.Point{Lat: 99}}, "", 0, &domain.Caller{}, time.Now()))
}

// The payment is changed until a parcel carries it; what was received stays.
func TestPaymentIsEditedBeforeTheBooking(t *testing.T) {
	by := domain.By{Now: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)}
	o := &domain.Order{ID: domain.NewID(), Status: domain.StatusCreated, Version: 1, Payment: &domain.Payment{Due: &domain.Money{Amount: 100, Currency: "RUB"}, Received: &domain.Money{Amount: 50, Currency: "RUB"}}}
	events, err := o.Edit(domain.Edit{Payment: &domain.Payment{Due: &domain.Money{Amount: 300, Currency: "KZT"}, Method: "card"}}, "RU", by)
	require.NoError(t, err)
	require.Len(t, events, 1)
	require.Equal(t, &domain.Payment{Due: &domain.Money{Amount: 300, Currency: "KZT"}, Method: "card", Received: &domain.Money{Amount: 50, Currency: "RUB"}}, o.Payment)
	_, err = o.Edit(domain.Edit{Payment: &domain.Payment{Due: &domain.Money{Amount: 1, Currency: "RUB"}, Method: domain.PrepaidMethod}}, "RU", by)
	require.Equal(t, domain.CodeValidationFailed, domain.CodeOf(err))

	o.Shipment = &domain.Shipment{Carrier: "cdek", Phase: domain.PhaseRegistered}
	_, err = o.Edit(domain.Edit{Payment: &domain.Payment{Due: &domain.Money{Amount: 1, Currency: "RUB"}}}, "RU", by)
	require.Equal(t, domain.CodeIllegalTransition, domain.CodeOf(err))
	_, err = o.Edit(domain.Edit{Clear: []string{"payment"}}, "RU", by)
	require.Equal(t, domain.CodeIllegalTransition, domain.CodeOf(err))
	o.Shipment.Phase = domain.PhaseCancelled
	_, err = o.Edit(domain.Edit{Clear: []string{"payment"}}, "RU", by)
	require.NoError(t, err)
	require.Equal(t, &domain.Payment{Received: &domain.Money{Amount: 50, Currency: "RUB"}}, o.Payment)
}
