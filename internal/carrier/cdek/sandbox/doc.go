// Package sandbox emulates CDEK's API v2 over loopback: its wire format, asynchronous
// bookings, both spellings of every status, and its faults. The adapter's tests run against
// it, and serve --sandbox-carriers runs it beside the server, where booked orders are
// delivered automatically.
//
// It is written from the API's description and shares no code with the adapter, so that a
// misunderstanding in one is not hidden by the other.
//
// Concurrency. A Server is safe for concurrent use; one lock protects everything in it. The
// effects of time are computed on access from Options.Now, so a test moves the clock
// instead of waiting. Only Run needs a goroutine: it sends webhooks until its context ends.
package sandbox
