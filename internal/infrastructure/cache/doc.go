// Package cache implements domain.LiveStore: it caches hot orders and the newest position
// of each courier.
//
// Memory serves a single process. An order is kept only while no newer version is known,
// and rarely read orders are evicted. Positions are in a tree of cells that answers
// nearest-courier queries exactly.
//
// Redis serves replicas that share a Redis or a Redis Cluster, and carries their
// wake-ups. Invariants:
//
//   - An order only replaces an older version. A stale version is read for at most a second
//     after a newer one was written, and never by the replica that wrote it.
//   - Orders that a server loads from disk after a restart are ignored: order keys carry
//     the run id of their server, which is checked once a second and after every new
//     connection.
//   - An order that could not be written is deleted before this replica trusts Redis
//     again, and no replica reads orders in the first moments after its own outage.
//   - Positions never fail: those received by this replica are kept in the process, served
//     while Redis is down and written to a server that has lost them.
//
// Goroutines: one renews the session with the servers, one publishes; Receive has one per
// subscription connection. Close ends them; Receive ends with its context.
//
// Nothing here has to be durable: lost data is read from the store again or comes with a
// courier's next position.
package cache
