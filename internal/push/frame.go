package push

import (
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Kind is what a topic is about.
type Kind string

// The kinds of topics.
const (
	KindOrder   Kind = "order"
	KindCourier Kind = "courier"
	KindFleet   Kind = "fleet"
)

// Topic is something to watch. ID is empty for the fleet.
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

// ParseTopic reads "order:<uuid>", "courier:<uuid>" or "fleet"; anything else is
// validation_failed.
func ParseTopic(s string) (Topic, error) {
	kind, id, _ := strings.Cut(s, ":")
	t := Topic{Kind(kind), id}
	if s == string(KindFleet) {
		return t, nil
	}
	if t.Kind != KindOrder && t.Kind != KindCourier {
		return Topic{}, domain.Invalid("/topic", "unknown_topic", "must be order:<id>, courier:<id> or fleet")
	}
	return t.canonical()
}

// canonical brings the id to the form in which events name it.
func (t Topic) canonical() (Topic, error) {
	if t.Kind == KindFleet {
		return FleetTopic(), nil
	}
	id, err := domain.ParseID("/topic", t.ID)
	return Topic{t.Kind, id}, err
}

// String is the inverse of ParseTopic.
func (t Topic) String() string {
	if t.Kind == KindFleet {
		return string(t.Kind)
	}
	return string(t.Kind) + ":" + t.ID
}

// The types of frames that the hub makes; ping, ack and error are made by the transports.
const (
	TypeSnapshot     = "snapshot"
	TypeStatus       = "status"
	TypePosition     = "position"
	TypePositions    = "positions"
	TypeETA          = "eta"
	TypeNotification = "notification"
	TypeNote         = "note"
	TypeEnd          = "end"
)

// Frame is one message, encoded once for all its readers.
type Frame struct {
	Type  string
	Topic Topic // what the frame is about; the fleet gets frames of orders under their own topics
	// Version is the order's, on snapshots and statuses; 0 on other frames.
	Version int64
	// JSON is the whole object; it is shared and must not be changed.
	JSON []byte

	form *form // shared by all who read the frame; nil where there is one reader
	lane lane
	// mark is the seq of a fact in its order's history; of positions of the fleet, the tick before.
	mark int64
}

// form is a frame as a transport sends it where that is not JSON.
type form struct {
	once  sync.Once
	value any
	err   error
}

// Form returns what encode makes of the frame, which is made once for all its readers and
// must not be changed. There is one transport that sends another form than JSON.
func (f *Frame) Form(encode func(*Frame) (any, error)) (any, error) {
	if f.form == nil {
		return encode(f)
	}
	f.form.once.Do(func() { f.form.value, f.form.err = encode(f) })
	return f.form.value, f.form.err
}

// lane says what becomes of an unread frame when a newer one comes.
type lane uint8

const (
	laneFact     lane = iota // both are kept
	lanePosition             // the newer one takes its place, or they are merged
	laneEstimate             // the newer one takes its place
	lanes        = iota
)

// Encode returns a frame's JSON object: {"type","order_id","version","at","data"}.
// An empty orderID, a zero version and nil data are left out.
func Encode(typ, orderID string, version int64, at time.Time, data any) []byte {
	raw, ok := data.(json.RawMessage)
	if !ok && data != nil {
		var err error
		if raw, err = json.Marshal(data); err != nil {
			raw = []byte("null") // nothing that the domain validated gets here
		}
	}
	b := appendHead(make([]byte, 0, len(raw)+160), typ, orderID, version, at)
	if raw != nil {
		b = append(b, `,"data":`...)
		b = append(b, raw...)
	}
	return append(b, '}')
}

// appendHead appends a frame's members up to its data.
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

// eventFrame returns how watchers of the order with a view hear of an entry of its
// history, or nil for one that is not for them.
func eventFrame(e *domain.Event, v domain.View) *Frame {
	t := OrderTopic(e.OrderID)
	switch {
	case e.Type != domain.EventNotified:
		if v != domain.ViewStaff {
			shown, ok := e.For(v)
			if !ok {
				return nil
			}
			e = &shown
		}
		event, typ, version := e.JSON(), TypeStatus, e.Version
		if e.Note() { // which changed nothing
			typ, version = TypeNote, 0
		}
		b := appendHead(make([]byte, 0, len(event)+160), typ, e.OrderID, version, e.RecordedAt)
		return &Frame{
			Type: typ, Topic: t, Version: version, mark: e.Seq, form: new(form),
			JSON: append(append(append(b, `,"data":`...), event...), '}'),
		}
	case e.Type == domain.EventNotified:
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
	return nil
}

// endFrame says that the order is finished.
func endFrame(orderID string, at time.Time) *Frame {
	return &Frame{Type: TypeEnd, Topic: OrderTopic(orderID), JSON: Encode(TypeEnd, orderID, 0, at, nil)}
}
