// Package broker is an embedded Kafka broker, used if none is configured: kfake behind a
// frame filter, with its log on disk.
//
// Invariants: only complete, size-limited, parseable frames of supported requests reach the
// broker. Acknowledged messages are in a file and survive kill -9. Disk and memory are
// bounded by retention per partition, applied every second. Any other possible loss of
// messages (unreadable files, a new directory, the machine going down) is recorded on disk
// until they were published again.
//
// Concurrency: a Broker owns one goroutine for retention, two per connection, and those
// of kfake. Lifecycle: Start, then Close, after the clients.
package broker
