package httpserver

import (
	"context"
	"net/http"

	"github.com/order-tracking/order-tracking/internal/access"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// KeyPath is the path parameter of a key.
type KeyPath struct {
	ID string `path:"key_id" format:"uuid" doc:"the key's id"`
}

func (p KeyPath) named() (string, error) { return p.ID, nil }

// noStore marks a response that no cache may keep.
type noStore[T any] struct {
	CacheControl string `header:"Cache-Control"`
	Body         T
}

func secretOf[T any](v T, err error) (*noStore[T], error) { return &noStore[T]{"no-store", v}, err }

func secretOnce[T any](v T, _ string, err error) (*noStore[T], error) { return secretOf(v, err) }

type keyPage struct {
	Keys []domain.Credential `json:"keys"`
	Next string              `json:"next_page_token,omitempty"`
}

type auditPage struct {
	Entries []domain.AuditEntry `json:"entries"`
	Next    string              `json:"next_page_token,omitempty"`
}

// accessRoutes registers keys, the caller's identity and the audit log.
func (s *Server) accessRoutes() {
	handle(s, operation{
		method: http.MethodPost, path: "/keys", id: "createKey", tag: tagAccess, status: http.StatusCreated,
		summary: "Create a key",
		about: "For a program, a shop, a courier or a monitor. The key is shown only once; the server stores a hash. " +
			"A merchant's and a partner's key needs `merchant_id`, a courier's `courier_id`. A repeat with the same " +
			"Idempotency-Key is 409 `secret_not_repeated`.",
		body:  access.NewKey{},
		codes: []domain.Code{domain.CodeCourierNotFound, domain.CodeSecretNotRepeated},
	}, creating(s.Keys.Check, secretOnce, s.Keys.Create))
	handle(s, operation{
		method: http.MethodGet, path: "/keys", id: "listKeys", tag: tagAccess,
		summary: "List keys", about: "Newest first, without the keys themselves.",
	}, func(ctx context.Context, in *Paging) (*bodyOnly[keyPage], error) {
		keys, next, err := s.Keys.List(ctx, in.request())
		return bodyOf(keyPage{listed(keys), next}, err)
	})
	handle(s, operation{
		method: http.MethodPost, path: "/keys/{key_id}/rotate", id: "rotateKey", tag: tagAccess, status: http.StatusCreated,
		summary: "Rotate a key",
		about:   "Both work until `overlap_seconds` have passed (default: a day); then the old one expires.",
		body:    access.Rotation{},
		codes:   []domain.Code{domain.CodeNotFound, domain.CodeSecretNotRepeated},
	}, posting[rotateKeyIn](access.Rotation.Check, secretOnce, s.Keys.Rotate))
	handle(s, operation{
		method: http.MethodDelete, path: "/keys/{key_id}", id: "revokeKey", tag: tagAccess, status: http.StatusNoContent,
		summary: "Revoke a key", about: "Its sessions and open streams are closed within a second, on every replica.",
		codes: []domain.Code{domain.CodeNotFound},
	}, func(ctx context.Context, in *struct {
		KeyPath
		Idempotent
	},
	) (*done, error) {
		return onceDone(ctx, in.Idempotent, func(ctx context.Context) error { return s.Keys.Revoke(ctx, in.ID) })
	})
	handle(s, operation{
		method: http.MethodGet, path: "/me", id: "getMe", tag: tagAccess,
		summary: "Get the caller's role and permissions", about: "`permissions` are operationIds of this document.",
	}, func(ctx context.Context, _ *struct{}) (*bodyOnly[*access.Myself], error) {
		return bodyOf(access.Me(ctx))
	})
	handle(s, operation{
		method: http.MethodGet, path: "/audit", id: "listAudit", tag: tagAccess,
		summary: "List changes of access, settings and personal data",
		about:   "Newest first. Entries hold ids and keyed hashes only; an order's own history is at `/order/{order_id}/events`.",
	}, s.listAudit)
}

type rotateKeyIn struct {
	KeyPath
	Idempotent
	JSONBody
}

type auditIn struct {
	Actor  string `query:"actor" doc:"id of the actor, such as a key"`
	Object string `query:"object" doc:"what was changed, such as key:<id>"`
	From   Moment `query:"from" doc:"at or after this time (RFC 3339)"`
	To     Moment `query:"to" doc:"before this time (RFC 3339)"`
	Paging
}

func (s *Server) listAudit(ctx context.Context, in *auditIn) (*bodyOnly[auditPage], error) {
	f := domain.AuditFilter{ActorID: in.Actor, Object: in.Object, From: in.From.Time, To: in.To.Time}
	entries, next, err := s.Audit.List(ctx, f, in.request())
	return bodyOf(auditPage{listed(entries), next}, err)
}
