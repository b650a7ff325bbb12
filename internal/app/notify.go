package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	nethttp "net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/infrastructure/outbound"
	"github.com/order-tracking/order-tracking/internal/notify"
)

// soleOwner is the name of the only process on an SQLite file: after a crash it has its leases back at once.
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
	channels, err := a.channels()
	if err != nil {
		return err
	}
	push, err := a.webPush(ctx, client)
	if err != nil {
		return err
	}
	if push != nil {
		channels = append(channels, push)
	}
	owner, poll := domain.NewID(), 200*time.Millisecond
	if a.alone {
		owner, poll = soleOwner, 400*time.Millisecond
	}
	a.notify, err = notify.New(notify.Deps{
		Store: a.store, Clock: a.clock, Log: a.log, Keys: a.requests, Secret: secret,
		Config: notify.Config{
			Tries: pauses, MessageTries: messagePauses, PublicURL: a.cfg.HTTP.PublicURL, Timeout: w.Timeout, AtOnce: w.AtOnce, DisableAfter: w.DisableAfter, Keep: w.Keep, Poll: poll, Lease: 10 * time.Second, Owner: owner,
		},
		Channels: channels, Bots: a.bots(), Push: a.pushKey, Profile: a.gate.Documents.Profile, Link: a.customerLink, PIN: a.orders.PIN,
		Commit: a.gate.Guard.Commit, Audit: a.gate.Audit.Entry, Client: client, Allowed: permitted(guard),
	})
	if err != nil {
		return err
	}
	a.orders.Notifier = a.notify
	return a.notify.Start(ctx, func(ctx context.Context, id string, data map[string]any) error {
		_, err := a.orders.Update(ctx, id, "", nil, func(ch *domain.Change) error {
			ch.Add(ch.Order.Note(domain.EventNotified, a.orders.System("notify"), data))
			return nil
		})
		return err
	}, a.orders.SetContact)
}

// messagePauses are the pauses between the tries of a message: later it would be of no use.
var messagePauses = []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 3 * time.Hour}

// channels are those that are configured.
func (a *App) channels() ([]*notify.Channel, error) {
	c := a.cfg.Notify
	var out []*notify.Channel
	if m := c.SMTP; m.Host != "" {
		email, err := notify.Email(notify.SMTP{
			Host: m.Host, Port: m.Port, Security: m.Security, User: m.User, Password: m.Password, From: m.From,
		})
		if err != nil {
			return nil, fmt.Errorf("notify.smtp: %w", err)
		}
		out = append(out, email)
	}
	if m := c.SMS; m.URL != "" {
		accepted, err := regexp.Compile(m.Accepted)
		if err != nil {
			return nil, fmt.Errorf("notify.sms.accepted: %w", err)
		}
		out = append(out, notify.SMS(notify.SMSConfig{
			URL: m.URL, Method: m.Method, ContentType: m.ContentType, Body: m.Body, Header: m.Header, Accepted: accepted, Client: provider,
		}))
	}
	return out, nil
}

// provider calls the operator's providers, which may be anywhere.
var provider = &nethttp.Client{Timeout: 15 * time.Second}

func (a *App) bots() (out []*notify.Bot) {
	if b := a.cfg.Notify.Telegram; b.Name != "" {
		out = append(out, notify.Telegram(notify.BotConfig{API: b.API, Token: b.Token, Name: b.Name, Client: provider}))
	}
	if b := a.cfg.Notify.Max; b.Name != "" {
		out = append(out, notify.Max(notify.BotConfig{API: b.API, Token: b.Token, Name: b.Name, Client: provider}))
	}
	return out
}

// webPush makes the channel with the installation's key, which is made once and stored in
// the database; nil if it is off. client calls the browsers' push services.
func (a *App) webPush(ctx context.Context, client *nethttp.Client) (*notify.Channel, error) {
	if a.cfg.Notify.Webpush == "" {
		return nil, nil
	}
	fresh, err := notify.NewVAPID()
	if err != nil {
		return nil, err
	}
	stored, err := a.store.Secret(ctx, "vapid", fresh)
	if err == nil {
		err = json.Unmarshal(stored, &a.pushKey)
	}
	return notify.WebPush(a.pushKey, a.cfg.Notify.Webpush, client), err
}

// customerLink returns the address of an order's page for messages; empty while the public address is not known.
func (a *App) customerLink(ctx context.Context, o *domain.Order) (string, error) {
	if a.cfg.HTTP.PublicURL == "" {
		return "", nil
	}
	token, err := a.gate.Shares.ForMessages(ctx, o)
	return a.cfg.HTTP.PublicURL + "/t/" + token, err
}

// errPlain refuses to send what is personal over networks of others unencrypted.
var errPlain = errors.New("must be https, unless it is in a network of webhooks.allow")

// permitted checks the addresses of webhooks: https to the public internet, anything to networks that the administrator allows.
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
