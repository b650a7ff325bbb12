package transport

import (
	"errors"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/push"
)

// Times of live streams, unless they are told others.
const (
	// PingEvery is how often an idle stream hears from us.
	PingEvery = 25 * time.Second
	// WriteTimeout is how long a stream's client may take to accept what is written.
	WriteTimeout = 30 * time.Second
)

// TypePing is the type of the frame that a server sends into an idle stream.
const TypePing = "ping"

// Close codes of WebSockets that no end of a subscription has.
const (
	CloseUnauthorized = 4001
	CloseBadRequest   = 4400
)

// End is how a live stream ends: Close and Text on a WebSocket, Code and Text over gRPC.
// Clients come back on 1001, 1006 and 4003.
type End struct {
	Close uint16
	Text  string
	Code  domain.Code // "" when it ends well
	// Reason is for machines; the code unless it says more.
	Reason string
}

var (
	goingAway = End{1001, "the server is going away; come back with the last version seen", domain.CodeUnavailable, "unavailable"}
	ends      = map[error]End{
		push.ErrFinished: {1000, "the order is finished", "", ""},
		push.ErrTooSlow:  {4003, "frames were not read fast enough; come back with the last version seen", domain.CodeRateLimited, "too_slow"},
		push.ErrRevoked:  {4002, "access was revoked", domain.CodeUnauthenticated, "unauthenticated"},
		push.ErrFull:     {1001, "too many streams are open; come back later", domain.CodeUnavailable, "unavailable"},

		push.ErrGoingAway: goingAway,
	}
)

// EndOf returns how a stream ends whose subscription ended with err; ok is false when err
// is not a subscription's.
func EndOf(err error) (end End, ok bool) {
	for cause, end := range ends {
		if errors.Is(err, cause) {
			return end, true
		}
	}
	return goingAway, false
}
