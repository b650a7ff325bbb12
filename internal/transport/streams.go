package transport

import (
	"errors"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/push"
)

// Default timings of live streams.
const (
	// PingEvery is the interval between pings on an idle stream.
	PingEvery = 25 * time.Second
	// WriteTimeout is how long a client may take to accept a write.
	WriteTimeout = 30 * time.Second
)

// TypePing is the type of the frame that a server sends on an idle stream.
const TypePing = "ping"

// WebSocket close codes that do not come from the end of a subscription.
const (
	CloseUnauthorized = 4001
	CloseBadRequest   = 4400
)

// End describes how a live stream ends: Close and Text on a WebSocket, Code and Text over
// gRPC. Clients reconnect on 1001, 1006 and 4003.
type End struct {
	Close uint16
	Text  string
	Code  domain.Code // "" for a normal end
	// Reason is machine-readable; by default it is the code.
	Reason string
}

var (
	goingAway = End{1001, "the server is going away; come back with the last version seen", domain.CodeUnavailable, "unavailable"}
	ends      = map[error]End{
		push.ErrFinished:  {1000, "the order is finished", "", ""},
		push.ErrTooSlow:   {4003, "frames were not read fast enough; come back with the last version seen", domain.CodeRateLimited, "too_slow"},
		push.ErrRevoked:   {4002, "access was revoked", domain.CodeUnauthenticated, "unauthenticated"},
		push.ErrFull:      {1001, "too many streams are open; come back later", domain.CodeUnavailable, "unavailable"},
		push.ErrGoingAway: goingAway,
	}
)

// EndOf maps the error that ended a subscription to the end of its stream; ok is false when err did not come from a subscription.
func EndOf(err error) (end End, ok bool) {
	for cause, end := range ends {
		if errors.Is(err, cause) {
			return end, true
		}
	}
	return goingAway, false
}
