package domain

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// carried is an order on its way that needs these proofs.
func carried(t *testing.T, needs ...string) (*Order, By) {
	by := By{Actor: Actor{Kind: RoleCourier, ID: "c1"}, Source: SourceAPI, Now: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}
	d, err := Draft{Customer: Customer{Name: "Anna"}, Dropoff: &Place{Address: "x"}, ProofRequired: needs}.Normalize("RU")
	require.NoError(t, err)
	o, _ := NewOrder(d, by)
	_, err = o.Assign("c1", by)
	require.NoError(t, err)
	for _, s := range []Status{StatusPickedUp, StatusOutForDelivery} {
		_, err := o.Move(s, nil, by)
		require.NoError(t, err)
	}
	return o, by
}

func TestProofsAreOfTheAttemptAndTheCourier(t *testing.T) {
	o, by := carried(t, ProofPhoto, ProofPIN)
	bring := func(id string, p ProofRecord) {
		t.Helper()
		p.ID = id
		events, err := o.AddProof(p, by)
		require.NoError(t, err)
		require.Len(t, events, 1)
		require.True(t, events[0].Note())
	}
	require.Equal(t, []string{ProofPhoto, ProofPIN}, o.MissingProof())
	bring("1", ProofRecord{Kinds: []string{ProofPhoto}})
	require.Equal(t, []string{ProofPIN}, o.MissingProof())
	_, err := o.Move(StatusDelivered, nil, by)
	require.Equal(t, CodeProofRequired, CodeOf(err))
	require.Equal(t, []string{ProofPIN}, err.(*Error).Missing) //nolint:errorlint // as Move returns it

	_, err = o.Move(StatusDeliveryFailed, nil, by)
	require.NoError(t, err)
	require.Equal(t, []string{ProofPhoto, ProofPIN}, o.MissingProof(), "the next attempt needs its own")
	_, err = o.Move(StatusOutForDelivery, nil, by)
	require.NoError(t, err)
	bring("2", ProofRecord{Kinds: []string{ProofPhoto}, Offline: true})
	require.Empty(t, o.MissingProof(), "the photo stands in for the PIN")
	o.CourierID = "c2"
	require.Len(t, o.MissingProof(), 2, "another courier brings his own")
	o.CourierID = "c1"
	events, err := o.AddProof(ProofRecord{ID: "1"}, by)
	require.NoError(t, err)
	require.Empty(t, events, "its id is there")
	_, err = o.Move(StatusDelivered, nil, by)
	require.NoError(t, err)
}

func TestWhoNeedsNoProof(t *testing.T) {
	for _, c := range []struct {
		role   Role
		reason string
		ok     bool
	}{
		{RoleCourier, "", false}, {RoleCourier, "he knows me", false}, {RoleMerchant, "please", false},
		{RoleDispatcher, "", false}, {RoleDispatcher, "told by phone", true}, {RoleAdmin, "", false}, {RoleAdmin, "told by phone", true}, {RoleSystem, "", true},
	} {
		o, by := carried(t, ProofSignature)
		by.Actor.Kind, by.Reason = c.role, c.reason
		_, err := o.Move(StatusDelivered, nil, by)
		if c.ok {
			require.NoError(t, err, "%v", c)
		} else {
			require.Equal(t, CodeProofRequired, CodeOf(err), "%v", c)
		}
	}
	o, by := carried(t, ProofSignature)
	require.False(t, o.Observe(Report{Status: StatusDelivered, Source: "acme", OccurredAt: by.Now}, by)[0].Note())
	require.Equal(t, StatusDelivered, o.Status, "machines are not held up")
}

func TestProofsBeforeCustodyProveNoDelivery(t *testing.T) {
	o, by := carried(t, ProofPhoto)
	o.Status = StatusAssigned
	_, err := o.AddProof(ProofRecord{ID: "1", Kinds: []string{ProofPhoto}}, by)
	require.NoError(t, err)
	o.Status = StatusOutForDelivery
	require.Equal(t, []string{ProofPhoto}, o.MissingProof())
}

func TestErasedOrdersKeepNothingOfProofsAndIncidents(t *testing.T) {
	o, by := carried(t)
	_, err := o.AddProof(ProofRecord{ID: "1", Recipient: "SECRET", Note: "SECRET", PhotoURL: "/SECRET"}, by)
	require.NoError(t, err)
	_, err = o.AddIncident(Incident{ID: "2", Code: "not_there", Text: "SECRET", PhotoURL: "/SECRET"}, by)
	require.NoError(t, err)
	require.True(t, o.OpenIncident())
	_, err = o.Move(StatusDelivered, nil, by)
	require.NoError(t, err)
	o.Erase(by)
	events, err := o.CloseIncident("2", "SECRET", by)
	require.NoError(t, err)
	require.False(t, o.OpenIncident())
	text, err := json.Marshal([]any{o.Bookkeeping, events})
	require.NoError(t, err)
	require.NotContains(t, string(text), "SECRET")
	for _, add := range []func() ([]Event, error){
		func() ([]Event, error) { return o.AddProof(ProofRecord{ID: "3"}, by) },
		func() ([]Event, error) { return o.AddIncident(Incident{ID: "4"}, by) },
	} {
		_, err := add()
		require.Equal(t, CodeOrderFinished, CodeOf(err), "nothing personal comes back")
	}
}

// An order's events share nothing with what is added or closed later.
func TestIncidentsAreClosedOnce(t *testing.T) {
	o, by := carried(t)
	opened, err := o.AddIncident(Incident{ID: "1", Code: "damaged"}, by)
	require.NoError(t, err)
	closed, err := o.CloseIncident("1", "sent another", by)
	require.NoError(t, err)
	require.Len(t, closed, 1)
	require.Nil(t, opened[0].after.Bookkeeping.Incidents[0].ClosedAt)
	again, err := o.CloseIncident("1", "twice", by)
	require.NoError(t, err)
	require.Empty(t, again)
	require.Equal(t, "sent another", o.Incident("1").Resolution)
	_, err = o.CloseIncident("2", "", by)
	require.Equal(t, CodeNotFound, CodeOf(err))
}

// A phone whose clock is an hour ahead reports what just happened.
func TestClocksAreCorrected(t *testing.T) {
	o, by := carried(t)
	by.OccurredAt, by.ClockOff = by.Now.Add(59*time.Minute), -time.Hour
	events, err := o.Move(StatusDelivered, nil, by)
	require.NoError(t, err)
	require.Equal(t, by.Now.Add(-time.Minute), events[0].OccurredAt)
	o, _ = carried(t)
	by.ClockOff = 0
	_, err = o.Move(StatusDelivered, nil, by)
	require.Equal(t, CodeValidationFailed, CodeOf(err), "it is in the future")
}
