package database

import (
	"context"
	"database/sql"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

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
