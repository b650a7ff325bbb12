// Package idempotency answers a repeated request with its first response: the key and the
// response are committed together with the request's changes.
package idempotency

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"sync"
	"unicode/utf8"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Keys stores the responses of requests with an idempotency key.
type Keys struct {
	store   domain.Store
	clock   domain.Clock
	running sync.Map // keys with a running request in this process
}

// NewKeys stores responses in the store.
func NewKeys(store domain.Store, clock domain.Clock) *Keys { return &Keys{store: store, clock: clock} }

// Request is a request's idempotency key; Replayed is set when the response is that of an earlier request with the same key.
type Request struct {
	Key      string
	Replayed bool
}

type contextKey struct{}

// With adds the key of one request to the context. The transport reads Replayed from its argument after the call.
func With(ctx context.Context, i *Request) context.Context {
	return context.WithValue(ctx, contextKey{}, i)
}

// Once runs do unless the request's key was answered before: then it returns the stored response. do must commit the record
// it receives together with its changes; without a key the record is nil. op and in identify the request.
func Once[T any](ctx context.Context, k *Keys, op string, in any, do func(rec *domain.Idempotency) (T, error)) (T, error) {
	var none T
	actor, err := domain.ActorFrom(ctx)
	if err != nil {
		return none, err
	}
	idem, _ := ctx.Value(contextKey{}).(*Request)
	if idem == nil || idem.Key == "" {
		return do(nil)
	}
	if utf8.RuneCountInString(idem.Key) > domain.MaxIdempotency || !utf8.ValidString(idem.Key) {
		return none, domain.Invalid("/idempotency_key", "too_long", "must be at most %d characters", domain.MaxIdempotency)
	}
	rec := &domain.Idempotency{
		Scope: string(actor.Kind) + ":" + actor.ID, Key: idem.Key, Hash: Hash(op, in),
		CreatedAt: domain.Timestamp(k.clock.Now()),
	}
	lock := rec.Scope + "\x00" + rec.Key
	if _, running := k.running.LoadOrStore(lock, nil); running {
		return none, domain.Errorf(domain.CodeIdempotencyRunning, "a request with this idempotency key is still running")
	}
	defer k.running.Delete(lock)
	if answer, found, err := replay[T](ctx, k, rec); err != nil || found {
		idem.Replayed = found && err == nil
		return answer, err
	}
	answer, err := do(rec)
	if errors.Is(err, domain.ErrRecorded) { // another replica was faster
		answer, idem.Replayed, err = replay[T](ctx, k, rec)
	}
	return answer, err
}

// Secret is Once for answers with a secret: the answer is not stored, and a repeated request fails with secret_not_repeated.
func Secret[T any](ctx context.Context, k *Keys, op string, in any, do func(rec *domain.Idempotency) (*T, error)) (*T, error) {
	v, err := Once(ctx, k, op, in, func(rec *domain.Idempotency) (*T, error) {
		if rec != nil {
			rec.Result = []byte("null")
		}
		return do(rec)
	})
	if err == nil && v == nil {
		err = domain.Errorf(domain.CodeSecretNotRepeated, "this was done already, and its secret is shown only once")
	}
	return v, err
}

// Do is Once for changes without an answer.
func Do(ctx context.Context, k *Keys, op string, in any, do func(rec *domain.Idempotency) error) error {
	_, err := Once(ctx, k, op, in, func(rec *domain.Idempotency) (struct{}, error) {
		if rec != nil {
			rec.Result = []byte("{}")
		}
		return struct{}{}, do(rec)
	})
	return err
}

// replay returns the response of an earlier request with the key.
func replay[T any](ctx context.Context, k *Keys, rec *domain.Idempotency) (answer T, found bool, err error) {
	stored, err := k.store.Recorded(ctx, rec.Scope, rec.Key)
	if err != nil || stored == nil {
		return answer, false, err
	}
	if stored.Hash != rec.Hash {
		return answer, true, domain.Errorf(domain.CodeIdempotencyReused, "this idempotency key was used for another request")
	}
	err = json.Unmarshal(stored.Result, &answer)
	return answer, true, err
}

// Hash identifies a request by its operation and input.
func Hash(op string, in any) string {
	b, err := json.Marshal(in)
	if err != nil { // e.g. NaN, which protobuf can carry: such a request is rejected and its hash never stored
		b = []byte(err.Error())
	}
	sum := sha256.Sum256(append([]byte(op+"\x00"), b...))
	return hex.EncodeToString(sum[:])
}

// Answer sets the stored response of the record, if there is one.
func Answer(rec *domain.Idempotency, result any) (err error) {
	if rec != nil {
		rec.Result, err = json.Marshal(result)
	}
	return err
}

// Record adds a copy of the record to the change, whose closure may run several times. Its
// answer is the finished order, unless it has one.
func Record(ch *domain.Change, rec *domain.Idempotency) (err error) {
	if rec == nil {
		return nil
	}
	copied := *rec
	if copied.Result == nil {
		copied.Result, err = ch.Order.Freeze()
	}
	ch.Idempotency = &copied
	return err
}

// KeyOf returns the request's key, "" without one.
func KeyOf(ctx context.Context) string {
	if idem, _ := ctx.Value(contextKey{}).(*Request); idem != nil {
		return idem.Key
	}
	return ""
}
