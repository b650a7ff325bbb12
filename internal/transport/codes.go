package transport

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/push"
)

// Status is how an error code appears on each transport.
type Status struct {
	HTTP  int
	GRPC  codes.Code
	Title string // a short title for the kind of problem
}

// statuses maps error codes to each transport; it is the only such table.
var statuses = map[domain.Code]Status{
	domain.CodeMalformed:            {http.StatusBadRequest, codes.InvalidArgument, "The request is malformed"},
	domain.CodeUnauthenticated:      {http.StatusUnauthorized, codes.Unauthenticated, "Credentials are required"},
	domain.CodeForbidden:            {http.StatusForbidden, codes.PermissionDenied, "This is not allowed"},
	domain.CodeNotFound:             {http.StatusNotFound, codes.NotFound, "Not found"},
	domain.CodeMethodNotAllowed:     {http.StatusMethodNotAllowed, codes.Unimplemented, "Method not allowed"},
	domain.CodeRequestTimeout:       {http.StatusRequestTimeout, codes.DeadlineExceeded, "The request took too long"},
	domain.CodeUpgradeRequired:      {http.StatusUpgradeRequired, codes.Unimplemented, "An upgrade of the protocol is required"},
	domain.CodeHeadersTooLarge:      {http.StatusRequestHeaderFieldsTooLarge, codes.ResourceExhausted, "The headers are too large"},
	domain.CodeOrderNotFound:        {http.StatusNotFound, codes.NotFound, "There is no such order"},
	domain.CodeCourierNotFound:      {http.StatusNotFound, codes.NotFound, "There is no such courier"},
	domain.CodePositionNotFound:     {http.StatusNotFound, codes.NotFound, "No position is known yet"},
	domain.CodeCarrierNotFound:      {http.StatusNotFound, codes.NotFound, "There is no such delivery company"},
	domain.CodeShipmentNotFound:     {http.StatusNotFound, codes.NotFound, "The order has no shipment"},
	domain.CodeShipmentExists:       {http.StatusConflict, codes.FailedPrecondition, "The order has a shipment already"},
	domain.CodePaidCancelRequired:   {http.StatusConflict, codes.FailedPrecondition, "Cancelling costs money"},
	domain.CodeBookingUnknown:       {http.StatusConflict, codes.FailedPrecondition, "The outcome of the booking is unknown"},
	domain.CodeIllegalTransition:    {http.StatusConflict, codes.FailedPrecondition, "The order can't take this step"},
	domain.CodeCancelAfterPickup:    {http.StatusConflict, codes.FailedPrecondition, "The order was handed over already"},
	domain.CodeOrderFinished:        {http.StatusConflict, codes.FailedPrecondition, "The order is finished"},
	domain.CodeNoCourierAvailable:   {http.StatusConflict, codes.FailedPrecondition, "No courier is available"},
	domain.CodeCourierBusy:          {http.StatusConflict, codes.FailedPrecondition, "The courier has no free capacity"},
	domain.CodeDuplicateExternalID:  {http.StatusConflict, codes.AlreadyExists, "The external id is taken"},
	domain.CodeIdempotencyRunning:   {http.StatusConflict, codes.Aborted, "The first request with this key is still running"},
	domain.CodeSecretNotRepeated:    {http.StatusConflict, codes.FailedPrecondition, "The secret was shown already"},
	domain.CodeOrderReassigned:      {http.StatusConflict, codes.FailedPrecondition, "The order went to another courier"},
	domain.CodeProofRequired:        {http.StatusConflict, codes.FailedPrecondition, "The delivery needs proof"},
	domain.CodePINLocked:            {http.StatusLocked, codes.FailedPrecondition, "There were too many wrong PINs"},
	domain.CodeOfferGone:            {http.StatusConflict, codes.FailedPrecondition, "The offer is gone"},
	domain.CodeOfferNotFound:        {http.StatusNotFound, codes.NotFound, "No such offer"},
	domain.CodeHTTPSRequired:        {http.StatusConflict, codes.FailedPrecondition, "This needs HTTPS"},
	domain.CodeVersionConflict:      {http.StatusPreconditionFailed, codes.Aborted, "It has changed"},
	domain.CodeTooLarge:             {http.StatusRequestEntityTooLarge, codes.ResourceExhausted, "The request is too large"},
	domain.CodeUnsupportedMediaType: {http.StatusUnsupportedMediaType, codes.InvalidArgument, "The content type is not supported"},
	domain.CodeValidationFailed:     {http.StatusUnprocessableEntity, codes.InvalidArgument, "The request is not valid"},
	domain.CodeIdempotencyReused:    {http.StatusUnprocessableEntity, codes.InvalidArgument, "The key was used for another request"},
	domain.CodeImpossibleTime:       {http.StatusUnprocessableEntity, codes.InvalidArgument, "The time is not possible"},
	domain.CodeAmbiguousReference:   {http.StatusUnprocessableEntity, codes.InvalidArgument, "The reference is ambiguous"},
	domain.CodeRateLimited:          {http.StatusTooManyRequests, codes.ResourceExhausted, "Too many requests"},
	domain.CodeUnavailable:          {http.StatusServiceUnavailable, codes.Unavailable, "The service is not available right now"},
	domain.CodeInternal:             {http.StatusInternalServerError, codes.Internal, "Internal error"},
}

// Codes lists every code.
func Codes() []domain.Code { return slices.Sorted(maps.Keys(statuses)) }

// StatusOf returns the status of a code; a code missing from the table is an internal error.
func StatusOf(code domain.Code) Status {
	if s, ok := statuses[code]; ok {
		return s
	}
	return statuses[domain.CodeInternal]
}

// Visible returns the part of an error that the caller sees: code, message and retry delay.
// It reveals nothing of an unexpected error: the log has it under the request id.
func Visible(err error) *domain.Error {
	var e *domain.Error
	switch {
	case errors.As(err, &e) && e.Code != domain.CodeInternal:
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		e = domain.Unavailable("the answer", err)
	default:
		return domain.Errorf(domain.CodeInternal, "an unexpected error; the log has details under this request_id")
	}
	if e.RetryAfter <= 0 && (e.Code == domain.CodeUnavailable || e.Code == domain.CodeRateLimited) {
		passes := *e
		passes.RetryAfter = time.Second
		return &passes
	}
	return e
}

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
