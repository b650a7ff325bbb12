// Package broker is a Kafka broker in this process, for when none is configured: kfake
// behind a filter of frames, with its log on the disk.
//
// Invariants: nothing that arrives on the socket reaches the broker unless it is a whole
// frame, of bounded size, of a request that the product offers, and parses. What the
// broker acknowledged is in a file: kill -9 loses none of it. Disk and memory are bounded
// by retention per partition, applied every second. Whatever else may have lost messages
// (unreadable files, a new directory, the machine going down) is noted on the disk until
// they were published again.
//
// Concurrency: a Broker owns one goroutine for retention, two per connection, and those
// of kfake. Lifecycle: Start, then Close, after the clients.
package broker
