// Package push notifies the watchers of orders and couriers of changes.
//
// A Subscription has topics: an order, a courier, or the fleet. For each it first
// gets a snapshot and then frames. WebSocket, SSE and gRPC streams are thin layers
// over the same subscription; the package knows no sockets.
//
// # Invariants
//
//   - The first frame of a topic is its snapshot, on resume too.
//   - Of an order, a subscription gets every status frame after its snapshot (after
//     the version that it resumes from), each once, in the order of the history. The
//     history in the store is the truth; announcements only make it quick. An entry
//     is sent when all entries before it were sent; what an announcement left out
//     is read from the store, and once a second all watched orders are compared with it.
//   - A notification is sent like a status. It does not raise the version, so one whose
//     announcement was lost is sent with the next change of its order.
//   - Positions and estimates coalesce: of those that a reader has not taken yet only
//     the newest is kept. The fleet's moves are merged, the newest of each courier.
//   - Facts are never dropped. A subscription with more unread facts than its bound
//     ends with ErrTooSlow; its reader comes back with the last version that it saw.
//   - Positions flow while an order is in custody, and only those of its courier.
//   - After the terminal status of an order comes its end frame and nothing more of it.
//
// # Concurrency
//
// Everything may be called from everywhere. Announcing (the methods of
// domain.Audience) takes locks for memory work only and never waits for a reader, the
// store or the network. Locks are taken in this order and no other: room, fleet,
// subscription; the locks of the tables of rooms are taken alone. A reader's wake
// function is called with no lock held, so it may use the subscription.
//
// A message is encoded once and shared. A subscription that waits has no goroutine
// and no queue memory; whoever announces puts a pointer into it and wakes it.
//
// # Lifecycle
//
// New, then Run in a goroutine of the caller's until its context ends, then Close (or
// Shutdown, which takes its time). Reading from the store what was missed happens on
// a few goroutines that exist while there is something to read; Close waits for them.
//
// # Replicas
//
// What is announced here reaches the watchers of other replicas through
// domain.Wakeups, where there is one. A message is a hint that may be lost, repeated or
// late: it is taken like an announcement, and the check finds what was missed. A
// replica listens to a topic only while one of its own subscriptions has it.
//
// It depends on domain.Store for snapshots and history, and on domain.LiveStore for
// positions and copies of orders.
package push
