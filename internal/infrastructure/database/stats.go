package database

import (
	"context"
	"database/sql"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Pool is how the connections of one kind are used.
type Pool struct {
	// Name is read or write.
	Name string
	// Max is the most connections that there may be, Open how many there are, InUse how many
	// of them are being used.
	Max, Open, InUse int
	// Waits counts who had to wait for a connection, Waited is how long altogether.
	Waits  int64
	Waited time.Duration
}

// Pools returns how the connections are used.
func (s *Store) Pools() []Pool { return []Pool{poolOf("read", s.read.Stats()), s.d.writing()} }

func poolOf(name string, s sql.DBStats) Pool {
	return Pool{Name: name, Max: s.MaxOpenConnections, Open: s.OpenConnections, InUse: s.InUse, Waits: s.WaitCount, Waited: s.WaitDuration}
}

// ActiveOrders counts the orders that are not finished, by status.
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

// OldestPending returns when the oldest event was recorded that the bus has not
// acknowledged, zero when none waits.
func (s *Store) OldestPending(ctx context.Context) (time.Time, error) {
	var e domain.Event
	_, err := s.one(ctx, `SELECT data FROM order_events WHERE pos = (SELECT min(pos) FROM outbox)`, nil, encoded{&e})
	return e.RecordedAt, err
}
