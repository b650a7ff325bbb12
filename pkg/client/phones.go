package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Onboarding is a new token for a courier's phone, with the settings of the apps. The
// token is shown only once.
type Onboarding struct {
	ID        string     `json:"id"`
	Token     string     `json:"token"`
	CreatedAt time.Time  `json:"created_at"`
	Apps      []PhoneApp `json:"apps"`
}

// PhoneApp holds an app's settings.
type PhoneApp struct {
	App      string `json:"app"`       // traccar or owntracks
	URL      string `json:"url"`       // address to report to
	DeepLink string `json:"deep_link"` // opened on the phone, it sets up the app
	QR       string `json:"qr"`        // a PNG as a data: URI
}

// PhoneToken describes a token of a courier's phone, without the secret.
type PhoneToken struct {
	ID        string    `json:"id"`
	CreatedAt time.Time `json:"created_at"`
}

// Onboard creates a token for a courier's phone; each call, and each retry after a lost
// response, creates another. Errors: courier_not_found.
func (c *Client) Onboard(ctx context.Context, courierID string, opts ...CallOption) (*Onboarding, error) {
	return do[*Onboarding](ctx, c, http.MethodPost, courierPath(courierID, "/onboarding"), nil, opts...)
}

// Phones returns the tokens of a courier's phones, newest first. Errors: courier_not_found.
func (c *Client) Phones(ctx context.Context, courierID string, opts ...CallOption) ([]PhoneToken, error) {
	out, err := do[struct {
		Tokens []PhoneToken `json:"tokens"`
	}](ctx, c, http.MethodGet, courierPath(courierID, "/onboarding"), nil, opts...)
	return out.Tokens, err
}

// RevokePhones revokes a courier's token by id, or all tokens if id is empty, and
// returns their number. Errors: courier_not_found, not_found.
func (c *Client) RevokePhones(ctx context.Context, courierID, id string, opts ...CallOption) (int, error) {
	path := courierPath(courierID, "/onboarding")
	if id != "" {
		path += "/" + url.PathEscape(id)
	}
	out, err := do[struct {
		Revoked int `json:"revoked"`
	}](ctx, c, http.MethodDelete, path, nil, opts...)
	return out.Revoked, err
}

// CourierTrack is a courier's trail between two times.
type CourierTrack struct {
	CourierID string     `json:"courier_id"`
	From      time.Time  `json:"from"`
	To        time.Time  `json:"to"`
	Trail     []Position `json:"trail"`              // oldest first
	Polyline  string     `json:"polyline,omitempty"` // Google's format, precision 5
	Complete  bool       `json:"complete"`           // the trail was not thinned to the limit
}

// CourierTrack returns a courier's trail; zero times mean the last day, a zero limit
// the server's default. Errors: courier_not_found, validation_failed.
func (c *Client) CourierTrack(ctx context.Context, courierID string, from, to time.Time, limit int, opts ...CallOption) (*CourierTrack, error) {
	q := url.Values{}
	for name, at := range map[string]time.Time{"from": from, "to": to} {
		if !at.IsZero() {
			q.Set(name, formatTime(at))
		}
	}
	if limit != 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	return do[*CourierTrack](ctx, c, http.MethodGet, courierPath(courierID, "/track"), nil, append(opts, withQuery(q))...)
}
