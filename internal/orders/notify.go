package orders

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
)

// ChannelLive is the order's live stream, read by everyone who watches it.
const ChannelLive = "live"

const (
	// maxNotices limits the messages by hand about an order within an hour, if they go beyond the live stream.
	maxNotices = 20
	// noticeWait is how long Notify waits for the outcome.
	noticeWait = 5 * time.Second
	noticePoll = 25 * time.Millisecond
)

// Notice is a message to the customer: from a template, or written by hand. With neither it is about the order's status.
type Notice struct {
	Channel  string `json:"channel,omitempty" enum:"live,email,telegram,max,webpush,sms,webhook" doc:"absent: every one that reaches the customer"`
	Template string `json:"template,omitempty" enum:"accepted,arriving,at_the_door,cancelled,delayed,delivered,failed_attempt,late,near,on_its_way,ready_for_pickup,status" example:"near"`
	Text     string `json:"text,omitempty" maxLength:"2000"`
}

// Notified is the result of a notice.
type Notified struct {
	NotificationID string     `json:"notification_id" format:"uuid" example:"0190b7a2-1111-7aaa-8bbb-0123456789ab"`
	Deliveries     []Delivery `json:"deliveries"`
}

// Delivery is the result of a notice on one channel.
type Delivery struct {
	Channel string `json:"channel" example:"live"`
	Status  string `json:"status" example:"sent" doc:"sent; nobody_watching (live reached nobody); queued (it will be tried again); refused, exhausted or skipped; off (the channel is not set up or not turned on); no_address"`
}

// Notify sends the customer a message now, which is added to the order's history, and tells what came of it on each channel.
// It fails with validation_failed, order_not_found or rate_limited.
func (s *Service) Notify(ctx context.Context, id string, in Notice) (Notified, error) {
	out, err := Once(ctx, s, id, "notify", in, s.CheckNotice(in), func(by domain.By, known *domain.Order, rec *domain.Idempotency) (Notified, error) {
		reach := s.reach(known, in.Channel)
		if slices.ContainsFunc(reach, func(r domain.Reach) bool { return r.Channel != ChannelLive && r.Obstacle == "" }) {
			if err := s.limitNotices(ctx, known.ID, by.Now); err != nil {
				return Notified{}, err
			}
		}
		return s.notice(ctx, known, in, reach, by, rec)
	})
	if err == nil {
		err = s.outcome(ctx, strings.ToLower(id), &out)
	}
	return out, err
}

// limitNotices fails with rate_limited when an order had too many messages by hand.
func (s *Service) limitNotices(ctx context.Context, id string, now time.Time) error {
	events, err := s.Store.Events(ctx, id, 0)
	if err != nil {
		return err
	}
	n := 0
	for i := range events {
		if events[i].Type == domain.EventNotified && now.Sub(events[i].RecordedAt) < time.Hour {
			n++
		}
	}
	if n < maxNotices {
		return nil
	}
	e := domain.Errorf(domain.CodeRateLimited, "an order has at most %d messages an hour", maxNotices)
	e.RetryAfter = 10 * time.Minute
	return e
}

// notice commits the message, its deliveries and the answer.
func (s *Service) notice(ctx context.Context, known *domain.Order, in Notice, reach []domain.Reach, by domain.By, rec *domain.Idempotency) (out Notified, err error) {
	unseen := s.Watching != nil && (in.Channel == "" || in.Channel == ChannelLive) && !s.Watching(ctx, known.ID)
	_, err = s.Update(ctx, known.ID, "", rec, func(ch *domain.Change) error {
		data := map[string]any{"channel": cmp.Or(in.Channel, ChannelLive), "text": in.Text}
		if in.Text == "" {
			data["template"] = in.template()
			if s.Notifier != nil {
				data["text"] = s.Notifier.Text(ch.Order, in.template())
			}
		}
		note := ch.Order.Note(domain.EventNotified, by, data)
		data["notification_id"] = note.ID
		out = Notified{NotificationID: note.ID, Deliveries: make([]Delivery, len(reach))}
		for i, r := range reach {
			out.Deliveries[i] = Delivery{r.Channel, cmp.Or(r.Obstacle, "queued")}
			switch {
			case r.Channel == ChannelLive:
				if out.Deliveries[i].Status = "sent"; unseen {
					out.Deliveries[i].Status = "nobody_watching"
				}
			case r.Obstacle == "" && r.Channel != "webhook": // which get the entry like any other
				d := domain.NewDelivery(r.Channel, &note, by.Now)
				if in.Text == "" {
					d.Template = in.template()
				}
				ch.Deliveries = append(ch.Deliveries, d)
			}
		}
		ch.Add(note)
		return idempotency.Answer(rec, out)
	})
	return out, err
}

// reach lists the channels of a message.
func (s *Service) reach(o *domain.Order, channel string) []domain.Reach {
	if s.Notifier == nil {
		return []domain.Reach{{Channel: ChannelLive}}
	}
	return s.Notifier.Reach(o, channel)
}

// outcome waits for the first try on each channel; what takes longer stays queued.
func (s *Service) outcome(ctx context.Context, orderID string, out *Notified) error {
	var channels []string
	for _, d := range out.Deliveries {
		if d.Status == "queued" && d.Channel != "webhook" {
			channels = append(channels, d.Channel)
		}
	}
	for waited := time.Duration(0); len(channels) > 0; waited += noticePoll {
		found, err := s.Store.OrderDeliveries(ctx, orderID, channels)
		if err != nil {
			return err
		}
		open := false
		for _, d := range found {
			for i := range out.Deliveries {
				if o := &out.Deliveries[i]; d.EventID == out.NotificationID && o.Channel == d.Receiver && d.State != domain.DeliveryWaiting {
					o.Status = string(d.State)
				}
			}
			open = open || d.EventID == out.NotificationID && d.State == domain.DeliveryWaiting && d.Tries == 0
		}
		if !open || waited >= noticeWait || !background.Sleep(ctx, noticePoll) {
			return nil
		}
	}
	return nil
}

func (n Notice) template() string { return cmp.Or(n.Template, "status") }

// CheckNotice checks the input of Notify.
func (s *Service) CheckNotice(n Notice) error {
	var f domain.Faults
	f.Check("", &n)
	if n.Template != "" && n.Text != "" {
		f.Add("/text", "conflict", "either template or text, not both")
	}
	return f.Err()
}

// SetContact changes where a channel reaches an order's customer, as Order.SetContact does. The caller was checked.
func (s *Service) SetContact(ctx context.Context, id, channel, address string, on bool, rec *domain.Idempotency) error {
	by := s.System("customer")
	if actor, err := domain.ActorFrom(ctx); err == nil {
		by.Actor = actor
	}
	_, err := s.Change(ctx, id, "", 0, rec, func(o *domain.Order) ([]domain.Event, error) { return o.SetContact(channel, address, on, by) })
	return err
}

// Instruct stores the customer's instructions; order_finished when nobody would read them
// any more. It returns the caller's view of the order.
func (s *Service) Instruct(ctx context.Context, id string, in domain.Instructions) (*domain.Order, error) {
	return wish(ctx, s, id, "instruct", in, (*domain.Order).Instruct)
}

// Rate stores the customer's rating of a delivery; illegal_transition before the delivery.
func (s *Service) Rate(ctx context.Context, id string, in domain.Rating) (*domain.Order, error) {
	return wish(ctx, s, id, "rate", in, (*domain.Order).Rate)
}

func wish[T any](
	ctx context.Context, s *Service, id, op string, in T, verb func(*domain.Order, T, domain.By) ([]domain.Event, error),
) (*domain.Order, error) {
	if err := domain.Checked(in); err != nil {
		return nil, err
	}
	o, err := Once(ctx, s, id, op, in, nil, func(by domain.By, known *domain.Order, rec *domain.Idempotency) (*domain.Order, error) {
		return s.Change(ctx, known.ID, known.CourierID, 0, rec, func(o *domain.Order) ([]domain.Event, error) { return verb(o, in, by) })
	})
	caller, callerErr := domain.CallerFrom(ctx)
	if err := cmp.Or(err, callerErr); err != nil {
		return nil, err
	}
	return o.For(caller.View()), nil
}
