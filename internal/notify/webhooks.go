package notify

import (
	"cmp"
	"context"
	"encoding/json"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
)

// maxWebhooks limits the webhooks of a merchant, and those of no merchant.
const maxWebhooks = 50

// Create makes a webhook. Its secret is in the answer only.
func (s *Service) Create(ctx context.Context, in NewWebhook) (*IssuedWebhook, error) {
	caller, err := domain.CallerFrom(ctx)
	if err != nil {
		return nil, err
	}
	if caller.Kind == domain.RoleMerchant {
		if in.MerchantID != "" && in.MerchantID != caller.MerchantID {
			return nil, domain.Invalid("/merchant_id", "not_yours", "must be absent or the merchant of your key")
		}
		in.MerchantID = caller.MerchantID
	}
	if err := s.CheckNew(in); err != nil {
		return nil, err
	}
	return idempotency.Secret(ctx, s.Keys, "create_webhook", in, func(rec *domain.Idempotency) (*IssuedWebhook, error) {
		if r := s.routes.Load(); in.MerchantID == "" && len(r.all) >= maxWebhooks || len(r.of[in.MerchantID]) >= maxWebhooks {
			return nil, domain.Invalid("", "too_many", "a merchant has at most %d webhooks", maxWebhooks)
		}
		secret := newSecret()
		e := &endpoint{id: domain.NewID(), stored: stored{
			URL: in.URL, Types: in.Types, MerchantID: in.MerchantID, Description: in.Description, CreatedAt: domain.Timestamp(s.Clock.Now()),
		}}
		e.Secrets = []sealedSecret{{Sealed: s.seals.seal(secret, e.id)}}
		if err := s.Store.KeepReceivers(ctx, []string{e.id}); err != nil {
			return nil, err
		}
		if err := s.commit(ctx, e, "webhook.created", rec); err != nil {
			return nil, err
		}
		return &IssuedWebhook{*e.shown(), secret}, nil
	})
}

// commit stores the webhook as the next version of itself, with messages about that.
func (s *Service) commit(ctx context.Context, e *endpoint, action string, rec *domain.Idempotency, notice ...domain.Delivery) error {
	caller, err := domain.CallerFrom(ctx)
	if err != nil {
		return err
	}
	e.version++
	e.updated = domain.Timestamp(s.Clock.Now())
	doc := &domain.Document{Kind: domain.DocumentWebhook, ID: e.id, Version: e.version, UpdatedAt: e.updated, Trail: domain.Trail{ChangedBy: caller.Actor}}
	if action != "webhook.deleted" {
		if doc.Data, err = json.Marshal(e.stored); err != nil {
			return err
		}
	}
	if rec != nil && rec.Result == nil {
		if err := idempotency.Answer(rec, e.shown()); err != nil {
			return err
		}
	}
	entry, err := s.Audit(ctx, action, "webhook:"+e.id, map[string]string{"merchant_id": e.MerchantID})
	if err != nil {
		return err
	}
	return s.Commit(ctx, domain.AccessChange{Document: doc, Audit: entry, Idempotency: rec, Deliveries: notice})
}

// find returns the stored webhook, a copy, which must be at the expected version; not_found
// also for another merchant's.
func (s *Service) find(ctx context.Context, id string, expected int64) (*endpoint, error) {
	caller, err := domain.CallerFrom(ctx)
	if err != nil {
		return nil, err
	}
	if id, err = domain.ParseID("/webhook_id", id); err != nil {
		return nil, err
	}
	doc, err := s.Store.Document(ctx, domain.DocumentWebhook, id)
	if err != nil {
		return nil, err
	}
	if doc != nil {
		e, err := endpointOf(doc)
		if err != nil || caller.ReachesMerchant(e.MerchantID) {
			return e, cmp.Or(err, doc.Expect(expected, caller))
		}
	}
	return nil, domain.Errorf(domain.CodeNotFound, "no webhook has the id %s", id)
}

// Webhook returns a webhook.
func (s *Service) Webhook(ctx context.Context, id string) (*Webhook, error) {
	e, err := s.find(ctx, id, 0)
	if err != nil {
		return nil, err
	}
	return e.shown(), nil
}

// Webhooks returns the caller's webhooks with an id after the given one, by id, at most limit.
func (s *Service) Webhooks(ctx context.Context, after string, limit int) ([]*Webhook, error) {
	caller, err := domain.CallerFrom(ctx)
	if err != nil {
		return nil, err
	}
	var out []*Webhook
	for len(out) < limit {
		docs, err := s.Store.Documents(ctx, domain.DocumentWebhook, after, domain.MaxPageSize)
		if err != nil || len(docs) == 0 {
			return out, err
		}
		for i := range docs {
			after = docs[i].ID
			e, err := endpointOf(&docs[i])
			if err != nil {
				return nil, err
			}
			if caller.ReachesMerchant(e.MerchantID) && len(out) < limit {
				out = append(out, e.shown())
			}
		}
	}
	return out, nil
}

// Edit changes a webhook; expected, when not zero, is the version known to the caller.
func (s *Service) Edit(ctx context.Context, id string, in WebhookEdit, expected int64) (*Webhook, error) {
	if err := s.CheckEdit(in); err != nil {
		return nil, err
	}
	return idempotency.Once(ctx, s.Keys, "edit_webhook:"+id, editing{in, expected}, func(rec *domain.Idempotency) (*Webhook, error) {
		return s.edit(ctx, id, in, expected, rec)
	})
}

// editing identifies an edit.
type editing struct {
	Edit     WebhookEdit `json:"edit"`
	Expected int64       `json:"expected"`
}

func (s *Service) edit(ctx context.Context, id string, in WebhookEdit, expected int64, rec *domain.Idempotency) (*Webhook, error) {
	e, err := s.find(ctx, id, expected)
	if err != nil {
		return nil, err
	}
	was := e.Disabled
	if in.URL != nil {
		e.URL = *in.URL
	}
	if in.Types != nil {
		e.Types = in.Types
	}
	if in.Description != nil {
		e.Description = *in.Description
	}
	switch {
	case in.Enabled == nil:
	case *in.Enabled:
		e.Disabled = nil
	case e.Disabled == nil:
		e.Disabled = &Disabled{"by_hand", domain.Timestamp(s.Clock.Now())}
	}
	if was != nil && e.Disabled == nil {
		if err := s.Store.ReceiverFailing(ctx, e.id, time.Time{}); err != nil {
			return nil, err
		}
	}
	if err := s.commit(ctx, e, "webhook.changed", rec); err != nil {
		return nil, err
	}
	if was == nil && e.Disabled != nil {
		err = s.Store.HoldDeliveries(ctx, e.id)
	}
	return e.shown(), err
}

// Delete deletes a webhook with its log.
func (s *Service) Delete(ctx context.Context, id string, expected int64) error {
	return idempotency.Do(ctx, s.Keys, "delete_webhook:"+id, expected, func(rec *domain.Idempotency) error {
		e, err := s.find(ctx, id, expected)
		if err != nil {
			return err
		}
		if err := s.commit(ctx, e, "webhook.deleted", rec); err != nil {
			return err
		}
		s.drop(e.id)
		return s.Store.DropReceiver(ctx, e.id)
	})
}

// SecretRotation is a request to replace a webhook's secret.
type SecretRotation struct {
	OverlapSeconds *int `json:"overlap_seconds,omitempty" minimum:"0" maximum:"2592000" doc:"how long deliveries are signed with the old secret too; default a day"`
}

// Check validates the rotation.
func (r SecretRotation) Check() error {
	var f domain.Faults
	f.Check("", &r)
	return f.Err()
}

// maxSecrets limits the secrets that sign at once.
const maxSecrets = 4

// Rotate gives a webhook a new secret. Until the overlap ends every delivery is signed with
// both, so that the receiver can change over at any time.
func (s *Service) Rotate(ctx context.Context, id string, in SecretRotation) (*IssuedWebhook, error) {
	if err := in.Check(); err != nil {
		return nil, err
	}
	return idempotency.Secret(ctx, s.Keys, "rotate_webhook:"+id, in, func(rec *domain.Idempotency) (*IssuedWebhook, error) {
		e, err := s.find(ctx, id, 0)
		if err != nil {
			return nil, err
		}
		overlap := 24 * time.Hour
		if in.OverlapSeconds != nil {
			overlap = time.Duration(*in.OverlapSeconds) * time.Second
		}
		now := domain.Timestamp(s.Clock.Now())
		until := now.Add(overlap)
		secret := newSecret()
		secrets := []sealedSecret{{Sealed: s.seals.seal(secret, e.id)}}
		for _, old := range e.Secrets {
			if old.Until == nil || old.Until.After(until) {
				old.Until = &until
			}
			if old.Until.After(now) && len(secrets) < maxSecrets {
				secrets = append(secrets, old)
			}
		}
		e.Secrets = secrets
		if err := s.commit(ctx, e, "webhook.rotated", rec); err != nil {
			return nil, err
		}
		return &IssuedWebhook{*e.shown(), secret}, nil
	})
}
