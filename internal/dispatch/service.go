package dispatch

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
	"github.com/order-tracking/order-tracking/internal/orders"
)

// Modes of dispatch. Manual and suggest plan only on request.
const (
	ModeManual  = "manual"
	ModeSuggest = "suggest"
	ModeAssign  = "assign"
	ModeOffer   = "offer"
)

// Deps are the dependencies of Service.
type Deps struct {
	Store  domain.Store
	Live   domain.LiveStore
	Clock  domain.Clock
	Log    *zap.Logger
	Keys   *idempotency.Keys
	Orders *orders.Service
	Config Config
	Mode   string
	// Learned knows travel times without roads and service times; Router, if set, road travel times.
	Learned domain.Experience
	Router  domain.Router
	// Geocoder, if set, finds the locations of addresses; it is asked once per GeocodeEvery.
	Geocoder     domain.Geocoder
	GeocodeEvery time.Duration
	Offers       OfferConfig
	// FreshFor is how long a position counts as current.
	FreshFor time.Duration
	// Tune, if set, replaces Mode, Offers and Config.Bundle by what the settings say now.
	Tune func() Tuning
}

// Tuning is what may change at run time.
type Tuning struct {
	Mode   string
	Bundle int
	Offers OfferConfig
}

func (d *Deps) tuning() Tuning {
	if d.Tune != nil {
		return d.Tune()
	}
	return Tuning{d.Mode, d.Config.Bundle, d.Offers}
}

// Service plans from stored data. It is safe for concurrent use; Work must run.
type Service struct {
	Deps
	running sync.Mutex // only one plan is carried out at a time
	wake    chan struct{}
	offered chan struct{} // an offer was made
	tours   tours
	places  places
}

// New returns the service, registered to choose couriers for orders and to order their stops.
func New(d Deps) *Service {
	s := &Service{Deps: d, wake: make(chan struct{}, 1), offered: make(chan struct{}, 1)}
	s.tours = tours{set: map[string]setRoute{}, planned: map[string]plannedTour{}, epoch: -1}
	s.places = places{queued: map[string]bool{}, wake: make(chan struct{}, 1), holder: domain.NewID()}
	d.Orders.Chooser, d.Orders.Tours = s, s
	d.Orders.Announce(s)
	return s
}

// Ask limits a plan to orders and couriers; an empty list means all.
type Ask struct {
	OrderIDs   []string `json:"order_ids,omitempty" format:"uuid" maxItems:"2000" doc:"only these orders"`
	CourierIDs []string `json:"courier_ids,omitempty" format:"uuid" maxItems:"2000" doc:"only these couriers"`
}

// runAtOnce is how many couriers get their orders at once: commits are shared.
const runAtOnce = 16

// ReasonLater marks orders that a run leaves for a later one.
const ReasonLater Reason = "later"

// Plan returns a plan without changing anything. It fails with validation_failed for
// malformed ids and order_not_found or courier_not_found for unknown ones.
func (s *Service) Plan(ctx context.Context, ask Ask) (*Proposal, error) {
	plan, _, err := s.plan(ctx, ask)
	return plan, err
}

// Run plans and assigns the orders that are due; requested orders are always assigned.
// Orders left for later are explained with the others.
func (s *Service) Run(ctx context.Context, ask Ask) (*Proposal, error) {
	actor, err := domain.ActorFrom(ctx)
	if err != nil {
		return nil, err
	}
	by := domain.By{Actor: actor, Source: domain.SourceAPI}
	return idempotency.Once(ctx, s.Keys, "dispatch_run", ask, func(rec *domain.Idempotency) (*Proposal, error) {
		done, err := s.run(ctx, ask, by)
		if err != nil || rec == nil {
			return done, err
		}
		if err := idempotency.Answer(rec, done); err != nil {
			return nil, err
		}
		_, err = s.Store.AppendFixes(ctx, nil, rec) // each assignment is a commit of its own
		return done, err
	})
}

func (s *Service) run(ctx context.Context, ask Ask, by domain.By) (*Proposal, error) {
	s.running.Lock()
	defer s.running.Unlock()
	plan, known, err := s.plan(ctx, ask)
	if err != nil {
		return nil, err
	}
	out := &Proposal{Assignments: []Proposed{}, Unassigned: plan.Unassigned}
	byCourier := map[string][]int{}
	for n, a := range plan.Assignments {
		byCourier[a.CourierID] = append(byCourier[a.CourierID], n)
	}
	refusals := make([]error, len(plan.Assignments))
	var all errgroup.Group
	all.SetLimit(runAtOnce)
	for _, list := range byCourier { // one after the other, since an estimate looks at what else the courier has
		all.Go(func() error {
			for _, n := range list {
				a := plan.Assignments[n]
				if !a.Now && len(ask.OrderIDs) == 0 {
					refusals[n] = errors.New("its courier need not leave before " + a.LeaveAt.UTC().Format("15:04 UTC"))
				} else if err := s.perform(ctx, a, known[a.OrderID], by); err != nil {
					if domain.CodeOf(err) == domain.CodeUnavailable || ctx.Err() != nil {
						return err
					}
					refusals[n] = err // changed concurrently
				}
			}
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		return nil, err
	}
	for n, a := range plan.Assignments {
		if refusals[n] == nil {
			out.Assignments = append(out.Assignments, a)
		} else {
			out.Unassigned = append(out.Unassigned, Explained{a.OrderID, ReasonLater, refusals[n].Error()})
		}
	}
	return out, nil
}

// perform assigns or offers an order as it was planned at a version.
func (s *Service) perform(ctx context.Context, a Proposed, version int64, by domain.By) error {
	by.Now, by.Reason = s.Clock.Now(), a.Detail
	if s.tuning().Mode == ModeOffer && by.Actor.Kind == domain.RoleSystem {
		return s.offer(ctx, a.OrderID, []string{a.CourierID}, s.search(), nil, by, nil)
	}
	_, err := s.Orders.Change(ctx, a.OrderID, a.CourierID, version, nil, func(o *domain.Order) ([]domain.Event, error) {
		return o.Assign(a.CourierID, by)
	})
	return err
}

// OrderChanged triggers a plan for urgent orders and the search for addresses; see domain.Audience.
func (s *Service) OrderChanged(a domain.Announcement) {
	s.placesChanged(a)
	state, ok := a.Events[len(a.Events)-1].After()
	if ok && state.Priority >= urgent && waits(state.Status) {
		background.Wake(s.wake)
	}
}

// CourierChanged does nothing; see domain.Audience.
func (s *Service) CourierChanged(string) {}

// urgent is the priority from which an order triggers a plan at once.
const urgent = 7

// Work plans periodically until the context ends, in the modes that carry out plans. At each step only one replica plans.
func (s *Service) Work(ctx context.Context) {
	var others sync.WaitGroup
	defer others.Wait()
	others.Go(func() { s.watchOffers(ctx) })
	others.Go(func() { s.watchRoutes(ctx) })
	others.Go(func() { s.watchPlaces(ctx) })
	background.Loop(ctx, s.wake, s.Config.Step, func() time.Duration {
		if mode := s.tuning().Mode; mode != ModeAssign && mode != ModeOffer {
			return s.Config.Step
		}
		if err := s.step(ctx); err != nil && ctx.Err() == nil {
			s.Log.Warn("cannot plan; retrying at the next step", zap.Error(err))
		}
		return s.Config.Step
	})
}

// source is the source of our history entries.
const source = "dispatch"

// documentShifts are couriers' shifts.
const documentShifts = "shifts"

// step is one turn: it plans, carries out what is due, and explains unassigned orders in their histories.
func (s *Service) step(ctx context.Context) error {
	mine, err := s.Orders.TakeTurn(ctx, source, s.Config.Step/2)
	if err != nil || !mine {
		return err
	}
	by := s.Orders.System(source)
	out, err := s.run(domain.WithActor(ctx, by.Actor), Ask{}, by)
	if err != nil {
		return err
	}
	for _, u := range out.Unassigned {
		if u.Reason == ReasonLater || u.Reason == ReasonEarly {
			continue
		}
		if err := s.explain(ctx, u); err != nil {
			return err
		}
	}
	return nil
}

// explain records in the history why an order is unassigned, once per reason.
func (s *Service) explain(ctx context.Context, u Explained) error {
	by := s.Orders.System(source)
	by.Reason = u.Detail
	_, err := s.Orders.Change(ctx, u.OrderID, "", 0, nil, func(o *domain.Order) ([]domain.Event, error) {
		if !waits(o.Status) || !o.Once(source+":"+string(u.Reason)) {
			return nil, nil
		}
		return []domain.Event{o.Note(domain.EventUnassigned, by, map[string]any{"code": u.Reason})}, nil
	})
	if domain.CodeOf(err) == domain.CodeUnavailable {
		return err
	}
	return nil
}

// Choose plans one order over the couriers with free capacity; see domain.Chooser.
func (s *Service) Choose(ctx context.Context, o *domain.Order, not []string) (courierID, reason string, err error) {
	job := s.job(o, s.Clock.Now())
	if !job.Pickup.Valid() {
		return "", "", domain.Errorf(domain.CodeNoCourierAvailable, "the order has no location to find a courier for")
	}
	if !job.Dropoff.Valid() { // the route is then the same for every courier
		job.Dropoff = job.Pickup
	}
	f, err := s.read(ctx, Ask{})
	if err != nil {
		return "", "", err
	}
	f.waiting = nil
	p, err := s.problem(ctx, f)
	if err != nil {
		return "", "", err
	}
	job.DeliverAfter, job.Ready = time.Time{}, domain.Earlier(job.Ready, p.Now.Add(s.Config.Horizon)) // it is wanted now
	p.Jobs = []Job{job}
	p.Couriers = slices.DeleteFunc(p.Couriers, func(c Courier) bool { return c.Room < 1 || slices.Contains(not, c.ID) })
	s.byRoad(ctx, &p)
	cfg := s.Config
	cfg.Horizon = 24 * time.Hour // consider everyone with free capacity
	plan := cfg.Plan(p)
	if len(plan.Assignments) == 0 {
		return "", "", domain.Errorf(domain.CodeNoCourierAvailable, "no courier can be given the order: %s", plan.Unassigned[0].Detail)
	}
	return plan.Assignments[0].CourierID, plan.Assignments[0].Detail, nil
}
