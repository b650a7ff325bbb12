package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Onboarding is a new token of a courier's phone and how to set up an app with it. The
// token is shown this once.
type Onboarding struct {
	ID        string     `json:"id"`
	Token     string     `json:"token"`
	CreatedAt time.Time  `json:"created_at"`
	Apps      []PhoneApp `json:"apps"`
}

// PhoneApp is how an app is set up.
type PhoneApp struct {
	App      string `json:"app"`       // traccar or owntracks
	URL      string `json:"url"`       // where it reports to
	DeepLink string `json:"deep_link"` // opened on the phone, it sets up the app
	QR       string `json:"qr"`        // a PNG as a data: URI
}

// PhoneToken is a token of a courier's phone, without what it is.
type PhoneToken struct {
	ID        string    `json:"id"`
	CreatedAt time.Time `json:"created_at"`
}

// Onboard makes a token for a courier's phone; each call, and each repetition of one
// whose answer was lost, makes another. Refusals: courier_not_found.
func (c *Client) Onboard(ctx context.Context, courierID string, opts ...CallOption) (*Onboarding, error) {
	return do[*Onboarding](ctx, c, http.MethodPost, courierPath(courierID, "/onboarding"), nil, opts...)
}

// Phones returns the tokens of a courier's phones, newest first. Refusals: courier_not_found.
func (c *Client) Phones(ctx context.Context, courierID string, opts ...CallOption) ([]PhoneToken, error) {
	out, err := do[struct {
		Tokens []PhoneToken `json:"tokens"`
	}](ctx, c, http.MethodGet, courierPath(courierID, "/onboarding"), nil, opts...)
	return out.Tokens, err
}

// RevokePhones makes a courier's token of the id worthless, or all when id is empty, and
// returns how many. Refusals: courier_not_found, not_found.
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

// CourierTrack is where a courier was between two times.
type CourierTrack struct {
	CourierID string     `json:"courier_id"`
	From      time.Time  `json:"from"`
	To        time.Time  `json:"to"`
	Trail     []Position `json:"trail"`              // oldest first
	Polyline  string     `json:"polyline,omitempty"` // Google's format, precision 5
	Complete  bool       `json:"complete"`           // nothing was left out to stay within the limit
}

// CourierTrack returns where a courier was; zero times are the last day, a zero limit
// the server's default. Refusals: courier_not_found, validation_failed.
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
