// Package httpserver is the HTTP server: REST, WebSocket and server-sent events over Gin, the
// OpenAPI document and the pages that show it.
//
// REST operations are typed huma operations, from which the document is generated; streams,
// the hottest read and everything that is not an API are plain Gin handlers, described in the
// same document. Every error is answered by fail, as problem+json. The domain decides what is
// valid: this package only adds the faults that a JSON decoder can find (types, unknown
// fields).
//
// Goroutines: each open WebSocket has one that reads. A few shared writers serve all sockets
// while there is something to write; a socket whose client is slow gets a writer of its own
// for that time. All end with the socket or when the hub closes; Server.Wait waits for the
// readers.
package httpserver
