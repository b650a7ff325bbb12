package broker_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"reflect"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// hostile makes requests that parse and make little sense.
type hostile struct{ *rand.Rand }

func pick[T any](h hostile, of ...T) T { return of[h.IntN(len(of))] }

func (h hostile) text() string {
	return pick(h, "", "x", "g", "../../../etc/passwd", "a/b", "\x00", "тема", domain.TopicOrderUpdated,
		domain.TopicStatusUpdates, domain.TopicStatusUpdatesFails, "consumer", "range", "__consumer_offsets",
		string(make([]byte, 300)), "0", "-1", "4294967296")
}

func (h hostile) number() int64 {
	return pick(h, 0, 0, 1, 2, 3, -1, -2, -3, 4, 100, 10_000, math.MaxInt8, math.MinInt8, math.MaxInt16, math.MinInt16,
		math.MaxInt32, math.MinInt32, math.MaxInt64, math.MinInt64, h.Int64(), -h.Int64())
}

// fill sets every field of v, a kmsg struct, to a random value.
func (h hostile) fill(v reflect.Value, depth int) {
	if h.IntN(12) == 0 {
		return // keep what is there
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Field(i)
			if name := v.Type().Field(i).Name; f.CanSet() && name != "UnknownTags" && name != "Version" {
				h.fill(f, depth+1)
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes(h.bytes())
			return
		}
		n := pick(h, 0, 1, 1, 2, 3)
		s := reflect.MakeSlice(v.Type(), n, n)
		for i := range n {
			h.fill(s.Index(i), depth+1)
			if i > 0 && h.IntN(3) == 0 {
				s.Index(i).Set(s.Index(i - 1)) // twice the same
			}
		}
		v.Set(s)
	case reflect.Pointer:
		if h.IntN(4) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			h.fill(v.Elem(), depth+1)
		}
	case reflect.String:
		v.SetString(h.text())
	case reflect.Bool:
		v.SetBool(h.IntN(2) == 0)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(h.number())
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(h.number())) //nolint:gosec // anything goes
	case reflect.Float64:
		v.SetFloat(pick(h, 0, -1, math.NaN(), math.Inf(1)))
	case reflect.Array:
		for i := range v.Len() {
			h.fill(v.Index(i), depth+1)
		}
	default:
		panic(fmt.Sprint("a field of kind ", v.Kind()))
	}
}

func (h hostile) bytes() []byte {
	b := make([]byte, pick(h, 0, 1, 4, 17, 61, 100, 1000))
	for i := range b {
		b[i] = byte(h.Uint32()) //nolint:gosec // anything goes
	}
	return b
}

// request makes the frame of a request.
func (h hostile) request(key, version int16) []byte {
	req := kmsg.RequestForKey(key)
	req.SetVersion(version)
	h.fill(reflect.ValueOf(req).Elem(), 0)
	req.SetVersion(version)
	body := req.AppendTo(nil)
	switch h.IntN(20) {
	case 0: // cut
		body = body[:h.IntN(len(body)+1)]
	case 1: // flip
		if len(body) > 0 {
			body[h.IntN(len(body))] ^= byte(1 << h.IntN(8))
		}
	}
	return frame(key, version, req.IsFlexible(), body)
}

func frame(key, version int16, flexible bool, body []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(key))     //nolint:gosec // bits
	b = binary.BigEndian.AppendUint16(b, uint16(version)) //nolint:gosec // bits
	b = binary.BigEndian.AppendUint32(b, 7)
	b = binary.BigEndian.AppendUint16(b, 1)
	b = append(b, 'h')
	if flexible {
		b = append(b, 0)
	}
	b = append(b, body...)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4)) //nolint:gosec // small
	return b
}

// throw sends the frame on a new connection and waits briefly for a response.
func throw(addr string, raw []byte, patience time.Duration) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := conn.Write(raw); err != nil {
		return nil //nolint:nilerr // it hung up on us, as it should
	}
	var size [4]byte
	_, _ = io.ReadFull(conn, size[:])
	return nil
}

// member joins a group with an id from the broker and misbehaves.
func (h hostile) member(ctx context.Context, addr string) {
	c, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.RequestRetries(0), kgo.DisableClientMetrics())
	if err != nil {
		panic(err)
	}
	defer c.Close()
	id, generation, protocol := "", int32(-1), ""
	group := pick(h, "a", "b", "c")
	for range 20 {
		ctx, cancel := context.WithTimeout(ctx, 30*time.Millisecond)
		switch h.IntN(7) {
		case 0, 1, 2:
			req := kmsg.NewPtrJoinGroupRequest()
			req.Group, req.MemberID, req.ProtocolType = group, id, "consumer"
			req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 6000, int32(pick(h, 0, -1, 10, 50))
			if h.IntN(3) == 0 {
				req.InstanceID = kmsg.StringPtr(pick(h, "i", "j"))
			}
			for _, name := range [][]string{{"x"}, {"y"}, {"x", "y"}, {"y", "x"}, {}}[h.IntN(5)] {
				req.Protocols = append(req.Protocols, kmsg.JoinGroupRequestProtocol{Name: name, Metadata: h.bytes()})
			}
			if resp, err := req.RequestWith(ctx, c); err == nil {
				id, generation = resp.MemberID, resp.Generation
				if resp.Protocol != nil {
					protocol = *resp.Protocol
				}
			}
		case 3, 4:
			req := kmsg.NewPtrSyncGroupRequest()
			req.Group, req.MemberID, req.Generation = group, id, generation
			req.ProtocolType, req.Protocol = kmsg.StringPtr("consumer"), kmsg.StringPtr(protocol)
			req.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{
				{MemberID: id, MemberAssignment: h.bytes()}, {MemberID: "nobody", MemberAssignment: h.bytes()},
			}
			_, _ = req.RequestWith(ctx, c)
		case 5:
			req := kmsg.NewPtrHeartbeatRequest()
			req.Group, req.MemberID, req.Generation = group, id, generation
			_, _ = req.RequestWith(ctx, c)
		case 6:
			req := kmsg.NewPtrLeaveGroupRequest()
			req.Group, req.MemberID = group, id
			req.Members = []kmsg.LeaveGroupRequestMember{{MemberID: id}, {MemberID: id}}
			_, _ = req.RequestWith(ctx, c)
		}
		cancel()
	}
}
