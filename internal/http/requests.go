package httpserver

import (
	"bytes"
	"context"

	"github.com/gin-gonic/gin"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/transport"
)

// bodyOnly is a response that consists of a body only.
type bodyOnly[T any] struct{ Body T }

// bodyOf wraps the result of a use case in a response.
func bodyOf[T any](v T, err error) (*bodyOnly[T], error) { return &bodyOnly[T]{v}, err }

// repeatable is a response that is repeated for the same Idempotency-Key.
type repeatable[T any] struct {
	Replayed string `header:"Idempotent-Replayed" doc:"true if this is the stored response to an earlier request with the same key"`
	Body     T
}

// done is a response without a body.
type done struct {
	Replayed string `header:"Idempotent-Replayed" doc:"true if an earlier request with the same key did it"`
}

// onceDone is once for changes without a result.
func onceDone(ctx context.Context, key Idempotent, do func(context.Context) error) (*done, error) {
	_, again, err := once(ctx, key, func(ctx context.Context) (struct{}, error) { return struct{}{}, do(ctx) })
	return &done{again}, err
}

// once returns the result of do, or the stored result for the same key; again is then the
// value of Idempotent-Replayed.
func once[T any](ctx context.Context, key Idempotent, do func(context.Context) (T, error)) (v T, again string, err error) {
	ctx, idem, err := key.enter(ctx)
	if err == nil {
		v, err = do(ctx)
	}
	return v, replayed(idem), err
}

// readJSON reads a body for plain handlers.
func readJSON(c *gin.Context) (JSONBody, error) {
	r := c.Request
	buf := bytes.NewBuffer(make([]byte, 0, bytes.MinRead+min(max(r.ContentLength, 0), 64<<10)))
	_, err := buf.ReadFrom(r.Body)
	return JSONBody{ContentType: r.Header.Get("Content-Type"), RawBody: buf.Bytes()}, err
}

// request decodes a body. All faults of the request are reported at once: those of the
// decoder, an invalid id (idErr), and those that check, the domain's validation, finds in the
// rest.
func request[T any](in JSONBody, idErr error, check func(T) error) (T, error) {
	v, faults, err := decode[T](in)
	if err == nil && (len(faults) > 0 || idErr != nil) {
		err = refusal(faults, idErr, check(v))
	}
	return v, err
}

// ChangeIn is the input of an operation that changes an order.
type ChangeIn struct {
	OrderPath
	IfMatch
	Idempotent
	JSONBody
}

// change decodes a change of an order, as request does, and returns the version that the
// caller requires.
func change[T any](ctx context.Context, s *Server, in *ChangeIn, check func(T) error) (v T, expected int64, err error) {
	if v, err = request(in.JSONBody, in.check(), check); err == nil {
		expected, err = s.expectedOf(ctx, in)
	}
	return v, expected, err
}

// expectedOf returns the version that the caller requires.
func (s *Server) expectedOf(ctx context.Context, in *ChangeIn) (int64, error) {
	return transport.ExpectedVersion(in.Tags, func() (int64, error) {
		o, err := s.Orders.Get(ctx, in.ID)
		if err != nil {
			return 0, err
		}
		return o.Version, nil
	})
}

// unchecked is for bodies that the domain validates only when it executes the operation.
func unchecked[T any](T) error { return nil }

// listed returns a list for a response: [] when it is empty.
func listed[T any](values []T) []T { return append([]T{}, values...) }

// pair combines two parameters into a point, nil when both are absent; one alone is rejected.
func pair(name string, lat, lon optional[float64]) (*domain.Point, error) {
	switch {
	case lat.Set != lon.Set:
		return nil, domain.Invalid("/"+name+"lat", "required", "%[1]slat and %[1]slon go together", name)
	case !lat.Set:
		return nil, nil
	}
	return &domain.Point{Lat: lat.Value, Lon: lon.Value}, nil
}
