// Package push sends changes of orders and couriers to their watchers.
//
// A Subscription has topics: an order, a courier, or the fleet. For each it first gets a snapshot and then frames.
// WebSocket, SSE and gRPC streams are thin layers over the same subscription; the package has no socket code.
//
// # Invariants
//
//   - The first frame of a topic is its snapshot, on resume too.
//   - A subscription gets every status frame of an order after its snapshot (after the version it resumes from), each once,
//     in the order of the history. The history in the store is the source of truth; announcements only reduce latency. An
//     entry is sent when all entries before it were sent; entries missing in announcements are read from the store, and once
//     a second all watched orders are compared with it.
//   - A notification is sent like a status. It does not raise the version, so one whose announcement was lost is sent with
//     the next change of its order.
//   - Positions and estimates have a conflation key: only the newest unread one is kept. The fleet's moves are merged, the
//     newest of each courier.
//   - Frames without a conflation key are never dropped. A subscription with more unread ones than its bound ends with
//     ErrTooSlow; its reader resumes from the last version it saw.
//   - A courier's route and offers are read, not announced: a change of one of the orders is only the cause to read them,
//     and what differs from what was sent is sent. They are also read every 15 seconds. The fleet's watchers get offers from
//     the history.
//   - Positions are sent while an order is in custody, and only those of its courier.
//   - After the terminal status of an order comes its end frame and nothing more of it.
//
// # Concurrency
//
// All methods are safe for concurrent use. Announcing (the methods of domain.Audience) takes locks briefly and never waits
// for a reader, the store or the network. Locks are taken in this order and no other: room, fleet,
// subscription. A reader's wake function is called with no lock held, so it may use the subscription.
//
// A message is encoded once and shared. An idle subscription has no goroutine and no
// queue memory; an announcement queues a pointer and wakes its reader.
//
// # Lifecycle
//
// New, then Run in a goroutine of the caller's until its context ends, then Close (or Shutdown, which spreads it out). Missed
// entries are read from the store by a few goroutines that exist while there is something to read; Close waits for them.
//
// # Replicas
//
// Announcements reach the watchers of other replicas through domain.Wakeups, if there is one. A message is a hint that may
// be lost, repeated or late: it is handled like an announcement, and the check finds missed entries. A replica listens to a
// topic only while one of its own subscriptions has it.
//
// It depends on domain.Store for snapshots and history, and on domain.LiveStore for positions and copies of orders.
package push
