// Package carriertest is the conformance suite of delivery companies' adapters: what every
// adapter promises, whatever its company offers.
package carriertest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/carrier/emulator"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// Case is an adapter over its emulator, which keeps parcels where they are.
type Case struct {
	Carrier domain.Carrier
	Faults  *emulator.Faults
	// Parcel returns a reference that the company knows.
	Parcel func(t *testing.T) domain.ShipmentRef
	// Request is a booking that the company takes, and Parcels the number of parcels that
	// it has; of adapters that book.
	Request domain.ShipmentRequest
	Parcels func() int
}

// Run runs the suite; open returns a fresh case each time.
func Run(t *testing.T, open func(t *testing.T) Case) {
	t.Run("says who it is", func(t *testing.T) {
		c := open(t).Carrier
		require.NotEmpty(t, c.Account().Carrier)
		require.NotNil(t, c.Traits().Zone)
		p := c.Traits().Pace
		for _, pause := range []time.Duration{p.Pending, p.PendingMax, p.Fresh, p.Transit, p.Near, p.Delivering, p.Ended, p.EndedFor} {
			require.Positive(t, pause)
		}
	})
	t.Run("tells the same twice", func(t *testing.T) { sameTwice(t, open(t)) })
	t.Run("every failure has a class and ends nothing", func(t *testing.T) { failures(t, open) })
	t.Run("a caller can give up", func(t *testing.T) {
		c := open(t)
		track, ref := tracker(t, c), c.Parcel(t)
		c.Faults.Fail(emulator.Fault{Kind: emulator.Hang, Times: 10})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := track(ctx, ref)
		require.Equal(t, domain.ClassRetryable, domain.ClassOf(err))
	})
	t.Run("what is not known is not found", func(t *testing.T) {
		c := open(t)
		ref := c.Parcel(t)
		_, err := tracker(t, c)(t.Context(), domain.ShipmentRef{ID: "no-" + ref.ID})
		require.Equal(t, domain.ClassNotFound, domain.ClassOf(err), "%v", err)
	})
	t.Run("webhooks of anybody do no harm", func(t *testing.T) { hooks(t, open(t)) })
	t.Run("a booking without an answer makes one parcel", func(t *testing.T) { bookedOnce(t, open(t)) })
	t.Run("cancelling asks first", func(t *testing.T) { cancelled(t, open(t)) })
}

func tracker(t *testing.T, c Case) func(context.Context, domain.ShipmentRef) (domain.ShipmentSnapshot, error) {
	able, ok := c.Carrier.(domain.CarrierTracker)
	require.True(t, ok, "an adapter tracks")
	return able.TrackShipment
}

func sameTwice(t *testing.T, c Case) {
	track, ref := tracker(t, c), c.Parcel(t)
	one, err := track(t.Context(), ref)
	require.NoError(t, err)
	require.NotEmpty(t, one.Ref.ID)
	require.NotEmpty(t, one.Ref.Phase)
	for i, ev := range one.Events {
		require.NotEmpty(t, ev.ID)
		require.NotEmpty(t, ev.Code)
		require.LessOrEqual(t, len(ev.ID), 200)
		require.False(t, i > 0 && ev.OccurredAt.Before(one.Events[i-1].OccurredAt), "events are in order")
		require.False(t, slices.ContainsFunc(one.Events[:i], func(other domain.CarrierEvent) bool { return other.ID == ev.ID }), "ids are unique")
	}
	two, err := track(t.Context(), one.Ref)
	require.NoError(t, err)
	require.Equal(t, one.Events, two.Events)
	require.Equal(t, one.Ref.ID, two.Ref.ID)
}

func failures(t *testing.T, open func(t *testing.T) Case) {
	for _, kind := range emulator.Kinds {
		if kind == emulator.Hang || kind == emulator.Late {
			continue // only the caller's patience ends them
		}
		t.Run(string(kind), func(t *testing.T) {
			c := open(t)
			track, ref := tracker(t, c), c.Parcel(t)
			c.Faults.Fail(emulator.Fault{Kind: kind, Times: 100, Code: "some_error", After: "3600"})
			snap, err := track(t.Context(), ref)
			e, ok := errors.AsType[*domain.CarrierError](err)
			require.True(t, ok, "%T %v", err, err)
			require.NotEmpty(t, e.Class)
			require.Equal(t, c.Carrier.Account().Carrier, e.Carrier)
			require.True(t, snap.Ref.Phase == "" || snap.Ref.Phase.Live(), "a failure never ends a parcel")
			c.Faults.Clear()
		})
	}
}

func hooks(t *testing.T, c Case) {
	able, ok := c.Carrier.(domain.CarrierWebhooks)
	if !ok {
		t.Skip("it has none")
	}
	for _, body := range []string{"", "null", "[]", "{}", `"x"`, `[[[{}]]]`, `{"type": {"a": 1}, "result": [1]}`, "\xff\xfe", `{"attributes": null, "uuid": 7}`} {
		list, err := able.ParseHook(domain.HookMessage{Body: []byte(body), Query: "claim_id=%zz&updated_ts=1"})
		for _, h := range list {
			refs, affected := able.Affected(t.Context(), h)
			require.True(t, affected == nil || domain.ClassOf(affected) != "")
			require.LessOrEqual(t, len(refs), 100)
		}
		require.True(t, err == nil || domain.ClassOf(err) != "")
	}
}

func bookedOnce(t *testing.T, c Case) {
	able, ok := c.Carrier.(domain.CarrierShipper)
	if !ok {
		t.Skip("it books nothing")
	}
	require.Error(t, able.CheckShipment(domain.ShipmentRequest{ClientRef: "A-1", Services: make([]domain.CarrierService, 0), Comment: string(make([]byte, 5000))}))
	require.NoError(t, able.CheckShipment(c.Request))
	c.Faults.Fail(emulator.Fault{Kind: emulator.Cut, Path: "", Times: 100})
	_, err := able.CreateShipment(t.Context(), c.Request)
	require.Error(t, err)
	c.Faults.Clear()
	require.Zero(t, c.Parcels())
	before, err := able.CreateShipment(t.Context(), c.Request)
	require.NoError(t, err)
	require.Equal(t, 1, c.Parcels())
	if c.Carrier.Traits().KeepsReference {
		again, err := able.CreateShipment(t.Context(), c.Request)
		require.NoError(t, err)
		require.True(t, again.Duplicate || again.Ref.ID == before.Ref.ID || again.Ref.Phase == domain.PhasePending)
	}
}

func cancelled(t *testing.T, c Case) {
	able, ok := c.Carrier.(domain.CarrierShipper)
	if !ok {
		t.Skip("it books nothing")
	}
	ref := c.Parcel(t)
	terms, err := able.CancelTerms(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, domain.CancelFree, terms.Kind)
	snap, err := tracker(t, c)(t.Context(), ref)
	require.NoError(t, err)
	require.True(t, snap.Ref.Phase.Live(), "asking changes nothing")
	_, err = able.CancelShipment(t.Context(), ref, domain.CancelTerms{Kind: domain.CancelPaid, Price: &domain.Money{Amount: 1, Currency: "RUB"}})
	require.Equal(t, domain.ClassConflict, domain.ClassOf(err), "not on terms that nobody named")
	_, err = able.CancelShipment(t.Context(), ref, terms)
	require.NoError(t, err)
}
