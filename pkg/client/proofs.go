package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// ProofReport is a proof of delivery to hand in.
type ProofReport struct {
	Proof
	OccurredAt *time.Time `json:"occurred_at,omitempty"` // nil: now
}

// ProofRecord is a stored proof of delivery.
type ProofRecord struct {
	ID           string    `json:"id"`
	OrderID      string    `json:"order_id"`
	Kinds        []string  `json:"kinds"` // of photo, signature, pin
	Recipient    string    `json:"recipient,omitempty"`
	Note         string    `json:"note,omitempty"`
	Offline      bool      `json:"offline,omitempty"` // the photo stood in for the PIN
	PhotoURL     string    `json:"photo_url,omitempty"`
	SignatureURL string    `json:"signature_url,omitempty"`
	CourierID    string    `json:"courier_id,omitempty"`
	Actor        Actor     `json:"actor,omitzero"`
	OccurredAt   time.Time `json:"occurred_at"`
	RecordedAt   time.Time `json:"recorded_at"`
	Attempt      int       `json:"attempt,omitempty"` // of delivery, from 1
}

// IncidentReport opens an incident.
type IncidentReport struct {
	ID         string     `json:"id,omitempty"` // the caller's own UUIDv7: a repeat opens it once
	Code       string     `json:"code"`         // such as not_there
	Text       string     `json:"text,omitempty"`
	Photo      []byte     `json:"photo,omitempty"`       // a JPEG or PNG
	OccurredAt *time.Time `json:"occurred_at,omitempty"` // nil: now
}

// Incident is a problem with an order.
type Incident struct {
	ID         string     `json:"id"`
	OrderID    string     `json:"order_id"`
	Code       string     `json:"code"`
	Text       string     `json:"text,omitempty"`
	PhotoURL   string     `json:"photo_url,omitempty"`
	CourierID  string     `json:"courier_id,omitempty"`
	Actor      Actor      `json:"actor,omitzero"`
	OccurredAt time.Time  `json:"occurred_at"`
	RecordedAt time.Time  `json:"recorded_at"`
	ClosedAt   *time.Time `json:"closed_at,omitempty"` // nil while it is open
	ClosedBy   *Actor     `json:"closed_by,omitempty"`
	Resolution string     `json:"resolution,omitempty"`
}

// AddProof hands in a proof of delivery. Errors: validation_failed, pin_locked, order_finished, order_not_found.
func (c *Client) AddProof(ctx context.Context, orderID string, p ProofReport, opts ...CallOption) (*ProofRecord, error) {
	return do[*ProofRecord](ctx, c, http.MethodPost, orderPath(orderID, "/proof"), p, opts...)
}

// Proofs returns an order's proofs of delivery, oldest first. Errors: order_not_found.
func (c *Client) Proofs(ctx context.Context, orderID string, opts ...CallOption) ([]ProofRecord, error) {
	out, err := do[struct{ Proofs []ProofRecord }](ctx, c, http.MethodGet, orderPath(orderID, "/proof"), nil, opts...)
	return out.Proofs, err
}

// OpenIncident reports a problem with an order. Errors: validation_failed, order_finished, order_not_found.
func (c *Client) OpenIncident(ctx context.Context, orderID string, in IncidentReport, opts ...CallOption) (*Incident, error) {
	return do[*Incident](ctx, c, http.MethodPost, orderPath(orderID, "/incidents"), in, opts...)
}

// Incidents returns an order's incidents, oldest first. Errors: order_not_found.
func (c *Client) Incidents(ctx context.Context, orderID string, opts ...CallOption) ([]Incident, error) {
	out, err := do[struct{ Incidents []Incident }](ctx, c, http.MethodGet, orderPath(orderID, "/incidents"), nil, opts...)
	return out.Incidents, err
}

// CloseIncident closes an incident; text may be empty. Errors: not_found, order_not_found.
func (c *Client) CloseIncident(ctx context.Context, orderID, id, text string, opts ...CallOption) (*Incident, error) {
	in := map[string]string{}
	if text != "" {
		in["text"] = text
	}
	return do[*Incident](ctx, c, http.MethodPost, orderPath(orderID, "/incidents/"+url.PathEscape(id)+"/close"), in, opts...)
}
