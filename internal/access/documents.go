package access

import (
	"context"
	"encoding/json"
	"sync/atomic"

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
	// Accounts are the names of the configured accounts with delivery companies.
	Accounts []string

	current atomic.Pointer[current]
}

// current is the cached content of all documents, without logos.
type current struct {
	settings SettingsEdit
	other    domain.Profile // of merchants without a document
	of       map[string]domain.Profile
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

// EditMerchant changes or creates a merchant; expected, if not zero, is the version that the caller has seen.
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
	if err := d.checkAccounts(caller, e.CarrierAccounts); err != nil {
		return nil, err
	}
	return idempotency.Once(ctx, d.Requests, "edit_merchant:"+id, editing{e, expected}, func(rec *domain.Idempotency) (*Merchant, error) {
		m := &Merchant{ID: id}
		return m, d.change(ctx, domain.DocumentMerchant, id, expected, &m.MerchantEdit, rec, func(next *domain.Document) any {
			m.merge(e)
			m.Version, m.UpdatedAt = next.Version, next.UpdatedAt
			return m
		})
	})
}

// editing identifies an edit.
type editing struct {
	Edit     any   `json:"edit"`
	Expected int64 `json:"expected"`
}

// checkAccounts checks that accounts exist. Only administrators name them, because a parcel
// is paid for by the account that it goes with.
func (d *Documents) checkAccounts(c *domain.Caller, accounts []string) error {
	var f domain.Faults
	if accounts != nil && !c.Staff() {
		f.Add("/carrier_accounts", "not_yours", "is set by administrators")
	} else {
		f.Listed("/carrier_accounts", "account", accounts, d.Accounts)
	}
	return f.Err()
}

// Settings returns the settings, filled in from the configuration.
func (d *Documents) Settings(ctx context.Context) (*Settings, error) {
	s := d.Defaults
	doc, err := d.Store.Document(ctx, domain.DocumentSettings, "")
	if err != nil || doc == nil {
		return &s, err
	}
	var stored SettingsEdit
	err = json.Unmarshal(doc.Data, &stored)
	return &Settings{over(s.SettingsEdit, stored), doc.Version, doc.UpdatedAt}, err
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
			stored = over(stored, e)
			s.SettingsEdit = over(s.SettingsEdit, stored)
			s.Version, s.UpdatedAt = next.Version, next.UpdatedAt
			return s
		})
	})
}

// change reads a document into v, applies edit, which returns the answer, and commits the result as the next version.
func (d *Documents) change(
	ctx context.Context, kind, id string, expected int64, v any, rec *domain.Idempotency, edit func(next *domain.Document) any,
) error {
	caller, err := domain.CallerFrom(ctx)
	if err != nil {
		return err
	}
	next := &domain.Document{Kind: kind, ID: id, Version: 1, UpdatedAt: domain.Timestamp(d.Clock.Now()), Trail: domain.Trail{ChangedBy: caller.Actor}}
	old, err := d.Store.Document(ctx, kind, id)
	if err == nil && old != nil {
		next.Version = old.Version + 1
		err = json.Unmarshal(old.Data, v)
	}
	if err == nil {
		err = old.Expect(expected, caller)
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
	entry, err := d.Audit.Entry(ctx, kind+".changed", kind+":"+id, nil)
	if err != nil {
		return err
	}
	return d.Guard.Commit(ctx, domain.AccessChange{Document: next, Audit: entry, Idempotency: rec})
}

// Profile returns what a merchant has set up, from memory: a change takes effect within a second on every replica.
func (d *Documents) Profile(merchantID string) domain.Profile {
	c := d.current.Load()
	if c == nil {
		return domain.Profile{}
	}
	if p, ok := c.of[merchantID]; ok {
		return p
	}
	return c.other
}

// Current returns the settings from memory, filled in from the configuration and without the logo.
func (d *Documents) Current() SettingsEdit {
	if c := d.current.Load(); c != nil {
		return c.settings
	}
	return d.Defaults.SettingsEdit
}

// BrandOf returns the brand of a merchant, completed from the settings.
func (d *Documents) BrandOf(ctx context.Context, merchantID string) (b Brand, err error) {
	settings, err := d.Settings(ctx)
	if err != nil {
		return b, err
	}
	if settings.Brand != nil {
		b = *settings.Brand
	}
	doc, err := d.Store.Document(ctx, domain.DocumentMerchant, merchantID)
	if doc == nil || err != nil {
		return b, err
	}
	m, err := merchantOf(doc)
	if err == nil && m.Brand != nil {
		b = over(b, *m.Brand)
	}
	if err == nil && m.Name != nil && (m.Brand == nil || m.Brand.Name == nil) {
		b.Name = m.Name
	}
	return b, err
}

// Load reads all documents again; the authenticator calls it when one has changed.
func (d *Documents) Load(ctx context.Context) error {
	settings, err := d.Settings(ctx)
	if err != nil {
		return err
	}
	next := &current{settings: over(settings.SettingsEdit, SettingsEdit{}), of: map[string]domain.Profile{}}
	if next.settings.Brand != nil {
		next.settings.Brand.Logo = nil
	}
	next.other = MerchantEdit{Privacy: settings.Privacy}.profile(domain.Profile{})
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
			next.of[m.ID] = m.profile(next.other)
			after = m.ID
		}
		if len(docs) < limit {
			d.current.Store(next)
			return nil
		}
	}
}
