package tests

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

func kafkaClient(t testing.TB, s *server, opts ...kgo.Opt) *kgo.Client {
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(s.kafka...)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// records reads topics from the start until enough returns true. Each record must match
// the AsyncAPI document.
func records(t testing.TB, s *server, enough func([]*kgo.Record) bool, topics ...string) []*kgo.Record {
	c := kafkaClient(t, s, kgo.ConsumeTopics(topics...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var got []*kgo.Record
	for !enough(got) {
		f := c.PollFetches(ctx)
		require.NoError(t, ctx.Err(), "%d records", len(got))
		f.EachRecord(func(r *kgo.Record) { got = append(got, r) })
	}
	for _, r := range got {
		s.contract(t).record(t, r)
	}
	return got
}

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

func feed(t testing.TB, c *kgo.Client, key string, values ...[]byte) {
	for _, v := range values {
		r := &kgo.Record{Topic: "order_status_updates", Key: []byte(key), Value: v}
		require.NoError(t, c.ProduceSync(t.Context(), r).FirstErr())
	}
}

func TestEventsReachKafka(t *testing.T) {
	s := start(t)
	d := s.api("REST")
	id := create(t, d)
	ok(t, d.do(t, call{op: "NotifyCustomer", in: object{"order_id": id}}))
	ok(t, d.do(t, call{op: "CancelOrder", in: object{"order_id": id, "reason": "no"}}))
	got := records(t, s, func(rs []*kgo.Record) bool { return len(rs) >= 2 }, "order_created", "order_updated")
	require.Len(t, got, 2, "a notice is history and not published")
	for i, r := range got {
		var v object
		require.NoError(t, json.Unmarshal(r.Value, &v))
		require.Equal(t, []string{"order_created", "order_updated"}[i], r.Topic)
		require.Equal(t, id, string(r.Key))
		require.Equal(t, v["id"], header(r, "ce_id"))
		require.Equal(t, "1.0", header(r, "ce_specversion"))
		require.Equal(t, "ordertracking."+str(v, "type"), header(r, "ce_type"))
		require.EqualValues(t, i+1, v["version"])
		require.EqualValues(t, i+1, get(v, "order", "version"), "the order as it stood")
	}
}

func TestStatusUpdatesComeInThroughKafka(t *testing.T) {
	s := start(t)
	d := s.api("gRPC")
	id := str(ok(t, d.do(t, call{op: "CreateOrder", in: draft})), "order", "id")
	c := kafkaClient(t, s)
	walk := []string{"assigned", "at_pickup", "picked_up", "out_for_delivery", "at_dropoff", "delivered"}
	var messages [][]byte
	begin := time.Now().Add(-time.Hour).UTC()
	for i, status := range walk {
		messages = append(messages, encode(t, object{
			"event_id": newID(), "order_id": id, "status": status, "source": "scanner", "reason": "scan",
			"occurred_at": begin.Add(time.Duration(i) * time.Minute).Format(time.RFC3339),
		}))
	}
	feed(t, c, id, messages[:3]...)
	eventually(t, "handed to the courier", func() bool {
		return str(ok(t, d.do(t, call{op: "GetOrder", in: object{"order_id": id}})), "order", "status") == "picked_up"
	})
	twice := append(append([][]byte{}, messages...), messages...)
	rand.Shuffle(len(twice), func(i, j int) { twice[i], twice[j] = twice[j], twice[i] })
	feed(t, c, id, twice...)
	s.restart(t)
	c = kafkaClient(t, s)
	d = s.api("gRPC")
	feed(t, c, id, messages...)
	timeline := func() []any {
		return list(ok(t, d.do(t, call{op: "TrackOrder", in: object{"order_id": id}}))["timeline"])
	}
	eventually(t, "every message is in the history", func() bool { return len(timeline()) >= 1+len(walk) })
	marker := create(t, d) // a message behind all others: once it is applied, so are they
	feed(t, c, id, encode(t, object{
		"event_id": newID(), "order_id": marker, "status": "assigned", "source": "scanner", "occurred_at": begin.Format(time.RFC3339),
	}))
	eventually(t, "the marker", func() bool {
		return str(ok(t, d.do(t, call{op: "GetOrder", in: object{"order_id": marker}})), "order", "status") == "assigned"
	})
	require.Len(t, timeline(), 1+len(walk), "each message once")
	require.Equal(t, "delivered", str(ok(t, d.do(t, call{op: "GetOrder", in: object{"order_id": id}})), "order", "status"))
	external := encode(t, object{
		"event_id": newID(), "external_id": "A-1", "status": "delivered", "source": "other", "occurred_at": begin.Format(time.RFC3339),
	})
	feed(t, c, id, external)
	eventually(t, "found by the shop's number", func() bool { return len(timeline()) == 2+len(walk) })
}

func TestWhatCannotBeAppliedGoesToTheDeadLetters(t *testing.T) {
	s := start(t)
	id := create(t, s.api("REST"))
	c := kafkaClient(t, s)
	update := func(change object) []byte {
		o := object{"event_id": newID(), "order_id": id, "status": "assigned", "source": "x", "occurred_at": "2026-05-04T12:00:00Z"}
		for k, v := range change {
			o[k] = v
		}
		return encode(t, o)
	}
	bad := []struct {
		value []byte
		code  string
	}{
		{[]byte("not JSON"), "malformed"},
		{[]byte("[]"), "validation_failed"},
		{nil, "malformed"},
		{update(object{"order_id": newID()}), "order_not_found"},
		{update(object{"order_id": "seven"}), "validation_failed"},
		{update(object{"occurred_at": time.Now().Add(time.Hour).Format(time.RFC3339)}), "impossible_time"},
		{update(object{"occurred_at": "yesterday"}), "malformed"},
		{update(object{"status": "teleported"}), "validation_failed"},
		{update(object{"status": 7}), "validation_failed"},
		{update(object{"location": object{"lat": 91, "lon": 0}}), "validation_failed"},
		{update(object{"event_id": ""}), "validation_failed"},
		{update(object{"order_id": "", "tracking_number": "1"}), "order_not_found"},
	}
	for _, b := range bad {
		feed(t, c, id, b.value)
	}
	got := records(t, s, func(rs []*kgo.Record) bool { return len(rs) >= len(bad) }, "order_status_updates.dlq")
	require.Len(t, got, len(bad))
	for i, r := range got {
		require.Equal(t, bad[i].value, r.Value, "unchanged")
		require.Equal(t, id, string(r.Key))
		require.Equal(t, bad[i].code, header(r, "error_code"), "%s: %s", r.Value, header(r, "error"))
		require.NotEmpty(t, header(r, "error"))
	}
	order := ok(t, s.api("REST").do(t, call{op: "GetOrder", in: object{"order_id": id}}))
	require.Equal(t, "created", str(order, "order", "status"))
}

type record = kgo.Record

// distinct returns the keys of the records.
func distinct(rs []*record) map[string]bool {
	keys := map[string]bool{}
	for _, r := range rs {
		keys[string(r.Key)] = true
	}
	return keys
}
