package notify

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// NewWebhook is a request for a webhook.
type NewWebhook struct {
	URL         string             `json:"url" minLength:"1" maxLength:"2000" example:"https://shop.example/hooks/orders"`
	Types       []domain.EventType `json:"types,omitempty" maxItems:"50" doc:"types of events; every change of an order if absent; entries that change nothing must be named" example:"[\"order.status_changed\"]"`
	MerchantID  string             `json:"merchant_id,omitempty" maxLength:"128" doc:"only this merchant's orders; with a merchant's key always its own" example:"shop"`
	Description string             `json:"description,omitempty" maxLength:"200"`
}

// WebhookEdit is a partial update of a webhook; nil fields are unchanged.
type WebhookEdit struct {
	URL         *string            `json:"url,omitempty" minLength:"1" maxLength:"2000"`
	Types       []domain.EventType `json:"types,omitempty" maxItems:"50"`
	Description *string            `json:"description,omitempty" maxLength:"200"`
	Enabled     *bool              `json:"enabled,omitempty" doc:"true ends a disablement; what happened meanwhile is sent by a replay only"`
}

// Disabled tells why and since when a webhook gets nothing.
type Disabled struct {
	Reason string    `json:"reason" enum:"by_hand,gone,failing" doc:"gone: it answered 410; failing: nothing but failures for days"`
	At     time.Time `json:"at"`
}

// Webhook is an address that is told of events.
type Webhook struct {
	ID          string             `json:"id" format:"uuid"`
	URL         string             `json:"url"`
	Types       []domain.EventType `json:"types"`
	MerchantID  string             `json:"merchant_id,omitempty"`
	Description string             `json:"description,omitempty"`
	Enabled     bool               `json:"enabled"`
	Disabled    *Disabled          `json:"disabled,omitempty"`
	CreatedAt   time.Time          `json:"created_at"`
	UpdatedAt   time.Time          `json:"updated_at"`
	Version     int64              `json:"version"`
}

// IssuedWebhook is a webhook with its secret, which is shown only once.
type IssuedWebhook struct {
	Webhook
	Secret string `json:"secret" doc:"verifies webhook-signature" example:"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"`
}

// stored is a webhook as its document holds it.
type stored struct {
	URL         string             `json:"url"`
	Types       []domain.EventType `json:"types"`
	MerchantID  string             `json:"merchant_id"`
	Description string             `json:"description,omitempty"`
	CreatedAt   time.Time          `json:"created_at"`
	Disabled    *Disabled          `json:"disabled,omitempty"`
	Secrets     []sealedSecret     `json:"secrets"`
}

// sealedSecret is an encrypted secret; the older ones end.
type sealedSecret struct {
	Sealed []byte     `json:"sealed"`
	Until  *time.Time `json:"until,omitempty"`
}

// endpoint is a webhook in memory.
type endpoint struct {
	id      string
	version int64
	updated time.Time
	stored
}

func endpointOf(doc *domain.Document) (*endpoint, error) {
	e := &endpoint{id: doc.ID, version: doc.Version, updated: doc.UpdatedAt}
	return e, json.Unmarshal(doc.Data, &e.stored)
}

func (e *endpoint) shown() *Webhook {
	return &Webhook{
		ID: e.id, URL: e.URL, Types: append([]domain.EventType{}, e.Types...), MerchantID: e.MerchantID, Description: e.Description,
		Enabled: e.Disabled == nil, Disabled: e.Disabled, CreatedAt: e.CreatedAt, UpdatedAt: e.updated, Version: e.version,
	}
}

// wants reports whether the webhook is told of the event.
func (e *endpoint) wants(ev *domain.Event) bool {
	if len(e.Types) == 0 {
		return !ev.Note()
	}
	return slices.Contains(e.Types, ev.Type)
}

// secrets returns the secrets that are valid at a time, newest first.
func (e *endpoint) secrets(s sealer, now time.Time) ([]string, error) {
	var out []string
	for _, sealed := range e.Secrets {
		if sealed.Until != nil && !now.Before(*sealed.Until) {
			continue
		}
		secret, err := s.open(sealed.Sealed, e.id)
		if err != nil {
			return nil, err
		}
		out = append(out, secret)
	}
	return out, nil
}

// CheckNew validates the input of Create.
func (s *Service) CheckNew(in NewWebhook) error {
	var f domain.Faults
	f.Check("", &in)
	s.checkTarget(&f, in.URL)
	checkTypes(&f, in.Types)
	return f.Err()
}

// CheckEdit validates the input of Edit.
func (s *Service) CheckEdit(in WebhookEdit) error {
	var f domain.Faults
	f.Check("", &in)
	if in.URL != nil {
		s.checkTarget(&f, *in.URL)
	}
	checkTypes(&f, in.Types)
	return f.Err()
}

func checkTypes(f *domain.Faults, types []domain.EventType) {
	for _, t := range types {
		if !slices.Contains(domain.EventTypes(), t) {
			f.Add("/types", "unknown_type", "must be types of events; docs/webhooks.md lists them")
			return
		}
	}
}

// checkTarget refuses addresses that no webhook may have.
func (s *Service) checkTarget(f *domain.Faults, target string) {
	ctx, cancel := context.WithTimeout(context.Background(), lookupWithin)
	defer cancel()
	if err := s.Allowed(ctx, target); err != nil && target != "" {
		f.Add("/url", "forbidden_target", "%s", err)
	}
}

// lookupWithin limits how long a new target's name may take to be found.
const lookupWithin = 5 * time.Second
