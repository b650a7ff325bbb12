package messaging_test

import (
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/order-tracking/order-tracking/internal/infrastructure/messaging"
)

// stalling is a proxy that can hold back client data on existing connections while new ones
// pass.
type stalling struct {
	net.Listener
	to string

	mu    sync.Mutex
	gates []chan struct{}
	shut  chan struct{} // when set, new connections stall as well
	wg    sync.WaitGroup
}

func newStalling(t *testing.T) *stalling {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &stalling{Listener: l}
	t.Cleanup(func() { s.Close(); s.wg.Wait() })
	return s
}

// start passes connections on to the address.
func (s *stalling) start(to string) {
	s.to = to
	s.wg.Go(s.serve)
}

func (s *stalling) serve() {
	for {
		client, err := s.Accept()
		if err != nil {
			return
		}
		broker, err := net.Dial("tcp", s.to)
		if err != nil {
			client.Close()
			continue
		}
		open := make(chan struct{})
		close(open)
		s.mu.Lock()
		if s.shut != nil {
			open = s.shut
		}
		i := len(s.gates)
		s.gates = append(s.gates, open)
		s.mu.Unlock()
		s.wg.Go(func() { // sent data arrives even after the client has gone
			defer broker.Close()
			buf := make([]byte, 64<<10)
			for {
				n, err := client.Read(buf)
				s.mu.Lock()
				gate := s.gates[i]
				s.mu.Unlock()
				<-gate
				if _, werr := broker.Write(buf[:n]); err != nil || werr != nil {
					return
				}
			}
		})
		s.wg.Go(func() {
			defer client.Close()
			_, _ = io.Copy(client, broker)
		})
	}
}

// holdAll stalls all present and future connections until the returned func is called.
func (s *stalling) holdAll() (release func()) {
	old := s.hold()
	gate := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shut = gate
	return sync.OnceFunc(func() { old(); close(gate) })
}

// hold stalls existing connections until the returned func is called.
func (s *stalling) hold() (release func()) {
	gate := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.gates {
		s.gates[i] = gate
	}
	return sync.OnceFunc(func() { close(gate) })
}

// behindProxy runs a broker, with the topics, that tells clients to connect to the proxy.
func behindProxy(t *testing.T) (*stalling, *kfake.Cluster) {
	t.Helper()
	proxy := newStalling(t)
	cluster := foreign(t, kfake.ListenFn(func(string, string) (net.Listener, error) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		proxy.start(l.Addr().String())
		return advertised{l, proxy.Addr()}, nil
	}))
	require.NoError(t, messaging.EnsureTopics(t.Context(), clientConfig(t, proxy.Addr().String())))
	return proxy, cluster
}

type advertised struct {
	net.Listener
	addr net.Addr
}

func (a advertised) Addr() net.Addr { return a.addr }
