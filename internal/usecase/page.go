package usecase

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"iter"

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

// query is a list of the store.
type query[T, F any] func(context.Context, F, domain.Page) ([]T, *domain.Cursor, error)

// page answers a page request: the token is bound to the list's name and filter. It
// fails with validation_failed for a bad size, malformed for a bad token.
func page[T, F any](
	ctx context.Context, p PageRequest, list string, filter F, activeFirst bool, read query[T, F],
) (rows []T, token string, err error) {
	if _, err := domain.ActorFrom(ctx); err != nil {
		return nil, "", err
	}
	dp := domain.Page{Size: domain.DefaultPage, ActiveFirst: activeFirst}
	if p.Size != nil {
		dp.Size = *p.Size
	}
	var f domain.Faults
	domain.Within(&f, "/page_size", dp.Size, 1, domain.MaxPageSize)
	if err := f.Err(); err != nil {
		return nil, "", err
	}
	bound := requestHash(list, filter)[:16]
	if p.Token != "" {
		if dp.After, err = parseToken(p.Token, bound); err != nil {
			return nil, "", err
		}
	}
	rows, next, err := read(ctx, filter, dp)
	if err != nil || next == nil {
		return rows, "", err
	}
	b, err := json.Marshal(pageToken{After: *next, Filter: bound})
	return rows, base64.RawURLEncoding.EncodeToString(b), err
}

func parseToken(token, bound string) (domain.Cursor, error) {
	var t pageToken
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err == nil {
		err = json.Unmarshal(b, &t)
	}
	if err == nil {
		_, err = domain.ParseID("", t.After.ID)
	}
	switch {
	case err != nil || t.After.CreatedAt.IsZero() || len(token) > domain.MaxPageToken:
		return t.After, domain.Errorf(domain.CodeMalformed, "page_token is not one of ours")
	case t.Filter != bound:
		return t.After, domain.Errorf(domain.CodeMalformed, "page_token belongs to a list with other filters")
	}
	return t.After, nil
}

// pages yields all pages of a list; an error is the last thing that it yields.
func pages[T, F any](ctx context.Context, filter F, size int, read query[T, F]) iter.Seq2[[]T, error] {
	return func(yield func([]T, error) bool) {
		at := domain.Page{Size: size}
		for {
			rows, next, err := read(ctx, filter, at)
			if !yield(rows, err) || err != nil || next == nil {
				return
			}
			at.After = *next
		}
	}
}
