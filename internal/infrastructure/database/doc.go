// Package database is the durable store, on SQLite or PostgreSQL: one store, one schema
// and shared SQL; sqlite.go and postgres.go hold the differences.
//
// Invariants: an order's row, its events, the outbox entries and every side row of
// a change are committed in one transaction. Once a method returns success, its change is
// on disk. order_events is append-only. A courier's active_orders equals the number of its
// unfinished orders.
//
// Concurrency: order changes queue for a committer, a goroutine that takes one waiting
// call, then all other waiting calls, up to MaxGroup, and commits them together
// (group.go). SQLite has one committer; PostgreSQL has two, so that one writes while the
// other waits for its commit. The closures of a group run sequentially, each on its own
// copy of the object (plan.go), so one that fails or panics does not affect the others.
// Reads use a connection pool.
//
// Lifecycle: Open… runs the migrations and starts the committers, Close waits for
// running commits; calls still queued then fail with unavailable.
package database
