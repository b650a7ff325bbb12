package notify

import (
	"context"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
)

// Config configures deliveries.
type Config struct {
	// Tries are the pauses before the second and later tries of a webhook's delivery.
	Tries []time.Duration
	// Timeout limits one try.
	Timeout time.Duration
	// AtOnce is how many requests one webhook gets at once.
	AtOnce int
	// DisableAfter is how long a webhook may do nothing but fail.
	DisableAfter time.Duration
	// Keep is how long deliveries are kept.
	Keep time.Duration
	// Poll is how often a process looks for what others committed.
	Poll time.Duration
	// Owner names this process among those that share the database.
	Owner string
}

// Deps are the dependencies of the service.
type Deps struct {
	Store  domain.Store
	Clock  domain.Clock
	Log    *zap.Logger
	Keys   *idempotency.Keys
	Config Config
	// Secret encrypts what is stored.
	Secret []byte
	// Commit commits a change of documents and puts it into effect.
	Commit func(ctx context.Context, c domain.AccessChange) error
	// Audit returns an audit entry of the caller's action.
	Audit func(ctx context.Context, action, object string, data map[string]string) (*domain.AuditEntry, error)
	// Client calls webhooks. It must refuse private networks, and follow no redirects.
	Client *http.Client
	// Allowed returns why a webhook must not have an address.
	Allowed func(ctx context.Context, address string) error
}

// Service turns events into deliveries and sends them.
type Service struct {
	Deps
	seals  sealer
	routes atomic.Pointer[routes]
	senders
	counts
}

// routes are the webhooks by whose events they get.
type routes struct {
	byID map[string]*endpoint
	all  []*endpoint // of every merchant's orders
	of   map[string][]*endpoint
}

// New makes the service; Load must be called before the first change.
func New(d Deps) (*Service, error) {
	s := &Service{Deps: d}
	s.senders.init()
	s.routes.Store(&routes{})
	var err error
	s.seals, err = newSealer(d.Secret)
	return s, err
}

// Load reads the webhooks; to be called whenever a document has changed.
func (s *Service) Load(ctx context.Context) error {
	next := &routes{byID: map[string]*endpoint{}, of: map[string][]*endpoint{}}
	var names []string
	for after, limit := "", 500; ; {
		docs, err := s.Store.Documents(ctx, domain.DocumentWebhook, after, limit)
		if err != nil {
			return err
		}
		for i := range docs {
			e, err := endpointOf(&docs[i])
			if err != nil {
				return err
			}
			next.byID[e.id] = e
			names = append(names, e.id)
			if e.MerchantID == "" {
				next.all = append(next.all, e)
			} else {
				next.of[e.MerchantID] = append(next.of[e.MerchantID], e)
			}
			after = e.id
		}
		if len(docs) < limit {
			break
		}
	}
	s.routes.Store(next)
	return nil
}

// Match adds to a change the deliveries that its events cause. It is pure and quick.
func (s *Service) Match(ch *domain.Change) {
	r := s.routes.Load()
	if ch.Imported || len(r.byID) == 0 {
		return
	}
	hooks := slices.Concat(r.all, r.of[ch.Order.MerchantID])
	for i := range ch.Events {
		ev := &ch.Events[i]
		for _, e := range hooks {
			if !e.wants(ev) {
				continue
			}
			d := domain.NewDelivery(e.id, ev, ev.RecordedAt)
			if e.Disabled != nil {
				d.State, d.DueAt = domain.DeliveryHeld, time.Time{}
			}
			ch.Deliveries = append(ch.Deliveries, d)
		}
	}
}

// Committed tells the senders of deliveries that were just committed.
func (s *Service) Committed(list []domain.Delivery) {
	for i := range list {
		s.wake(list[i].Receiver)
	}
}

// Purge deletes deliveries that are older than they are kept.
func (s *Service) Purge(ctx context.Context) error {
	return s.Store.PurgeDeliveries(ctx, s.Clock.Now().Add(-s.Config.Keep))
}
