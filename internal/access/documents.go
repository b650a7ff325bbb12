package access

import (
	"context"
	"encoding/json"
	"slices"
	"sync/atomic"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
)

// Documents are the records that staff edit at run time: merchants and the settings.
type Documents struct {
	Store    domain.AccessStore
	Clock    domain.Clock
	Audit    *Audit
	Requests *idempotency.Keys
	Guard    *Guard
	// Defaults are the configured values, used where the settings are empty.
	Defaults Settings

	rules atomic.Pointer[rules]
}

// rules are the merchants' courier visibility rules.
type rules struct {
	other domain.ShowCourier // default for merchants without a rule
	of    map[string]domain.ShowCourier
}

// Privacy is a merchant's visibility rules.
type Privacy struct {
	// ShowCourier defines when customers see the courier's position.
	ShowCourier *string `json:"show_courier,omitempty" doc:"custody, out_for_delivery or metres:<number>" example:"metres:3000"`
}

// MerchantEdit is a partial update of a merchant; nil fields are unchanged.
type MerchantEdit struct {
	Name          *string  `json:"name,omitempty" maxLength:"200"`
	Locale        *string  `json:"locale,omitempty" format:"locale" maxLength:"35" example:"ru"`
	Timezone      *string  `json:"timezone,omitempty" format:"timezone" maxLength:"64" example:"Europe/Moscow"`
	Privacy       *Privacy `json:"privacy,omitempty"`
	ProofRequired []string `json:"proof_required,omitempty" maxItems:"3" doc:"of photo, signature and pin; [] for none"`
}

// Merchant is a sender of orders.
type Merchant struct {
	ID string `json:"id" maxLength:"128" example:"shop"`
	MerchantEdit
	Version   int64     `json:"version"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`
}

// SettingsEdit is a partial update of the settings; nil fields are unchanged.
type SettingsEdit struct {
	Privacy *Privacy `json:"privacy,omitempty"`
}

// Settings can be changed at run time and override the configuration.
type Settings struct {
	SettingsEdit
	Version   int64     `json:"version"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`
}

// proofs are the kinds of proof of delivery.
var proofs = []string{"photo", "signature", "pin"}

// Check validates an edit of a merchant.
func (e MerchantEdit) Check() error {
	var f domain.Faults
	f.Check("", &e)
	for _, p := range e.ProofRequired {
		if !slices.Contains(proofs, p) {
			f.Add("/proof_required", "unknown_proof", "must be of photo, signature and pin")
		}
	}
	e.Privacy.check(&f)
	return f.Err()
}

// Check validates an edit of the settings.
func (e SettingsEdit) Check() error {
	var f domain.Faults
	e.Privacy.check(&f)
	return f.Err()
}

func (p *Privacy) check(f *domain.Faults) {
	if p == nil || p.ShowCourier == nil {
		return
	}
	_, err := domain.ParseShowCourier(*p.ShowCourier)
	f.Include("", err)
}

// merge overwrites into with from, if set.
func merge[T any](into **T, from *T) {
	if from != nil {
		*into = from
	}
}

// Merchant returns a merchant, or not_found if it is unknown or belongs to another caller.
// A merchant that has a key but no record is returned empty.
func (d *Documents) Merchant(ctx context.Context, id string) (*Merchant, error) {
	caller, err := domain.CallerFrom(ctx)
	if err != nil {
		return nil, err
	}
	doc, err := d.Store.Document(ctx, domain.DocumentMerchant, id)
	switch {
	case err != nil:
		return nil, err
	case !caller.ReachesMerchant(id) || doc == nil && caller.Staff():
		return nil, domain.Errorf(domain.CodeNotFound, "no merchant has the id %q", id)
	case doc == nil:
		return &Merchant{ID: id}, nil
	}
	return merchantOf(doc)
}

func merchantOf(doc *domain.Document) (*Merchant, error) {
	m := &Merchant{ID: doc.ID, Version: doc.Version, UpdatedAt: doc.UpdatedAt}
	return m, json.Unmarshal(doc.Data, &m.MerchantEdit)
}

// Merchants returns up to limit merchants with ids after the given one, ordered by id.
func (d *Documents) Merchants(ctx context.Context, after string, limit int) ([]*Merchant, error) {
	caller, err := domain.CallerFrom(ctx)
	if err != nil {
		return nil, err
	}
	if !caller.Staff() {
		m, err := d.Merchant(ctx, caller.MerchantID)
		if err != nil || caller.MerchantID <= after {
			return nil, err
		}
		return []*Merchant{m}, nil
	}
	docs, err := d.Store.Documents(ctx, domain.DocumentMerchant, after, limit)
	if err != nil {
		return nil, err
	}
	out := make([]*Merchant, len(docs))
	for i := range docs {
		if out[i], err = merchantOf(&docs[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// EditMerchant changes or creates a merchant; expected, if not zero, is the version that
// the caller has seen.
func (d *Documents) EditMerchant(ctx context.Context, id string, e MerchantEdit, expected int64) (*Merchant, error) {
	caller, err := domain.CallerFrom(ctx)
	if err != nil {
		return nil, err
	}
	if !caller.ReachesMerchant(id) {
		return nil, domain.Errorf(domain.CodeNotFound, "no merchant has the id %q", id)
	}
	var f domain.Faults
	f.Required("/merchant_id", id, domain.MaxKey)
	if err := f.Err(); err != nil {
		return nil, err
	}
	if err := e.Check(); err != nil {
		return nil, err
	}
	return idempotency.Once(ctx, d.Requests, "edit_merchant:"+id, editing{e, expected}, func(rec *domain.Idempotency) (*Merchant, error) {
		return d.editMerchant(ctx, id, e, expected, rec)
	})
}

// editing identifies an edit.
type editing struct {
	Edit     any   `json:"edit"`
	Expected int64 `json:"expected"`
}

func (d *Documents) editMerchant(ctx context.Context, id string, e MerchantEdit, expected int64, rec *domain.Idempotency) (*Merchant, error) {
	m := &Merchant{ID: id}
	return m, d.change(ctx, domain.DocumentMerchant, id, expected, &m.MerchantEdit, rec, func(next *domain.Document) any {
		merge(&m.Name, e.Name)
		merge(&m.Locale, e.Locale)
		merge(&m.Timezone, e.Timezone)
		merge(&m.Privacy, e.Privacy)
		if e.ProofRequired != nil {
			m.ProofRequired = e.ProofRequired
		}
		m.Version, m.UpdatedAt = next.Version, next.UpdatedAt
		return m
	})
}

// Settings returns the settings, filled in from the configuration.
func (d *Documents) Settings(ctx context.Context) (*Settings, error) {
	s := d.Defaults
	doc, err := d.Store.Document(ctx, domain.DocumentSettings, "")
	if err != nil || doc == nil {
		return &s, err
	}
	s.Version, s.UpdatedAt = doc.Version, doc.UpdatedAt
	return &s, json.Unmarshal(doc.Data, &s.SettingsEdit)
}

// EditSettings changes the settings; expected works as in EditMerchant.
func (d *Documents) EditSettings(ctx context.Context, e SettingsEdit, expected int64) (*Settings, error) {
	if err := e.Check(); err != nil {
		return nil, err
	}
	return idempotency.Once(ctx, d.Requests, "edit_settings", editing{e, expected}, func(rec *domain.Idempotency) (*Settings, error) {
		s := d.Defaults
		var stored SettingsEdit
		return &s, d.change(ctx, domain.DocumentSettings, "", expected, &stored, rec, func(next *domain.Document) any {
			merge(&stored.Privacy, e.Privacy)
			merge(&s.Privacy, stored.Privacy)
			s.Version, s.UpdatedAt = next.Version, next.UpdatedAt
			return s
		})
	})
}

// change reads a document into v, applies edit, which returns the answer, and commits the
// result as the next version.
func (d *Documents) change(
	ctx context.Context, kind, id string, expected int64, v any, rec *domain.Idempotency, edit func(next *domain.Document) any,
) error {
	caller, err := domain.CallerFrom(ctx)
	if err != nil {
		return err
	}
	next := &domain.Document{Kind: kind, ID: id, Version: 1, UpdatedAt: domain.Timestamp(d.Clock.Now()), ChangedBy: caller.Actor}
	old, err := d.Store.Document(ctx, kind, id)
	if err == nil && old != nil {
		next.Version = old.Version + 1
		err = json.Unmarshal(old.Data, v)
	}
	if err == nil && expected != 0 && expected != next.Version-1 {
		err = domain.Errorf(domain.CodeVersionConflict, "it has moved on to version %d", next.Version-1)
	}
	if err != nil {
		return err
	}
	if err := idempotency.Answer(rec, edit(next)); err != nil {
		return err
	}
	if next.Data, err = json.Marshal(v); err != nil {
		return err
	}
	entry, err := d.Audit.entry(ctx, kind+".changed", kind+":"+id, nil)
	if err != nil {
		return err
	}
	return d.Guard.Commit(ctx, domain.AccessChange{Document: next, Audit: entry, Idempotency: rec})
}

// ShowCourier returns a merchant's cached courier visibility rule.
func (d *Documents) ShowCourier(merchantID string) domain.ShowCourier {
	r := d.rules.Load()
	if r == nil {
		return domain.ShowCourier{}
	}
	if rule, ok := r.of[merchantID]; ok {
		return rule
	}
	return r.other
}

// Load reloads the rules; the authenticator calls it when a document has changed.
func (d *Documents) Load(ctx context.Context) error {
	settings, err := d.Settings(ctx)
	if err != nil {
		return err
	}
	next := &rules{of: map[string]domain.ShowCourier{}}
	if rule, ok := settings.Privacy.rule(); ok {
		next.other = rule
	}
	for after, limit := "", 500; ; {
		docs, err := d.Store.Documents(ctx, domain.DocumentMerchant, after, limit)
		if err != nil {
			return err
		}
		for i := range docs {
			m, err := merchantOf(&docs[i])
			if err != nil {
				return err
			}
			if rule, ok := m.Privacy.rule(); ok {
				next.of[m.ID] = rule
			}
			after = m.ID
		}
		if len(docs) < limit {
			d.rules.Store(next)
			return nil
		}
	}
}

func (p *Privacy) rule() (domain.ShowCourier, bool) {
	if p == nil || p.ShowCourier == nil {
		return domain.ShowCourier{}, false
	}
	r, err := domain.ParseShowCourier(*p.ShowCourier)
	return r, err == nil
}
