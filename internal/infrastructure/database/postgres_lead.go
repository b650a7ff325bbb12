package database

import (
	"context"
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// One replica relays at a time: the one whose session holds an advisory lock. It reads and deletes over that same session,
// so that a leader that lost it can't do anything. A leader that is killed, suspended or cut off loses its session within
// leadIdle, so it must send something that often.

const (
	leadIdle  = 3 * time.Second // the server disconnects a silent leader
	leadPulse = time.Second     // a leader's heartbeat interval, also while it publishes
	leadWork  = 2500 * time.Millisecond
)

var errNotLeading = errors.New("this process does not lead the relay any more")

// election is this process's candidacy.
type election struct {
	mu   sync.Mutex
	conn *pgx.Conn            // kept between attempts
	term atomic.Pointer[term] // set while it leads
}

// term is one period of leadership. It implements the outbox.
type term struct {
	*Store
	mu   sync.Mutex // guards the connection
	conn *pgx.Conn
	over context.Context //nolint:containedctx // ends with the term
	end  context.CancelFunc
	wg   sync.WaitGroup
}

// lead tries to become the leader; see domain.Outbox.
func (e *postgres) lead(ctx context.Context) (domain.Outbox, func(), error) {
	r := &e.relay
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.term.Load() != nil {
		return nil, nil, errors.New("this process leads already")
	}
	ctx, cancel := context.WithTimeout(ctx, leadWork)
	defer cancel()
	if r.conn == nil || r.conn.IsClosed() {
		conn, err := pgx.ConnectConfig(ctx, e.candidate())
		if err != nil {
			return nil, nil, err
		}
		r.conn = conn
	}
	var won bool
	err := r.conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, e.lockKey).Scan(&won)
	if err != nil {
		closeConn(r.conn)
		r.conn = nil
		return nil, nil, err
	}
	if !won {
		return nil, nil, nil
	}
	t := &term{Store: e.store, conn: r.conn}
	t.over, t.end = context.WithCancel(context.Background())
	t.wg.Go(t.pulse)
	r.term.Store(t)
	return t, func() { r.resign(t) }, nil
}

// candidate is the configuration of the relay's connection. The server closes it when it
// is silent or when the peer is unreachable.
func (e *postgres) candidate() *pgx.ConnConfig {
	c := e.config.Copy()
	maps.Copy(c.RuntimeParams, map[string]string{
		"idle_session_timeout": "3s", "tcp_user_timeout": "3s",
		"tcp_keepalives_idle": "1", "tcp_keepalives_interval": "1", "tcp_keepalives_count": "2",
		"statement_timeout": "2s", "enable_hashjoin": "off", "enable_mergejoin": "off",
	})
	c.ConnectTimeout = min(c.ConnectTimeout, 2*time.Second)
	return c
}

// resign ends the term, or the candidacy if there is none, by closing the session, which releases the lock.
func (r *election) resign(t *term) {
	if t != nil {
		t.end()
		t.wg.Wait()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conn != nil && r.term.CompareAndSwap(t, nil) {
		closeConn(r.conn)
		r.conn = nil
	}
}

// pulse sends heartbeats to the server while the relay is busy elsewhere.
func (t *term) pulse() {
	for background.Sleep(t.over, leadPulse) {
		if t.do(t.over, t.conn.Ping) != nil {
			return
		}
	}
}

// do uses the session, one call at a time. An error ends the term, since the session may have lost the lock.
func (t *term) do(ctx context.Context, fn func(context.Context) error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over.Err() != nil {
		return failure(errNotLeading)
	}
	ctx, cancel := context.WithTimeout(ctx, leadWork)
	defer cancel()
	err := fn(ctx)
	if err != nil {
		t.end()
	}
	return failure(err)
}

// Pending returns the oldest unpublished events; see domain.Outbox.
func (t *term) Pending(ctx context.Context, limit int) (entries []domain.OutboxEntry, err error) {
	err = t.do(ctx, func(ctx context.Context) error {
		rows, err := t.conn.Query(ctx, pendingPositions, limit)
		if err != nil {
			return err
		}
		positions, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil || len(positions) == 0 {
			return err
		}
		if rows, err = t.conn.Query(ctx, t.pendingEvents(), positions); err != nil {
			return err
		}
		entries, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (e domain.OutboxEntry, err error) {
			err = r.Scan(pendingTargets(&e)...)
			return e, err
		})
		return err
	})
	return entries, err
}

// Published deletes the entries at these positions.
func (t *term) Published(ctx context.Context, positions []int64) error {
	if len(positions) == 0 {
		return nil
	}
	return t.do(ctx, func(ctx context.Context) error {
		_, err := t.conn.Exec(ctx, t.forget(), positions)
		return err
	})
}
