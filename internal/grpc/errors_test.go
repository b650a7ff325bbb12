package grpcserver

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/transport"
)

func TestEveryCodeHasAStatus(t *testing.T) {
	for _, code := range transport.Codes() {
		st := statusOf(context.Background(), domain.Errorf(code, "why"), "r-1")
		require.Equal(t, transport.StatusOf(code).GRPC, st.Code(), code)
		require.Equal(t, string(code), detail[*errdetails.ErrorInfo](t, st).GetReason())
	}
}

func TestErrorDetails(t *testing.T) {
	st := statusOf(context.Background(), fmt.Errorf("wrapped: %w", &domain.Error{
		Code: domain.CodeValidationFailed, Message: "the request is not valid",
		Faults: []domain.Fault{
			{Pointer: "/customer/name", Code: "required", Detail: "is required"},
			{Pointer: "/metadata/a~1b", Code: "too_long", Detail: "must be shorter"},
		},
	}), "r-1")
	require.Equal(t, "the request is not valid", st.Message())
	info := detail[*errdetails.ErrorInfo](t, st)
	require.Equal(t, "order-tracking", info.GetDomain())
	require.Equal(t, map[string]string{
		"request_id": "r-1", "faults": "2", "pointers": `["/customer/name","/metadata/a~1b"]`,
	}, info.GetMetadata())
	var got []string
	for _, v := range detail[*errdetails.BadRequest](t, st).GetFieldViolations() {
		got = append(got, v.GetField()+" "+v.GetReason()+" "+v.GetDescription())
	}
	require.Equal(t, []string{"customer.name required is required", `metadata["a/b"] too_long must be shorter`}, got)
}

func TestRefusedStepListsWhatIsAllowed(t *testing.T) {
	for _, tc := range []struct {
		allowed []domain.Status
		want    string
	}{
		{[]domain.Status{domain.StatusConfirmed, domain.StatusCancelled}, "confirmed,cancelled"},
		{[]domain.Status{}, ""},
	} {
		st := statusOf(context.Background(), &domain.Error{Code: domain.CodeIllegalTransition, Allowed: tc.allowed}, "")
		got, ok := detail[*errdetails.ErrorInfo](t, st).GetMetadata()["allowed_transitions"]
		require.True(t, ok)
		require.Equal(t, tc.want, got)
	}
	st := statusOf(context.Background(), domain.Errorf(domain.CodeOrderNotFound, "no"), "")
	require.NotContains(t, detail[*errdetails.ErrorInfo](t, st).GetMetadata(), "allowed_transitions")
}

func TestWhatPassesSaysWhenToComeBack(t *testing.T) {
	for want, err := range map[time.Duration]error{
		time.Second:     domain.Errorf(domain.CodeUnavailable, "no"),
		3 * time.Second: &domain.Error{Code: domain.CodeIdempotencyRunning, RetryAfter: 3 * time.Second},
	} {
		st := statusOf(context.Background(), err, "")
		require.Equal(t, want, detail[*errdetails.RetryInfo](t, st).GetRetryDelay().AsDuration())
	}
}

func TestUnexpectedErrorsStayInside(t *testing.T) {
	secret := errors.New("password is hunter2")
	for _, err := range []error{
		secret, domain.Unavailable("the database", secret), domain.Errorf(domain.CodeInternal, "password is hunter2"),
	} {
		st := statusOf(context.Background(), err, "r-1")
		b, marshalErr := proto.Marshal(st.Proto())
		require.NoError(t, marshalErr)
		require.NotContains(t, string(b), "hunter2")
		require.Equal(t, "r-1", detail[*errdetails.ErrorInfo](t, st).GetMetadata()["request_id"])
	}
}

func TestCallersOwnEndIsNotAFailure(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	err := domain.Unavailable("the database", context.Canceled)
	require.Equal(t, codes.Unavailable, statusOf(ctx, err, "").Code())
	cancel()
	require.Equal(t, codes.Canceled, statusOf(ctx, err, "").Code())
}

// Some clients accept at most 8 KiB of headers, in which the details travel as base64.
func TestManyFaultsFitIntoAHeader(t *testing.T) {
	many := make([]domain.Fault, 20_000)
	for i := range many {
		many[i] = domain.Fault{Pointer: "/positions/" + strconv.Itoa(i) + "/lat", Code: "out_of_range", Detail: "too far"}
	}
	huge := []domain.Fault{{Pointer: "/metadata/" + strings.Repeat("ключ", 100_000), Code: "too_long", Detail: "too long"}}
	for _, faults := range [][]domain.Fault{many, huge, {{Pointer: "/notes\xff", Code: "x", Detail: "\xff"}}} {
		st := statusOf(context.Background(), &domain.Error{Code: domain.CodeValidationFailed, Faults: faults}, domain.NewID())
		b, err := proto.Marshal(st.Proto())
		require.NoError(t, err)
		require.Less(t, base64.StdEncoding.EncodedLen(len(b)), 7<<10)
		listed := detail[*errdetails.BadRequest](t, st).GetFieldViolations()
		require.NotEmpty(t, listed)
		meta := detail[*errdetails.ErrorInfo](t, st).GetMetadata()
		require.Equal(t, strconv.Itoa(len(faults)), meta["faults"])
		var pointers []string
		require.NoError(t, json.Unmarshal([]byte(meta["pointers"]), &pointers))
		require.Len(t, pointers, len(listed))
	}
}

func TestFieldPaths(t *testing.T) {
	for pointer, want := range map[string]string{
		"":                        "",
		"/status":                 "status",
		"/items/0/price/currency": "items[0].price.currency",
		"/metadata/a~1b~0c":       `metadata["a/b~c"]`,
		"/metadata/0":             `metadata["0"]`,
		"/metadata":               "metadata",
		"/positions/12/lat":       "positions[12].lat",
	} {
		require.Empty(t, cmp.Diff(want, fieldPath(pointer)), pointer)
	}
}

// detail returns the status's detail of a type.
func detail[T proto.Message](t *testing.T, st *status.Status) T {
	t.Helper()
	var none T
	for _, d := range st.Details() {
		if v, ok := d.(T); ok {
			return v
		}
	}
	require.Failf(t, "detail is missing", "%T in %v", none, st)
	return none
}
