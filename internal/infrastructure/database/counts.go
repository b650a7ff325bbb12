package database

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// CountOrders counts orders by group; see domain.Store. Unfinished orders are all counted, by an index of their own; of the
// finished, which are almost all that there are, as many as can be told from many.
func (s *Store) CountOrders(ctx context.Context, f domain.OrderFilter) (out domain.OrderCounts, err error) {
	if f.Search != "" {
		return s.countFound(ctx, f)
	}
	statuses, _ := wanted(f)
	if len(statuses) == 0 || f.CourierID != "" && !isID(f.CourierID) {
		return out, nil
	}
	done := slices.DeleteFunc(slices.Clone(statuses), func(s domain.Status) bool { return !s.Terminal() })
	if len(done) < len(statuses) {
		if err := s.countOpen(ctx, f, statuses, &out); err != nil {
			return out, err
		}
	}
	if len(done) == 0 || f.Late != nil && *f.Late {
		return out, nil
	}
	l := newListing(domain.Page{Size: domain.MaxCounted})
	l.unsorted, f.Active = true, new(false)
	l.promised = f.MerchantID == "" && (!f.PromisedFrom.IsZero() || !f.PromisedTo.IsZero())
	l.narrow = l.promised
	l.filter(f)
	text := "SELECT count(*) FROM (" + strings.Join(l.branches(f, done, false), " UNION ALL ") + ") k"
	err = s.counted(ctx, l, text, func(r *sql.Rows) error { return r.Scan(&out.Done) })
	out.More = out.Done > domain.MaxCounted
	out.Done = min(out.Done, domain.MaxCounted)
	return out, err
}

func (s *Store) countOpen(ctx context.Context, f domain.OrderFilter, statuses []domain.Status, out *domain.OrderCounts) error {
	l := &listing{narrow: true, args: []any{micros(f.Now)}}
	l.filter(f)
	text := "SELECT status, exception IS NOT NULL, coalesce(late_at <= $1, FALSE), count(*) FROM orders" +
		l.conditions("NOT finished", l.among(statuses)) + " GROUP BY 1, 2, 3"
	return s.counted(ctx, l, text, func(r *sql.Rows) error {
		var n int
		var status domain.Status
		var exception, late bool
		err := r.Scan(&status, &exception, &late, &n)
		out.Add(n, status, exception, late)
		return err
	})
}

func (s *Store) counted(ctx context.Context, l *listing, text string, scan func(*sql.Rows) error) error {
	_, err := varying(ctx, s, func(r *sql.Rows) (struct{}, error) { return struct{}{}, scan(r) }, text, l.args)
	return err
}

// countFound counts the newest matches of a search.
func (s *Store) countFound(ctx context.Context, f domain.OrderFilter) (out domain.OrderCounts, err error) {
	found, next, err := s.searchOrders(ctx, f, domain.Page{Size: domain.MaxFound})
	for _, o := range found {
		at, risky := o.RiskAt()
		out.Add(1, o.Status, o.Exception != nil, risky && !at.After(f.Now))
	}
	out.More = next != nil
	return out, err
}

// Pool holds the statistics of a connection pool.
type Pool struct {
	// Name is read or write.
	Name string
	// Max is the maximum number of connections, Open the current number, InUse how many of them are in use.
	Max, Open, InUse int
	// Waits counts the waits for a connection, Waited is their total time.
	Waits  int64
	Waited time.Duration
}

// Pools returns the connection pools' statistics.
func (s *Store) Pools() []Pool { return []Pool{poolOf("read", s.read.Stats()), s.d.writing()} }

func poolOf(name string, s sql.DBStats) Pool {
	return Pool{Name: name, Max: s.MaxOpenConnections, Open: s.OpenConnections, InUse: s.InUse, Waits: s.WaitCount, Waited: s.WaitDuration}
}

// ActiveOrders counts unfinished orders by status.
func (s *Store) ActiveOrders(ctx context.Context) (map[domain.Status]int, error) {
	var active []string
	for _, st := range domain.Statuses() {
		if !st.Terminal() {
			active = append(active, string(st))
		}
	}
	counted := make(map[domain.Status]int, len(active))
	_, err := list(ctx, s, func(r *sql.Rows) (st domain.Status, err error) {
		var n int
		err = r.Scan(&st, &n)
		counted[st] = n
		return st, err
	}, `SELECT status, count(*) FROM orders WHERE status`+s.d.among+` GROUP BY status`, s.d.list(active))
	return counted, err
}

// OldestPending returns when the oldest event not yet acknowledged by the bus was recorded, zero if there is none.
func (s *Store) OldestPending(ctx context.Context) (time.Time, error) {
	var e domain.Event
	_, err := s.one(ctx, `SELECT data FROM order_events WHERE pos = (SELECT min(pos) FROM outbox)`, nil, encoded{&e})
	return e.RecordedAt, err
}
