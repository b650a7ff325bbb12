package app

import (
	"context"
	"errors"
	"net/url"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/infrastructure/outbound"
	"github.com/order-tracking/order-tracking/internal/notify"
)

// soleOwner is the name of the only process on an SQLite file: after a crash it has its
// leases back at once.
const soleOwner = "this process"

// openNotify sets up webhooks and messages to customers.
func (a *App) openNotify(ctx context.Context, secret []byte) (err error) {
	w := a.cfg.Webhooks
	pauses, err := w.Pauses()
	if err != nil {
		return err
	}
	guard := outbound.NewGuard(w.AllowedNetworks()...)
	client := guard.Client(outbound.Limits{Timeout: w.Timeout, PerHost: w.AtOnce})
	a.closing(func() error { client.CloseIdleConnections(); return nil })
	owner, poll := domain.NewID(), 200*time.Millisecond
	if a.alone {
		owner, poll = soleOwner, 400*time.Millisecond
	}
	a.notify, err = notify.New(notify.Deps{
		Store: a.store, Clock: a.clock, Log: a.log, Keys: a.requests, Secret: secret,
		Config: notify.Config{
			Tries: pauses, Timeout: w.Timeout, AtOnce: w.AtOnce, DisableAfter: w.DisableAfter, Keep: w.Keep, Poll: poll, Owner: owner,
		},
		Commit: a.gate.guard.Commit, Audit: a.gate.audit.Entry, Client: client, Allowed: permitted(guard),
	})
	if err != nil {
		return err
	}
	a.orders.NotifyBy(a.notify)
	return a.notify.Load(ctx)
}

// errPlain refuses to send what is personal over networks of others unencrypted.
var errPlain = errors.New("must be https, unless it is in a network of webhooks.allow")

// permitted checks the addresses of webhooks: https to the public internet, anything to
// networks that the administrator allows.
func permitted(guard *outbound.Guard) func(ctx context.Context, address string) error {
	public := outbound.NewGuard()
	return func(ctx context.Context, address string) error {
		if err := guard.Check(ctx, address); err != nil {
			return err
		}
		if u, err := url.Parse(address); err == nil && u.Scheme == "http" && public.Check(ctx, address) == nil {
			return errPlain
		}
		return nil
	}
}

// runNotify sends until the context ends.
func (a *App) runNotify(ctx context.Context, g *errgroup.Group) {
	g.Go(func() error { a.notify.Run(ctx); return nil })
}
