package domain

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestInstructionsAreTakenUntilTheCourierIsNear(t *testing.T) {
	by := By{Actor: Actor{Kind: RoleCustomer, ID: "link"}, Source: SourceAPI, Now: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}
	for _, status := range Statuses() {
		o := &Order{ID: NewID(), Status: status, Version: 3}
		events, err := o.Instruct(Instructions{Text: "code 42"}, by)
		late := status.Terminal() || status == StatusAtDropoff || status == StatusReadyForPickup || status == StatusReturning
		if late {
			require.Equal(t, CodeOrderFinished, CodeOf(err), status)
			require.Empty(t, o.Instructions)
			require.EqualValues(t, 3, o.Version)
			continue
		}
		require.NoError(t, err, status)
		require.Len(t, events, 1)
		require.Equal(t, EventChanged, events[0].Type)
		require.EqualValues(t, 4, o.Version)
		again, err := o.Instruct(Instructions{Text: "code 42"}, by)
		require.NoError(t, err)
		require.Empty(t, again, "the same once more changes nothing")
	}
	o := &Order{ID: NewID(), Status: StatusOutForDelivery, Bookkeeping: Bookkeeping{SentOnce: map[string]bool{string(EventCourierNear): true}}}
	_, err := o.Instruct(Instructions{Text: "code 42"}, by)
	require.Equal(t, CodeOrderFinished, CodeOf(err))
}

func TestOnlyDeliveriesAreRated(t *testing.T) {
	by := By{Actor: Actor{Kind: RoleCustomer, ID: "link"}, Source: SourceAPI, Now: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}
	for _, status := range Statuses() {
		o := &Order{ID: NewID(), Status: status, Version: 3}
		events, err := o.Rate(Rating{Stars: 4}, by)
		if status != StatusDelivered {
			require.Equal(t, CodeIllegalTransition, CodeOf(err), status)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, EventRated, events[0].Type)
		require.False(t, events[0].Note(), "it changes the order")
		_, err = o.Rate(Rating{Stars: 5, Text: "thanks"}, by)
		require.NoError(t, err)
		require.Equal(t, Rating{Stars: 5, Text: "thanks"}, *o.Rating)
		require.EqualValues(t, 5, o.Version)
	}
}
