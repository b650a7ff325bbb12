package database

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/background"
)

// waker notifies the relaying process that events may be pending. The notification is not part of the commit: a NOTIFY there
// would serialize commits. A lost one delays the relay by its poll interval.
type waker struct {
	due     chan struct{} // signalled after a commit in this process
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// notifyGap is the minimum interval between notifications.
const notifyGap = 20 * time.Millisecond

// channel is the installation's notification channel.
func (e *postgres) channel() string { return pgx.Identifier{"order_events_" + e.schema}.Sanitize() }

func (e *postgres) start() {
	ctx, cancel := context.WithCancel(context.Background())
	e.wake.due, e.wake.cancel = make(chan struct{}, 1), cancel
	e.wake.running.Go(func() { e.listen(ctx) })
	e.wake.running.Go(func() { e.notify(ctx) })
}

func (e *postgres) stop() {
	e.wake.cancel()
	e.relay.resign(e.relay.term.Load())
	e.wake.running.Wait()
}

// wakeOthers requests a notification, unless this process relays: it has the store's own
// signal. Requests made while one is being sent are coalesced into one.
func (e *postgres) wakeOthers() {
	if e.relay.term.Load() == nil {
		background.Wake(e.wake.due)
	}
}

func (e *postgres) notify(ctx context.Context) {
	// No flush to disk: a crash that loses the notification wakes every replica anyway.
	text := "BEGIN; SET LOCAL synchronous_commit = off; NOTIFY " + e.channel() + "; COMMIT"
	for background.Sleep(ctx, notifyGap) {
		select {
		case <-ctx.Done():
			return
		case <-e.wake.due:
		}
		work, cancel := context.WithTimeout(ctx, 2*time.Second)
		_, err := e.pool.Exec(work, text, pgx.QueryExecModeSimpleProtocol)
		cancel()
		if err != nil {
			e.store.log.Debug("other replicas were not woken", zap.Error(err))
		}
	}
}

// listen turns notifications into the store's signal, over a dedicated connection.
func (e *postgres) listen(ctx context.Context) {
	for pause := time.Duration(0); background.Sleep(ctx, pause); pause = min(max(2*pause, 100*time.Millisecond), 5*time.Second) {
		conn, err := pgx.ConnectConfig(ctx, e.config.Copy())
		if err != nil {
			continue
		}
		if _, err = conn.Exec(ctx, "LISTEN "+e.channel()); err == nil {
			pause = 0
			e.store.signal() // in case notifications were missed
		}
		for err == nil {
			if _, err = conn.WaitForNotification(ctx); err == nil {
				e.store.signal()
			}
		}
		closeConn(conn)
	}
}

// closeConn closes the connection gracefully, with a short timeout.
func closeConn(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}
