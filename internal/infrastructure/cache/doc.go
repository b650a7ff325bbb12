// Package cache implements domain.LiveStore: copies of hot orders and the newest
// position of each courier.
//
// Memory is the one of a single process. An order is kept only while no newer one is
// known, and orders that are read seldom make room for others. Positions are in a tree
// of cells that answers exactly who is nearest.
//
// Redis is the one of replicas that share a Redis or a Redis Cluster, and carries
// their wake-ups. Invariants:
//
//   - An order is written only over an older one, and read at most a second after a
//     newer one was written, here at once.
//   - What a server had on its disk is not believed after a restart: the keys of orders
//     carry the run id of the server that they are on, which is asked for once a second
//     and after every new connection.
//   - An order that could not be written is deleted before this replica believes Redis
//     again, and no replica reads orders in the first moments after an outage of its own.
//   - Positions never fail: those that passed through this replica are kept in the
//     process, answer while Redis is away and are given to a server that has lost them.
//
// Its goroutines: one renews what is known of the servers, one publishes; Receive has one
// for each connection of subscriptions. Close ends them; Receive ends with its context.
//
// Nothing here decides anything or has to survive: what is lost is read from the
// store again, or comes with a courier's next position.
package cache
