package notify_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/notify"
	"github.com/order-tracking/order-tracking/internal/notify/pushtest"
	"github.com/order-tracking/order-tracking/internal/orders"
)

func says(code int, body string, header ...string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	}
}

// TestChannels is what every channel over HTTP holds to, against an emulator of its provider.
func TestChannels(t *testing.T) {
	rc := newReceiver(t, nil)
	browser := pushtest.NewBrowser(t, rc.URL+"/push")
	bot := notify.BotConfig{API: rc.URL, Token: "t0ken", Name: "shop_bot", Client: http.DefaultClient}
	raw, err := notify.NewVAPID()
	require.NoError(t, err)
	var vapid notify.VAPID
	require.NoError(t, json.Unmarshal(raw, &vapid))
	sms := func(contentType, body string) *notify.Channel {
		return notify.SMS(notify.SMSConfig{
			URL: rc.URL + "/send?to={{to}}", Method: http.MethodPost, ContentType: contentType, Body: body,
			Header: "Authorization: Basic eA==", Accepted: regexp.MustCompile(`"id"`), Client: http.DefaultClient,
		})
	}
	for name, c := range map[string]struct {
		*notify.Channel
		to   string
		good string
		lies []string // answers with status 200 that are no success
		text func(c call) string
	}{
		"telegram": {
			notify.Telegram(bot).Channel, "42", `{"ok":true,"result":{"message_id":1}}`,
			[]string{`{"ok":false,"error_code":403,"description":"bot was blocked by the user"}`, `<html>login</html>`, `{"ok":true}`, `{"ok":false,"error_code":429,"parameters":{"retry_after":7}}`},
			func(c call) string { return field(c.body, "text") },
		},
		"max": {
			notify.Max(bot).Channel, "42", `{"message":{"body":{"mid":"m1"}}}`, []string{`{}`, `<html>`},
			func(c call) string { return field(c.body, "text") },
		},
		"sms form": {
			sms("application/x-www-form-urlencoded", "phones={{phone}}&mes={{text}}&id={{id}}"), "+79161234567", `{"id":1}`,
			[]string{`{"error":"no money"}`},
			func(c call) string { v, _ := url.ParseQuery(string(c.body)); return v.Get("mes") },
		},
		"sms json": {
			sms("application/json", `{"to":"{{to}}","body":"{{text}}"}`), "+79161234567", `{"id":1}`, []string{``},
			func(c call) string { return field(c.body, "body") },
		},
		"webpush": {
			notify.WebPush(vapid, "mailto:a@shop.example", http.DefaultClient), browser.Subscription(t), "", nil,
			func(c call) string {
				var m struct{ Notification struct{ Body string } }
				require.NoError(t, json.Unmarshal(browser.Decrypt(t, c.body), &m))
				return m.Notification.Body
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := notify.Message{ID: domain.NewID(), To: c.to, Subject: "Coming", Text: "Привет \"Anna\" & co\n100%", Link: "https://track.example/t/x", Lang: "ru", OrderID: domain.NewID()}
			send := func(answer func(http.ResponseWriter, *http.Request)) notify.Outcome {
				rc.answers(answer)
				return c.Send(t.Context(), m)
			}
			require.NoError(t, send(says(http.StatusOK, c.good)).Err)
			calls := rc.got()
			require.Equal(t, m.Text, c.text(calls[len(calls)-1]), "the text arrives as it is")
			for _, lie := range c.lies {
				require.Error(t, send(says(http.StatusOK, lie)).Err, lie)
			}
			limited := send(says(http.StatusTooManyRequests, `{"ok":false,"error_code":429,"parameters":{"retry_after":7}}`, "Retry-After", "7"))
			require.Error(t, limited.Err)
			require.False(t, limited.Final())
			require.Equal(t, "7s", limited.After().String())
			require.False(t, send(says(http.StatusBadGateway, "x")).Final(), "an outage passes")
			gone := send(says(http.StatusForbidden, `{"ok":false,"error_code":403,"description":"bot was blocked by the user"}`))
			require.True(t, gone.Final())
			require.NotContains(t, gone.Err.Error(), "t0ken")
		})
	}
}

func field(body []byte, name string) string {
	var v map[string]any
	_ = json.Unmarshal(body, &v)
	s, _ := v[name].(string)
	return s
}

func TestBotsReachWhoStartedThem(t *testing.T) {
	for name, c := range map[string]struct {
		make   func(notify.BotConfig) *notify.Bot
		update func(code string) string
		good   string
	}{
		"telegram": {notify.Telegram, func(code string) string {
			return `{"message":{"text":"/start ` + code + `","chat":{"id":42,"type":"private"}}}`
		}, `{"ok":true,"result":{}}`},
		"max": {notify.Max, func(code string) string {
			return `{"update_type":"bot_started","chat_id":42,"payload":"` + code + `"}`
		}, `{"message":{}}`},
	} {
		t.Run(name, func(t *testing.T) {
			rc := newReceiver(t, says(http.StatusOK, c.good))
			bot := c.make(notify.BotConfig{API: rc.URL, Token: "t", Name: "shop_bot", Client: http.DefaultClient})
			r := newRig(t, func(d *notify.Deps) { d.Bots = []*notify.Bot{bot} })
			_, err := r.PutRules(r.ctx, "", notify.RulesEdit{Channels: map[string]notify.ChannelSetting{name: {Enabled: true}}}, 0)
			require.NoError(t, err)
			o := r.order("")
			offer, err := r.Connect(r.ctx, o.ID, notify.CustomerContact{Channel: name})
			require.NoError(t, err)
			_, code, _ := strings.Cut(offer.URL, "start=")
			update := func(secret, code string) error {
				return r.Update(t.Context(), name, func(h string) string {
					if h == bot.Header {
						return secret
					}
					return ""
				}, []byte(c.update(code)))
			}
			contacts := func() map[string]string {
				stored, err := r.store.Order(t.Context(), o.ID)
				require.NoError(t, err)
				return stored.Bookkeeping.Contacts
			}
			require.Equal(t, domain.CodeNotFound, domain.CodeOf(update("forged", code)))
			require.NoError(t, update(r.BotSecret(name), "guessed"))
			require.Empty(t, contacts())
			require.NoError(t, update(r.BotSecret(name), code))
			require.Equal(t, map[string]string{name: "42"}, contacts())
			require.NoError(t, update(r.BotSecret(name), code), "a code is used once")
			r.runs()
			n, err := r.orders.Notify(r.ctx, o.ID, orders.Notice{Text: "Hi", Channel: name})
			require.NoError(t, err)
			require.Equal(t, []orders.Delivery{{Channel: name, Status: "sent"}}, n.Deliveries)
		})
	}
}

// A customer has several devices: each is told once, one that has ended is forgotten, and the oldest gives way to a sixth.
func TestEveryDeviceIsTold(t *testing.T) {
	raw, err := notify.NewVAPID()
	require.NoError(t, err)
	var vapid notify.VAPID
	require.NoError(t, json.Unmarshal(raw, &vapid))
	got, busy := map[string]int{}, true
	var mu sync.Mutex
	rc := newReceiver(t, func(w http.ResponseWriter, req *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		switch got[req.URL.Path]++; {
		case req.URL.Path == "/sold":
			w.WriteHeader(http.StatusGone)
		case req.URL.Path == "/laptop" && busy:
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			w.WriteHeader(http.StatusCreated)
		}
	})
	asked := func() string {
		mu.Lock()
		defer mu.Unlock()
		return fmt.Sprint(got)
	}
	r := newRig(t, with(notify.WebPush(vapid, "mailto:a@shop.example", http.DefaultClient)))
	_, err = r.PutRules(r.ctx, "", notify.RulesEdit{Rules: []domain.NotificationRule{}}, 0)
	require.NoError(t, err)
	o := r.order("")
	subscribe := func(device string, remove bool) {
		var to notify.PushSubscription
		require.NoError(t, json.Unmarshal([]byte(pushtest.NewBrowser(t, rc.URL+"/"+device).Subscription(t)), &to))
		if remove {
			for line := range strings.SplitSeq(r.contacts(o.ID), "\n") {
				if strings.Contains(line, "/"+device+`"`) {
					require.NoError(t, json.Unmarshal([]byte(line), &to))
				}
			}
		}
		_, err := r.Connect(r.ctx, o.ID, notify.CustomerContact{Channel: "webpush", Subscription: &to, Remove: remove})
		require.NoError(t, err)
	}
	devices := func() (names []string) {
		for line := range strings.SplitSeq(r.contacts(o.ID), "\n") {
			var to notify.PushSubscription
			require.NoError(t, json.Unmarshal([]byte(line), &to))
			names = append(names, to.Endpoint[strings.LastIndex(to.Endpoint, "/")+1:])
		}
		return names
	}
	for _, device := range []string{"sold", "phone", "laptop"} {
		subscribe(device, false)
	}
	r.runs()
	n, err := r.orders.Notify(r.ctx, o.ID, orders.Notice{Text: "Hi", Channel: "webpush"})
	require.NoError(t, err)
	require.Equal(t, []orders.Delivery{{Channel: "webpush", Status: "queued"}}, n.Deliveries, "the laptop is to get it")
	require.Equal(t, []string{"phone", "laptop"}, devices())
	require.Equal(t, "map[laptop:1 phone:1 sold:1]", strings.ReplaceAll(asked(), "/", ""))
	mu.Lock()
	busy = false
	mu.Unlock()
	r.clock.skip(2 * time.Minute)
	awaits(t, []string{"webpush  sent"}, func() []string { return r.sent(o.ID)[len(r.sent(o.ID))-1:] })
	require.Equal(t, "map[laptop:2 phone:1 sold:1]", strings.ReplaceAll(asked(), "/", ""), "the phone is not told twice")

	subscribe("phone", true)
	require.Equal(t, []string{"laptop"}, devices(), "the others stay")
	for _, device := range []string{"2", "3", "4", "5", "6"} {
		subscribe(device, false)
	}
	require.Equal(t, []string{"2", "3", "4", "5", "6"}, devices())
	_, err = r.Connect(r.ctx, o.ID, notify.CustomerContact{Channel: "webpush", Remove: true})
	require.NoError(t, err)
	require.Empty(t, r.contacts(o.ID))
}

func (r *rig) contacts(orderID string) string {
	o, err := r.store.Order(r.t.Context(), orderID)
	require.NoError(r.t, err)
	return o.Bookkeeping.Contacts["webpush"]
}
