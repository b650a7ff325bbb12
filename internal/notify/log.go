package notify

import (
	"context"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
	"github.com/order-tracking/order-tracking/internal/paging"
)

// WebhookDelivery is a delivery in a webhook's log.
type WebhookDelivery struct {
	ID      string               `json:"id" format:"uuid" doc:"the event's id, and webhook-id of the requests"`
	OrderID string               `json:"order_id" format:"uuid"`
	Seq     int64                `json:"seq" doc:"of the event"`
	Type    domain.EventType     `json:"type"`
	Status  domain.DeliveryState `json:"status"`
	Tries   int                  `json:"tries"`
	TriedAt *time.Time           `json:"tried_at,omitempty" doc:"the latest try"`
	NextTry *time.Time           `json:"next_try_at,omitempty"`
	Code    int                  `json:"code,omitempty" doc:"HTTP status of the latest answer" example:"503"`
	Error   string               `json:"error,omitempty"`
}

func loggedOf(d *domain.Delivery) WebhookDelivery {
	return WebhookDelivery{
		ID: d.EventID, OrderID: d.OrderID, Seq: d.Seq, Type: d.Type, Status: d.State, Tries: d.Tries,
		TriedAt: moment(d.TriedAt), NextTry: moment(d.DueAt), Code: d.Code, Error: d.Error,
	}
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// LogFilter narrows a log; zero fields match everything.
type LogFilter struct {
	Status   domain.DeliveryState
	From, To time.Time
}

// Deliveries returns a page of a webhook's deliveries, newest event first, and the next token.
func (s *Service) Deliveries(ctx context.Context, id string, f LogFilter, p paging.Request) ([]WebhookDelivery, string, error) {
	e, err := s.find(ctx, id, 0)
	if err != nil {
		return nil, "", err
	}
	filter := domain.DeliveryFilter{Receiver: e.id, State: f.Status, From: f.From, To: f.To}
	found, next, err := paging.Page(ctx, p, "deliveries", filter, false, s.Store.DeliveryLog)
	out := make([]WebhookDelivery, len(found))
	for i := range found {
		out[i] = loggedOf(&found[i])
	}
	return out, next, err
}

// Retry makes a delivery due now, whatever became of it.
func (s *Service) Retry(ctx context.Context, id, deliveryID string) (*WebhookDelivery, error) {
	deliveryID, err := domain.ParseID("/delivery_id", deliveryID)
	if err != nil {
		return nil, err
	}
	return idempotency.Once(ctx, s.Keys, "retry_delivery:"+id, deliveryID, func(rec *domain.Idempotency) (*WebhookDelivery, error) {
		f := domain.DeliveryFilter{EventID: deliveryID}
		n, err := s.again(ctx, id, &f)
		if err == nil && n == 0 {
			err = domain.Errorf(domain.CodeNotFound, "the webhook has no delivery %s", deliveryID)
		}
		if err != nil {
			return nil, err
		}
		found, _, err := s.Store.DeliveryLog(ctx, f, domain.Page{Size: 1})
		if err != nil || len(found) == 0 {
			return nil, err
		}
		out := loggedOf(&found[0])
		return &out, s.recordAgain(ctx, f.Receiver, rec, out)
	})
}

// again makes deliveries of an enabled webhook due now.
func (s *Service) again(ctx context.Context, id string, f *domain.DeliveryFilter) (int, error) {
	e, err := s.enabled(ctx, id)
	if err != nil {
		return 0, err
	}
	f.Receiver = e.id
	n, err := s.Store.RetryDeliveries(ctx, *f, s.Clock.Now())
	s.wake(e.id)
	return n, err
}

// recordAgain records the answer of a repetition; to do it twice would do no harm.
func (s *Service) recordAgain(ctx context.Context, id string, rec *domain.Idempotency, answer any) error {
	entry, err := s.Audit(ctx, "webhook.replayed", "webhook:"+id, nil)
	if err == nil {
		err = idempotency.Answer(rec, answer)
	}
	if err != nil {
		return err
	}
	return s.Commit(ctx, domain.AccessChange{Audit: entry, Idempotency: rec})
}

// enabled is find for what only an enabled webhook gets.
func (s *Service) enabled(ctx context.Context, id string) (*endpoint, error) {
	e, err := s.find(ctx, id, 0)
	if err == nil && e.Disabled != nil {
		err = domain.Invalid("", "disabled", "the webhook is disabled; enable it first")
	}
	return e, err
}

// Replay asks for everything that happened in a period once more.
type Replay struct {
	From time.Time  `json:"from"`
	To   *time.Time `json:"to,omitempty" doc:"exclusive; default now"`
}

// Replayed is how many deliveries a replay made due.
type Replayed struct {
	Deliveries int `json:"deliveries" example:"12"`
}

// Check validates a replay.
func (r Replay) Check() error {
	var f domain.Faults
	f.Check("", &r)
	switch {
	case r.From.IsZero():
		f.Add("/from", "required", "is required")
	case r.To != nil && !r.To.After(r.From):
		f.Add("/to", "out_of_range", "must be after from")
	}
	return f.Err()
}

// Replay makes the deliveries about a period's events due now: those that failed or were held
// while the webhook was disabled, and those that were sent. Each order's events come in order.
func (s *Service) Replay(ctx context.Context, id string, in Replay) (*Replayed, error) {
	if err := in.Check(); err != nil {
		return nil, err
	}
	return idempotency.Once(ctx, s.Keys, "replay_webhook:"+id, in, func(rec *domain.Idempotency) (*Replayed, error) {
		f := domain.DeliveryFilter{From: in.From}
		if in.To != nil {
			f.To = *in.To
		}
		n, err := s.again(ctx, id, &f)
		if err != nil {
			return nil, err
		}
		return &Replayed{n}, s.recordAgain(ctx, f.Receiver, rec, Replayed{n})
	})
}
