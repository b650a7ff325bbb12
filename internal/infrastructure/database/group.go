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

	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// call is one caller's change: of an order, or on SQLite a job of any kind, which shares
// the group because there is only one writer.
type call struct {
	id     string         // of the order
	create *domain.Change // a new order,
	row    *orderRow      // encoded by the caller, in parallel, to spare the committer
	events [][]any
	fn     func(*domain.Change) error
	job    txFunc

	outcome outcome
	done    chan struct{} // closed once the outcome is known
}

// work is one transaction of a group, as the engine runs it. Orders are locked first,
// then couriers, then claims, each in key order, so that two groups can't deadlock.
type work struct {
	// lock runs a query that ends in an id column, locks its rows for the sorted ids, and
	// calls back for each existing row once it is scanned into dest.
	lock func(text string, ids []string, dest []any, read func()) error
	// write stores the plan, claims first, and returns the calls that lost a claim; if there
	// are any, the transaction must be rolled back.
	write func(p *plan) (lost map[*call]error, err error)
	// job runs a job in isolation: if it fails, nothing of it is stored.
	job    func(txFunc) error
	commit func() error
	// rollback rolls the transaction back unless it was committed.
	rollback func()
	// settle waits, after a commit with an unknown outcome, until the transaction has either committed or rolled back.
	settle func(context.Context) error
}

// errNotBegun marks a failure to begin a transaction.
var errNotBegun = errors.New("no transaction")

// submit hands a call to a committer and waits for the outcome. A caller may cancel while
// the call is queued; once a committer has taken it, submit waits for the outcome.
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

// commitLoop runs a committer. It holds the turn while it fills and writes a group, and
// passes it on while it waits for the commit: groups are as large as possible and the
// database is never idle. The queue has no buffer, so a queued caller can still cancel.
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

// gatherFor is longer than a normal commit, so that one that hangs does not block the others.
const gatherFor = 20 * time.Millisecond

// gather adds the waiting calls to a group and, while another group is committing, new arrivals up to half a group: a few
// large groups cost the database less than many small ones. A lone call does not wait.
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
			// Callers that just got their answers are likely to submit again: let runnable
			// goroutines go first. Without any this costs nothing.
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
	// pass hands the turn to the next committer.
	pass func()
	// standIn starts a replacement while this committer resolves an unknown commit, which
	// may take long; this one exits when it is done.
	standIn  func()
	relieved bool
}

// groupTries is how often a group is tried if it loses against another transaction.
const groupTries = 3

// commitGroup commits the calls together and sets each one's outcome. If the group fails
// and was certainly not committed, each call runs alone, so that only the faulty one fails.
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
			s.log.Warn("a group of changes failed; retrying each one separately", zap.Int("calls", len(calls)), zap.Error(err))
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

// try commits the calls in one transaction. It returns the calls that have to run
// again, or the error because of which nothing was committed; then no call has an outcome.
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

// prepare locks the rows that the calls change and makes the plan.
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

// Queries that lock rows.
const (
	lockOrders   = `SELECT CAST(id AS text), data, ledger, status, CAST(courier_id AS text), version, search FROM orders WHERE id`
	lockCouriers = `SELECT CAST(id AS text), capacity, active_orders FROM couriers WHERE id`
)

// orders locks the existing orders and reads their newest versions.
func (w *work) orders(ids []string) (map[string]*orderRow, error) {
	found := make(map[string]*orderRow, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	var r orderRow
	var courier sql.NullString
	err := w.lock(lockOrders, ids, []any{&r.id, &r.data, &r.ledger, &r.status, &courier, &r.version, &r.search}, func() {
		row := r
		row.courier = courier.String
		found[r.id] = &row
	})
	return found, err
}

// couriers locks the couriers' loads.
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

// finish runs the jobs and commits them together with the plan.
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

// errUnknown means that it could not be determined whether a commit happened. The caller has to retry with its idempotency key.
var errUnknown = errors.New("the outcome of the commit is unknown")

// findOut limits how long the outcome of a commit is looked up.
const findOut = 10 * time.Second

// commit commits the plan. If that fails the outcome is unknown, since the answer may have been lost in transit. Then it
// looks for one of the rows in the database, which decides for all, as they were one transaction.
func (s *Store) commit(ctx context.Context, w *work, p *plan, sh *shift) error {
	err := w.commit()
	if err == nil {
		return nil
	}
	w.rollback()
	if pgconn.SafeToRetry(err) || sqliteResult(err) == sqliteFull { // it did not reach the database, or the disk was full
		return fmt.Errorf("commit: %w", err)
	}
	sh.standIn()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), findOut)
	defer cancel()
	s.log.Warn("a commit failed; checking whether it took effect", zap.Error(err))
	for pause := 50 * time.Millisecond; ; pause *= 2 {
		happened, lookErr := s.happened(ctx, w, p)
		if lookErr == nil && happened {
			return nil
		}
		if lookErr == nil {
			return fmt.Errorf("commit: %w", err)
		}
		if !background.Sleep(ctx, pause) {
			return fmt.Errorf("%w: %w", errUnknown, err)
		}
	}
}

// happened reports whether the plan's transaction was committed. For every kind of row the
// compared columns are unique together: they include a UUID or a time.
func (s *Store) happened(ctx context.Context, w *work, p *plan) (bool, error) {
	if err := w.settle(ctx); err != nil {
		return false, err
	}
	there := func(t *table, row []any) (bool, error) {
		text := "SELECT 1 FROM " + t.name + " WHERE "
		for i := range row {
			text += fmt.Sprintf("%s = $%d AND ", t.cols[i].name, i+1)
		}
		return s.one(ctx, text+"TRUE", row, new(int))
	}
	keys, inbound := p.claims[idempotencyTable], p.claims[inboundTable]
	switch {
	case len(p.events) > 0:
		return there(eventsTable, p.events[0][:3])
	case len(keys) > 0:
		return there(idempotencyTable, keys[0].values[:4])
	case len(inbound) > 0:
		return there(inboundTable, inbound[0].values)
	}
	return false, nil // only jobs, which may all run twice
}
