package domain

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Code identifies a failure for programs. internal/transport maps every code to both protocols.
type Code string

// All codes in the product's responses.
const (
	CodeMalformed            Code = "malformed"
	CodeUnauthenticated      Code = "unauthenticated"
	CodeForbidden            Code = "forbidden"
	CodeNotFound             Code = "not_found"
	CodeMethodNotAllowed     Code = "method_not_allowed"
	CodeRequestTimeout       Code = "request_timeout"
	CodeUpgradeRequired      Code = "upgrade_required"
	CodeHeadersTooLarge      Code = "headers_too_large"
	CodeOrderNotFound        Code = "order_not_found"
	CodeCourierNotFound      Code = "courier_not_found"
	CodePositionNotFound     Code = "position_not_found"
	CodeCarrierNotFound      Code = "carrier_not_found"
	CodeShipmentNotFound     Code = "shipment_not_found"
	CodeShipmentExists       Code = "shipment_exists"
	CodePaidCancelRequired   Code = "paid_cancel_required"
	CodeBookingUnknown       Code = "booking_unknown"
	CodeIllegalTransition    Code = "illegal_transition"
	CodeCancelAfterPickup    Code = "cancel_after_pickup"
	CodeOrderFinished        Code = "order_finished"
	CodeOrderReassigned      Code = "order_reassigned"
	CodeProofRequired        Code = "proof_required"
	CodePINLocked            Code = "pin_locked"
	CodeOfferGone            Code = "offer_gone"
	CodeOfferNotFound        Code = "offer_not_found"
	CodeNoCourierAvailable   Code = "no_courier_available"
	CodeCourierBusy          Code = "courier_busy"
	CodeDuplicateExternalID  Code = "duplicate_external_id"
	CodeIdempotencyRunning   Code = "idempotency_in_progress"
	CodeIdempotencyReused    Code = "idempotency_key_reused"
	CodeVersionConflict      Code = "version_conflict"
	CodeTooLarge             Code = "too_large"
	CodeUnsupportedMediaType Code = "unsupported_media_type"
	CodeValidationFailed     Code = "validation_failed"
	CodeRateLimited          Code = "rate_limited"
	CodeSecretNotRepeated    Code = "secret_not_repeated"
	CodeHTTPSRequired        Code = "https_required"
	CodeUnavailable          Code = "unavailable"
	CodeInternal             Code = "internal"

	// CodeImpossibleTime is a fault's code in a request, and an inbound report's reason in the dead-letter queue.
	CodeImpossibleTime Code = "impossible_time"
	// CodeAmbiguousReference: an inbound report's external_id matches several orders.
	CodeAmbiguousReference Code = "ambiguous_reference"
)

// Error is a failure with a code for programs, a message for people and, separate from both, a cause for operators.
type Error struct {
	Code    Code
	Message string
	// Faults lists everything wrong with a request at once.
	Faults []Fault
	// Allowed lists the possible steps; set (maybe empty) when a step was rejected.
	Allowed []Status
	// Missing lists the kinds of proof that a delivery still needs (proof_required).
	Missing []string
	// Terms are the cancellation terms; set when cancelling costs money (paid_cancel_required).
	Terms *CancelTerms
	// Conflict is set for a version_conflict, Reassigned for order_reassigned.
	Conflict   *Conflict
	Reassigned *Reassigned
	// RetryAfter, when positive, is the pause after which a retry makes sense.
	RetryAfter time.Duration
	cause      error
}

// Fault is a single error in a request.
type Fault struct {
	Pointer string `json:"pointer" doc:"JSON pointer (RFC 6901) into the body, or to a parameter"`
	Code    string `json:"code"`
	Detail  string `json:"detail"`
}

// Error returns the message, followed by the faults if there are any.
func (e *Error) Error() string {
	if len(e.Faults) == 0 {
		return e.Message
	}
	parts := Each(e.Faults, func(f Fault) string { return f.Pointer + ": " + f.Detail })
	return e.Message + ": " + strings.Join(parts, "; ")
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// Errorf makes an Error with a message formatted as by fmt.Sprintf.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Unavailable reports that a dependency does not respond; the caller may retry after a second.
func Unavailable(what string, cause error) *Error {
	return &Error{Code: CodeUnavailable, Message: what + " is unavailable", RetryAfter: time.Second, cause: cause}
}

// Internal reports an internal failure: a bug, a bad row, unexpected behaviour of a
// dependency. Retrying does not help, and the cause belongs in the log.
func Internal(what string, cause error) *Error {
	return &Error{Code: CodeInternal, Message: what, cause: cause}
}

// Explained formats err for logs, including the causes that messages for callers leave out.
func Explained(err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.cause == nil {
		return err
	}
	cause := Explained(e.cause)
	if strings.Contains(err.Error(), cause.Error()) { // included already
		return err
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// CodeOf returns the code of err: CodeInternal for an error that has none, "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}
