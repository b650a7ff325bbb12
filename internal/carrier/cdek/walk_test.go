package cdek_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/order-tracking/order-tracking/internal/carrier/cdek"
	"github.com/order-tracking/order-tracking/internal/domain"
)

var start = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

func newOrder(t require.TestingT) *domain.Order {
	d, err := domain.Draft{Customer: domain.Customer{Name: "Anna"}, Dropoff: &domain.Place{Address: "Main St 1"}}.Normalize("RU")
	require.NoError(t, err)
	by := domain.By{Actor: domain.Actor{Kind: domain.RoleSystem}, Now: start}
	o, _ := domain.NewOrder(d, by)
	_, err = o.Book(domain.Shipment{Carrier: cdek.Code, Phase: domain.PhaseRegistered}, true, by)
	require.NoError(t, err)
	return o
}

// observe applies events to the order as a poll or a webhook does.
func observe(o *domain.Order, events []domain.CarrierEvent) []domain.Event {
	now := start.Add(24 * time.Hour)
	for _, ev := range events {
		if ev.OccurredAt.After(now) {
			now = ev.OccurredAt
		}
	}
	return o.LearnShipment(domain.ShipmentSnapshot{Events: events}, domain.By{Now: now})
}

// spellings are codes of each status, in either vocabulary.
var spellings = map[domain.Status][]string{
	domain.StatusPickedUp:       {"RECEIVED_AT_SHIPMENT_WAREHOUSE", "RECEIVED_AT_SENDER_WAREHOUSE"},
	domain.StatusInTransit:      {"SENT_TO_TRANSIT_CITY", "MET_AT_TRANSIT_OFFICE", "ACCEPTED_IN_RECIPIENT_CITY", "RETURNED_TO_TRANSIT_WAREHOUSE"},
	domain.StatusOutForDelivery: {"TAKEN_BY_COURIER", "ISSUED_FOR_DELIVERY"},
	domain.StatusReadyForPickup: {"ACCEPTED_AT_PICK_UP_POINT", "POSTOMAT_POSTED"},
	domain.StatusDeliveryFailed: {"RETURNED_TO_RECIPIENT_CITY_WAREHOUSE", "RETURNED_TO_DELIVERY_WAREHOUSE"},
	domain.StatusDelivered:      {"DELIVERED", "POSTOMAT_RECEIVED"},
	domain.StatusReturning:      {"NOT_DELIVERED", "POSTOMAT_SEIZED"},
}

// Any shuffle and duplication of one legal walk after pick-up, with distinct times and
// at most one terminal report, ends in the same status, with equal timelines.
func TestShuffledHintsEndTheSame(t *testing.T) {
	c := cdek.New(cdek.Config{})
	rapid.Check(t, func(t *rapid.T) {
		var walk []string
		at := domain.StatusPickedUp
		length := rapid.IntRange(1, 12).Draw(t, "length") // including unfinished walks
		for i := 0; ; i++ {
			code := rapid.SampledFrom(spellings[at]).Draw(t, "spelling")
			walk = append(walk, fmt.Sprintf(
				`{"type":"ORDER_STATUS","uuid":"u","attributes":{"cdek_number":7,"code":"%s","status_date_time":%q,"city_name":"Казань"}}`,
				code, start.Add(time.Duration(i)*time.Minute).Format("2006-01-02T15:04:05-0700")))
			// Final statuses come last, so that most walks go back and forth for a while.
			next := slices.DeleteFunc(at.Next(), func(s domain.Status) bool {
				ends := s == domain.StatusDelivered || s == domain.StatusReturning || s == domain.StatusReadyForPickup
				return spellings[s] == nil || ends && len(walk) < length-1
			})
			if len(walk) == length || len(next) == 0 {
				break
			}
			at = rapid.SampledFrom(next).Draw(t, "next")
		}
		wantStatus, want := run(t, c, walk)
		require.Equal(t, at, wantStatus)
		fed := slices.Clone(walk)
		for range rapid.IntRange(0, 8).Draw(t, "duplicates") {
			fed = append(fed, rapid.SampledFrom(walk).Draw(t, "again"))
		}
		gotStatus, got := run(t, c, rapid.Permutation(fed).Draw(t, "order"))
		if gotStatus != wantStatus {
			t.Fatalf("ended %s, want %s", gotStatus, wantStatus)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

// run applies webhooks one at a time and returns the order's final status and its timelines
// by (occurred_at, source id): of its history and of its shipment.
func run(t require.TestingT, c *cdek.Carrier, hints []string) (domain.Status, []string) {
	o := newOrder(t)
	var lines []string
	for _, raw := range hints {
		hooks, err := c.ParseHook(domain.HookMessage{Body: []byte(raw)})
		require.NoError(t, err)
		for _, ev := range observe(o, []domain.CarrierEvent{hooks[0].Event}) {
			if ev.Type != domain.EventException && ev.Data["source_id"] != nil {
				lines = append(lines, fmt.Sprintln(ev.OccurredAt, ev.Data["source_id"], ev.Status))
			}
		}
	}
	slices.Sort(lines)
	for _, ev := range o.Shipment.Events {
		lines = append(lines, strings.Join([]string{ev.OccurredAt.String(), ev.ID, string(ev.Status), ev.Text}, " "))
	}
	return o.Status, lines
}

// A retraction leaves the status, and the timeline says so.
func TestRetractionLeavesTheStatus(t *testing.T) {
	hint := `{"type":"ORDER_STATUS","uuid":"u","attributes":{"code":"DELIVERED","status_date_time":"2026-03-01T10:00:00+0000","deleted":%t}}`
	c := cdek.New(cdek.Config{})
	status, lines := run(t, c, []string{fmt.Sprintf(hint, false), fmt.Sprintf(hint, true)})
	require.Equal(t, domain.StatusDelivered, status)
	require.Len(t, lines, 3, "both reports in the history, one line in the shipment's timeline: %v", lines)
	o := newOrder(t)
	for _, deleted := range []bool{false, true} {
		hooks, err := c.ParseHook(domain.HookMessage{Body: fmt.Appendf(nil, hint, deleted)})
		require.NoError(t, err)
		observe(o, []domain.CarrierEvent{hooks[0].Event})
	}
	require.True(t, o.Shipment.Events[0].Retracted)
	require.Equal(t, domain.ExceptionRetracted, o.Exception.Code)
	status, _ = run(t, c, []string{fmt.Sprintf(hint, true)})
	require.Equal(t, domain.StatusCreated, status, "what is told only as taken back moves nothing")
}
