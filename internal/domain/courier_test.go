package domain

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOnDutyOnly(t *testing.T) {
	require.True(t, CourierEdit{OnDuty: new(false)}.OnDutyOnly())
	for _, more := range []CourierEdit{{Name: new("X")}, {Capacity: new(1)}, {Metadata: map[string]string{"a": "b"}}, {Clear: []string{"phone"}}} {
		more.OnDuty = new(true)
		require.False(t, more.OnDutyOnly())
	}
}

func TestBreaks(t *testing.T) {
	began := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	c, err := NewCourier(CourierEdit{Name: new("Ann")}, "", began)
	require.NoError(t, err)
	edit := func(e CourierEdit, at time.Time) error { return c.Edit(e, "", 0, &Caller{}, at) }
	require.NoError(t, edit(CourierEdit{OnBreak: new(true)}, began.Add(time.Hour)))
	require.False(t, c.OnDuty, "no new orders")
	require.Equal(t, began.Add(time.Hour), *c.BreakSince)
	require.NoError(t, edit(CourierEdit{OnBreak: new(true)}, began.Add(2*time.Hour)))
	require.Equal(t, began.Add(time.Hour), *c.BreakSince, "the same break")
	require.NoError(t, edit(CourierEdit{Capacity: new(3)}, began.Add(2*time.Hour)))
	require.NotNil(t, c.BreakSince)
	require.Error(t, edit(CourierEdit{OnBreak: new(true), OnDuty: new(true)}, began.Add(2*time.Hour)))
	require.NoError(t, edit(CourierEdit{OnDuty: new(true)}, began.Add(3*time.Hour)))
	require.True(t, c.OnDuty)
	require.Nil(t, c.BreakSince)
	require.NoError(t, edit(CourierEdit{OnBreak: new(true), OnDuty: new(false)}, began.Add(4*time.Hour)))
	require.NoError(t, edit(CourierEdit{OnDuty: new(false)}, began.Add(5*time.Hour)))
	require.Nil(t, c.BreakSince, "the shift is over")
}

func TestCollectedMoney(t *testing.T) {
	by := By{Now: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)}
	o := &Order{Payment: &Payment{Due: &Money{Amount: 100, Currency: "EUR"}}}
	for at, bad := range map[string]struct {
		to Status
		m  Money
	}{
		"/received":          {StatusAtDropoff, Money{Amount: 100, Currency: "EUR"}},
		"/received/currency": {StatusDelivered, Money{Amount: 100, Currency: "USD"}},
		"/received/amount":   {StatusDelivered, Money{Amount: -1, Currency: "EUR"}},
	} {
		_, err := o.Collect(bad.to, &bad.m, by)
		var e *Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, at, e.Faults[0].Pointer)
	}
	require.Nil(t, o.Payment.Received)
	got := &Money{Amount: 90, Currency: "EUR"}
	events, err := o.Collect(StatusDelivered, got, by)
	require.NoError(t, err)
	require.Len(t, events, 1)
	require.Equal(t, EventPaymentReceived, events[0].Type)
	require.Equal(t, *got, events[0].Data["received"])
	require.Equal(t, got, o.Payment.Received)
	events, err = o.Collect(StatusDelivered, got, by)
	require.NoError(t, err)
	require.Empty(t, events, "the same again")
}
