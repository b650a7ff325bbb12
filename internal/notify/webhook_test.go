package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	oracle "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/notify"
	"github.com/order-tracking/order-tracking/internal/orders"
	"github.com/order-tracking/order-tracking/internal/paging"
)

type assertT = assert.CollectT

type told struct {
	Type string `json:"type"`
	Data struct {
		Event     domain.Event    `json:"event"`
		Order     json.RawMessage `json:"order"`
		Truncated bool            `json:"truncated"`
	} `json:"data"`
}

func typeOf(body []byte) string {
	var v told
	_ = json.Unmarshal(body, &v)
	return v.Type
}

// log is a webhook's deliveries as "type status tries code", oldest first.
func (r *rig) log(id string) []string {
	found, _, err := r.Deliveries(r.ctx, id, notify.LogFilter{}, paging.Request{})
	require.NoError(r.t, err)
	out := []string{}
	for _, d := range found {
		out = append([]string{fmt.Sprint(d.Type, " ", d.Status, " ", d.Tries, " ", d.Code)}, out...)
	}
	return out
}

func TestWebhookIsSignedAndTellsTheOrderAsItStood(t *testing.T) {
	r, rc := newRig(t), newReceiver(t, nil)
	w := r.webhook(notify.NewWebhook{URL: rc.URL + "/hook?token=s3cret"})
	o := r.order("")
	r.moves(o.ID, domain.StatusConfirmed)
	r.runs()
	awaits(t, []string{"order.created", "order.status_changed"}, rc.types)
	verifier, err := oracle.NewWebhook(w.Secret)
	require.NoError(t, err)
	for i, c := range rc.got() {
		require.NoError(t, verifier.Verify(c.body, c.header), "the public verifier accepts it")
		require.Equal(t, "application/json", c.header.Get("Content-Type"))
		var v told
		require.NoError(t, json.Unmarshal(c.body, &v))
		require.Equal(t, v.Data.Event.ID, c.header.Get("Webhook-Id"))
		var as domain.Order
		require.NoError(t, json.Unmarshal(v.Data.Order, &as))
		require.Equal(t, int64(i+1), as.Version)
		require.Empty(t, v.Data.Event.Actor.ID, "who of the staff did it is not told")
	}
	awaits(t, []string{"order.created sent 1 200", "order.status_changed sent 1 200"}, func() []string { return r.log(w.ID) })
}

func TestWebhookGetsWhatItAskedFor(t *testing.T) {
	r := newRig(t)
	changes, notes, shop := newReceiver(t, nil), newReceiver(t, nil), newReceiver(t, nil)
	r.webhook(notify.NewWebhook{URL: changes.URL})
	r.webhook(notify.NewWebhook{URL: notes.URL, Types: []domain.EventType{domain.EventNotified}})
	r.webhook(notify.NewWebhook{URL: shop.URL, MerchantID: "shop", Types: []domain.EventType{domain.EventCreated}})
	r.order("shop")
	o := r.order("other")
	_, err := r.orders.Notify(r.ctx, o.ID, orders.Notice{Text: "soon"})
	require.NoError(t, err)
	r.runs()
	awaits(t, []string{"order.created", "order.created"}, changes.types)
	awaits(t, []string{"order.notified"}, notes.types)
	awaits(t, []string{"order.created"}, shop.types)
}

func TestWebhookIsTriedAgainAndKeepsTheOrder(t *testing.T) {
	r, rc := newRig(t), newReceiver(t, status(http.StatusServiceUnavailable))
	w := r.webhook(notify.NewWebhook{URL: rc.URL})
	o := r.order("")
	r.moves(o.ID, domain.StatusConfirmed)
	other := r.order("")
	r.runs()
	awaits(t, 2, func() int { return len(rc.got()) }) // one of each order
	awaits(t, []string{"order.created waiting 1 503", "order.status_changed waiting 0 0", "order.created waiting 1 503"},
		func() []string { return r.log(w.ID) })
	rc.answers(nil)
	r.clock.skip(10 * time.Second)
	awaits(t, 5, func() int { return len(rc.got()) })
	ids := map[string][]string{}
	for _, c := range rc.got() {
		var v told
		require.NoError(t, json.Unmarshal(c.body, &v))
		ids[v.Data.Event.OrderID] = append(ids[v.Data.Event.OrderID], v.Type+" "+c.header.Get("Webhook-Id"))
	}
	mine := ids[o.ID]
	require.Len(t, mine, 3)
	require.Equal(t, mine[0], mine[1], "the same id on every try")
	require.True(t, strings.HasPrefix(mine[2], "order.status_changed"))
	require.Len(t, ids[other.ID], 2)
}

func TestWebhookIsGivenUpAfterItsTriesAndTheNextGoesOn(t *testing.T) {
	r, rc := newRig(t), newReceiver(t, status(http.StatusBadRequest))
	w := r.webhook(notify.NewWebhook{URL: rc.URL})
	o := r.order("")
	r.moves(o.ID, domain.StatusConfirmed)
	r.runs()
	for _, want := range []string{"waiting 1", "waiting 2", "exhausted 3"} {
		awaits(t, "order.created "+want+" 400", func() string { return r.log(w.ID)[0] })
		r.clock.skip(10 * time.Minute)
	}
	awaits(t, "order.status_changed", func() string { types := rc.types(); return types[len(types)-1] })
	awaits(t, int64(1), r.Exhausted)
}

func TestWebhookThatIsGoneIsDisabledAndReplayedLater(t *testing.T) {
	r, rc := newRig(t), newReceiver(t, status(http.StatusGone))
	w := r.webhook(notify.NewWebhook{URL: rc.URL})
	o := r.order("")
	begun := time.Now().Add(-time.Minute)
	r.runs()
	awaits(t, "gone", func() string {
		v, err := r.Webhook(r.ctx, w.ID)
		require.NoError(t, err)
		if v.Disabled == nil {
			return ""
		}
		return v.Disabled.Reason
	})
	r.moves(o.ID, domain.StatusConfirmed)
	awaits(t, []string{"order.created held 1 410", "order.status_changed held 0 0"}, func() []string { return r.log(w.ID) })
	require.Len(t, rc.got(), 1)
	_, err := r.Replay(r.ctx, w.ID, notify.Replay{From: begun})
	require.Equal(t, domain.CodeValidationFailed, domain.CodeOf(err), "a disabled one is enabled first")

	rc.answers(nil)
	_, err = r.Edit(r.ctx, w.ID, notify.WebhookEdit{Enabled: new(true)}, 0)
	require.NoError(t, err)
	n, err := r.Replay(r.ctx, w.ID, notify.Replay{From: begun})
	require.NoError(t, err)
	require.Equal(t, 2, n.Deliveries)
	awaits(t, []string{"order.created", "order.created", "order.status_changed"}, rc.types)
}

func TestWebhookThatOnlyFailsForDaysIsDisabled(t *testing.T) {
	r, rc := newRig(t), newReceiver(t, status(http.StatusInternalServerError))
	w := r.webhook(notify.NewWebhook{URL: rc.URL})
	r.order("")
	r.runs()
	awaits(t, "order.created waiting 1 500", func() string { return r.log(w.ID)[0] })
	r.clock.skip(119 * time.Hour)
	awaits(t, "order.created waiting 2 500", func() string { return r.log(w.ID)[0] })
	r.clock.skip(2 * time.Hour)
	awaits(t, false, func() bool { v, _ := r.Webhook(r.ctx, w.ID); return v.Enabled })
	awaits(t, int64(1), r.Disabled)
}

// The merchant hears of it by mail, also when the mail server or the process was away for a while.
func TestMerchantIsToldOfADisabledWebhook(t *testing.T) {
	for _, c := range []struct {
		reason, locale, want string
		code                 int
		wait                 time.Duration
	}{
		{"gone", "ru", "Ваш вебхук Kitchen (127.0.0.1", http.StatusGone, 0},
		{"failing", "en", "every call to it has failed for days.", http.StatusInternalServerError, 121 * time.Hour},
	} {
		t.Run(c.reason, func(t *testing.T) {
			var got recorder
			var away atomic.Bool
			away.Store(true)
			email := got.channel("email", false)
			take := email.Send
			email.Send = func(ctx context.Context, m notify.Message) notify.Outcome {
				if away.Swap(false) {
					return notify.Outcome{Err: errors.New("away")}
				}
				return take(ctx, m)
			}
			r := newRig(t, with(email), func(d *notify.Deps) {
				d.Profile = func(id string) domain.Profile {
					return domain.Profile{Email: "it@" + id + ".example", Locale: c.locale}
				}
			})
			_, err := r.PutRules(r.ctx, "shop", notify.RulesEdit{Rules: []domain.NotificationRule{}}, 0)
			require.NoError(t, err)
			rc := newReceiver(t, status(c.code))
			w := r.webhook(notify.NewWebhook{URL: rc.URL + "/?token=s3cret", MerchantID: "shop", Description: "Kitchen"})
			r.order("shop")
			stop := r.runs()
			awaits(t, true, func() bool { return r.log(w.ID)[0] != "order.created waiting 0 0" })
			r.clock.skip(c.wait)
			awaits(t, int64(1), r.Disabled)
			awaits(t, true, func() bool { return !away.Load() })
			stop()
			require.Empty(t, got.all())
			r.clock.skip(2 * time.Minute)
			r.runs()
			awaits(t, 1, func() int { return len(got.all()) })
			m := got.all()[0]
			require.Equal(t, "it@shop.example", m.To)
			require.Contains(t, m.Text, c.want)
			require.Contains(t, m.Text, "https://track.example/?view=settings&tab=webhooks&id="+w.ID)
			require.NotContains(t, m.Subject+m.Text, "s3cret")
			require.NotContains(t, m.Subject+m.Text, "{{")
			require.Empty(t, m.OptOut)
		})
	}
}

// What a killed replica had leased is sent by another one when the lease ends, and not before.
func TestLeaseOfAKilledReplicaEnds(t *testing.T) {
	r, rc := newRig(t), newReceiver(t, nil)
	w := r.webhook(notify.NewWebhook{URL: rc.URL})
	r.order("")
	now := r.clock.Now()
	taken, err := r.store.LeaseReceivers(t.Context(), "killed", nil, now, now.Add(10*time.Second))
	require.NoError(t, err)
	require.Contains(t, taken, domain.Receiver{Name: w.ID})
	other := newReceiver(t, nil)
	r.webhook(notify.NewWebhook{URL: other.URL})
	r.runs()
	r.order("")
	awaits(t, []string{"order.created"}, other.types)
	require.Empty(t, rc.got())
	r.clock.skip(11 * time.Second)
	awaits(t, []string{"order.created", "order.created"}, rc.types)
}

// A receiver that never answers has so many requests at once and no more, and delays nobody else.
func TestHangingWebhookDelaysNobody(t *testing.T) {
	ended := make(chan struct{})
	var mu sync.Mutex
	open, most := 0, 0
	dead := newReceiver(t, func(_ http.ResponseWriter, req *http.Request) {
		mu.Lock()
		open++
		most = max(most, open)
		mu.Unlock()
		select {
		case <-ended:
		case <-req.Context().Done():
		}
		mu.Lock()
		open--
		mu.Unlock()
	})
	t.Cleanup(func() { close(ended) }) // before the server waits for its requests
	r, healthy := newRig(t), newReceiver(t, nil)
	r.webhook(notify.NewWebhook{URL: dead.URL})
	r.webhook(notify.NewWebhook{URL: healthy.URL})
	r.runs()
	for range 20 {
		r.order("")
	}
	awaits(t, 20, func() int { return len(healthy.got()) })
	awaits(t, 8, func() int {
		mu.Lock()
		defer mu.Unlock()
		return open
	})
	require.Len(t, dead.got(), 8)
	require.Equal(t, 8, most)
}

func TestWebhookSecretsOverlap(t *testing.T) {
	r, rc := newRig(t), newReceiver(t, nil)
	w := r.webhook(notify.NewWebhook{URL: rc.URL})
	hour := 3600
	next, err := r.Rotate(r.ctx, w.ID, notify.SecretRotation{OverlapSeconds: &hour})
	require.NoError(t, err)
	verifies := func(secret string) bool {
		tested, err := r.Test(r.ctx, w.ID)
		require.NoError(t, err)
		require.True(t, tested.Delivered)
		verifier, err := oracle.NewWebhook(secret)
		require.NoError(t, err)
		calls := rc.got()
		last := calls[len(calls)-1]
		return verifier.VerifyIgnoringTimestamp(last.body, last.header) == nil
	}
	require.True(t, verifies(w.Secret))
	require.True(t, verifies(next.Secret))
	r.clock.skip(2 * time.Hour)
	require.False(t, verifies(w.Secret))
	require.True(t, verifies(next.Secret))

	doc, err := r.store.Document(t.Context(), domain.DocumentWebhook, w.ID)
	require.NoError(t, err)
	for _, secret := range []string{w.Secret, next.Secret} {
		require.NotContains(t, string(doc.Data), strings.TrimPrefix(secret, "whsec_"), "secrets are stored encrypted")
	}
}

func TestWebhookFailuresAreToldWithoutSecrets(t *testing.T) {
	hang := make(chan struct{})
	rc := newReceiver(t, nil)
	t.Cleanup(func() { close(hang) })
	r := newRig(t, func(d *notify.Deps) { d.Config.Timeout = 200 * time.Millisecond })
	w := r.webhook(notify.NewWebhook{URL: rc.URL + "/?token=s3cret"})
	plain := newReceiver(t, nil)
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request)
		url    string
		want   string
	}{
		"redirect": {answer: func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, plain.URL, http.StatusFound) }, want: "answered 302; redirects are not followed"},
		"hangs":    {answer: func(http.ResponseWriter, *http.Request) { <-hang }, want: "no answer in time"},
		"closes early": {answer: func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_ = conn.Close()
			}
		}, want: "the connection was closed without an answer"},
		"no TLS":      {url: strings.Replace(plain.URL, "http://", "https://", 1), want: "server gave HTTP response to HTTPS client"},
		"no host":     {url: "http://shop.invalid/?token=s3cret", want: "the host name can't be resolved"},
		"nobody home": {url: "http://" + freePort(t) + "/?token=s3cret", want: "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			rc.answers(c.answer)
			to := rc.URL + "/?token=s3cret"
			if c.url != "" {
				to = c.url
			}
			_, err := r.Edit(r.ctx, w.ID, notify.WebhookEdit{URL: &to}, 0)
			require.NoError(t, err)
			tested, err := r.Test(r.ctx, w.ID)
			require.NoError(t, err)
			require.False(t, tested.Delivered)
			require.Contains(t, tested.Error, c.want)
			require.NotContains(t, tested.Error, "s3cret")
		})
	}
	require.Empty(t, plain.got(), "no redirect was followed")
}

func freePort(t *testing.T) string {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func TestWebhookBodyStaysSmall(t *testing.T) {
	r, rc := newRig(t), newReceiver(t, nil)
	r.webhook(notify.NewWebhook{URL: rc.URL, Types: []domain.EventType{domain.EventCreated, domain.EventNotified}})
	items := make([]domain.Item, 300)
	for i := range items {
		items[i] = domain.Item{Name: strings.Repeat("ж", 60), Quantity: 1}
	}
	o, err := r.orders.Create(r.ctx, domain.Draft{Customer: domain.Customer{Name: "A"}, Dropoff: &domain.Place{Address: "B"}, Items: items})
	require.NoError(t, err)
	_, err = r.orders.Update(r.ctx, o.ID, "", nil, func(ch *domain.Change) error {
		ch.Add(ch.Order.Note(domain.EventNotified, domain.By{Now: r.clock.Now(), Location: &domain.Point{Lat: 1, Lon: 2}}, map[string]any{"text": strings.Repeat("x", 30000)}))
		return nil
	})
	require.NoError(t, err)
	r.runs()
	awaits(t, 2, func() int { return len(rc.got()) })
	for _, c := range rc.got() {
		require.LessOrEqual(t, len(c.body), 20<<10)
		var v told
		require.NoError(t, json.Unmarshal(c.body, &v))
		require.True(t, v.Data.Truncated)
		require.Empty(t, v.Data.Order)
		require.Equal(t, o.ID, v.Data.Event.OrderID)
		require.Nil(t, v.Data.Event.Location)
	}
}

func TestWebhooksOfOthersAreNotThere(t *testing.T) {
	r := newRig(t)
	w := r.webhook(notify.NewWebhook{URL: "https://shop.example/hook", MerchantID: "m1"})
	other := as(t, domain.Caller{Actor: domain.Actor{Kind: domain.RoleMerchant, ID: "k"}, MerchantID: "m2"})
	for name, do := range map[string]func(context.Context, string) error{
		"get": func(ctx context.Context, id string) error { _, err := r.Webhook(ctx, id); return err },
		"edit": func(ctx context.Context, id string) error {
			_, err := r.Edit(ctx, id, notify.WebhookEdit{}, 0)
			return err
		},
		"delete": func(ctx context.Context, id string) error { return r.Delete(ctx, id, 0) },
		"rotate": func(ctx context.Context, id string) error {
			_, err := r.Rotate(ctx, id, notify.SecretRotation{})
			return err
		},
		"test": func(ctx context.Context, id string) error { _, err := r.Test(ctx, id); return err },
		"log": func(ctx context.Context, id string) error {
			_, _, err := r.Deliveries(ctx, id, notify.LogFilter{}, paging.Request{})
			return err
		},
		"retry": func(ctx context.Context, id string) error {
			_, err := r.Retry(ctx, id, domain.NewID())
			return err
		},
		"replay": func(ctx context.Context, id string) error {
			_, err := r.Replay(ctx, id, notify.Replay{From: time.Now()})
			return err
		},
	} {
		require.Equal(t, domain.CodeNotFound, domain.CodeOf(do(other, w.ID)), name)
	}
	list, err := r.Webhooks(other, "", 10)
	require.NoError(t, err)
	require.Empty(t, list)
	_, err = r.Create(other, notify.NewWebhook{URL: "https://shop.example", MerchantID: "m1"})
	require.Equal(t, domain.CodeValidationFailed, domain.CodeOf(err))
	mine, err := r.Create(other, notify.NewWebhook{URL: "https://shop.example"})
	require.NoError(t, err)
	require.Equal(t, "m2", mine.MerchantID)
}

func TestDeletedWebhookGetsNothing(t *testing.T) {
	r, rc := newRig(t), newReceiver(t, status(http.StatusInternalServerError))
	w := r.webhook(notify.NewWebhook{URL: rc.URL})
	r.order("")
	r.runs()
	awaits(t, 1, func() int { return len(rc.got()) })
	_, err := r.Edit(r.ctx, w.ID, notify.WebhookEdit{}, 7)
	require.Equal(t, domain.CodeVersionConflict, domain.CodeOf(err))
	require.NoError(t, r.Delete(r.ctx, w.ID, 1))
	r.order("")
	found, _, err := r.store.DeliveryLog(t.Context(), domain.DeliveryFilter{Receiver: w.ID}, domain.Page{Size: 10})
	require.NoError(t, err)
	require.Empty(t, found)
}
