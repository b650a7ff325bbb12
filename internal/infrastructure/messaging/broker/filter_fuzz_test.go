package broker

import (
	"encoding/binary"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/infrastructure/messaging"
)

// FuzzFilter: the check terminates for any frame, and accepted frames can be parsed by the
// broker.
func FuzzFilter(f *testing.F) {
	for key, v := range offered {
		req := kmsg.RequestForKey(key.Int16())
		req.SetVersion(v.min)
		f.Add(uint16(key), uint16(v.min), req.AppendTo(nil)) //nolint:gosec // small
		req.SetVersion(v.max)
		f.Add(uint16(key), uint16(v.max), append([]byte{0}, req.AppendTo(nil)...)) //nolint:gosec // small
	}
	c := &filteredConn{filter: &filter{log: zap.NewNop(), groups: map[string]bool{}}}
	f.Fuzz(func(t *testing.T, key, version uint16, body []byte) {
		raw := binary.BigEndian.AppendUint32(nil, uint32(10+len(body))) //nolint:gosec // small
		raw = binary.BigEndian.AppendUint16(raw, key)
		raw = binary.BigEndian.AppendUint16(raw, version)
		raw = append(raw, 0, 0, 0, 9, 0xff, 0xff)
		raw = append(raw, body...)
		if admit(kmsg.Key(key), int16(version), len(raw)-4) != nil { //nolint:gosec // bits
			return
		}
		out, err := c.check(raw)
		if err != nil {
			return
		}
		if n := binary.BigEndian.Uint32(out); int(n) != len(out)-4 {
			t.Fatalf("the frame says %d bytes and has %d", n, len(out)-4)
		}
		req := kmsg.RequestForKey(int16(binary.BigEndian.Uint16(out[4:]))) //nolint:gosec // bits
		req.SetVersion(int16(binary.BigEndian.Uint16(out[6:])))            //nolint:gosec // bits
		rest := out[14:]
		if req.IsFlexible() {
			if len(rest) == 0 || rest[0] != 0 {
				return // tags; the parser skips them in its own way
			}
			rest = rest[1:]
		}
		if err := req.ReadFrom(rest); err != nil {
			t.Fatalf("let in and can't be parsed: %v", err)
		}
	})
}

// FuzzInflate: decompressing any bytes returns a bounded result.
func FuzzInflate(f *testing.F) {
	f.Add(int16(2), []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0})
	f.Add(int16(1), []byte{0x1f, 0x8b})
	f.Add(int16(3), []byte{0x04, 0x22, 0x4d, 0x18})
	f.Add(int16(4), []byte{0x28, 0xb5, 0x2f, 0xfd})
	f.Fuzz(func(t *testing.T, codec int16, src []byte) {
		out, err := inflate()(src, kgo.CompressionCodecType(codec)) //nolint:gosec // any will do
		if err == nil && codec != 0 && len(out) > messaging.MaxInflated {
			t.Fatalf("%d bytes", len(out))
		}
	})
}
