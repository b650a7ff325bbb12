// Package paging pages lists: a token is bound to the list and its filter.
package paging

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"iter"
	"slices"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
)

// Request requests a page of a list. A nil Size is the default.
type Request struct {
	Size  *int
	Token string
}

// pageToken is the content of a token: the position, and the list it belongs to.
type pageToken struct {
	After  domain.Cursor `json:"a"`
	Filter string        `json:"f"`
}

// Query reads a list from the store.
type Query[T, F any] func(context.Context, F, domain.Page) ([]T, *domain.Cursor, error)

// Page returns a page of a list and the next token, which is bound to the list's name and
// filter. It fails with validation_failed for a bad size, malformed for a bad token.
func Page[T, F any](
	ctx context.Context, p Request, list string, filter F, activeFirst bool, read Query[T, F],
) (rows []T, token string, err error) {
	if _, err := domain.ActorFrom(ctx); err != nil {
		return nil, "", err
	}
	dp := domain.Page{ActiveFirst: activeFirst}
	if dp.Size, err = p.size(); err != nil {
		return nil, "", err
	}
	bound := idempotency.Hash(list, filter)[:16]
	if p.Token != "" {
		var t pageToken
		valid := decode(p.Token, &t) && !t.After.CreatedAt.IsZero()
		if _, err := domain.ParseID("", t.After.ID); err != nil {
			valid = false
		}
		if err := refuse(valid, t.Filter == bound); err != nil {
			return nil, "", err
		}
		dp.After = t.After
	}
	rows, next, err := read(ctx, filter, dp)
	if err != nil || next == nil {
		return rows, "", err
	}
	token, err = encode(pageToken{After: *next, Filter: bound})
	return rows, token, err
}

// size returns the number of rows wanted, or validation_failed.
func (p Request) size() (int, error) {
	n := domain.Or(p.Size, domain.DefaultPage)
	var f domain.Faults
	domain.Within(&f, "/page_size", n, 1, domain.MaxPageSize)
	return n, f.Err()
}

// rowToken is a token of Rows: the last row's key, and the list it belongs to.
type rowToken struct {
	Key    string `json:"k"`
	Filter string `json:"f"`
}

// Rows returns a page of a list that somebody else keeps and can only be read as a whole. Keys sort like the rows, so that a
// page goes on where the last one ended even if the list has changed. Errors are those of Page, and read's.
func Rows[T, F any](ctx context.Context, p Request, list string, filter F, read func(context.Context) ([]T, error), key func(T) string) ([]T, string, error) {
	size, err := p.size()
	if err != nil {
		return nil, "", err
	}
	bound, last := idempotency.Hash(list, filter)[:16], rowToken{}
	if p.Token != "" {
		valid := decode(p.Token, &last) && last.Key != ""
		if err := refuse(valid, last.Filter == bound); err != nil {
			return nil, "", err
		}
	}
	rows, err := read(ctx)
	if err != nil {
		return nil, "", err
	}
	if last.Key != "" {
		at := slices.IndexFunc(rows, func(r T) bool { return key(r) > last.Key })
		if at < 0 {
			at = len(rows)
		}
		rows = rows[at:]
	}
	if len(rows) <= size {
		return rows, "", nil
	}
	token, err := encode(rowToken{key(rows[size-1]), bound})
	return rows[:size], token, err
}

func encode(token any) (string, error) {
	b, err := json.Marshal(token)
	return base64.RawURLEncoding.EncodeToString(b), err
}

func decode(text string, token any) bool {
	b, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && len(text) <= domain.MaxPageToken && json.Unmarshal(b, token) == nil
}

// refuse returns malformed for a token that is not valid, or not of the list.
func refuse(valid, ofList bool) error {
	switch {
	case !valid:
		return domain.Errorf(domain.CodeMalformed, "page_token is invalid")
	case !ofList:
		return domain.Errorf(domain.CodeMalformed, "page_token belongs to a list with different filters")
	}
	return nil
}

// All yields every row of a list; an error ends them.
func All[T, F any](ctx context.Context, filter F, read Query[T, F]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for rows, err := range Pages(ctx, filter, domain.MaxPageSize, read) {
			if err != nil {
				yield(*new(T), err)
				return
			}
			for _, row := range rows {
				if !yield(row, nil) {
					return
				}
			}
		}
	}
}

// Pages yields all pages of a list; an error ends them.
func Pages[T, F any](ctx context.Context, filter F, size int, read Query[T, F]) iter.Seq2[[]T, error] {
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
