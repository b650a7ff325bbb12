package broker

import (
	"encoding/binary"
	"errors"
	"net"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// advertise returns the response with the broker's address replaced by this connection's.
func (c *filteredConn) advertise(answer []byte) ([]byte, error) {
	const head = 8 // length and correlation id
	if !c.filter.anywhere || len(answer) < head {
		return answer, nil
	}
	id := int32(binary.BigEndian.Uint32(answer[4:])) //nolint:gosec // bits
	c.mu.Lock()
	req := c.asked[id]
	delete(c.asked, id)
	c.mu.Unlock()
	if req == nil {
		return answer, nil
	}
	resp := req.ResponseKind()
	body := head
	if resp.IsFlexible() {
		body++ // no tags
	}
	if err := resp.ReadFrom(answer[min(body, len(answer)):]); err != nil {
		return nil, errors.Join(errRefused, err)
	}
	host, _, err := net.SplitHostPort(c.LocalAddr().String())
	if err != nil {
		return nil, err
	}
	switch resp := resp.(type) {
	case *kmsg.MetadataResponse:
		for i := range resp.Brokers {
			resp.Brokers[i].Host = host
		}
	case *kmsg.FindCoordinatorResponse:
		resp.Host = host
		for i := range resp.Coordinators {
			resp.Coordinators[i].Host = host
		}
	case *kmsg.DescribeClusterResponse:
		for i := range resp.Brokers {
			resp.Brokers[i].Host = host
		}
	}
	out := resp.AppendTo(append([]byte(nil), answer[:body]...))
	binary.BigEndian.PutUint32(out, uint32(len(out)-4)) //nolint:gosec // small
	return out, nil
}

// everywhere reports whether the listener is bound to all addresses.
func everywhere(l net.Listener) bool {
	a, ok := l.Addr().(*net.TCPAddr)
	return ok && a.IP.IsUnspecified()
}
