package app

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"sync/atomic"
	"time"

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
