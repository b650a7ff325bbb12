// Package sandbox is CDEK's API v2 over loopback: the wire format with its
// asynchronous bookings, its two spellings of every status, and its faults. Tests of
// the adapter run against it, and serve --sandbox-carriers runs it beside the server,
// where a booked order travels to its end by itself.
//
// It is written from the API's description and shares no code with the adapter, so
// that one's misunderstandings do not hide the other's.
//
// Concurrency. A Server may be called from many goroutines; everything in it is
// under one lock. What happens with time is worked out when somebody looks, from
// Options.Now, so that a test moves the clock instead of waiting. Only Run has a
// goroutine's work to do: it sends webhooks until its context ends.
package sandbox
