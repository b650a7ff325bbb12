package easypost

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/carrier"
	"github.com/order-tracking/order-tracking/internal/carrier/carriertest"
	"github.com/order-tracking/order-tracking/internal/carrier/easypost/sandbox"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// clock is a manual clock.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func adapter(s *sandbox.Server) *Carrier {
	return New(carrier.Account{ID: "main", Secret: "key", BaseURL: "http://easypost.test/v2", Limits: carrier.Limits{Attempts: 1}}, s.Client())
}

func TestConforms(t *testing.T) {
	carriertest.Run(t, func(t *testing.T) carriertest.Case {
		s := sandbox.New(sandbox.Options{})
		c := adapter(s)
		return carriertest.Case{Carrier: c, Faults: &s.Faults, Parcel: func(t *testing.T) domain.ShipmentRef {
			snap, err := c.TrackShipment(t.Context(), domain.ShipmentRef{TrackingNumber: "1Z999AA10123456784", Sub: "UPS"})
			require.NoError(t, err)
			require.True(t, s.Report(snap.Ref.ID, "in_transit", "arrived_at_facility", "Perm"))
			return snap.Ref
		}}
	})
}

// story decodes a tracker and returns its statuses with codes and details.
func story(t *testing.T, tracker string) (domain.ShipmentSnapshot, []string) {
	t.Helper()
	n, err := carrier.Parse([]byte(tracker))
	require.NoError(t, err)
	s := decodeTracker(n)
	var out []string
	for _, ev := range s.Events {
		out = append(out, carrier.Join(" ", string(ev.Status), ev.Code, ev.Exception, ev.City))
	}
	return s, out
}

func row(at, status, detail, city string) string {
	return `{"datetime":"` + at + `","status":"` + status + `","status_detail":"` + detail + `","message":"` + status + `","tracking_location":{"city":` + city + `,"country":"US"}}`
}

func TestTrackersMeanWhatTheyShould(t *testing.T) {
	for name, c := range map[string]struct {
		tracker string
		want    []string
	}{
		"announced": {
			`{"id":"trk_1","tracking_code":"EZ1","carrier":"USPS","status":"pre_transit","tracking_details":[` + row("2026-05-01T10:00:00Z", "pre_transit", "label_created", "null") + `]}`,
			[]string{"pre_transit/label_created US"},
		},
		"delivered, its first scan is the handover": {
			`{"id":"trk_1","status":"delivered","tracking_details":[` + row("2026-05-01T10:00:00Z", "in_transit", "unknown", `"Perm"`) + "," +
				row("2026-05-02T10:00:00Z", "in_transit", "arrived_at_destination", `"Omsk"`) + "," + row("2026-05-03T10:00:00Z", "delivered", "", `"Omsk"`) + `]}`,
			[]string{"picked_up in_transit Perm, US", "in_transit in_transit/arrived_at_destination Omsk, US", "delivered delivered Omsk, US"},
		},
		"newest first": {
			`{"id":"trk_1","status":"out_for_delivery","tracking_details":[` + row("2026-05-03T10:00:00Z", "out_for_delivery", "", "null") + "," + row("2026-05-01T10:00:00Z", "in_transit", "", "null") + `]}`,
			[]string{"picked_up in_transit US", "out_for_delivery out_for_delivery US"},
		},
		"back at the sender": {
			`{"id":"trk_1","status":"delivered","tracking_details":[` + row("2026-05-01T10:00:00Z", "return_to_sender", "", "null") + "," + row("2026-05-04T10:00:00Z", "delivered", "", "null") + `]}`,
			[]string{"returning return_to_sender US", "returned delivered US"},
		},
		"a return parcel": {
			`{"id":"trk_1","is_return":true,"status":"in_transit","tracking_details":[` + row("2026-05-01T10:00:00Z", "in_transit", "", "null") + `]}`,
			[]string{"returning in_transit US"},
		},
		"refused is an attempt, lost an exception": {
			`{"id":"trk_1","status":"failure","tracking_details":[` + row("2026-05-01T10:00:00Z", "failure", "refused", "null") + "," + row("2026-05-04T10:00:00Z", "failure", "lost", "null") + `]}`,
			[]string{"delivery_failed failure/refused US", "failure/lost lost US"},
		},
		"an unknown detail means what its status does": {
			`{"id":"trk_1","status":"in_transit","tracking_details":[` + row("2026-05-01T10:00:00Z", "in_transit", "on_a_boat", "null") + `]}`,
			[]string{"picked_up in_transit/on_a_boat US"},
		},
		"no history": {
			`{"id":"trk_1","status":"delivered","created_at":"2026-05-01T10:00:00Z","tracking_details":[]}`,
			[]string{"delivered delivered"},
		},
		"a tracking error is no scan of the parcel": {
			`{"id":"trk_1","status":"error","created_at":"2026-05-01T10:00:00Z"}`,
			[]string{"error tracking_error"},
		},
		"an entry without a time moves nothing": {
			`{"id":"trk_1","status":"unknown","tracking_details":[` + row("soon", "delivered", "", "null") + `]}`,
			[]string{"delivered US"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, got := story(t, c.tracker)
			require.Equal(t, c.want, got)
			require.Equal(t, domain.PhaseRegistered, s.Ref.Phase)
		})
	}
	s, _ := story(t, `{"id":"trk_1","tracking_code":"X","carrier":"UPS","status":"cancelled","created_at":"2026-05-01T10:00:00Z"}`)
	require.Equal(t, domain.ShipmentRef{ID: "trk_1", TrackingNumber: "X", Sub: "UPS", Phase: domain.PhaseCancelled}, s.Ref)
}

// The zone of an entry is kept, and the estimate is a day or the company's own hour.
func TestTimes(t *testing.T) {
	s, _ := story(t, `{"id":"trk_1","status":"in_transit","signed_by":"J. Doe","est_delivery_date":"2026-05-05T16:30:00Z","tracking_details":[`+
		row("2026-05-01T10:00:00-05:00", "in_transit", "", "null")+","+row("2026-05-02T10:00:00Z", "delivered", "", "null")+`]}`)
	require.Equal(t, time.Date(2026, 5, 1, 15, 0, 0, 0, time.UTC), s.Events[0].OccurredAt)
	require.Equal(t, "2026-05-01T10:00:00-05:00", s.Events[0].Value)
	require.Equal(t, "J. Doe", s.Events[1].Value)
	require.Equal(t, &domain.DeliveryPeriod{
		Earliest: time.Date(2026, 5, 5, 9, 0, 0, 0, time.UTC), Latest: time.Date(2026, 5, 5, 16, 30, 0, 0, time.UTC),
	}, s.Expected)
	s, _ = story(t, `{"id":"trk_1","est_delivery_date":"2026-05-05T00:00:00Z","carrier_detail":{"est_delivery_date_local":"2026-05-06"}}`)
	require.Equal(t, time.Date(2026, 5, 6, 21, 0, 0, 0, time.UTC), s.Expected.Latest)
}

func TestErrorsOfEveryShape(t *testing.T) {
	for body, want := range map[string]string{
		`{"error":{"code":"A","message":"Bad","errors":[{"field":"code","message":"is blank"}]}}`: "Bad; code is blank",
		`{"error":{"code":"A","message":"Bad","errors":["one","two"]}}`:                           "Bad; one; two",
		`{"error":"plain"}`: "",
	} {
		n, err := carrier.Parse([]byte(body))
		require.NoError(t, err)
		require.Equal(t, want, fault(n).Message)
	}
	n, err := carrier.Parse([]byte(`{"error":{"code":"APIKEY.INACTIVE","message":"x"}}`))
	require.NoError(t, err)
	require.Equal(t, domain.ClassAuth, fault(n).Class)
}

// Webhooks are believed with the right signature over the exact bytes only, and only make
// us look.
func TestHooks(t *testing.T) {
	now := &clock{now: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)}
	var got []domain.HookMessage
	s := sandbox.New(sandbox.Options{Now: now.Now, Travel: sandbox.Journey, Deliver: func(_ context.Context, _ string, h http.Header, body []byte) (int, error) {
		got = append(got, domain.HookMessage{Header: h, Body: body})
		return 200, nil
	}})
	c := adapter(s)
	for range 2 { // the second finds its subscription
		kinds, err := c.EnsureHooks(t.Context(), "https://shop.example/hooks/easypost/t0ken")
		require.NoError(t, err)
		require.Equal(t, []string{"tracker"}, kinds)
	}
	snap, err := c.TrackShipment(t.Context(), domain.ShipmentRef{TrackingNumber: "EZ4"})
	require.NoError(t, err)
	now.pass(4 * time.Second)
	s.Tick(t.Context())
	require.Len(t, got, 2)
	require.NoError(t, c.VerifyHook(got[1]))
	hints, err := c.ParseHook(got[1])
	require.NoError(t, err)
	refs, err := c.Affected(t.Context(), hints[0])
	require.NoError(t, err)
	require.Equal(t, []domain.ShipmentRef{{ID: snap.Ref.ID, TrackingNumber: "EZ4"}}, refs)

	other := got[1]
	other.Body = append([]byte{' '}, other.Body...)
	require.Error(t, c.VerifyHook(other), "one byte more")
	require.Error(t, c.VerifyHook(domain.HookMessage{Body: got[1].Body}), "no signature")
	require.Error(t, New(carrier.Account{ID: "main", Secret: "another"}, nil).VerifyHook(got[1]))

	s.SwitchOff()
	_, err = c.EnsureHooks(t.Context(), "https://moved.example/hooks/easypost/t0ken")
	require.NoError(t, err)
	now.pass(20 * time.Second)
	s.Behave(sandbox.Habits{Forge: true})
	s.Tick(t.Context())
	require.Len(t, got, 5, "the old address is gone, the new one hears the rest")
	require.Error(t, c.VerifyHook(got[4]))
	snap, err = c.TrackShipment(t.Context(), snap.Ref)
	require.NoError(t, err)
	require.Equal(t, "delivered", snap.Status[:9])
}

// Whatever the order and however often entries are told, the parcel ends the same.
func TestShuffledHistoriesEndTheSame(t *testing.T) {
	now := &clock{now: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)}
	s := sandbox.New(sandbox.Options{Now: now.Now, Travel: sandbox.Journey})
	c := adapter(s)
	snap, err := c.TrackShipment(t.Context(), domain.ShipmentRef{TrackingNumber: "EZ4"})
	require.NoError(t, err)
	now.pass(time.Minute)
	s.Behave(sandbox.Habits{Shuffle: true, Repeat: true})
	var first []domain.CarrierEvent
	for range 20 {
		snap, err = c.TrackShipment(t.Context(), snap.Ref)
		require.NoError(t, err)
		if first == nil {
			first = snap.Events
		}
		require.Equal(t, first, snap.Events)
	}
	require.Equal(t, domain.StatusDelivered, first[len(first)-1].Status)
}

func TestTablesAreSound(t *testing.T) {
	for code, m := range statuses {
		require.True(t, m.Status == "" || m.Status.Valid(), code)
		require.NotEmpty(t, m.Text, code)
		status, _, _ := strings.Cut(code, "/")
		require.Contains(t, statuses, status, "a detail belongs to a status")
	}
	for _, status := range strings.Fields("unknown pre_transit in_transit out_for_delivery delivered available_for_pickup return_to_sender failure cancelled error") {
		require.Contains(t, statuses, status)
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`{"id":"trk_1","status":"delivered","tracking_details":[` + row("2026-05-01T10:00:00Z", "in_transit", "", "null") + `]}`))
	f.Add([]byte(`{"id":"evt_1","description":"tracker.updated","result":{"object":"Tracker","id":"trk_1"}}`))
	f.Add([]byte(`{"error":{"code":1,"errors":[[]]}}`))
	c := adapter(sandbox.New(sandbox.Options{}))
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := c.ParseHook(domain.HookMessage{Body: body, Query: url.Values{}.Encode()}); err != nil {
			return
		}
		n, err := carrier.Parse(body)
		require.NoError(t, err)
		fault(n)
		s := decodeTracker(n)
		for i, ev := range s.Events {
			require.True(t, ev.Status == "" || ev.Status.Valid())
			require.False(t, i > 0 && ev.OccurredAt.Before(s.Events[i-1].OccurredAt))
		}
	})
}
