// Package messaging is the Kafka side of the product: a producer that implements
// domain.Bus, the consumer of order_status_updates, and the topics. They are the same
// code against Apache Kafka and against the broker in this process (package broker).
//
// Invariants
//
//   - Publish: messages of one topic and key are first seen by readers in the order they
//     were given. A batch is sent only when everything before it is acknowledged, and a
//     partition has one batch in flight; so each batch is a run of the sequence that
//     starts within what readers already have, and whatever the network does with it
//     (lost, late, twice) can only repeat messages, never put one before another.
//   - Consume: an offset is committed only when its message and all before it in the
//     partition were handled or are in the dead-letter topic, acknowledged. So a crash
//     repeats messages and loses none. Messages of one key are handled one after the other.
//
// Concurrency: Producer is safe for any number of goroutines; callers that need an
// order between two Publish calls make the second after the first returned. A Consumer
// runs up to 64 handlers at once, of different keys; rebalance callbacks of the Kafka
// client stop and wait for the handlers of the partitions that leave.
//
// Lifecycle: EnsureTopics, NewProducer, NewConsumer and its Run; then stop Run, close
// consumer and producer.
package messaging
