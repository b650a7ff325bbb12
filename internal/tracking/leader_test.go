package tracking

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// ownApp is the context of a courier's own app.
func ownApp(courierID string) context.Context {
	return domain.WithCaller(context.Background(), &domain.Caller{Actor: domain.Actor{Kind: domain.RoleCourier, ID: "app"}, CourierID: courierID})
}

// Of a phone app and the courier's own app, each heard by any of two replicas, the phone app moves the marker whenever it was
// heard lately, and the other one whenever it was not; all of it is in the history, marked.
func TestThePhoneAppLeads(t *testing.T) {
	w := newWorld(t)
	replicas := []*Service{w.Tracking, New(w.Tracking.Deps)}
	rapid.Check(t, func(rt *rapid.T) {
		c := w.courier(t)
		token, err := w.Couriers.Onboard(w.ctx, c.ID)
		require.NoError(t, err)
		began := w.clock.Now()
		var phone time.Time // the last one of the phone app
		secondary := map[int64]bool{}
		for i, n := 0, rapid.IntRange(1, 40).Draw(rt, "n"); i < n; i++ {
			w.clock.add(time.Duration(rapid.IntRange(1, 40).Draw(rt, "seconds")) * time.Second)
			if rapid.IntRange(0, 9).Draw(rt, "silence") == 0 {
				w.clock.add(31 * time.Minute) // more than what counts for the usual interval
			}
			now := w.clock.Now().Add(-time.Millisecond)
			s := rapid.SampledFrom(replicas).Draw(rt, "replica")
			at := domain.Position{Lat: shopAt.Lat + float64(i)*1e-6, Lon: shopAt.Lon, RecordedAt: now}
			before, err := w.Tracking.Live.Position(w.ctx, c.ID)
			require.NoError(t, err)
			if rapid.Bool().Draw(rt, "phone") {
				_, err = s.Ingest(w.ctx, token.Token, PhoneReport{Positions: []domain.Position{at}})
				phone = now
			} else {
				_, err = s.Report(ownApp(c.ID), c.ID, []domain.Position{at}, true)
				if silent := now.Sub(phone); silent <= time.Minute || silent > 31*time.Minute { // between, it depends on the usual interval
					secondary[now.UnixMicro()] = silent <= time.Minute
				}
			}
			require.NoError(t, err)
			shown, err := w.Tracking.Live.Position(w.ctx, c.ID)
			require.NoError(t, err)
			require.False(t, shown.Secondary())
			if marked, known := secondary[now.UnixMicro()]; known && marked {
				require.Equal(t, before, shown, "the marker stays where the phone app was")
			} else if known || phone.Equal(now) {
				require.True(t, now.Equal(shown.RecordedAt), "the marker moves")
			}
		}
		for _, s := range replicas {
			require.NoError(t, s.pipeline.history.flush(w.ctx))
		}
		track, err := w.Tracking.CourierTrack(w.ctx, c.ID, TrackRequest{From: began, To: w.clock.Now()})
		require.NoError(t, err)
		line := 0
		for _, p := range track.Trail {
			if want, known := secondary[p.RecordedAt.UnixMicro()]; known {
				require.Equal(t, want, p.Secondary())
			}
			if !p.Secondary() {
				line++
			}
		}
		require.Equal(t, encodePolyline(domain.Line(track.Trail)), track.Polyline)
		way, err := w.Tracking.trail(w.ctx, c.ID, began, w.clock.Now(), 1000, false)
		require.NoError(t, err)
		require.Len(t, way, line, "no line leads through what is secondary")
	})
}

func TestWhileThePhoneAppLeadsTheOtherMovesNoFence(t *testing.T) {
	w := newWorld(t)
	c := w.courier(t)
	o := w.order(t, c.ID, nil)
	w.move(t, o.ID, domain.StatusPickedUp)
	w.move(t, o.ID, domain.StatusOutForDelivery)
	token, err := w.Couriers.Onboard(w.ctx, c.ID)
	require.NoError(t, err)
	app := ownApp(c.ID)
	own := w.ctx
	for range 6 {
		w.clock.add(20 * time.Second)
		far := domain.Position{Lat: shopAt.Lat, Lon: shopAt.Lon, RecordedAt: w.clock.Now()}
		_, err := w.Tracking.Ingest(w.ctx, token.Token, PhoneReport{Positions: []domain.Position{far}})
		require.NoError(t, err)
		w.ctx = app
		w.clock.add(time.Second)
		require.Equal(t, 1, w.drive(t, c.ID, doorAt).Accepted)
		_, err = w.Tracking.Heartbeat(app, c.ID, domain.DropScreenOff)
		require.NoError(t, err)
		w.ctx = own
	}
	require.Equal(t, domain.StatusOutForDelivery, w.status(t, o.ID))
	got, err := w.Couriers.Get(w.ctx, c.ID)
	require.NoError(t, err)
	require.Equal(t, shopAt, got.Position.Point())
	require.Equal(t, domain.ContactPosition, got.LastContact.Kind, "the other one's screen is of no interest")

	w.clock.add(2 * time.Minute) // the phone app is silent
	_, err = w.Tracking.Heartbeat(app, c.ID, domain.DropScreenOff)
	require.NoError(t, err)
	got, err = w.Couriers.Get(w.ctx, c.ID)
	require.NoError(t, err)
	require.Equal(t, domain.DropScreenOff, got.LastContact.DroppedReason)
	for range 3 {
		w.clock.add(20 * time.Second)
		w.ctx = app
		w.drive(t, c.ID, doorAt)
		w.ctx = own
	}
	require.Equal(t, domain.StatusAtDropoff, w.status(t, o.ID))
}

// After an outage the app sends what it wrote down: what the phone app reported meanwhile still leads, what was before it does not.
func TestWhatTheAppWroteDownWhileThePhoneAppLed(t *testing.T) {
	w := newWorld(t)
	c := w.courier(t)
	token, err := w.Couriers.Onboard(w.ctx, c.ID)
	require.NoError(t, err)
	var written []domain.Position
	note := func() {
		w.clock.add(5 * time.Second)
		written = append(written, domain.Position{Lat: doorAt.Lat, Lon: doorAt.Lon, RecordedAt: w.clock.Now()})
		w.clock.add(5 * time.Second)
	}
	for range 3 {
		note()
	}
	for range 30 {
		_, err := w.Tracking.Ingest(w.ctx, token.Token, PhoneReport{Positions: []domain.Position{{Lat: shopAt.Lat, Lon: shopAt.Lon, RecordedAt: w.clock.Now()}}})
		require.NoError(t, err)
		note()
	}
	got, err := w.Tracking.Report(ownApp(c.ID), c.ID, written, false)
	require.NoError(t, err)
	require.Equal(t, 33, got.Accepted)
	require.NoError(t, w.Tracking.pipeline.history.flush(w.ctx))
	way, err := w.Tracking.trail(w.ctx, c.ID, w.clock.Now().Add(-time.Hour), w.clock.Now(), 1000, false)
	require.NoError(t, err)
	require.Len(t, way, 33, "three of the app, then the phone app's")
	for i, p := range way {
		require.Equal(t, i < 3, p.Point() == doorAt)
	}
}
