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
	"sync/atomic"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
)

// lookEvery is how often the certificate's files are checked for a change.
const lookEvery = 10 * time.Second

// certificate is the servers' certificate, from files that may change while it is in use.
type certificate struct {
	certFile, keyFile string
	current           atomic.Pointer[tls.Certificate]
	seen              [2]stamp // of the files that were loaded or failed to
}

// stamp tells versions of a file apart.
type stamp struct {
	modified time.Time
	size     int64
}

// openTLS loads the certificate, if one is configured.
func (a *App) openTLS(context.Context) error {
	t := a.cfg.TLS
	switch {
	case !t.Enabled():
		return nil
	case t.ACME.Host != "":
		return a.openACME()
	}
	c := &certificate{certFile: t.CertFile, keyFile: t.KeyFile}
	if err := c.load(); err != nil {
		return fmt.Errorf("tls.cert_file, tls.key_file: %w", err)
	}
	a.certificate, a.secure = c, c.config()
	return nil
}

// load reads the files; after an error the previous certificate stays in use.
func (c *certificate) load() error {
	c.seen = c.stamps()
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.current.Store(&pair)
	return nil
}

// stamps are zero for files that can't be read.
func (c *certificate) stamps() (out [2]stamp) {
	for i, name := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(name); err == nil { // follows links, which is how secrets are swapped
			out[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return out
}

// config returns the configuration of a server.
func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return c.current.Load(), nil
	}}
}

// watch loads the files again when they change or somebody asks, until the context ends.
func (a *App) watchCertificate(ctx context.Context, every <-chan time.Time) {
	c := a.certificate
	for {
		var done chan<- error
		select {
		case <-ctx.Done():
			return
		case done = <-a.reloads:
		case <-every:
			if c.stamps() == c.seen {
				continue
			}
		}
		err := c.load()
		if err != nil {
			a.log.Error("the new certificate can't be used; the previous one stays in use", zap.Error(err))
		} else {
			a.log.Info("loaded the certificate again", zap.Time("expires", c.current.Load().Leaf.NotAfter))
		}
		if done != nil {
			done <- err
		}
	}
}

// Reload loads the certificate's files again. It may be called while Run runs.
func (a *App) Reload(ctx context.Context) error {
	if a.certificate == nil {
		return nil
	}
	done := make(chan error, 1)
	select {
	case a.reloads <- done:
		return <-done
	case <-ctx.Done():
		return ctx.Err()
	}
}

// openACME prepares to get the certificate of tls.acme.host, and to renew it in time. Nothing is asked before manage.
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
