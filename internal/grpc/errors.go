package grpcserver

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/transport"
)

// errorDomain is the domain of the reasons in ErrorInfo.
const errorDomain = "order-tracking"

// Keys of ErrorInfo's metadata.
const (
	metaRequestID = "request_id"
	metaAllowed   = "allowed_transitions"
	metaPointers  = "pointers"
	metaFaults    = "faults"
)

// A status is sent in a header, and some clients accept at most 8 KiB of headers; this many
// bytes of faults, before base64, leave room for the rest.
const (
	maxFaultBytes = 4000
	maxFaultText  = 300
)

// failure is a domain error to be sent, with its reason and further details for the caller.
type failure struct {
	reason string
	meta   map[string]string
	err    *domain.Error
}

func (f *failure) Error() string { return f.err.Error() }

func (f *failure) Unwrap() error { return f.err }

// failureOf returns the part of an error that the caller sees. It reveals nothing of an
// unexpected error: the log has it under the request id.
func failureOf(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	e := transport.Visible(err)
	return &failure{reason: string(e.Code), err: e}
}

// statusOf converts an error to the status that the caller sees.
func statusOf(ctx context.Context, err error, requestID string) *status.Status {
	var own interface{ GRPCStatus() *status.Status }
	if errors.As(err, &own) { // an error of the transport
		return own.GRPCStatus()
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return status.FromContextError(ctx.Err())
	}
	return failureOf(err).status(requestID)
}

func (f *failure) status(requestID string) *status.Status {
	info := &errdetails.ErrorInfo{Reason: f.reason, Domain: errorDomain, Metadata: map[string]string{metaRequestID: requestID}}
	maps.Copy(info.Metadata, f.meta)
	if f.err.Allowed != nil {
		names := domain.Each(f.err.Allowed, func(s domain.Status) string { return string(s) })
		info.Metadata[metaAllowed] = strings.Join(names, ",")
	}
	explain(f.err, info.Metadata)
	details := []protoadapt.MessageV1{info}
	if len(f.err.Faults) > 0 {
		bad, pointers := violations(f.err.Faults)
		info.Metadata[metaPointers] = pointers
		info.Metadata[metaFaults] = strconv.Itoa(len(f.err.Faults))
		details = append(details, bad)
	}
	if after := f.err.RetryAfter; after > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(after)})
	}
	plain := status.New(transport.StatusOf(f.err.Code).GRPC, valid(f.err.Message))
	full, err := plain.WithDetails(details...)
	if err != nil { // impossible: the details are ours and their text is valid
		return plain
	}
	return full
}

// explain adds how a resource has changed, under the names that REST has.
func explain(e *domain.Error, meta map[string]string) {
	if c := e.Conflict; c != nil {
		meta["current_version"] = strconv.FormatInt(c.CurrentVersion, 10)
		if len(c.Changed) > 0 {
			meta["changed"] = strings.Join(c.Changed, ",")
		}
		if !c.ChangedAt.IsZero() {
			meta["changed_at"] = c.ChangedAt.Format(time.RFC3339Nano)
			meta["changed_by"] = strings.TrimSuffix(string(c.ChangedBy.Kind)+":"+c.ChangedBy.ID, ":")
		}
	}
	if len(e.Missing) > 0 {
		meta["missing"] = strings.Join(e.Missing, ",")
	}
	if r := e.Reassigned; r != nil {
		meta["reassigned_to"], meta["reassigned_at"] = r.To, r.At.Format(time.RFC3339Nano)
	}
}

// violations returns the faults in gRPC form and, in the same order, their JSON pointers; only the first ones when not all fit.
func violations(faults []domain.Fault) (*errdetails.BadRequest, string) {
	bad := &errdetails.BadRequest{}
	var pointers []string
	size := 0
	for _, f := range faults {
		pointer := shorten(f.Pointer)
		v := &errdetails.BadRequest_FieldViolation{Field: fieldPath(pointer), Reason: f.Code, Description: shorten(f.Detail)}
		size += 2*len(pointer) + len(v.Description) + len(v.Reason) + 16
		if size > maxFaultBytes && len(pointers) > 0 {
			break
		}
		bad.FieldViolations = append(bad.FieldViolations, v)
		pointers = append(pointers, pointer)
	}
	b, _ := json.Marshal(pointers) // strings always marshal
	return bad, string(b)
}

func shorten(s string) string {
	s = valid(s)
	if len(s) > maxFaultText {
		return valid(s[:maxFaultText]) + "…"
	}
	return s
}

func valid(s string) string { return strings.ToValidUTF8(s, "") }

var unescapePointer = strings.NewReplacer("~1", "/", "~0", "~")

// fieldPath converts a JSON pointer to proto notation: /items/0/price/amount becomes
// items[0].price.amount, and /metadata/a~1b becomes metadata["a/b"].
func fieldPath(pointer string) string {
	var b strings.Builder
	previous := ""
	for i, part := range strings.Split(pointer, "/")[1:] { // it starts with the slash
		part = unescapePointer.Replace(part)
		_, err := strconv.ParseUint(part, 10, 31)
		switch {
		case previous == "metadata":
			b.WriteString("[" + strconv.Quote(part) + "]")
		case err == nil:
			b.WriteString("[" + part + "]")
		case i > 0:
			b.WriteString("." + part)
		default:
			b.WriteString(part)
		}
		previous = part
	}
	return b.String()
}
