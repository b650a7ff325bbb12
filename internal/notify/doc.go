// Package notify tells others what happens to orders: the shops' systems by webhooks, the
// customers through channels.
//
// Invariants: a delivery is committed with the event that it is about, so none is lost. It is
// tried at least once, and what it is known by is the same on every try. A webhook gets the
// events of an order in order: while one waits for its next try, the later ones wait behind it.
//
// Concurrency: each receiver (a webhook, or a channel) has one sender at a time among all
// replicas, which holds its lease, and a queue, connections and limits of its own: a receiver
// that hangs delays nobody else. Match is called within changes and touches memory only.
//
// Lifecycle: Load before the first change and whenever a document has changed; Run until its
// context ends.
package notify
