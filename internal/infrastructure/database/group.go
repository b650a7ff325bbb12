package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// call is one caller's change: of an order, or on SQLite a job of any kind that
// rides along because there is one writer.
type call struct {
	id     string         // of the order
	create *domain.Change // a new order,
	row    *orderRow      // encoded by the caller, not one after the other by the committer
	events []eventRow
	fn     func(*domain.Change) error
	job    func(context.Context, *sql.Tx) error

	outcome outcome
	done    chan struct{} // closed once the outcome is known
}

// work is one transaction of a group, done the engine's way. Rows are locked in
// the order of the methods and within each by key, so that no two groups can wait
// for each other.
type work struct {
	// lockOrders reads the newest versions, for update.
	lockOrders func(ids []string) (map[string]*orderRow, error)
	// claim locks the couriers and inserts what may exist already: keys, inbound ids, new orders.
	claim func(p *plan, couriers []string) (*claims, error)
	// unclaim deletes rows that claim inserted and the plan does not want.
	unclaim func(keys []idemKey, inbound, orders []string) error
	// write stores everything else.
	write func(p *plan) error
	// job runs a job apart from the others: when it errs nothing of it is stored.
	job    func(func(context.Context, *sql.Tx) error) error
	commit func() error
	// rollback ends the transaction unless it was committed.
	rollback func()
	// settle waits, after a commit whose outcome is unknown, until the transaction is
	// over one way or the other.
	settle func(context.Context) error
}

// errLost says that claims failed on which the rest was built already.
var errLost = errors.New("a claim was lost")

// errNotBegun marks a failure to get a transaction at all.
var errNotBegun = errors.New("no transaction")

// submit hands a call to a committer and waits for the outcome. Who gives up while
// the call waits takes it back; once taken it is waited for.
func (s *Store) submit(ctx context.Context, c *call) (*domain.Order, error) {
	c.done = make(chan struct{})
	select {
	case <-s.closing:
		return nil, unavailable(errClosed)
	default:
	}
	if err := ctx.Err(); err != nil {
		return nil, unavailable(err)
	}
	select {
	case s.waiting <- c:
	case <-ctx.Done():
		return nil, unavailable(ctx.Err())
	case <-s.closing:
		return nil, unavailable(errClosed)
	}
	<-c.done
	return c.outcome.order, unavailable(c.outcome.err)
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
		for grew := true; grew && len(group) < s.maxGroup; {
			// Callers that just got their answers are about to come back: those that can
			// run go first. With nobody there it costs nothing.
			runtime.Gosched()
			before := len(group)
			group = s.takeWaiting(group)
			grew = len(group) > before
		}
		sh := &shift{pass: sync.OnceFunc(func() { <-s.turn })}
		sh.standIn = sync.OnceFunc(func() {
			sh.relieved = true
			s.running.Go(s.commitLoop)
		})
		s.commitGroup(group, sh)
		sh.pass()
		if sh.relieved {
			return
		}
	}
}

// shift is a committer's work on one group.
type shift struct {
	// pass lets the next committer begin.
	pass func()
	// standIn lets another go on in this one's place, which has to find out about a
	// commit and may be long; it leaves when it is done.
	standIn  func()
	relieved bool
}

// takeWaiting adds the calls that wait now.
func (s *Store) takeWaiting(group []*call) []*call {
	for len(group) < s.maxGroup {
		select {
		case c := <-s.waiting:
			group = append(group, c)
		default:
			return group
		}
	}
	return group
}

// groupTries is how often a group is tried that lost against another transaction.
const groupTries = 3

// commitGroup commits the calls together and tells each its outcome. When the
// group fails and certainly was not committed, each runs alone, so that the one to
// blame fails by itself.
func (s *Store) commitGroup(calls []*call, sh *shift) {
	for tries := 1; len(calls) > 0; tries++ {
		again, err := s.try(calls, false, sh)
		if errors.Is(err, errLost) {
			again, err = s.try(calls, true, sh)
		}
		switch {
		case err == nil:
			calls, tries = again, 0
		case errors.Is(err, errUnknown):
			finish(calls, err)
			return
		case tries < groupTries && s.d.lostRace(err):
		case len(calls) == 1 || errors.Is(err, errNotBegun):
			finish(calls, err)
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

func finish(calls []*call, err error) {
	for _, c := range calls {
		c.outcome = outcome{err: err}
		close(c.done)
	}
}

// try commits the calls in one transaction. It returns those that have to run
// again, or why nothing was committed; nobody has an outcome then.
// With careful nothing is sent before it is known that it will stand.
func (s *Store) try(calls []*call, careful bool, sh *shift) (again []*call, err error) {
	ctx, cancel := s.d.workContext()
	defer cancel()
	w, err := s.d.begin(ctx, careful)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotBegun, err)
	}
	defer w.rollback()
	p, err := s.fill(w, calls)
	if err != nil {
		return nil, err
	}
	wrote := !p.empty()
	for i, c := range calls {
		if c.job == nil {
			continue
		}
		err := w.job(c.job)
		wrote = wrote || err == nil
		if errors.Is(err, errDryRun) {
			err = nil
		}
		p.outcomes[i] = outcome{err: err}
	}
	if wrote {
		sh.pass()
		if err := s.commit(ctx, w, p, sh); err != nil {
			return nil, err
		}
	}
	if p.publishes() {
		s.signal()
		s.d.wakeOthers()
	}
	for i, c := range calls {
		if p.outcomes[i].again {
			again = append(again, c)
			continue
		}
		c.outcome = p.outcomes[i]
		close(c.done)
	}
	return again, nil
}

// fill plans the changes of orders and writes them into the transaction.
func (s *Store) fill(w *work, calls []*call) (*plan, error) {
	pl := planner{calls: calls, log: s.log}
	var err error
	if ids := updated(calls); len(ids) > 0 {
		if pl.rows, err = w.lockOrders(ids); err != nil {
			return nil, err
		}
	}
	p := pl.plan(nil)
	if p.empty() {
		return p, nil
	}
	known, err := w.claim(p, p.couriers())
	if err != nil {
		return nil, err
	}
	if !p.holds(known) {
		p = pl.plan(known)
		if err := w.unclaim(dropped(known, p)); err != nil {
			return nil, err
		}
	}
	return p, w.write(p)
}

// updated lists the orders that the calls change, sorted.
func updated(calls []*call) []string {
	var ids []string
	for _, c := range calls {
		if c.fn != nil {
			ids = append(ids, c.id)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
