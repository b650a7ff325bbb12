package database

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"
)

// waker carries the signal that something may be pending to the process that
// relays. It is no part of a commit: a NOTIFY there would let commits wait for each
// other. One that is lost costs the relay's poll interval.
type waker struct {
	due     chan struct{} // something was committed here
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// notifyGap is the least time between two notifications.
const notifyGap = 20 * time.Millisecond

// channel is the name of the installation's notifications.
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

// wakeOthers asks for a notification unless the relay is this process, which has the
// store's own signal. However many commits ask while one is under way, one follows.
func (e *postgres) wakeOthers() {
	if e.relay.term.Load() == nil {
		signal(e.wake.due)
	}
}

func (e *postgres) notify(ctx context.Context) {
	// Not worth a flush to disk: a crash that loses it wakes everybody anyway.
	text := "BEGIN; SET LOCAL synchronous_commit = off; NOTIFY " + e.channel() + "; COMMIT"
	for wait(ctx, notifyGap) {
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

// listen turns notifications into the store's signal, over a connection of its own.
func (e *postgres) listen(ctx context.Context) {
	for pause := time.Duration(0); wait(ctx, pause); pause = min(max(2*pause, 100*time.Millisecond), 5*time.Second) {
		conn, err := pgx.ConnectConfig(ctx, e.config.Copy())
		if err != nil {
			continue
		}
		if _, err = conn.Exec(ctx, "LISTEN "+e.channel()); err == nil {
			pause = 0
			e.store.signal() // whatever was missed
		}
		for err == nil {
			if _, err = conn.WaitForNotification(ctx); err == nil {
				e.store.signal()
			}
		}
		closeConn(conn)
	}
}

// closeConn says goodbye to the server, but does not wait long for it.
func closeConn(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}
