package httpserver

import (
	"context"
	"encoding/base64"
	"net/http"

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
	handle(s, operation{method: http.MethodGet, path: "/merchants", id: "listMerchants", tag: tagAccess}, s.listMerchants)
	handle(s, operation{
		method: http.MethodGet, path: "/merchants/{merchant_id}", id: "getMerchant", tag: tagAccess,
		codes: []domain.Code{domain.CodeNotFound},
	}, func(ctx context.Context, in *MerchantPath) (*documentOut[*access.Merchant], error) {
		return merchants.of(s.Documents.Merchant(ctx, in.ID))
	})
	handle(s, operation{
		method: http.MethodPatch, path: "/merchants/{merchant_id}", id: "editMerchant", tag: tagAccess,
		body: access.MerchantEdit{}, codes: []domain.Code{domain.CodeNotFound},
	}, changing[editMerchantIn](access.MerchantEdit.Check, merchants.current(s.Documents.Merchant), merchants.out, s.Documents.EditMerchant))
	handle(s, operation{
		method: http.MethodGet, path: "/settings", id: "getSettings", tag: tagAccess,
	}, func(ctx context.Context, _ *struct{}) (*documentOut[*access.Settings], error) {
		return settings.of(s.Documents.Settings(ctx))
	})
	handle(s, operation{
		method: http.MethodPatch, path: "/settings", id: "editSettings", tag: tagAccess, body: access.SettingsEdit{},
	}, changing[editSettingsIn](access.SettingsEdit.Check, settings.current(func(ctx context.Context, _ string) (*access.Settings, error) {
		return s.Documents.Settings(ctx)
	}), settings.out, func(ctx context.Context, _ string, edit access.SettingsEdit, expected int64) (*access.Settings, error) {
		return s.Documents.EditSettings(ctx, edit, expected)
	}))
}

// byID reads the request for a page of a list by id.
func (p Paging) byID() (size int, after string, err error) {
	size = domain.DefaultPage
	if p.Size.Set {
		size = p.Size.Value
	}
	var f domain.Faults
	domain.Within(&f, "/page_size", size, 1, domain.MaxPageSize)
	token, err := base64.RawURLEncoding.DecodeString(p.Token)
	if err != nil {
		return 0, "", domain.Errorf(domain.CodeMalformed, "page_token is not one of ours")
	}
	return size, string(token), f.Err()
}

func (s *Server) listMerchants(ctx context.Context, in *Paging) (*bodyOnly[merchantPage], error) {
	size, after, err := in.byID()
	if err != nil {
		return nil, err
	}
	found, err := s.Documents.Merchants(ctx, after, size+1)
	page := merchantPage{Merchants: listed(found)}
	if len(found) > size {
		page.Merchants = page.Merchants[:size]
		page.Next = base64.RawURLEncoding.EncodeToString([]byte(found[size-1].ID))
	}
	return bodyOf(page, err)
}

type editMerchantIn struct {
	MerchantPath
	IfMatch
	Idempotent
	JSONBody
}

type editSettingsIn struct {
	IfMatch
	Idempotent
	JSONBody
}

func (editSettingsIn) named() (string, error) { return "", nil }
