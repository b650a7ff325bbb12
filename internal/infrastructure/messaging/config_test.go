package messaging_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/infrastructure/messaging"
)

// certificate makes a certificate for 127.0.0.1 and the file of its CA.
func certificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

func TestTLSAndSASL(t *testing.T) {
	t.Parallel()
	cert, ca := certificate(t)
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		t.Run(mechanism, func(t *testing.T) {
			cluster := foreign(t, kfake.EnableSASL(), kfake.Superuser(mechanism, "shop", "secret"),
				kfake.TLS(&tls.Config{Certificates: []tls.Certificate{cert}})) //nolint:gosec // a test
			c := clientConfig(t, cluster.ListenAddrs()...)
			c.TLS = messaging.TLS{Enabled: true, CAFile: ca}
			c.SASL = messaging.SASL{Mechanism: mechanism, User: "shop", Password: "secret"}
			require.NoError(t, messaging.EnsureTopics(t.Context(), c))
			p, err := messaging.NewProducer(c)
			require.NoError(t, err)
			defer p.Close()
			require.NoError(t, p.Publish(t.Context(), []domain.Message{{Topic: domain.TopicOrderUpdated, Key: "k"}}))

			c.SASL.Password = "wrong"
			c.DeliveryTimeout = time.Second
			wrong, err := messaging.NewProducer(c)
			require.NoError(t, err)
			defer wrong.Close()
			require.Equal(t, domain.CodeUnavailable, domain.CodeOf(wrong.Ping(t.Context())))
		})
	}
}

func TestBadClientConfig(t *testing.T) {
	good := messaging.ClientConfig{Brokers: []string{"127.0.0.1:1"}}
	for name, change := range map[string]func(c *messaging.ClientConfig){
		"no Kafka broker is configured": func(c *messaging.ClientConfig) { c.Brokers = nil },
		"unknown SASL mechanism":        func(c *messaging.ClientConfig) { c.SASL.Mechanism = "GSSAPI" },
		"read the Kafka CA file":        func(c *messaging.ClientConfig) { c.TLS = messaging.TLS{Enabled: true, CAFile: "none"} },
		"holds no certificate":          func(c *messaging.ClientConfig) { c.TLS = messaging.TLS{Enabled: true, CAFile: "config.go"} },
		"load the Kafka client certificate": func(c *messaging.ClientConfig) {
			c.TLS = messaging.TLS{Enabled: true, CertFile: "none", KeyFile: "none"}
		},
	} {
		c := good
		change(&c)
		_, err := messaging.NewProducer(c)
		require.ErrorContains(t, err, name)
		_, err = messaging.NewConsumer(c, "g", nil)
		require.ErrorContains(t, err, name)
	}
}
