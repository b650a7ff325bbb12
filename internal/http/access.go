package httpserver

import (
	"context"
	"encoding/base64"
	"strings"

	"github.com/order-tracking/order-tracking/internal/access"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// KeyPath is the path parameter of a key.
type KeyPath struct {
	ID string `path:"key_id" format:"uuid" doc:"the key's id"`
}

// noStore marks a response that no cache may keep.
type noStore[T any] struct {
	CacheControl string `header:"Cache-Control"`
	Body         T
}

func secretOf[T any](v T, err error) (*noStore[T], error) { return &noStore[T]{"no-store", v}, err }

type keyPage struct {
	Keys []domain.Credential `json:"keys"`
	Next string              `json:"next_page_token,omitempty"`
}

type auditPage struct {
	Entries []domain.AuditEntry `json:"entries"`
	Next    string              `json:"next_page_token,omitempty"`
}

// accessRoutes registers keys, the caller's identity, the audit log and customers' data.
func (s *Server) accessRoutes() {
	handle(s, "createKey", creating(s.Keys.Check, secretOnce, s.Keys.Create))
	handle(s, "listKeys", func(ctx context.Context, in *Paging) (*bodyOnly[keyPage], error) {
		keys, next, err := s.Keys.List(ctx, in.request())
		return bodyOf(keyPage{listed(keys), next}, err)
	})
	handle(s, "rotateKey", posting[rotateKeyIn](access.Rotation.Check, secretOnce, s.Keys.Rotate))
	handle(s, "revokeKey", func(ctx context.Context, in *struct {
		KeyPath
		Idempotent
	},
	) (*done, error) {
		return onceDone(ctx, in.Idempotent, func(ctx context.Context) error { return s.Keys.Revoke(ctx, in.ID) })
	})
	handle(s, "getMe", func(ctx context.Context, _ *struct{}) (*bodyOnly[*access.Myself], error) {
		return bodyOf(access.Me(ctx, s.Orders.PhotoForPIN))
	})
	handle(s, "listAudit", s.listAudit)
	handle(s, "eraseCustomer", doing[eraseIn](repeated, s.Privacy.Erase))
	handle(s, "exportCustomer", reading[CustomerPhone](secretOf, s.Privacy.Export))
}

type rotateKeyIn struct {
	KeyPath
	Idempotent
	Sent[access.Rotation]
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

type shareList struct {
	Shares []access.Share `json:"shares"`
}

// shareRoutes registers share links, which show one order to their holder.
func (s *Server) shareRoutes() {
	handle(s, "createShare", s.createShare)
	handle(s, "listShares", func(ctx context.Context, in *OrderPath) (*bodyOnly[shareList], error) {
		_, o, err := s.Orders.Reach(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		shares, err := s.Shares.List(ctx, o)
		return bodyOf(shareList{shares}, err)
	})
	handle(s, "revokeShare", func(ctx context.Context, in *revokeShareIn) (*done, error) {
		_, o, err := s.Orders.Reach(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return onceDone(ctx, in.Idempotent, func(ctx context.Context) error { return s.Shares.Revoke(ctx, o, in.Share) })
	})
}

type revokeShareIn struct {
	OrderPath
	Idempotent
	Share string `path:"share_id" format:"uuid" doc:"the link's id"`
}

type createShareIn struct {
	OrderPath
	ReachedAt
	Idempotent
	Sent[access.NewShare]
}

func (s *Server) createShare(ctx context.Context, in *createShareIn) (*noStore[*access.IssuedShare], error) {
	body, err := in.read(in.check(), s.Shares.Check)
	if err != nil {
		return nil, err
	}
	_, o, err := s.Orders.Reach(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	share, _, err := once(ctx, in.Idempotent, func(ctx context.Context) (*access.IssuedShare, error) {
		return s.Shares.Create(ctx, o, body)
	})
	if err == nil {
		share.URL = s.publicURL(in.address) + "/t/" + share.Token
	}
	return secretOf(share, err)
}

func (p KeyPath) named() (string, error) { return p.ID, nil } //nolint:unparam // as posted demands

func secretOnce[T any](v T, _ string, err error) (*noStore[T], error) { return secretOf(v, err) }

// CustomerPhone names a customer.
type CustomerPhone struct {
	Phone string `query:"phone" required:"true" maxLength:"40" doc:"the customer's phone number, however it is written" example:"+79161234567"`
}

// named returns the phone number. A plus sign that was not escaped arrives as a space.
func (p CustomerPhone) named() (string, error) { //nolint:unparam // as keyed demands
	if rest, ok := strings.CutPrefix(p.Phone, " "); ok {
		return "+" + rest, nil
	}
	return p.Phone, nil
}

type eraseIn struct {
	CustomerPhone
	Idempotent
}

// MerchantPath is the path parameter of a merchant.
type MerchantPath struct {
	ID string `path:"merchant_id" maxLength:"128" doc:"the merchant's id, as orders and keys name it"`
}

func (p MerchantPath) named() (string, error) { return p.ID, nil } //nolint:unparam // as posted demands

type merchantPage struct {
	Merchants []*access.Merchant `json:"merchants"`
	Next      string             `json:"next_page_token,omitempty"`
}

// documentRoutes registers merchants and settings.
func (s *Server) documentRoutes() {
	handle(s, "listMerchants", pagedByID(s.Documents.Merchants, func(m *access.Merchant) string { return m.ID }, func(list []*access.Merchant, next string) merchantPage {
		return merchantPage{list, next}
	}))
	handle(s, "getMerchant", reading[MerchantPath](merchants.of, s.Documents.Merchant))
	handle(s, "editMerchant", changing[editMerchantIn](access.MerchantEdit.Check, merchants.current(s.Documents.Merchant), merchants.out, s.Documents.EditMerchant))
	settingsOf := func(ctx context.Context, _ string) (*access.Settings, error) { return s.Documents.Settings(ctx) }
	handle(s, "getSettings", reading[Unnamed](settings.of, settingsOf))
	handle(s, "editSettings", changing[editSettingsIn](access.SettingsEdit.Check, settings.current(settingsOf), settings.out,
		func(ctx context.Context, _ string, edit access.SettingsEdit, expected int64) (*access.Settings, error) {
			return s.Documents.EditSettings(ctx, edit, expected)
		}))
}

// pagedByID makes the handler of a list that is paged by ids.
func pagedByID[T, P any](
	list func(ctx context.Context, after string, limit int) ([]T, error), idOf func(T) string, page func(list []T, next string) P,
) func(context.Context, *Paging) (*bodyOnly[P], error) {
	return func(ctx context.Context, in *Paging) (*bodyOnly[P], error) {
		size := in.Size.or(domain.DefaultPage)
		var f domain.Faults
		domain.Within(&f, "/page_size", size, 1, domain.MaxPageSize)
		after, err := base64.RawURLEncoding.DecodeString(in.Token)
		if err != nil {
			return nil, domain.Errorf(domain.CodeMalformed, "page_token is not one of ours")
		}
		if err := f.Err(); err != nil {
			return nil, err
		}
		found, err := list(ctx, string(after), size+1)
		next := ""
		if len(found) > size {
			found = found[:size]
			next = base64.RawURLEncoding.EncodeToString([]byte(idOf(found[size-1])))
		}
		return bodyOf(page(listed(found), next), err)
	}
}

type editMerchantIn struct {
	MerchantPath
	IfMatch
	Idempotent
	Sent[access.MerchantEdit]
}

type editSettingsIn struct {
	Unnamed
	IfMatch
	Idempotent
	Sent[access.SettingsEdit]
}
