// Package grpcserver is the gRPC server: it turns RPCs into calls of the application packages
// and their results into messages. It makes no decisions of its own.
//
// Every call goes through one pair of interceptors (interceptors.go) that assign a request
// id, authorize the caller, recover from panics, turn errors into statuses (errors.go) and
// write the access log. A live stream reads from the hub and has no queue of its own: a slow
// caller fills the subscription's queue, and the hub ends the subscription.
package grpcserver
