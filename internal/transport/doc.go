// Package transport is shared by the HTTP and gRPC servers: it maps error codes to each
// protocol, parses the headers that both use and decides how live streams end. It serves
// nothing itself.
package transport
