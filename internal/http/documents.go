package httpserver

import (
	"context"
	"encoding/base64"

	"github.com/order-tracking/order-tracking/internal/access"
	"github.com/order-tracking/order-tracking/internal/domain"
)

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
