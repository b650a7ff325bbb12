package tests

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/letsencrypt/challtestsrv"
	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/lxzan/gws"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/order-tracking/order-tracking/config"
	"github.com/order-tracking/order-tracking/internal/app"
	pb "github.com/order-tracking/order-tracking/proto/ordertracking/v1"
)

// certify writes a new certificate with the serial number and its key, and returns who trusts it.
func certify(t *testing.T, certFile, keyFile string, serial int64) *x509.CertPool {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	require.NoError(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return pool
}

// TestEverythingOverTLS: REST, both kinds of streams and gRPC; the certificate is replaced
// while the server runs.
func TestEverythingOverTLS(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	pool := certify(t, certFile, keyFile, 1)
	cfg, err := config.Load(append((&server{dir: dir}).flags(), "--set=tls.cert_file="+certFile, "--set=tls.key_file="+keyFile), nil)
	require.NoError(t, err)
	a, err := app.New(t.Context(), cfg, zap.NewNop(), "test")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() { cancel(); require.NoError(t, <-ended) })

	trusting := &tls.Config{RootCAs: pool}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: trusting, DisableKeepAlives: true}}
	resp, err := client.Post("https://"+a.HTTPAddr()+"/order", "application/json", strings.NewReader(`{"customer":{"name":"Anna"},"dropoff":{"address":"Main St 1"}}`))
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, resp.StatusCode)
	require.Equal(t, "max-age=31536000", resp.Header.Get("Strict-Transport-Security"))
	order := str(readObject(resp), "id")

	frames := make(chan []byte, 10)
	socket, _, err := gws.NewClient(wsFrames{frames: frames}, &gws.ClientOption{Addr: "wss://" + a.HTTPAddr() + "/order/" + order + "/ws", TlsConfig: trusting})
	require.NoError(t, err)
	t.Cleanup(func() { _ = socket.NetConn().Close() })
	go socket.ReadLoop()
	require.Contains(t, string(<-frames), `"snapshot"`)

	events, err := client.Get("https://" + a.HTTPAddr() + "/order/" + order + "/stream")
	require.NoError(t, err)
	t.Cleanup(func() { _ = events.Body.Close() })
	var first [512]byte
	n, err := io.ReadAtLeast(events.Body, first[:], 100)
	require.NoError(t, err)
	require.Contains(t, string(first[:n]), "retry: 2000")

	conn, err := grpc.NewClient(a.GRPCAddr(), grpc.WithTransportCredentials(credentials.NewTLS(trusting)))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = pb.NewOrderServiceClient(conn).GetOrder(t.Context(), &pb.GetOrderRequest{OrderId: order})
	require.NoError(t, err)

	old := &tls.Dialer{Config: &tls.Config{RootCAs: pool, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}}
	_, err = old.DialContext(t.Context(), "tcp", a.HTTPAddr())
	require.Error(t, err, "TLS 1.1")
	plain, err := client.Get("http://" + a.HTTPAddr() + "/healthz")
	require.NoError(t, err)
	require.NoError(t, plain.Body.Close())
	require.Equal(t, http.StatusBadRequest, plain.StatusCode, "plain HTTP")

	serial := func(pool *x509.CertPool) int64 {
		conn, err := (&tls.Dialer{Config: &tls.Config{RootCAs: pool}}).DialContext(t.Context(), "tcp", a.HTTPAddr())
		require.NoError(t, err)
		defer func() { _ = conn.Close() }()
		return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	require.EqualValues(t, 1, serial(pool))
	require.NoError(t, os.WriteFile(certFile, []byte("rubbish"), 0o600))
	require.Error(t, a.Reload(t.Context()))
	require.EqualValues(t, 1, serial(pool), "a broken file changes nothing")
	pool = certify(t, certFile, keyFile, 2)
	require.NoError(t, a.Reload(t.Context()))
	require.EqualValues(t, 2, serial(pool))
}

type wsFrames struct {
	gws.BuiltinEventHandler
	frames chan []byte
}

func (h wsFrames) OnMessage(_ *gws.Conn, m *gws.Message) {
	if json.Valid(m.Bytes()) {
		h.frames <- append([]byte{}, m.Bytes()...)
	}
}

// The authority checks over TLS-ALPN that the server really is at the name; until then there
// is no certificate, and the server waits without failing.
func TestACertificateByACME(t *testing.T) {
	for name, value := range map[string]string{"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "20"} {
		t.Setenv(name, value)
	}
	reserved, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := reserved.Addr().(*net.TCPAddr).Port
	names, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	resolver := names.LocalAddr().String()
	require.NoError(t, names.Close())
	dns, err := challtestsrv.New(challtestsrv.Config{DNSOneAddrs: []string{resolver}, Log: log.New(io.Discard, "", 0)})
	require.NoError(t, err)
	dns.SetDefaultDNSIPv4("127.0.0.1")
	dns.SetDefaultDNSIPv6("")
	go dns.Run()
	t.Cleanup(dns.Shutdown)

	quiet, store := log.New(io.Discard, "", 0), db.NewMemoryStore()
	authority := ca.New(quiet, store, "", 0, 1, map[string]ca.Profile{"default": {}})
	front := wfe.New(quiet, store, va.New(quiet, 0, port, false, resolver, store), authority, false, false, 1, 1)
	acme := httptest.NewTLSServer(front.Handler())
	t.Cleanup(acme.Close)
	dir := t.TempDir()
	trust := filepath.Join(dir, "authority.pem")
	require.NoError(t, os.WriteFile(trust, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: acme.Certificate().Raw}), 0o600))

	require.NoError(t, reserved.Close())
	cfg, err := config.Load(append((&server{dir: dir}).flags(), "--set=tls.acme.host=track.example.com",
		"--set=tls.acme.directory="+acme.URL+wfe.DirectoryPath, "--set=tls.acme.ca_file="+trust, "--set=tls.acme.dir="+filepath.Join(dir, "acme")), nil)
	require.NoError(t, err)
	cfg.HTTP.Addr = reserved.Addr().String()
	a, err := app.New(t.Context(), cfg, zap.NewNop(), "test")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() { cancel(); require.NoError(t, <-ended) })

	roots := x509.NewCertPool()
	roots.AddCert(authority.GetRootCert(0).Cert)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "track.example.com"}}}
	require.Eventually(t, func() bool {
		resp, err := client.Get("https://" + a.HTTPAddr() + "/healthz")
		return err == nil && resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
	}, time.Minute, 50*time.Millisecond)
	stranger := http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "other.example.com"}}}
	_, err = stranger.Get("https://" + a.HTTPAddr() + "/healthz")
	require.Error(t, err, "there is a certificate of the one name only")
	key, err := filepath.Glob(filepath.Join(dir, "acme", "certificates", "*", "*", "*.key"))
	require.NoError(t, err)
	require.Len(t, key, 1)
	info, err := os.Stat(key[0])
	require.NoError(t, err)
	require.Zero(t, info.Mode().Perm()&0o077, "the key is its owner's")
}
