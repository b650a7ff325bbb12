// Package messaging is the Kafka side of the product: a producer that implements
// domain.Bus, the consumer of order_status_updates, and the topics. The same code talks to
// Apache Kafka and to the embedded broker (package broker).
//
// Invariants
//
//   - Publish: consumers first see messages of one topic and key in the order of
//     publication. A batch is sent only after everything before it is acknowledged, and a
//     partition has one batch in flight; so each batch continues the acknowledged sequence
//     without a gap, and whatever the network does with it (lost, late, duplicated) can
//     only repeat messages, never reorder them.
//   - Consume: an offset is committed only after its message and all before it in the
//     partition were handled or acknowledged in the dead-letter topic. So a crash repeats
//     messages but loses none. Messages of one key are handled sequentially.
//
// Concurrency: Producer is safe for concurrent use; callers that need two Publish calls
// ordered make the second after the first returned. A Consumer runs up to 64 handlers
// concurrently, for different keys; the Kafka client's rebalance callbacks stop the
// handlers of revoked partitions and wait for them.
//
// Lifecycle: EnsureTopics, NewProducer, NewConsumer and its Run; then stop Run, close
// consumer and producer.
package messaging
