package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
)

// openACME prepares to get the certificate of tls.acme.host, and to renew it in time. Nothing
// is asked before manage.
func (a *App) openACME() error {
	c := a.cfg.TLS.ACME
	roots, err := authorities(c.CAFile)
	if err != nil {
		return fmt.Errorf("tls.acme.ca_file: %w", err)
	}
	log := a.log.Named("acme").WithOptions(zap.IncreaseLevel(zap.WarnLevel))
	var m *certmagic.Config
	cache := certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return m, nil }, Logger: log,
	})
	m = certmagic.New(cache, certmagic.Config{Storage: &certmagic.FileStorage{Path: c.Dir}, Logger: log})
	m.Issuers = []certmagic.Issuer{certmagic.NewACMEIssuer(m, certmagic.ACMEIssuer{
		CA: c.Directory, Email: c.Email, Agreed: true, TrustedRoots: roots, Logger: log,
		// The port belongs to the REST server, which answers the challenge.
		DisableHTTPChallenge: true, AltTLSALPNPort: a.httpPort(),
	})}
	a.secure = m.TLSConfig()
	a.secure.MinVersion = tls.VersionTLS12
	a.manage = func(ctx context.Context) error {
		defer cache.Stop()
		if err := m.ManageAsync(ctx, []string{c.Host}); err != nil {
			return fmt.Errorf("tls.acme: %w", err)
		}
		<-ctx.Done()
		return nil
	}
	return nil
}

// httpPort is the port of the REST server.
func (a *App) httpPort() int {
	_, port, _ := net.SplitHostPort(a.HTTPAddr()) //nolint:errcheck // a listener's
	n, _ := strconv.Atoi(port)                    //nolint:errcheck // a listener's
	return n
}

// authorities reads trusted certificates, nil for the system's.
func authorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("has no certificate")
	}
	return pool, nil
}
