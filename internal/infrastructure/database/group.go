package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// call is one caller's change: of an order, or on SQLite a job of any kind that
// rides along because there is one writer.
type call struct {
	id     string         // of the order
	create *domain.Change // a new order,
	row    *orderRow      // encoded by the caller, not one after the other by the committer
	events [][]any
	fn     func(*domain.Change) error
	job    txFunc

	outcome outcome
	done    chan struct{} // closed once the outcome is known
}

// work is one transaction of a group, done the engine's way. Orders are locked first,
// then couriers, then what is claimed, and each by key, so that no two groups can wait
// for each other.
type work struct {
	// lock locks the rows of a query that ends in a column which is one of the ids, sorted,
	// and tells of each that exists once it is in dest.
	lock func(text string, ids []string, dest []any, read func()) error
	// write stores the plan, its claims first, and returns those that lost: with any,
	// the transaction is of no use.
	write func(p *plan) (lost map[*call]error, err error)
	// job runs a job apart from the others: when it errs nothing of it is stored.
	job    func(txFunc) error
	commit func() error
	// rollback ends the transaction unless it was committed.
	rollback func()
	// settle waits, after a commit whose outcome is unknown, until the transaction is
	// over one way or the other.
	settle func(context.Context) error
}

// errNotBegun marks a failure to get a transaction at all.
var errNotBegun = errors.New("no transaction")

// submit hands a call to a committer and waits for the outcome. Who gives up while
// the call waits takes it back; once taken it is waited for.
func (s *Store) submit(ctx context.Context, c *call) (*domain.Order, error) {
	c.done = make(chan struct{})
	if err := s.alive(ctx); err != nil {
		return nil, failure(err)
	}
	select {
	case s.waiting <- c:
	case <-ctx.Done():
		return nil, failure(ctx.Err())
	case <-s.closing:
		return nil, failure(errClosed)
	}
	<-c.done
	return c.outcome.order, failure(c.outcome.err)
}

// commitLoop is a committer. It takes its turn to fill a group and write it, and lets
// the next one have it when it only waits for its commit: so groups are as large as
// can be, and the database is never idle. The queue has no buffer: a call that waits
// is a caller that can still go away.
func (s *Store) commitLoop() {
	group := make([]*call, 0, s.maxGroup)
	for {
		s.turn <- struct{}{}
		group = group[:0]
		select {
		case c := <-s.waiting:
			group = append(group, c)
		case <-s.closing:
			<-s.turn
			return
		}
		group = s.gather(group)
		flight := make(chan struct{})
		land := sync.OnceFunc(func() { close(flight) })
		s.flight = flight
		sh := &shift{begun: time.Now(), pass: sync.OnceFunc(func() { <-s.turn })}
		sh.standIn = sync.OnceFunc(func() {
			sh.relieved = true
			land()
			s.running.Go(s.commitLoop)
		})
		s.commitGroup(group, sh)
		sh.pass()
		land()
		if sh.relieved {
			return
		}
	}
}

// gatherFor is longer than a commit takes: one that hangs does not hold up the others.
const gatherFor = 20 * time.Millisecond

// gather adds those that wait to a group, and while another group's commit is under way
// those that come, up to half a group: few large groups cost the database less than many
// small ones, and a group of one that is alone waits for nobody.
func (s *Store) gather(group []*call) []*call {
	var enough <-chan time.Time
	for yielded := false; len(group) < s.maxGroup; {
		select {
		case c := <-s.waiting:
			group, yielded = append(group, c), false
			continue
		default:
		}
		if !yielded {
			// Callers that just got their answers are about to come back: those that can
			// run go first. With nobody there it costs nothing.
			runtime.Gosched()
			yielded = true
			continue
		}
		if len(group) >= s.maxGroup/2 {
			break
		}
		if enough == nil {
			enough = time.After(gatherFor)
		}
		select {
		case c := <-s.waiting:
			group, yielded = append(group, c), false
		case <-s.flight:
			return group
		case <-enough:
			return group
		}
	}
	return group
}

// shift is a committer's work on one group.
type shift struct {
	begun time.Time
	// pass lets the next committer begin.
	pass func()
	// standIn lets another go on in this one's place, which has to find out about a
	// commit and may be long; it leaves when it is done.
	standIn  func()
	relieved bool
}

// groupTries is how often a group is tried that lost against another transaction.
const groupTries = 3

// commitGroup commits the calls together and tells each its outcome. When the
// group fails and certainly was not committed, each runs alone, so that the one to
// blame fails by itself.
func (s *Store) commitGroup(calls []*call, sh *shift) {
	for tries := 1; len(calls) > 0; tries++ {
		again, err := s.try(calls, sh)
		switch {
		case err == nil:
			calls, tries = again, 0
		case errors.Is(err, errUnknown):
			fail(calls, err)
			return
		case tries < groupTries && lostRace(err):
		case len(calls) == 1 || errors.Is(err, errNotBegun):
			fail(calls, err)
			return
		default:
			s.log.Warn("a group of changes failed; trying each alone", zap.Int("calls", len(calls)), zap.Error(err))
			for _, c := range calls {
				s.commitGroup([]*call{c}, sh)
			}
			return
		}
	}
}

func fail(calls []*call, err error) {
	for _, c := range calls {
		c.outcome = outcome{err: err}
		close(c.done)
	}
}

// try commits the calls in one transaction. It returns those that have to run
// again, or why nothing was committed; nobody has an outcome then.
func (s *Store) try(calls []*call, sh *shift) (again []*call, err error) {
	ctx, cancel := s.d.workContext()
	defer cancel()
	w, err := s.d.begin(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotBegun, err)
	}
	defer w.rollback()
	p, err := s.prepare(w, calls)
	if err != nil {
		return nil, err
	}
	var lost map[*call]error
	if !p.empty() {
		lost, err = w.write(p)
	}
	switch {
	case err != nil:
		return nil, err
	case len(lost) > 0:
		p.refuse(calls, lost)
	default:
		if err := s.finish(ctx, w, p, calls, sh); err != nil {
			return nil, err
		}
	}
	for i, c := range calls {
		if errors.Is(p.outcomes[i].err, errAgain) {
			again = append(again, c)
			continue
		}
		c.outcome = p.outcomes[i]
		close(c.done)
	}
	return again, nil
}

// prepare locks what the calls change and plans it.
func (s *Store) prepare(w *work, calls []*call) (*plan, error) {
	rows, err := w.orders(updated(calls))
	if err != nil {
		return nil, err
	}
	p := s.plan(calls, rows, nil)
	shifts := p.shifts()
	if len(shifts) == 0 {
		return p, nil
	}
	loads, err := w.couriers(slices.Sorted(maps.Keys(shifts)))
	if err != nil {
		return nil, err
	}
	if !p.fits(loads) {
		p = s.plan(calls, rows, loads)
	}
	return p, nil
}

// The queries of rows to lock.
const (
	lockOrders   = `SELECT CAST(id AS text), data, ledger, status, CAST(courier_id AS text), version FROM orders WHERE id`
	lockCouriers = `SELECT CAST(id AS text), capacity, active_orders FROM couriers WHERE id`
)

// orders locks the newest versions of those that exist.
func (w *work) orders(ids []string) (map[string]*orderRow, error) {
	found := make(map[string]*orderRow, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	var r orderRow
	var courier sql.NullString
	err := w.lock(lockOrders, ids, []any{&r.id, &r.data, &r.ledger, &r.status, &courier, &r.version}, func() {
		row := r
		row.courier = courier.String
		found[r.id] = &row
	})
	return found, err
}

// couriers locks the loads of couriers.
func (w *work) couriers(ids []string) (map[string]courierLoad, error) {
	found := make(map[string]courierLoad, len(ids))
	for _, id := range ids {
		found[id] = courierLoad{capacity: noCourier}
	}
	var id string
	var l courierLoad
	ids = slices.DeleteFunc(ids, func(id string) bool { return !isID(id) })
	err := w.lock(lockCouriers, ids, []any{&id, &l.capacity, &l.active}, func() { found[id] = l })
	return found, err
}

// finish runs the jobs and commits them with what was written.
func (s *Store) finish(ctx context.Context, w *work, p *plan, calls []*call, sh *shift) error {
	wrote := !p.empty()
	for i, c := range calls {
		if c.job != nil {
			err := w.job(c.job)
			p.outcomes[i].err = err
			wrote = wrote || err == nil
		}
	}
	if !wrote {
		return nil
	}
	sh.pass()
	if err := s.commit(ctx, w, p, sh); err != nil {
		return err
	}
	now := time.Now()
	s.wrote.Store(now.UnixNano())
	s.observe(len(calls), now.Sub(sh.begun))
	if p.publishes() {
		s.signal()
		s.d.wakeOthers()
	}
	return nil
}

// updated lists the orders that the calls change, sorted.
func updated(calls []*call) []string {
	ids := map[string]bool{}
	for _, c := range calls {
		if c.fn != nil {
			ids[c.id] = true
		}
	}
	return slices.Sorted(maps.Keys(ids))
}
