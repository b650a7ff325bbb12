package httpserver

import (
	"bytes"
	"context"

	"github.com/gin-gonic/gin"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/transport"
)

// bodyOnly is an answer that is a body and nothing else.
type bodyOnly[T any] struct{ Body T }

// bodyOf makes an answer of what a use case returned.
func bodyOf[T any](v T, err error) (*bodyOnly[T], error) { return &bodyOnly[T]{v}, err }

// repeatable is an answer that the same Idempotency-Key gets again.
type repeatable[T any] struct {
	Replayed string `header:"Idempotent-Replayed" doc:"true if this is the stored response to an earlier request with the same key"`
	Body     T
}

// once returns what do makes, or what it made for the same key before; again is then
// the header that says so.
func once[T any](ctx context.Context, key Idempotent, do func(context.Context) (T, error)) (v T, again string, err error) {
	ctx, idem, err := key.enter(ctx)
	if err == nil {
		v, err = do(ctx)
	}
	return v, replayed(idem), err
}

// readJSON reads a body for handlers that are not huma's.
func readJSON(c *gin.Context) (JSONBody, error) {
	r := c.Request
	buf := bytes.NewBuffer(make([]byte, 0, bytes.MinRead+min(max(r.ContentLength, 0), 64<<10)))
	_, err := buf.ReadFrom(r.Body)
	return JSONBody{ContentType: r.Header.Get("Content-Type"), RawBody: buf.Bytes()}, err
}

// request reads a body. Whatever is wrong with the request is told at once: what the
// decoder found, an id that can't be one (idErr), and what check, the domain, says of
// the rest.
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

// change reads a change of an order, as request does, and the version that the caller
// insists on.
func change[T any](ctx context.Context, s *Server, in *ChangeIn, check func(T) error) (v T, expected int64, err error) {
	if v, err = request(in.JSONBody, in.check(), check); err == nil {
		expected, err = s.expectedOf(ctx, in)
	}
	return v, expected, err
}

// expectedOf returns the version that the caller insists on.
func (s *Server) expectedOf(ctx context.Context, in *ChangeIn) (int64, error) {
	return transport.ExpectedVersion(in.Tags, func() (int64, error) {
		o, err := s.Orders.Get(ctx, in.ID)
		if err != nil {
			return 0, err
		}
		return o.Version, nil
	})
}

// unchecked is for bodies of which the domain says what is wrong only when it is asked
// to do something.
func unchecked[T any](T) error { return nil }

// listed is a list as it is answered: [] when there is nothing.
func listed[T any](values []T) []T { return append([]T{}, values...) }

// pair is a point of two parameters, nil when both are absent; one alone is refused.
func pair(name string, lat, lon optional[float64]) (*domain.Point, error) {
	switch {
	case lat.Set != lon.Set:
		return nil, domain.Invalid("/"+name+"lat", "required", "%[1]slat and %[1]slon go together", name)
	case !lat.Set:
		return nil, nil
	}
	return &domain.Point{Lat: lat.Value, Lon: lon.Value}, nil
}
