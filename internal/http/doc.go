// Package httpserver is the HTTP server: REST, WebSocket and server-sent events
// over Gin, the OpenAPI document and the pages that show it.
//
// REST operations are typed huma operations, from which the document is made;
// streams, the hottest read and what is not an API are plain Gin handlers,
// described in the same document. Whatever goes wrong is answered by fail, as
// problem+json. What is valid is decided by the domain: this package only finds
// what a JSON decoder can see (types, unknown fields) and adds it to what the
// domain found.
//
// Goroutines: one per open WebSocket, which reads; all of them are written by a few
// that live while there is something to write, and one that a client makes wait has a
// goroutine of its own for that time. They end with the socket, or when the hub closes;
// Server.Wait waits for the readers.
package httpserver
