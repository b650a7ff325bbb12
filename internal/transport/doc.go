// Package transport is the kit of both servers, HTTP and gRPC: what each error code is on
// the wire, what the headers that they share mean, and how live streams end. It serves
// nothing itself.
package transport
