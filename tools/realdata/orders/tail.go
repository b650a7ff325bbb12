package orders

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/order-tracking/order-tracking/pkg/client"
)

// message is a published event, the first one with its ce_id.
type message struct {
	topic string
	event client.Event
	order standing
}

// standing is an order as a message shows it. What never changes is kept once for all
// its messages.
type standing struct {
	status      client.Status
	version     int64
	courierID   string
	attempts    int
	eta         *client.Estimate
	updatedAt   time.Time
	deliveredAt *time.Time
	fixed       string // the JSON of the rest
}

// published holds the messages of one order.
type published struct {
	messages []message // in the order of their coming
	newest   int64     // version
	values   map[string]uint64
	changed  chan struct{} // closed when something comes; nil while nobody waits
}

// tail reads what the product publishes, from the start of the run, and remembers what
// is about the run's orders.
type tail struct {
	client *kgo.Client
	run    string // prefix of the run's external ids
	faults *faults

	mu      sync.Mutex
	orders  map[string]*published // by order id
	refused map[string]string     // order id -> what the dead-letter topic says
	events  int64                 // first appearances of the run's events
	repeats int64
	foreign int64 // events of other orders
}

// newTail finds where the topics end now.
func newTail(ctx context.Context, broker, run string, f *faults) (*tail, error) {
	probe, err := kgo.NewClient(options(broker)...)
	if err != nil {
		return nil, err
	}
	defer probe.Close()
	topics := []string{topicCreated, topicUpdated, topicRefused}
	ends, err := endsOf(ctx, kadm.NewClient(probe), topics)
	if err != nil {
		return nil, fmt.Errorf("where the topics end: %w", err)
	}
	from := map[string]map[int32]kgo.Offset{}
	ends.Each(func(o kadm.ListedOffset) {
		if from[o.Topic] == nil {
			from[o.Topic] = map[int32]kgo.Offset{}
		}
		from[o.Topic][o.Partition] = kgo.NewOffset().At(o.Offset)
	})
	for _, topic := range topics {
		if len(from[topic]) == 0 {
			return nil, fmt.Errorf("there is no topic %s", topic)
		}
	}
	c, err := kgo.NewClient(options(broker, kgo.ConsumePartitions(from), kgo.FetchMaxWait(250*time.Millisecond))...)
	return &tail{client: c, run: run, faults: f, orders: map[string]*published{}, refused: map[string]string{}}, err
}

// endsOf asks where the topics end. A product that has just started may still be making
// them, so it asks again for a while.
func endsOf(ctx context.Context, admin *kadm.Client, topics []string) (kadm.ListedOffsets, error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	for {
		ends, err := admin.ListEndOffsets(ctx, topics...)
		if err == nil {
			err = ends.Error()
		}
		if err == nil || !pause(ctx, 200*time.Millisecond) {
			return ends, err
		}
	}
}

// read takes in messages until the context ends; the client comes back by itself when
// the broker was away.
func (t *tail) read(ctx context.Context) {
	for ctx.Err() == nil {
		fetches := t.client.PollFetches(ctx)
		fetches.EachRecord(t.take)
	}
}

func (t *tail) close() { t.client.Close() }

func (t *tail) take(r *kgo.Record) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.Topic == topicRefused {
		t.refused[string(r.Key)] = fmt.Sprintf("error_code %q, error %q: %s", header(r, "error_code"), header(r, "error"), r.Value)
		return
	}
	m, externalID, err := decodeMessage(r)
	if err != nil {
		t.faults.add("%s partition %d offset %d: %v", r.Topic, r.Partition, r.Offset, err)
		return
	}
	if !strings.HasPrefix(externalID, t.run+"-") {
		t.foreign++
		return
	}
	p := t.of(m.event.OrderID)
	sum := hash(string(r.Value))
	if before, ok := p.values[m.event.ID]; ok {
		t.repeats++
		if before != sum {
			t.faults.add("order %s: the messages with ce_id %s differ", externalID, m.event.ID)
		}
		return
	}
	t.events++
	p.values[m.event.ID] = sum
	if n := len(p.messages); n > 0 && p.messages[n-1].order.fixed == m.order.fixed {
		m.order.fixed = p.messages[n-1].order.fixed
	}
	p.messages = append(p.messages, m)
	p.newest = max(p.newest, m.event.Version)
	if p.changed != nil {
		close(p.changed)
		p.changed = nil
	}
}

func (t *tail) of(orderID string) *published {
	p := t.orders[orderID]
	if p == nil {
		p = &published{values: map[string]uint64{}}
		t.orders[orderID] = p
	}
	return p
}

// await waits until a version of an order was published; false when the context ended first.
func (t *tail) await(ctx context.Context, orderID string, version int64) bool {
	for {
		t.mu.Lock()
		p := t.of(orderID)
		if p.newest >= version {
			t.mu.Unlock()
			return true
		}
		if p.changed == nil {
			p.changed = make(chan struct{})
		}
		changed := p.changed
		t.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// decodeMessage reads a published event and checks its envelope: CloudEvents 1.0 in
// binary mode, the key, and that nothing is in it that the contract does not know.
func decodeMessage(r *kgo.Record) (message, string, error) {
	var v struct {
		client.Event
		Order *client.Order `json:"order"`
	}
	d := json.NewDecoder(bytes.NewReader(r.Value))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		return message{}, "", err
	}
	if v.Order == nil {
		return message{}, "", errors.New("the event has no order")
	}
	o, e := *v.Order, v.Event
	ceTime, err := time.Parse(time.RFC3339, header(r, "ce_time"))
	if err != nil || !ceTime.Equal(e.OccurredAt) {
		return message{}, "", fmt.Errorf("ce_time is %q, the event's occurred_at %s", header(r, "ce_time"), e.OccurredAt)
	}
	for _, c := range []struct{ what, got, want string }{
		{"the key", string(r.Key), e.OrderID},
		{"order.id", o.ID, e.OrderID},
		{"ce_specversion", header(r, "ce_specversion"), "1.0"},
		{"ce_id", header(r, "ce_id"), e.ID},
		{"ce_type", header(r, "ce_type"), "ordertracking." + e.Type},
		{"ce_subject", header(r, "ce_subject"), e.OrderID},
		{"content-type", header(r, "content-type"), "application/json"},
	} {
		if c.got != c.want {
			return message{}, "", fmt.Errorf("%s is %q instead of %q", c.what, c.got, c.want)
		}
	}
	if header(r, "ce_source") == "" {
		return message{}, "", errors.New("there is no ce_source")
	}
	return message{topic: r.Topic, event: e, order: standingOf(o)}, o.ExternalID, nil
}

func standingOf(o client.Order) standing {
	s := standing{
		status: o.Status, version: o.Version, courierID: o.CourierID, attempts: o.Attempts,
		eta: o.ETA, updatedAt: o.UpdatedAt, deliveredAt: o.DeliveredAt,
	}
	o.Status, o.Version, o.CourierID, o.Attempts, o.ETA = "", 0, "", 0, nil
	o.UpdatedAt, o.DeliveredAt = time.Time{}, nil
	b, err := json.Marshal(o)
	if err != nil {
		panic(err) // it was JSON a moment ago
	}
	s.fixed = string(b)
	return s
}

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}
