package tests

import (
	"testing"
	"time"

	"github.com/lxzan/gws"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// watched is a WebSocket whose frames are named by AsyncAPI message.
type watched struct {
	*stream
	seen map[string]bool
}

// until reads frames up to one of a type.
func (w watched) until(t testing.TB, kind string) object {
	t.Helper()
	for {
		select {
		case f, open := <-w.frames:
			require.True(t, open, "the stream has ended")
			require.NotEqual(t, "broken", f["type"], "%v", f["error"])
			name, err := w.contract.frame(w.address, encode(t, f))
			require.NoError(t, err)
			w.seen[name] = true
			if f["type"] == kind {
				return f
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("no %s", kind)
		}
	}
}

// One delivery produces every message of the AsyncAPI document, each matching it.
func TestEveryMessageOfTheDocument(t *testing.T) {
	s := start(t)
	d := s.api("REST")
	seen := map[string]bool{}
	id, courier := create(t, d), s.courier(t, object{"name": "Boris", "vehicle": "bicycle"})
	one, two := webSocket(t, s, id, -1), sse(t, s, id, 0)
	many, conn := dial(t, s, "/ws")
	all := watched{many, seen}
	say := func(command object) {
		raw := encode(t, command)
		require.NoError(t, s.contract(t).validate("asyncapi", "/components/messages/Command/payload", raw))
		require.NoError(t, conn.WriteMessage(gws.OpcodeText, raw))
		seen["Command"] = true
	}
	say(object{"subscribe": []string{"order:" + id, "courier:" + courier, "fleet", "order:" + newID()}, "since": object{"order:" + id: 0}})
	all.until(t, "error")
	all.until(t, "ping")
	say(object{"subscribe": []string{"orders"}, "since": object{"orders": newID()}})
	all.until(t, "reset")
	say(object{"unsubscribe": []string{"orders"}})
	resp, body := s.rest(t, "POST", "/order/"+create(t, d)+"/offers", encode(t, object{"courier_ids": []string{courier}}), nil)
	require.Equal(t, 201, resp.StatusCode, "%s", body)
	all.until(t, "offer")

	ok(t, d.do(t, call{op: "AssignCourier", in: object{"order_id": id, "courier_id": courier}}))
	move(t, d, id, "picked_up")
	s.locate(t, courier, 55.755, 37.60)
	all.until(t, "positions")
	ok(t, d.do(t, call{op: "NotifyCustomer", in: object{"order_id": id, "text": "soon"}}))
	all.until(t, "notification")
	resp, body = s.rest(t, "PATCH", "/order/"+id, encode(t, object{"exception": object{"code": "wrong_address"}}), nil)
	require.Equal(t, 200, resp.StatusCode, "%s", body)
	c := kafkaClient(t, s)
	feed(t, c, id, encode(t, object{
		"event_id": newID(), "order_id": id, "status": "assigned", "occurred_at": "2026-05-04T12:00:00Z", "source": "scanner",
	}))
	all.until(t, "note") // a report that comes too late
	move(t, d, id, "delivered")
	all.until(t, "end")
	say(object{"unsubscribe": []string{"fleet"}})
	all.until(t, "ack")
	for _, st := range []*stream{one, two} {
		w := watched{st, seen}
		require.Equal(t, "snapshot", w.until(t, "snapshot")["type"])
		w.until(t, "end")
		require.EqualValues(t, 1000, <-st.end)
	}

	report := encode(t, object{
		"event_id": newID(), "order_id": create(t, d), "status": "picked_up", "occurred_at": "2026-05-04T12:00:00Z", "source": "scanner",
		"reason": "handed over", "location": object{"lat": 55.75, "lon": 37.6}, "bay": 7,
	})
	require.NoError(t, c.ProduceSync(t.Context(), &kgo.Record{
		Topic: "order_status_updates", Key: []byte(id), Value: report, Headers: []kgo.RecordHeader{{Key: "trace", Value: []byte("1")}},
	}).FirstErr())
	feed(t, c, id, encode(t, object{
		"event_id": newID(), "external_id": "nobody's", "status": "delivered", "occurred_at": "2026-05-04T12:00:00Z", "source": "scanner",
	}))
	topics := []string{"order_created", "order_updated", "courier_location", "order_status_updates", "order_status_updates.dlq"}
	for _, topic := range topics {
		want := map[string]int{"order_created": 3, "order_updated": 5, "courier_location": 1, "order_status_updates": 3, "order_status_updates.dlq": 1}[topic]
		for _, r := range records(t, s, func(rs []*kgo.Record) bool { return len(rs) >= want }, topic) {
			seen[s.contract(t).record(t, r)] = true
		}
	}
	for name := range get(s.contract(t).asyncapi, "components", "messages").(object) {
		require.True(t, seen[name], "%s did not occur", name)
	}
}
