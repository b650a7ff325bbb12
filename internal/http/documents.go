package httpserver

import (
	"context"
	"encoding/base64"
	"net/http"

	"github.com/order-tracking/order-tracking/internal/access"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/transport"
)

// MerchantPath is the path parameter of a merchant.
type MerchantPath struct {
	ID string `path:"merchant_id" maxLength:"128" doc:"the merchant's id, as orders and keys name it"`
}

type documentOut[T any] struct {
	ETag     string `header:"ETag" doc:"the version, for If-Match"`
	Replayed string `header:"Idempotent-Replayed" doc:"true if this is the stored response to an earlier request with the same key"`
	Body     T
}

type merchantPage struct {
	Merchants []*access.Merchant `json:"merchants"`
	Next      string             `json:"next_page_token,omitempty"`
}

// documentRoutes registers merchants and settings.
func (s *Server) documentRoutes() {
	handle(s, operation{
		method: http.MethodGet, path: "/merchants", id: "listMerchants", tag: tagAccess,
		summary: "List merchants", about: "Those that were set up, by id; a merchant sees itself.",
	}, s.listMerchants)
	handle(s, operation{
		method: http.MethodGet, path: "/merchants/{merchant_id}", id: "getMerchant", tag: tagAccess,
		summary: "Get a merchant", codes: []domain.Code{domain.CodeNotFound},
	}, func(ctx context.Context, in *MerchantPath) (*documentOut[*access.Merchant], error) {
		m, err := s.Documents.Merchant(ctx, in.ID)
		return merchantOut(m, "", err)
	})
	handle(s, operation{
		method: http.MethodPatch, path: "/merchants/{merchant_id}", id: "editMerchant", tag: tagAccess,
		summary: "Set up or change a merchant", about: "What is absent stays.", body: access.MerchantEdit{},
		codes: []domain.Code{domain.CodeNotFound},
	}, s.editMerchant)
	handle(s, operation{
		method: http.MethodGet, path: "/settings", id: "getSettings", tag: tagAccess,
		summary: "What may change while the product runs", about: "What is set here goes over the configuration.",
	}, func(ctx context.Context, _ *struct{}) (*documentOut[*access.Settings], error) {
		v, err := s.Documents.Settings(ctx)
		return settingsOut(v, "", err)
	})
	handle(s, operation{
		method: http.MethodPatch, path: "/settings", id: "editSettings", tag: tagAccess,
		summary: "Change the settings", about: "What is absent stays.", body: access.SettingsEdit{},
	}, s.editSettings)
}

func merchantOut(m *access.Merchant, again string, err error) (*documentOut[*access.Merchant], error) {
	if err != nil {
		return nil, err
	}
	return &documentOut[*access.Merchant]{transport.ETag(m.Version), again, m}, nil
}

func settingsOut(v *access.Settings, again string, err error) (*documentOut[*access.Settings], error) {
	if err != nil {
		return nil, err
	}
	return &documentOut[*access.Settings]{transport.ETag(v.Version), again, v}, nil
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

func (s *Server) editMerchant(ctx context.Context, in *editMerchantIn) (*documentOut[*access.Merchant], error) {
	edit, err := request(in.JSONBody, nil, access.MerchantEdit.Check)
	if err != nil {
		return nil, err
	}
	expected, err := transport.ExpectedVersion(in.Tags, func() (int64, error) {
		m, err := s.Documents.Merchant(ctx, in.ID)
		if err != nil {
			return 0, err
		}
		return m.Version, nil
	})
	if err != nil {
		return nil, err
	}
	return merchantOut(once(ctx, in.Idempotent, func(ctx context.Context) (*access.Merchant, error) {
		return s.Documents.EditMerchant(ctx, in.ID, edit, expected)
	}))
}

type editSettingsIn struct {
	IfMatch
	Idempotent
	JSONBody
}

func (s *Server) editSettings(ctx context.Context, in *editSettingsIn) (*documentOut[*access.Settings], error) {
	edit, err := request(in.JSONBody, nil, access.SettingsEdit.Check)
	if err != nil {
		return nil, err
	}
	expected, err := transport.ExpectedVersion(in.Tags, func() (int64, error) {
		v, err := s.Documents.Settings(ctx)
		if err != nil {
			return 0, err
		}
		return v.Version, nil
	})
	if err != nil {
		return nil, err
	}
	return settingsOut(once(ctx, in.Idempotent, func(ctx context.Context) (*access.Settings, error) {
		return s.Documents.EditSettings(ctx, edit, expected)
	}))
}
