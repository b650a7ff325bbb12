package client

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"net/url"
)

// pages iterates over a list whose pages hold their entries in the member named list.
func pages[T any](ctx context.Context, c *Client, path, list string, query url.Values) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		q := maps.Clone(query)
		for {
			entries, next, err := page[T](ctx, c, path, list, q)
			if err != nil {
				yield(none, err)
				return
			}
			for _, e := range entries {
				if !yield(e, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			q.Set("page_token", next)
		}
	}
}

func page[T any](ctx context.Context, c *Client, path, list string, q url.Values) ([]T, string, error) {
	k, err := newCall(http.MethodGet, path, nil, nil)
	if err != nil {
		return nil, "", err
	}
	k.query = q
	reply, err := c.run(ctx, k)
	if err != nil {
		return nil, "", err
	}
	var body map[string]json.RawMessage
	var entries []T
	var next string
	if err = json.Unmarshal(reply, &body); err == nil {
		err = json.Unmarshal(body[list], &entries)
	}
	if err == nil && body["next_page_token"] != nil {
		err = json.Unmarshal(body["next_page_token"], &next)
	}
	if err != nil {
		return nil, "", fmt.Errorf("GET %s: the reply is not a page of %s: %w", path, list, err)
	}
	return entries, next, nil
}
