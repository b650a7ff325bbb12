package outbound

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
	"pgregory.net/rapid"
)

func TestCheckKnowsEveryWayToWriteAnAddress(t *testing.T) {
	g := NewGuard()
	g.resolver = names(t, map[string][]string{
		"shop.example": {"93.184.215.14"}, "inside.example": {"10.1.2.3"}, "mixed.example": {"93.184.215.14", "127.0.0.1"},
		"v6.example": {"2606:2800:21f:cb07::1"}, "xn--mnchen-3ya.example": {"93.184.215.14"}, "under_score.example": {"93.184.215.14"},
	})
	for address, want := range map[string]error{
		"https://shop.example/hook?a=b":     nil,
		"http://shop.example:8443":          nil,
		"https://shop.example./hook":        nil,
		"https://SHOP.example/hook":         nil,
		"https://münchen.example/":          nil,
		"https://xn--mnchen-3ya.example/":   nil,
		"https://v6.example":                nil,
		"https://under_score.example":       nil,
		"https://8.8.8.8/":                  nil,
		"https://[2606:4700:4700::1111]:1/": nil,
		"https://[::ffff:8.8.8.8]/":         nil,

		"https://inside.example":                 ErrRefused,
		"https://mixed.example":                  ErrRefused,
		"https://127.0.0.1":                      ErrRefused,
		"https://127.8.8.8:80":                   ErrRefused,
		"https://0.0.0.0":                        ErrRefused,
		"https://10.0.0.1":                       ErrRefused,
		"https://172.31.255.255":                 ErrRefused,
		"https://192.168.1.1":                    ErrRefused,
		"https://169.254.169.254/latest/":        ErrRefused, // metadata of most clouds
		"https://100.100.100.200":                ErrRefused, // Alibaba's, and all of CGNAT
		"https://168.63.129.16":                  ErrRefused, // Azure's
		"https://192.0.0.192":                    ErrRefused, // Oracle's
		"https://[fd00:ec2::254]":                ErrRefused, // Amazon's
		"https://224.0.0.1":                      ErrRefused,
		"https://255.255.255.255":                ErrRefused,
		"https://198.18.0.1":                     ErrRefused,
		"https://[::1]":                          ErrRefused,
		"https://[::]":                           ErrRefused,
		"https://[0:0:0:0:0:0:0:1]":              ErrRefused,
		"https://[::ffff:127.0.0.1]":             ErrRefused,
		"https://[::ffff:7f00:1]":                ErrRefused,
		"https://[::127.0.0.1]":                  ErrRefused,
		"https://[64:ff9b::10.0.0.1]":            ErrRefused,
		"https://[64:ff9b:1::10.0.0.1]":          ErrRefused,
		"https://[2002:7f00:1::]":                ErrRefused,
		"https://[2001:0:4136:e378:8000::80ff]":  ErrRefused, // Teredo
		"https://[fe80::1]":                      ErrRefused,
		"https://[fc00::1]":                      ErrRefused,
		"https://[fec0::1]":                      ErrRefused,
		"https://[ff02::1]":                      ErrRefused,
		"https://[2001:db8::1]":                  ErrRefused,
		"https://１２７.０.０.１":                      ErrRefused, // full-width digits
		"https://⑩.0.0.1":                        ErrRefused,
		"https://127。0。0。1":                      ErrRefused, // ideographic full stops
		"https://2130706433":                     ErrMalformed,
		"https://0x7f000001":                     ErrMalformed,
		"https://0x7F.1":                         ErrMalformed,
		"https://017700000001":                   ErrMalformed,
		"https://0177.0.0.1":                     ErrMalformed,
		"https://127.0.0.01":                     ErrMalformed,
		"https://127.1":                          ErrMalformed,
		"https://127.0.0.1.":                     ErrMalformed,
		"https://a.0x7f":                         ErrMalformed,
		"https://[fe80::1%25eth0]":               ErrMalformed,
		"https://[2606:4700::1111%25lo]":         ErrMalformed,
		"https://127.0.0.1%2eshop.example":       ErrMalformed,
		"https://shop.example:0":                 ErrMalformed,
		"https://shop.example:65536":             ErrMalformed,
		"https://127.0.0.1@shop.example":         ErrMalformed,
		"https://shop.example#@127.0.0.1":        ErrMalformed,
		"https://user:secret@shop.example":       ErrMalformed,
		"https:///hook":                          ErrMalformed,
		"https:shop.example":                     ErrMalformed,
		"//shop.example/hook":                    ErrMalformed,
		"shop.example/hook":                      ErrMalformed,
		"file:///etc/passwd":                     ErrMalformed,
		"gopher://shop.example":                  ErrMalformed,
		"unix:///var/run/docker.sock":            ErrMalformed,
		"https://shop.example\\@127.0.0.1":       ErrMalformed,
		"https://shop.example\r\nHost: internal": ErrMalformed,
		"https://sh op.example":                  ErrMalformed,
		"https://" + strings.Repeat("a", 300):    ErrUnresolved,
		"https://..":                             ErrMalformed,
		"https://.":                              ErrMalformed,
		"":                                       ErrMalformed,
		"https://nowhere.example":                ErrUnresolved,
	} {
		t.Run(address, func(t *testing.T) {
			err := g.Check(t.Context(), address)
			if want == nil {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, want)
			}
		})
	}
}

func TestCheckPermitsWhatTheAdministratorAllows(t *testing.T) {
	g := NewGuard(netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00:1::/32"))
	require.NoError(t, g.Check(t.Context(), "http://10.1.2.3:8080/hook"))
	require.NoError(t, g.Check(t.Context(), "http://[::ffff:10.1.2.3]/hook"))
	require.NoError(t, g.Check(t.Context(), "http://[fd00:1::5]/hook"))
	require.ErrorIs(t, g.Check(t.Context(), "http://10.2.0.1/hook"), ErrRefused)
	require.ErrorIs(t, g.Check(t.Context(), "http://[fd00:2::5]/hook"), ErrRefused)
}

// A permitted address is a public one, however an IPv4 address is dressed up.
func TestNoPermittedAddressIsSpecial(t *testing.T) {
	g := NewGuard()
	special := []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
		netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"),
	}
	inside := func(ip netip.Addr) bool {
		ok := ip.IsPrivate() || ip.IsLoopback() || ip.IsUnspecified() || ip.IsMulticast() || ip.IsLinkLocalUnicast()
		for _, p := range special {
			ok = ok || p.Contains(ip)
		}
		return ok
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Custom(func(t *rapid.T) uint32 { // half of them in special networks
			bits := rapid.Uint32().Draw(t, "bits")
			head := rapid.SampledFrom([]uint32{0, 0x0a000000, 0x64400000, 0x7f000000, 0xa9fe0000, 0xac100000, 0xc0a80000, 0xe0000000}).Draw(t, "head")
			if rapid.Bool().Draw(t, "special") {
				return head | bits&0xffff
			}
			return bits
		}).Draw(t, "address")
		var four [4]byte
		binary.BigEndian.PutUint32(four[:], n)
		v4 := netip.AddrFrom4(four)
		hi, lo := n>>16, n&0xffff
		for _, form := range []string{
			v4.String(), fmt.Sprintf("[::ffff:%s]", v4), fmt.Sprintf("[::ffff:%x:%x]", hi, lo), fmt.Sprintf("[0:0:0:0:0:FFFF:%X:%X]", hi, lo),
		} {
			if err := g.Check(context.Background(), "https://"+form); inside(v4) {
				require.ErrorIs(t, err, ErrRefused, form)
			} else if err != nil {
				require.ErrorIs(t, err, ErrRefused, form)
			}
		}
		for _, form := range []string{ // refused whatever they embed
			fmt.Sprintf("[::%x:%x]", hi, lo), fmt.Sprintf("[64:ff9b::%x:%x]", hi, lo), fmt.Sprintf("[2002:%x:%x::1]", hi, lo), fmt.Sprintf("[2001:0:%x:%x::1]", hi, lo),
		} {
			require.ErrorIs(t, g.Check(context.Background(), "https://"+form), ErrRefused, form)
		}
		if n > 0xffff {
			for _, form := range []string{fmt.Sprint(n), fmt.Sprintf("0x%x", n), fmt.Sprintf("0%o", n), fmt.Sprintf("%d.%d", n>>24, n&0xffffff)} {
				require.ErrorIs(t, g.Check(context.Background(), "https://"+form), ErrMalformed, form)
			}
		}
		v6 := netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "v6")))
		if g.permits(v6.Unmap()) == nil {
			require.True(t, v6.Unmap().IsGlobalUnicast() && !inside(v6.Unmap()), v6)
		}
	})
}

func TestClientDoesNotConnectToThisMachine(t *testing.T) {
	var calls atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
	t.Cleanup(s.Close)
	g := NewGuard()
	port := netip.MustParseAddrPort(s.Listener.Addr().String()).Port()
	// The first answer, for Check, is public; the second, for the connection, is not.
	g.resolver = names(t, map[string][]string{"rebinding.example": {"93.184.215.14", "", "127.0.0.1"}})
	require.NoError(t, g.Check(t.Context(), "http://rebinding.example"))
	c := g.Client(Limits{})
	t.Cleanup(c.CloseIdleConnections)
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "rebinding.example"} {
		_, err := c.Post(fmt.Sprintf("http://%s:%d/", host, port), "application/json", strings.NewReader("{}"))
		require.Error(t, err, host)
		require.ErrorIs(t, err, ErrRefused, host)
	}
	require.Zero(t, calls.Load())
	require.Nil(t, c.Transport.(*bounded).Proxy, "a proxy would resolve names itself")
}

func TestClientBoundsAnswers(t *testing.T) {
	stop := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/elsewhere":
			http.Redirect(w, r, "/large", http.StatusFound)
		case "/exact":
			_, _ = io.WriteString(w, strings.Repeat("x", 100))
		case "/large":
			_, _ = io.WriteString(w, strings.Repeat("x", 101))
		case "/slow":
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
			case <-stop:
			}
		}
	}))
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(stop) })
	g := NewGuard(netip.MustParsePrefix("127.0.0.0/8"))
	get := func(c *http.Client, path string) (int, []byte, error) {
		answer, err := c.Get(s.URL + path)
		require.NoError(t, err)
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, answer.Body.Close())
		return answer.StatusCode, body, err
	}
	c := g.Client(Limits{Answer: 100})
	t.Cleanup(c.CloseIdleConnections)

	status, _, err := get(c, "/elsewhere")
	require.NoError(t, err)
	require.Equal(t, http.StatusFound, status, "a redirect is not followed")
	_, body, err := get(c, "/exact")
	require.NoError(t, err)
	require.Len(t, body, 100)
	_, body, err = get(c, "/large")
	require.ErrorAs(t, err, new(*http.MaxBytesError))
	require.Len(t, body, 100)

	hurried := g.Client(Limits{Timeout: 100 * time.Millisecond})
	t.Cleanup(hurried.CloseIdleConnections)
	_, _, err = get(hurried, "/slow")
	failure, ok := err.(interface{ Timeout() bool })
	require.True(t, ok && failure.Timeout(), "%v", err)
}

func FuzzCheck(f *testing.F) {
	for _, seed := range []string{"https://8.8.8.8/", "http://[::1]:80", "https://0x7f.1", "https://a@b", "https://１２７.1", "https://[fe80::1%25a]"} {
		f.Add(seed)
	}
	g := NewGuard()
	g.resolver = names(f, nil)
	f.Fuzz(func(t *testing.T, address string) {
		if g.Check(t.Context(), address) != nil {
			return
		}
		u, err := url.Parse(address) // nothing resolves, so it is an IP address
		require.NoError(t, err)
		host, err := canonical(u.Hostname())
		require.NoError(t, err)
		ip, err := netip.ParseAddr(host)
		require.NoError(t, err)
		require.True(t, ip.Unmap().IsGlobalUnicast() && !ip.Unmap().IsPrivate(), address)
	})
}

// names is a resolver that asks a DNS server with these addresses. Behind an empty string
// are those of the second and later answers.
func names(t testing.TB, hosts map[string][]string) *net.Resolver {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	asked := map[dnsmessage.Question]bool{}
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buffer[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			if reply, err := answer(m, hosts, asked).Pack(); err == nil {
				_, _ = conn.WriteTo(reply, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func answer(m dnsmessage.Message, hosts map[string][]string, asked map[dnsmessage.Question]bool) *dnsmessage.Message {
	q := m.Questions[0]
	m.Response, m.Additionals = true, nil
	first, second, _ := strings.Cut(strings.Join(hosts[strings.ToLower(strings.TrimSuffix(q.Name.String(), "."))], " "), "  ")
	if asked[q] && second != "" {
		first = second
	}
	asked[q] = true
	if first == "" {
		m.RCode = dnsmessage.RCodeNameError
	}
	for text := range strings.FieldsSeq(first) {
		ip := netip.MustParseAddr(text)
		header := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, Type: q.Type}
		switch {
		case ip.Is4() && q.Type == dnsmessage.TypeA:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: ip.As4()}})
		case ip.Is6() && q.Type == dnsmessage.TypeAAAA:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: ip.As16()}})
		}
	}
	return &m
}
