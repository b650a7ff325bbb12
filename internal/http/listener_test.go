package httpserver

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestConnectionsOfAnAddressAreLimited(t *testing.T) {
	l := Listener(nil, 2).(*listener)
	office, other := netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("203.0.113.8")
	require.True(t, l.count(office, 1))
	require.True(t, l.count(office, 1))
	require.False(t, l.count(office, 1))
	require.True(t, l.count(other, 1))
	require.True(t, l.count(office, -1))
	require.True(t, l.count(office, 1), "a closed connection makes room")
	for _, home := range []string{"2001:db8::1", "2001:db8::2"} {
		require.True(t, l.count(netip.MustParseAddr(home), 1))
	}
	require.False(t, l.count(netip.MustParseAddr("2001:db8::3"), 1), "one network is one client")
	for range 5 {
		require.True(t, l.count(netip.MustParseAddr("10.0.0.1"), 1), "a proxy")
		require.True(t, l.count(netip.MustParseAddr("127.0.0.1"), 1))
	}
	for range 2 {
		l.count(office, -1)
	}
	require.NotContains(t, l.open, office, "what has no connection is forgotten")
}
