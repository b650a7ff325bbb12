package notify

import (
	"context"
	"encoding/json"
	"errors"
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
	// MessageTries are the same of a message to a customer.
	MessageTries []time.Duration
	// PublicURL is the address of the customers' pages; empty if it is not known.
	PublicURL string
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
	// Lease is how long a receiver is a process's, unless it renews that: after a crash others
	// wait for so long.
	Lease time.Duration
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
	// Channels are those that are set up, live aside.
	Channels []*Channel
	// Bots are channels too, and Push is the key of webpush.
	Bots []*Bot
	Push VAPID
	// Profile returns what a merchant has set up.
	Profile func(merchantID string) domain.Profile
	// PIN returns what the customer of an order tells the courier.
	PIN func(orderID string) string
	// Link returns a link to the customer's page; empty if there is none.
	Link func(ctx context.Context, o *domain.Order) (string, error)
	// Client calls webhooks. It must refuse private networks, and follow no redirects.
	Client *http.Client
	// Allowed returns why a webhook must not have an address.
	Allowed func(ctx context.Context, address string) error
}

// Service turns events into deliveries and sends them.
type Service struct {
	Deps
	seals    sealer
	channels map[string]*Channel
	bots     map[string]*Bot
	routes   atomic.Pointer[routes]
	// setContact is set by Start.
	setContact SetContact
	devices    devices
	senders
	counts
}

// routes are the webhooks by whose events they get.
type routes struct {
	byID map[string]*endpoint
	all  []*endpoint // of every merchant's orders
	of   map[string][]*endpoint
	// rules are what merchants have set.
	rules map[string]*RulesEdit
}

// New makes the service; Load must be called before the first change.
func New(d Deps) (*Service, error) {
	s := &Service{Deps: d, channels: map[string]*Channel{}, bots: map[string]*Bot{}}
	for _, b := range d.Bots {
		s.channels[b.Name], s.bots[b.Name] = b.Channel, b
	}
	for _, c := range d.Channels {
		s.channels[c.Name] = c
	}
	s.init()
	s.routes.Store(&routes{})
	var err error
	s.seals, err = newSealer(d.Secret)
	return s, err
}

// Load reads the webhooks and rules; to be called whenever a document has changed.
func (s *Service) Load(ctx context.Context) error {
	next := &routes{byID: map[string]*endpoint{}, of: map[string][]*endpoint{}, rules: map[string]*RulesEdit{}}
	err := s.documents(ctx, domain.DocumentWebhook, func(doc *domain.Document) error {
		e, err := endpointOf(doc)
		if err != nil {
			return err
		}
		next.byID[e.id] = e
		if e.MerchantID == "" {
			next.all = append(next.all, e)
		} else {
			next.of[e.MerchantID] = append(next.of[e.MerchantID], e)
		}
		return nil
	})
	if err == nil {
		err = s.documents(ctx, domain.DocumentRules, func(doc *domain.Document) error {
			r := new(RulesEdit)
			next.rules[doc.ID] = r
			return json.Unmarshal(doc.Data, r)
		})
	}
	if err == nil {
		s.routes.Store(next)
	}
	return err
}

// documents reads all documents of a kind.
func (s *Service) documents(ctx context.Context, kind string, read func(*domain.Document) error) error {
	if kind == domain.DocumentRules { // those of no merchant have no id, and are not listed after one
		if doc, err := s.Store.Document(ctx, kind, ""); err != nil || doc != nil && read(doc) != nil {
			return err
		}
	}
	for after, limit := "", domain.MaxPageSize; ; {
		docs, err := s.Store.Documents(ctx, kind, after, limit)
		if err != nil {
			return err
		}
		for i := range docs {
			if err := read(&docs[i]); err != nil {
				return err
			}
			after = docs[i].ID
		}
		if len(docs) < limit {
			return nil
		}
	}
}

// Start makes the channels known as receivers; note adds an entry to an order's history, and contact
// changes where its customer is reached.
func (s *Service) Start(ctx context.Context, note func(ctx context.Context, orderID string, data map[string]any) error, contact SetContact) error {
	s.channels[channelLive], s.setContact = Live(note), contact
	return errors.Join(s.Store.KeepReceivers(ctx, s.available()), s.Load(ctx))
}

// Match adds to a change the deliveries that its events cause. It is pure and quick.
func (s *Service) Match(ch *domain.Change) {
	r := s.routes.Load()
	if ch.Imported {
		return
	}
	s.addMessages(ch)
	if len(r.byID) == 0 {
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

// Committed tells the senders of deliveries that were just committed and are due.
func (s *Service) Committed(list []domain.Delivery) {
	now := s.Clock.Now()
	for i := range list {
		if d := &list[i]; !d.DueAt.IsZero() && !d.DueAt.After(now) {
			s.wake(d.Receiver)
		}
	}
}

// Purge deletes deliveries that are older than they are kept.
func (s *Service) Purge(ctx context.Context) error {
	return s.Store.PurgeDeliveries(ctx, s.Clock.Now().Add(-s.Config.Keep))
}
