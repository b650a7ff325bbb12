package notify

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Message is what a channel sends to a customer.
type Message struct {
	// ID is the same on every try.
	ID string
	// To is the customer's address on the channel.
	To      string
	Subject string
	Text    string
	// Link is the customer's page, also part of the text; empty if there is none.
	Link string
	// OptOut is an address at which the customer ends such messages; empty if there is none.
	OptOut string
	// Merchant is the sender's name.
	Merchant string
	OrderID  string
	Lang     string
}

// Channel sends messages to customers. To add one, write a file that makes it and name it
// where the product is wired.
type Channel struct {
	Name string
	// Paid means that messages cost money or leave the country: it is off until a merchant turns it on.
	Paid bool
	// Address returns where an order's customer is reached; empty for nowhere.
	Address func(o *domain.Order) string
	// Send makes one try.
	Send func(ctx context.Context, m Message) Outcome
}

// The channels that are named in the code.
const (
	channelLive  = "live"
	channelEmail = "email"
)

// contact is the Address of channels whose addresses customers hand over.
func contact(name string) func(o *domain.Order) string {
	return func(o *domain.Order) string { return o.Bookkeeping.Contacts[name] }
}

// available lists the channels that the operator has set up.
func (s *Service) available() []string { return slices.Sorted(maps.Keys(s.channels)) }

// obstacle tells why a channel does not reach an order's customer: off or no_address.
func (s *Service) obstacle(o *domain.Order, r *RulesEdit, name string) string {
	c, ok := s.channels[name]
	setting, set := r.Channels[name]
	switch {
	case !ok, set && !setting.Enabled, !set && c.Paid:
		return "off"
	case c.Address(o) == "":
		return "no_address"
	}
	return ""
}

// Reach tells how an order's customer is reached; see domain.Notifier.
func (s *Service) Reach(o *domain.Order, channel string) []domain.Reach {
	mine := s.rulesOf(o.MerchantID)
	var out []domain.Reach
	for _, name := range domain.NotificationChannels() {
		if channel != "" && name != channel {
			continue
		}
		r := domain.Reach{Channel: name}
		switch name {
		case channelLive:
		case "webhook":
			if r.Obstacle = "off"; s.listens(o.MerchantID) {
				r.Obstacle = ""
			}
		default:
			r.Obstacle = s.obstacle(o, mine, name)
		}
		if channel != "" || r.Obstacle == "" && name != "webhook" {
			out = append(out, r)
		}
	}
	return out
}

// listens reports whether a webhook of the merchant is told of messages.
func (s *Service) listens(merchantID string) bool {
	r, note := s.routes.Load(), &domain.Event{Type: domain.EventNotified}
	return slices.ContainsFunc(slices.Concat(r.all, r.of[merchantID]), func(e *endpoint) bool { return e.Disabled == nil && e.wants(note) })
}

// Names lists the built-in texts, with the names that they had before.
func Names() []string {
	return slices.Sorted(slices.Values(slices.AppendSeq(slices.Collect(maps.Keys(texts)), maps.Keys(aliases))))
}

// Text renders a text for the live channel, without a link: its reader is there already. It
// becomes an event, so it has no PIN.
func (s *Service) Text(o *domain.Order, template string) string {
	_, text := s.render(o, cmp.Or(template, textStatus), links{}, nil)
	return text
}

// links are the addresses in a text.
type links struct{ page, optOut string }

// render returns subject and text of a template: the name of a text, or name=text.
func (s *Service) render(o *domain.Order, template string, to links, pin func(orderID string) string) (subject, text string) {
	p := s.Profile(o.MerchantID)
	lang := language(o.Customer.Locale, p.Locale)
	name, own, has := strings.Cut(template, "=")
	name = cmp.Or(aliases[name], name)
	t := texts[name][lang]
	if mine, ok := s.rulesOf(o.MerchantID).Texts[name][lang]; ok {
		t = Text{cmp.Or(mine.Subject, t.Subject), mine.Text}
	}
	if has {
		t.Text = own
	}
	v := values(o, p, lang, to.page)
	v["opt_out"] = to.optOut
	if pin != nil && o.NeedsPIN() && o.Active() {
		v["pin"] = pin(o.ID)
	}
	return fill(t.Subject, v), fill(t.Text, v)
}

// messageID is the same on every try: the event's id, or for the message of another rule about the
// same event one made from it, since providers and mail programs drop what they had.
func messageID(d *domain.Delivery) string {
	if d.Part <= 1 {
		return d.EventID
	}
	return uuid.NewSHA1(uuid.MustParse(d.EventID), []byte(strconv.Itoa(d.Part))).String()
}

// message makes one try of a message to a customer.
func (s *Service) message(ctx context.Context, c *Channel, d *domain.Delivery, content domain.DeliveryContent) Outcome {
	if d.Type == typeNotice {
		return s.sendNotice(ctx, c, d)
	}
	o, err := s.Store.Order(ctx, d.OrderID)
	switch {
	case domain.CodeOf(err) == domain.CodeOrderNotFound:
		return skipped("the order is gone")
	case err != nil:
		return Outcome{Err: err}
	}
	mine := s.rulesOf(o.MerchantID)
	if obstacle := s.obstacle(o, mine, c.Name); obstacle != "" {
		return skipped(obstacle)
	}
	if outdated(d, content.Event.Status, o) {
		return skipped("it no longer holds: the order is " + string(o.Status))
	}
	if until := s.quietUntil(o, mine, d); !until.IsZero() {
		return Outcome{Err: errors.New("put off: quiet hours"), until: until}
	}
	m := Message{ID: messageID(d), OrderID: o.ID, Merchant: s.Profile(o.MerchantID).Name}
	if m.Link, err = s.Link(ctx, o); err != nil {
		return Outcome{Err: err}
	}
	if c.Paid && d.Tries == 0 {
		limit := cmp.Or(mine.Channels[c.Name].DailyCap, defaultCap)
		if ok, err := s.Store.CountMessage(ctx, o.MerchantID, c.Name, s.Clock.Now().UTC().Format(time.DateOnly), limit); err != nil || !ok {
			return orSkipped(err, "the daily limit of the channel is reached")
		}
	}
	m.Lang = language(o.Customer.Locale, s.Profile(o.MerchantID).Locale)
	return s.devices.toAll(c.Address(o), m.ID, func(to string) Outcome {
		m := m
		if m.To = to; s.Config.PublicURL != "" {
			m.OptOut = s.Config.PublicURL + "/opt-out/" + base64.RawURLEncoding.EncodeToString(s.seals.seal(c.Name+"\n"+to, "opt-out"))
		}
		if out, err := s.Store.OptedOut(ctx, s.mark(c.Name, to)); err != nil || out {
			return orSkipped(err, "the customer wants no messages")
		}
		m.Subject, m.Text = s.render(o, cmp.Or(d.Template, textStatus), links{m.Link, m.OptOut}, s.PIN)
		if by, ok := content.Event.Data["text"].(string); ok && d.Template == "" {
			m.Text = by
		}
		out := c.Send(ctx, m)
		if out.gone {
			if err := s.setContact(ctx, o.ID, c.Name, to, false, nil); err != nil {
				s.Log.Debug("an address that ended is kept", zap.String("order_id", o.ID), zap.Error(err))
			}
		}
		return out
	})
}

// outdated reports whether a message no longer holds. One by hand is sent at once, whatever it says, but not tried again after
// the end; so are texts of the merchant's own, whose meaning is not known.
func outdated(d *domain.Delivery, was domain.Status, o *domain.Order) bool {
	byHand := d.Type == domain.EventNotified
	if byHand && d.Tries == 0 {
		return false
	}
	name, _, own := strings.Cut(d.Template, "=")
	if d.Template != "" && !timely(cmp.Or(aliases[name], name), o) {
		return true
	}
	return (own || d.Template == "") && o.Status.Terminal() && was != o.Status
}

func skipped(why string) Outcome { return Outcome{Err: errors.New(why), skip: true} }

// orSkipped is a failure of ours, or a reason not to send.
func orSkipped(err error, why string) Outcome {
	if err != nil {
		return Outcome{Err: err}
	}
	return skipped(why)
}

// mark is the keyed hash by which an address that opted out is remembered for ever.
func (s *Service) mark(channel, address string) string {
	h := hmac.New(sha256.New, s.Secret)
	h.Write([]byte("opt-out\x00" + channel + "\x00" + strings.ToLower(strings.TrimSpace(address))))
	return hex.EncodeToString(h.Sum(nil))
}

// OptOut ends messages to the address that a message's link names, for ever.
func (s *Service) OptOut(ctx context.Context, token string) error {
	channel, address, err := s.optOut(token)
	if err != nil {
		return err
	}
	return s.Store.OptOut(ctx, s.mark(channel, address), s.Clock.Now())
}

// CheckOptOut returns not_found for a link that OptOut would refuse.
func (s *Service) CheckOptOut(token string) error {
	_, _, err := s.optOut(token)
	return err
}

func (s *Service) optOut(token string) (channel, address string, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err == nil {
		var text string
		if text, err = s.seals.open(raw, "opt-out"); err == nil {
			channel, address, _ = strings.Cut(text, "\n")
			return channel, address, nil
		}
	}
	return "", "", domain.Errorf(domain.CodeNotFound, "the link is not valid")
}

// Notification is a message to an order's customer.
type Notification struct {
	ID      string               `json:"id" format:"uuid" doc:"of the event that caused it"`
	Channel string               `json:"channel" example:"email"`
	Event   domain.EventType     `json:"event"`
	Text    string               `json:"template,omitempty" doc:"the built-in text; empty for a text by hand" example:"on_its_way"`
	Status  domain.DeliveryState `json:"status"`
	Tries   int                  `json:"tries"`
	TriedAt *time.Time           `json:"tried_at,omitempty"`
	NextTry *time.Time           `json:"next_try_at,omitempty" doc:"also of what is put off by a delay or quiet hours"`
	Error   string               `json:"error,omitempty" doc:"why it failed or was skipped"`
}

// Notifications lists the messages about an order, to which the caller has access.
func (s *Service) Notifications(ctx context.Context, orderID string) ([]Notification, error) {
	found, err := s.Store.OrderDeliveries(ctx, orderID, domain.NotificationChannels())
	out := make([]Notification, len(found))
	for i, d := range found {
		name, _, _ := strings.Cut(d.Template, "=")
		out[i] = Notification{
			ID: messageID(&d), Channel: d.Receiver, Event: d.Type, Text: name, Status: d.State, Tries: d.Tries,
			TriedAt: moment(d.TriedAt), NextTry: moment(d.DueAt), Error: d.Error,
		}
	}
	return out, err
}

// Preview asks how a text would look.
type Preview struct {
	Text    string  `json:"text,omitempty" maxLength:"2000" doc:"a text of yours; absent: the built-in one" example:"Hello {{name}}"`
	Name    string  `json:"name,omitempty" maxLength:"40" doc:"of a built-in text" example:"on_its_way"`
	Locale  string  `json:"locale,omitempty" format:"locale" maxLength:"35" example:"ru"`
	OrderID *string `json:"order_id,omitempty" format:"uuid" doc:"with its data; absent: made-up data"`
}

// Previewed is a text filled in, and what is to be said about it.
type Previewed struct {
	Subject  string   `json:"subject,omitempty"`
	Text     string   `json:"text"`
	Segments int      `json:"sms_segments" doc:"how many SMS it takes"`
	Unknown  []string `json:"unknown_variables" doc:"variables that do not exist"`
}

// Preview renders a text for an order, or for a made-up one.
func (s *Service) Preview(o *domain.Order, in Preview) (*Previewed, error) {
	var f domain.Faults
	f.Check("", &in)
	if in.Name != "" && !slices.Contains(Names(), in.Name) {
		f.Add("/name", "unknown_text", "must be one of %v", Names())
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	shown := *o
	shown.Customer.Locale = cmp.Or(in.Locale, o.Customer.Locale)
	template := cmp.Or(in.Name, textStatus)
	if in.Text != "" {
		template += "=" + in.Text
	}
	base := cmp.Or(s.Config.PublicURL, "https://track.example")
	out := &Previewed{Unknown: append([]string{}, unknown(in.Text)...)}
	out.Subject, out.Text = s.render(&shown, template, links{base + "/t/…", base + "/opt-out/…"}, func(string) string { return "0000" })
	out.Segments = segments(out.Text)
	return out, nil
}
