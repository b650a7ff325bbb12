package httpserver

import (
	"bytes"
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/order-tracking/order-tracking/internal/access"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
	"github.com/order-tracking/order-tracking/internal/notify"
	"github.com/order-tracking/order-tracking/internal/transport"
)

// bodyOnly is a response that consists of a body only.
type bodyOnly[T any] struct{ Body T }

// bodyOf wraps the result of a use case in a response.
func bodyOf[T any](v T, err error) (*bodyOnly[T], error) { return &bodyOnly[T]{v}, err }

// answered is bodyOf for what may have been done by an earlier request.
func answered[T any](v T, _ string, err error) (*bodyOnly[T], error) { return bodyOf(v, err) }

// repeatable is a response that is repeated for the same Idempotency-Key.
type repeatable[T any] struct {
	Replayed string `header:"Idempotent-Replayed" doc:"true if this is the stored response to an earlier request with the same key"`
	Body     T
}

func repeated[T any](v T, again string, err error) (*repeatable[T], error) {
	return &repeatable[T]{again, v}, err
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

// once returns the result of do, or the stored result for the same key; again is then the value of Idempotent-Replayed.
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

// request decodes a body. All faults of the request are reported at once: those of the decoder, an invalid id (idErr), and
// those that check, the domain's validation, finds in the rest.
func request[T any](in JSONBody, idErr error, check func(T) error) (T, error) {
	v, faults, err := decode[T](in)
	if err == nil && (len(faults) > 0 || idErr != nil) {
		err = refusal(faults, idErr, check(v))
	}
	return v, err
}

// Sent is the undecoded body of an input, which should be a B.
type Sent[B any] struct{ JSONBody }

func (Sent[B]) body() (of reflect.Type, form bool) { return reflect.TypeFor[B](), false }

func (in Sent[B]) read(idErr error, check func(B) error) (B, error) {
	return request(in.JSONBody, idErr, check)
}

// Patch is a body whose null members remove what they name.
type Patch[B any] struct{ Sent[B] }

func (in Patch[B]) read(idErr error, check func(B) error) (B, error) {
	removed, rest := cutNulls[B](in.RawBody)
	clearing := func(b *B) { reflect.ValueOf(b).Elem().FieldByName("Clear").Set(reflect.ValueOf(removed)) }
	b, err := request(JSONBody{in.ContentType, rest}, idErr, func(b B) error {
		clearing(&b)
		return check(b)
	})
	clearing(&b)
	return b, err
}

// The inputs of most operations that change something.
type (
	postIn[B any] struct {
		Unnamed
		Idempotent
		Sent[B]
	}
	orderPostIn[B any] struct {
		OrderPath
		Idempotent
		Sent[B]
	}
	webhookPostIn[B any] struct {
		WebhookPath
		Idempotent
		Sent[B]
	}
	changeIn[B any] struct {
		ChangeIn
		Sent[B]
	}
)

// ChangeIn is the input of an operation that changes an order, besides its body.
type ChangeIn struct {
	OrderPath
	IfMatch
	Idempotent
}

// Unnamed is for inputs that name nothing.
type Unnamed struct{}

func (Unnamed) named() (string, error) { return "", nil }

// Repeated is for inputs of operations that need no Idempotency-Key.
type Repeated struct{}

func (Repeated) idempotent() Idempotent { return Idempotent{} }

// named is an input about what its path or query names.
type named interface {
	named() (id string, err error)
}

// keyed is one of a change.
type keyed interface {
	named
	idempotent() Idempotent
}

// posted is one with a body.
type posted[B any] interface {
	keyed
	read(idErr error, check func(B) error) (B, error)
}

// conditional is one whose change may depend on the version.
type conditional[B any] interface {
	posted[B]
	tags() string
}

func (h Idempotent) idempotent() Idempotent { return h }

func (m IfMatch) tags() string { return m.Tags }

// reading makes the handler of an operation that changes nothing.
func reading[I named, T, O any](out func(T, error) (*O, error), get func(ctx context.Context, id string) (T, error)) func(context.Context, *I) (*O, error) {
	return func(ctx context.Context, in *I) (*O, error) {
		id, err := (*in).named()
		if err != nil {
			return nil, err
		}
		return out(get(ctx, id))
	}
}

// listing is reading for a list, which wrap makes the body.
func listing[I named, T, L any](wrap func([]T) L, get func(ctx context.Context, id string) ([]T, error)) func(context.Context, *I) (*bodyOnly[L], error) {
	return reading[I](func(list []T, err error) (*bodyOnly[L], error) { return bodyOf(wrap(listed(list)), err) }, get)
}

// doing makes the handler of a change without a body, which it does once per Idempotency-Key. out makes the response.
func doing[I keyed, T, O any](out func(T, string, error) (*O, error), do func(ctx context.Context, id string) (T, error)) func(context.Context, *I) (*O, error) {
	return func(ctx context.Context, in *I) (*O, error) {
		id, err := (*in).named()
		if err != nil {
			return nil, err
		}
		return out(once(ctx, (*in).idempotent(), func(ctx context.Context) (T, error) { return do(ctx, id) }))
	}
}

// posting is doing with a body, which it decodes and checks.
func posting[I posted[B], B, T, O any](
	check func(B) error, out func(T, string, error) (*O, error), do func(ctx context.Context, id string, body B) (T, error),
) func(context.Context, *I) (*O, error) {
	return func(ctx context.Context, in *I) (*O, error) {
		return perform(ctx, posted[B](*in), check, nil, out, func(ctx context.Context, id string, body B, _ int64) (T, error) { return do(ctx, id, body) })
	}
}

// creating is posting for what has no id yet.
func creating[B, T, O any](
	check func(B) error, out func(T, string, error) (*O, error), do func(context.Context, B) (T, error),
) func(context.Context, *postIn[B]) (*O, error) {
	return posting[postIn[B]](check, out, func(ctx context.Context, _ string, body B) (T, error) { return do(ctx, body) })
}

// onOrder is posting to an order.
func onOrder[B, T, O any](
	check func(B) error, out func(T, string, error) (*O, error), do func(ctx context.Context, id string, body B) (T, error),
) func(context.Context, *orderPostIn[B]) (*O, error) {
	return posting[orderPostIn[B]](check, out, do)
}

// changing is posting for what has a version, which current returns.
func changing[I conditional[B], B, T, O any](
	check func(B) error, current func(ctx context.Context, id string) (int64, error), out func(T, string, error) (*O, error),
	do func(ctx context.Context, id string, body B, expected int64) (T, error),
) func(context.Context, *I) (*O, error) {
	return func(ctx context.Context, in *I) (*O, error) {
		return perform(ctx, posted[B](*in), check, func(id string) (int64, error) {
			return transport.ExpectedVersion((*in).tags(), func() (int64, error) { return current(ctx, id) })
		}, out, do)
	}
}

func perform[B, T, O any](
	ctx context.Context, in posted[B], check func(B) error, expected func(id string) (int64, error),
	out func(T, string, error) (*O, error), do func(ctx context.Context, id string, body B, expected int64) (T, error),
) (*O, error) {
	id, idErr := in.named()
	body, err := in.read(idErr, check)
	var version int64
	if err == nil && expected != nil {
		version, err = expected(id)
	}
	if err != nil {
		return nil, err
	}
	return out(once(ctx, in.idempotent(), func(ctx context.Context) (T, error) { return do(ctx, id, body, version) }))
}

// resource is a kind of thing with a version, by its field.
type resource[T any] func(T) int64

var (
	merchants = resource[*access.Merchant](func(m *access.Merchant) int64 { return m.Version })
	couriers  = resource[*domain.Courier](func(c *domain.Courier) int64 { return c.Version })
	routes    = resource[*domain.Route](func(r *domain.Route) int64 { return r.Version })
	settings  = resource[*access.Settings](func(v *access.Settings) int64 { return v.Version })
	rules     = resource[*notify.Rules](func(r *notify.Rules) int64 { return r.Version })
	webhooks  = resource[*notify.Webhook](func(w *notify.Webhook) int64 { return w.Version })
)

type documentOut[T any] struct {
	ETag     string `header:"ETag" doc:"the version, for If-Match"`
	Replayed string `header:"Idempotent-Replayed" doc:"true if this is the stored response to an earlier request with the same key"`
	Body     T
}

// out responds with the resource.
func (version resource[T]) out(v T, again string, err error) (*documentOut[T], error) {
	if err != nil {
		return nil, err
	}
	return &documentOut[T]{transport.ETag(version(v)), again, v}, nil
}

// of responds with the resource to a request that changes nothing.
func (version resource[T]) of(v T, err error) (*documentOut[T], error) {
	return version.out(v, "", err)
}

// current returns the resource's version.
func (version resource[T]) current(get func(context.Context, string) (T, error)) func(context.Context, string) (int64, error) {
	return func(ctx context.Context, id string) (int64, error) {
		v, err := get(ctx, id)
		if err != nil {
			return 0, err
		}
		return version(v), nil
	}
}

func (s *Server) orderVersion(ctx context.Context, id string) (int64, error) {
	return resource[*domain.Order](func(o *domain.Order) int64 { return o.Version }).current(s.Orders.Get)(ctx, id)
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

// Types embedded in inputs are exported because huma reads exported fields only.

// Idempotent is the header of every operation that creates something.
type Idempotent struct {
	Key string `header:"Idempotency-Key" doc:"Makes retries safe: for 24 hours, the same request with the same key gets the first response again. Bare or in double quotes." minLength:"1" maxLength:"255" pattern:"^(\"([^\"\\\\]|\\\\[\"\\\\])+\"|[!#-~]([ !#-~]*[!#-~])?)$" example:"\"order-1042-try\""`
}

// enter puts the request's idempotency key into the context.
func (h Idempotent) enter(ctx context.Context) (context.Context, *idempotency.Request, error) {
	key, err := transport.IdempotencyKey(h.Key)
	i := &idempotency.Request{Key: key}
	if key != "" {
		ctx = idempotency.With(ctx, i)
	}
	return ctx, i, err
}

// replayed is the value of Idempotent-Replayed: absent unless true.
func replayed(i *idempotency.Request) string {
	if i.Replayed {
		return "true"
	}
	return ""
}

// IfMatch is the header of every change of something that has a version.
type IfMatch struct {
	Tags string `header:"If-Match" doc:"Make the change only if it still has this ETag; otherwise 412." minLength:"1" pattern:"^([*]|(W/)?\"[!#-~]*\"( *, *(W/)?\"[!#-~]*\")*)$" example:"\"v3\""`
}

// DeviceTime is the header of what phones report, maybe long after it happened. Its format is
// not date-time, since generators of clients leave out operations with such headers.
type DeviceTime struct {
	Now string `header:"Device-Time" doc:"What the phone's clock shows now (RFC 3339). Times in the request are corrected by how far it is off, from five seconds on." format:"time-of-device" example:"2026-05-04T12:30:00Z"`
}

// clockTolerance is by how much a phone's clock is not corrected: what a request takes.
const clockTolerance = 5 * time.Second

// withDeviceTime puts into the context how far the clock of the caller's phone is behind
// ours, if it tells; in whole seconds, so that a repeated report mostly gets the same times.
func withDeviceTime(ctx context.Context, h http.Header, now time.Time) (context.Context, error) {
	value := h.Get("Device-Time")
	if value == "" {
		return ctx, nil
	}
	at, err := domain.ParseTime(value)
	if err != nil {
		return nil, domain.Invalid("/Device-Time", "invalid_type", "must be a time such as 2026-05-04T12:30:00Z")
	}
	off := now.Sub(at).Round(time.Second)
	if off.Abs() < clockTolerance {
		return ctx, nil
	}
	return domain.WithClockOff(ctx, off), nil
}
