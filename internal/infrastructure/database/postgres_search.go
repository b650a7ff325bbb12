package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"time"
)

// New orders share a lock until they are committed, which the feed of the search index takes
// alone while it makes a segment live. A new order that is not newer than that is queued.
const pgShareOrders = `SELECT pg_advisory_xact_lock_shared($1)`

var pgQueueLate = "INSERT INTO search_queue (" + searchQueue.list("%[1]s") + ") SELECT l.* FROM " + searchQueue.unnest() +
	" AS l (" + searchQueue.list("%[1]s") + ") WHERE (l.created_at, l.order_id) <= (SELECT sealed_at, sealed_id FROM search_state)"

// The keys of the other locks follow the one of the relay.
func (e *postgres) feedKey() int64 { return e.lockKey + 1 }

func (e *postgres) ordersKey() int64 { return e.lockKey + 2 }

// leadFeed holds a lock in a session of its own.
func (e *postgres) leadFeed(ctx context.Context) (func(), error) {
	conn, err := e.read.Conn(ctx)
	if err != nil {
		return nil, err
	}
	var won bool
	err = conn.QueryRowContext(ctx, `SELECT pg_try_advisory_lock($1)`, e.feedKey()).Scan(&won)
	if err != nil || !won {
		_ = conn.Close()
		return nil, err
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_unlock($1)`, e.feedKey()); err != nil {
			_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // ends the session
		}
		_ = conn.Close()
	}, nil
}

// holdOrders waits for orders that are being committed, but not for long: others would wait behind it.
func (e *postgres) holdOrders(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, `SET LOCAL lock_timeout = '100ms'`); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, e.ordersKey())
	return err
}
