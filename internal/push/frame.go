package push

import (
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Kind is the kind of a topic.
type Kind string

// The kinds of topics.
const (
	KindOrder   Kind = "order"
	KindCourier Kind = "courier"
	KindFleet   Kind = "fleet"
	KindOrders  Kind = "orders"
)

// Topic is the subject of a subscription. ID is empty for the fleet and for all orders.
type Topic struct {
	Kind Kind
	ID   string
}

// OrderTopic is the topic of an order.
func OrderTopic(id string) Topic { return Topic{KindOrder, id} }

// CourierTopic is the topic of a courier.
func CourierTopic(id string) Topic { return Topic{KindCourier, id} }

// FleetTopic is the topic of all couriers and of the statuses of all orders.
func FleetTopic() Topic { return Topic{Kind: KindFleet} }

// OrdersTopic is the topic of all orders that a reader may see; see Subscription.AddOrders.
func OrdersTopic() Topic { return Topic{Kind: KindOrders} }

// ParseTopic parses "order:<uuid>", "courier:<uuid>", "fleet" or "orders"; anything else is validation_failed.
func ParseTopic(s string) (Topic, error) {
	kind, id, _ := strings.Cut(s, ":")
	t := Topic{Kind(kind), id}
	if s == string(KindFleet) || s == string(KindOrders) {
		return t, nil
	}
	if t.Kind != KindOrder && t.Kind != KindCourier {
		return Topic{}, domain.Invalid("/topic", "unknown_topic", "must be order:<id>, courier:<id>, fleet or orders")
	}
	return t.canonical()
}

// canonical normalizes the id to the form used in events.
func (t Topic) canonical() (Topic, error) {
	if t.Kind == KindFleet || t.Kind == KindOrders {
		return Topic{Kind: t.Kind}, nil
	}
	id, err := domain.ParseID("/topic", t.ID)
	return Topic{t.Kind, id}, err
}

// String is the inverse of ParseTopic.
func (t Topic) String() string {
	if t.Kind == KindFleet || t.Kind == KindOrders {
		return string(t.Kind)
	}
	return string(t.Kind) + ":" + t.ID
}

// The types of frames made by the hub; ping, ack and error are made by the transports.
const (
	TypeSnapshot     = "snapshot"
	TypeStatus       = "status"
	TypePosition     = "position"
	TypePositions    = "positions"
	TypeETA          = "eta"
	TypeNotification = "notification"
	TypeNote         = "note"
	TypeOffer        = "offer"
	TypeRoute        = "route"
	TypeEnd          = "end"
	TypeReset        = "reset" // the cursor of the orders topic is too old
)

// Frame is one message, encoded once for all its readers.
type Frame struct {
	Type  string
	Topic Topic // the fleet gets frames of orders under their own topics
	// Version is the order's version on snapshots and statuses; 0 on other frames.
	Version int64
	// JSON is the whole object; it is shared and must not be modified.
	JSON []byte

	form *form // shared by all readers of the frame; nil for a single reader
	key  key
	// mark is an entry's seq in its order's history; for positions of the fleet, the previous tick.
	mark int64
}

// form caches the encoding of a frame for a transport that does not use JSON.
type form struct {
	once  sync.Once
	value any
	err   error
}

// Form returns the result of encode, which is called once for all readers; it must not be
// modified. Only one transport uses another encoding than JSON.
func (f *Frame) Form(encode func(*Frame) (any, error)) (any, error) {
	if f.form == nil {
		return encode(f)
	}
	f.form.once.Do(func() { f.form.value, f.form.err = encode(f) })
	return f.form.value, f.form.err
}

// key is a frame's conflation key: of unread frames with the same key only the newest is kept.
type key uint8

const (
	keyNone     key = iota // no conflation: all are kept
	keyPosition            // the newer one replaces the older, or they are merged
	keyEstimate            // the newer one replaces the older
	keyRoute               // the newer one replaces the older
	keys        = iota
)

// Encode returns a frame's JSON object: {"type","order_id","version","at","data"}.
// Empty fields (orderID, version, data) are omitted.
func Encode(typ, orderID string, version int64, at time.Time, data any) []byte {
	raw, ok := data.(json.RawMessage)
	if !ok && data != nil {
		var err error
		if raw, err = json.Marshal(data); err != nil {
			raw = []byte("null") // can't happen for validated data
		}
	}
	b := appendHead(make([]byte, 0, len(raw)+160), typ, orderID, version, at)
	if raw != nil {
		b = append(b, `,"data":`...)
		b = append(b, raw...)
	}
	return append(b, '}')
}

// appendHead appends a frame's fields up to its data.
func appendHead(b []byte, typ, orderID string, version int64, at time.Time) []byte {
	b = append(b, `{"type":"`...)
	b = append(b, typ...)
	if orderID != "" {
		b = append(b, `","order_id":"`...)
		b = append(b, orderID...)
	}
	b = append(b, '"')
	if version != 0 {
		b = append(b, `,"version":`...)
		b = strconv.AppendInt(b, version, 10)
	}
	b = append(b, `,"at":"`...)
	b = at.UTC().AppendFormat(b, time.RFC3339Nano)
	return append(b, '"')
}

// eventFrame returns a history entry as a frame for watchers of the order with this view, or nil if it is hidden from them.
func eventFrame(e *domain.Event, v domain.View) *Frame {
	t := OrderTopic(e.OrderID)
	if e.Type == domain.EventNotified {
		data := map[string]any{}
		for _, k := range []string{"notification_id", "channel", "text"} {
			if v, ok := e.Data[k]; ok {
				data[k] = v
			}
		}
		return &Frame{
			Type: TypeNotification, Topic: t, mark: e.Seq, form: new(form),
			JSON: Encode(TypeNotification, e.OrderID, 0, e.RecordedAt, data),
		}
	}
	if v != domain.ViewStaff {
		shown, ok := e.For(v)
		if !ok {
			return nil
		}
		e = &shown
	}
	event, typ, version := e.JSON(), TypeStatus, e.Version
	if e.Note() { // the order did not change
		typ, version = TypeNote, 0
	}
	b := appendHead(make([]byte, 0, len(event)+160), typ, e.OrderID, version, e.RecordedAt)
	return &Frame{
		Type: typ, Topic: t, Version: version, mark: e.Seq, form: new(form),
		JSON: append(append(append(b, `,"data":`...), event...), '}'),
	}
}

// endFrame marks the end of a finished order.
func endFrame(orderID string, at time.Time) *Frame {
	return &Frame{Type: TypeEnd, Topic: OrderTopic(orderID), JSON: Encode(TypeEnd, orderID, 0, at, nil)}
}
