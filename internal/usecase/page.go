package usecase

import (
	"encoding/base64"
	"encoding/json"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// PageRequest asks for a page of a list. A nil Size is the default.
type PageRequest struct {
	Size  *int
	Token string
}

// pageToken is what a token holds: where to go on, and which list it belongs to.
type pageToken struct {
	After  domain.Cursor `json:"a"`
	Filter string        `json:"f"`
}

// page runs a list's query for a page request: list and filter name what the token
// is bound to. It fails with validation_failed for a bad size, malformed for a bad token.
func page[T any](
	p PageRequest, list string, filter any, activeFirst bool,
	query func(domain.Page) ([]T, *domain.Cursor, error),
) ([]T, string, error) {
	size := domain.DefaultPage
	if p.Size != nil {
		size = *p.Size
	}
	if size < 1 || size > domain.MaxPageSize {
		return nil, "", domain.Invalid("/page_size", "out_of_range", "must be between 1 and %d", domain.MaxPageSize)
	}
	dp := domain.Page{Size: size, ActiveFirst: activeFirst}
	bound := requestHash(list, filter)[:16]
	if p.Token != "" {
		after, err := parseToken(p.Token, bound)
		if err != nil {
			return nil, "", err
		}
		dp.After = after
	}
	rows, next, err := query(dp)
	if err != nil || next == nil {
		return rows, "", err
	}
	b, err := json.Marshal(pageToken{After: *next, Filter: bound})
	return rows, base64.RawURLEncoding.EncodeToString(b), err
}

func parseToken(token, bound string) (domain.Cursor, error) {
	var t pageToken
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err == nil && len(token) <= domain.MaxPageToken {
		err = json.Unmarshal(b, &t)
	}
	if err != nil || t.After.CreatedAt.IsZero() {
		return domain.Cursor{}, domain.Errorf(domain.CodeMalformed, "page_token is not one of ours")
	}
	if _, err := domain.ParseID("", t.After.ID); err != nil {
		return domain.Cursor{}, domain.Errorf(domain.CodeMalformed, "page_token is not one of ours")
	}
	if t.Filter != bound {
		return domain.Cursor{}, domain.Errorf(domain.CodeMalformed, "page_token belongs to a list with other filters")
	}
	return t.After, nil
}

// batchKey is the idempotency key of one entry of a batch.
func batchKey(key string, i int) string {
	return requestHash("batch", []any{key, i})
}
