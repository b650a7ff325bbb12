// Package database keeps what must never be lost, in SQLite or PostgreSQL: one
// store, one schema, one SQL text; sqlite.go and postgres.go hold the differences.
//
// Invariants: an order's row, its events, the outbox entries and every side row of
// a change are one transaction. What a method answered is on disk. order_events is
// append-only. A courier's active_orders equals the number of its unfinished orders.
//
// Concurrency: changes of orders queue up for a committer, a goroutine that takes one
// waiting call, then all that wait, up to MaxGroup, and commits them together
// (group.go). There is one committer on SQLite and two on PostgreSQL, of which one
// writes while the other waits for its commit. The closures of a group run one after the other on objects of their own (plan.go), so
// one that errs or panics touches nobody else. Reads use a pool of connections.
//
// Lifecycle: Open… runs the migrations and starts the committers, Close waits for
// the commits that are running; calls that still wait then fail with unavailable.
package database
