// Package grpcserver is the gRPC server: it turns RPCs into calls of the application packages and
// what they return into messages. It decides nothing.
//
// Every call goes through one pair of interceptors (interceptors.go) which give it a
// request id, let the caller in, survive a panic, turn errors into statuses
// (errors.go) and write the access log. A live stream is a reader of the hub with no
// queue of its own: a caller that reads slowly fills the subscription's queue, and
// the hub ends it.
package grpcserver
