package notify

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
)

// codeTTL is how long a link that starts a bot is valid.
const codeTTL = 15 * time.Minute

// CustomerContact is what a customer hands over to be reached.
type CustomerContact struct {
	Channel      string            `json:"channel" enum:"telegram,max,webpush" example:"telegram"`
	Subscription *PushSubscription `json:"subscription,omitempty" doc:"of webpush: what PushManager.subscribe returned"`
	Remove       bool              `json:"remove,omitempty" doc:"no more messages about this order on the channel; with subscription only to that browser"`
}

// SetContact adds or removes an address at which a channel reaches an order's customer, with the answer to the request.
// Without an address it removes all of the channel.
type SetContact func(ctx context.Context, orderID, channel, address string, on bool, rec *domain.Idempotency) error

// Offered are the channels that customers of a merchant can connect.
func (s *Service) Offered(merchantID string) (out []string) {
	for _, name := range []string{"webpush", "telegram", "max"} {
		if s.obstacle(&domain.Order{}, s.rulesOf(merchantID), name) == "no_address" {
			out = append(out, name)
		}
	}
	return out
}

// PushSubscription is a browser's, as its PushSubscription has it.
type PushSubscription struct {
	Endpoint string   `json:"endpoint" minLength:"1" maxLength:"1000"`
	Keys     PushKeys `json:"keys"`
}

// PushKeys encrypt for a browser.
type PushKeys struct {
	Auth   string `json:"auth" minLength:"1" maxLength:"100"`
	P256dh string `json:"p256dh" minLength:"1" maxLength:"200"`
}

// ContactOffer is how the customer goes on.
type ContactOffer struct {
	URL       string     `json:"url,omitempty" doc:"starts the bot; for one use" example:"https://t.me/shop_bot?start=…"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	PublicKey string     `json:"public_key,omitempty" doc:"of webpush: the applicationServerKey to subscribe with"`
	Stored    bool       `json:"stored" doc:"messages go there from now on"`
}

// Check validates a contact.
func (c CustomerContact) Check() error {
	var f domain.Faults
	f.Check("", &c)
	return f.Err()
}

// Connect offers a customer of an order a way to be reached, or stores or removes it.
func (s *Service) Connect(ctx context.Context, orderID string, in CustomerContact) (*ContactOffer, error) {
	if err := in.Check(); err != nil {
		return nil, err
	}
	if s.channels[in.Channel] == nil {
		return nil, domain.Invalid("/channel", "off", "the channel is not set up")
	}
	switch {
	case in.Subscription == nil && in.Remove:
		return s.keep(ctx, orderID, in, "")
	case in.Channel != "webpush":
	case in.Subscription == nil:
		return &ContactOffer{PublicKey: s.Push.Public}, nil
	default:
		if err := s.Allowed(ctx, in.Subscription.Endpoint); err != nil {
			return nil, domain.Invalid("/subscription/endpoint", "forbidden_target", "%s", err)
		}
		address, err := json.Marshal(in.Subscription) // in one line
		if err != nil {
			return nil, err
		}
		return s.keep(ctx, orderID, in, string(address))
	}
	code, until := rand.Text(), domain.Timestamp(s.Clock.Now().Add(codeTTL))
	err := s.Store.KeepTicket(ctx, domain.Ticket{
		Hash: domain.HashToken(in.Channel + ":" + code), ExpiresAt: until,
		Caller: domain.Caller{Actor: domain.Actor{Kind: roleContact, ID: in.Channel}, OrderID: orderID},
	})
	return &ContactOffer{URL: s.bots[in.Channel].Link(code), ExpiresAt: &until}, err
}

// keep stores or removes an address, once for an idempotency key.
func (s *Service) keep(ctx context.Context, orderID string, in CustomerContact, address string) (*ContactOffer, error) {
	return idempotency.Once(ctx, s.Keys, "connect_customer:"+orderID, in, func(rec *domain.Idempotency) (*ContactOffer, error) {
		out := &ContactOffer{Stored: !in.Remove}
		if err := idempotency.Answer(rec, out); err != nil {
			return nil, err
		}
		return out, s.setContact(ctx, orderID, in.Channel, address, !in.Remove, rec)
	})
}

// roleContact is the role of codes: it permits nothing.
const roleContact domain.Role = "contact"

// BotSecret is the secret of a bot's webhook.
func (s *Service) BotSecret(channel string) string {
	h := hmac.New(sha256.New, s.Secret)
	h.Write([]byte("bot\x00" + channel))
	return hex.EncodeToString(h.Sum(nil))
}

// Update handles a bot's webhook: whoever starts it with a valid code is reached there from
// now on. A forged one is not_found.
func (s *Service) Update(ctx context.Context, channel string, header func(string) string, body []byte) error {
	b := s.bots[channel]
	if b == nil || !hmac.Equal([]byte(header(b.Header)), []byte(s.BotSecret(channel))) {
		return domain.Errorf(domain.CodeNotFound, "there is nothing here")
	}
	chat, code := b.Started(body)
	if code == "" {
		return nil
	}
	t, err := s.Store.TakeTicket(ctx, domain.HashToken(channel+":"+code))
	if err != nil || t == nil || t.Caller.Kind != roleContact || s.Clock.Now().After(t.ExpiresAt) {
		return err
	}
	return s.setContact(ctx, t.Caller.OrderID, channel, chat, true, nil)
}

// Register tells the bots' providers where their webhooks are, until that works.
func (s *Service) Register(ctx context.Context) {
	for name, b := range s.bots {
		for pause := time.Second; s.Config.PublicURL != ""; pause = min(2*pause, 10*time.Minute) {
			err := b.Register(ctx, s.Config.PublicURL+"/bots/"+name, s.BotSecret(name))
			if err == nil || ctx.Err() != nil {
				break
			}
			s.Log.Warn("a bot can't be registered; customers can't start it", zap.String("channel", name), zap.Error(err))
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
		}
	}
}
