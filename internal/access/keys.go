package access

import (
	"context"
	"slices"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
	"github.com/order-tracking/order-tracking/internal/paging"
)

// Keys are programs' credentials. Only administrators have to do with them.
type Keys struct {
	Store    domain.Store
	Clock    domain.Clock
	Audit    *Audit
	Requests *idempotency.Keys
	Guard    *Guard
}

// NewKey asks for a key.
type NewKey struct {
	Name       string      `json:"name" example:"shop"`
	Role       domain.Role `json:"role" example:"merchant"`
	MerchantID string      `json:"merchant_id,omitempty" example:"shop"`
	CourierID  string      `json:"courier_id,omitempty"`
	ExpiresAt  *time.Time  `json:"expires_at,omitempty"`
}

// IssuedKey is a new key, which is shown this once.
type IssuedKey struct {
	domain.Credential
	Key string `json:"key" example:"ot_mer_…"`
}

// keyRoles are the roles that keys may have.
var keyRoles = []domain.Role{
	domain.RoleAdmin, domain.RoleDispatcher, domain.RoleMerchant, domain.RoleCourier, domain.RolePartner, domain.RoleMonitor,
}

// How long a rotated key stays valid: by default, and at most.
const (
	defaultOverlap = 24 * time.Hour
	maxOverlap     = 30 * 24 * time.Hour
)

func (n *NewKey) validate(now time.Time) error {
	var f domain.Faults
	f.Required("/name", n.Name, domain.MaxName)
	if !slices.Contains(keyRoles, n.Role) {
		f.Add("/role", "unknown_role", "must be one of admin, dispatcher, merchant, courier, partner, monitor")
	}
	scoped := func(pointer, value string, wanted bool) {
		switch {
		case wanted:
			f.Required(pointer, value, domain.MaxKey)
		case value != "":
			f.Add(pointer, "not_allowed", "means nothing for this role")
		}
	}
	scoped("/merchant_id", n.MerchantID, n.Role == domain.RoleMerchant || n.Role == domain.RolePartner)
	scoped("/courier_id", n.CourierID, n.Role == domain.RoleCourier)
	if n.CourierID != "" {
		f.ID("/courier_id", &n.CourierID)
	}
	expires(&f, n.ExpiresAt, now)
	return f.Err()
}

// expires checks the time at which something is to end.
func expires(f *domain.Faults, at *time.Time, now time.Time) {
	f.Time("/expires_at", at)
	if at != nil && !at.After(now) {
		f.Add("/expires_at", "out_of_range", "must be in the future")
	}
}

// Check checks what Create takes.
func (k *Keys) Check(in NewKey) error { return in.validate(k.Clock.Now()) }

// secretly is idempotency.Once for what shows a secret: the answer is not kept, and a
// repeat fails with secret_not_repeated.
func secretly[T any](
	ctx context.Context, requests *idempotency.Keys, op string, in any, do func(rec *domain.Idempotency) (*T, error),
) (*T, error) {
	v, err := idempotency.Once(ctx, requests, op, in, func(rec *domain.Idempotency) (*T, error) {
		if rec != nil {
			rec.Result = []byte("null")
		}
		return do(rec)
	})
	if err == nil && v == nil {
		err = domain.Errorf(domain.CodeSecretNotRepeated, "this was done already, and its secret is shown only once")
	}
	return v, err
}

// Create makes a key. It fails with validation_failed, courier_not_found or one of the
// idempotency codes.
func (k *Keys) Create(ctx context.Context, in NewKey) (*IssuedKey, error) {
	return secretly(ctx, k.Requests, "create_key", in, func(rec *domain.Idempotency) (*IssuedKey, error) {
		return k.create(ctx, in, rec)
	})
}

func (k *Keys) create(ctx context.Context, in NewKey, rec *domain.Idempotency) (*IssuedKey, error) {
	now := domain.Timestamp(k.Clock.Now())
	if err := in.validate(now); err != nil {
		return nil, err
	}
	if in.CourierID != "" {
		if _, err := k.Store.Courier(ctx, in.CourierID); err != nil {
			return nil, err
		}
	}
	issued := issue(domain.Credential{
		Kind: domain.CredentialKey, Name: in.Name, Role: in.Role, MerchantID: in.MerchantID, CourierID: in.CourierID,
		CreatedAt: now, ExpiresAt: utc(in.ExpiresAt),
	}, kindOf[in.Role])
	entry, err := k.Audit.entry(ctx, "key.created", "key:"+issued.ID, map[string]string{
		"role": string(in.Role), "merchant_id": in.MerchantID, "courier_id": in.CourierID,
	})
	if err != nil {
		return nil, err
	}
	return issued, k.Guard.Commit(ctx, domain.AccessChange{Keep: &issued.Credential, Audit: entry, Idempotency: rec})
}

// issue gives a credential its secret and its id.
func issue(c domain.Credential, kind string) *IssuedKey {
	secret := newSecret(kind)
	c.ID, c.Hash, c.Prefix = domain.NewID(), domain.HashToken(secret), secret[:prefixLength]
	return &IssuedKey{Credential: c, Key: secret}
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := domain.Timestamp(*t)
	return &u
}

// List returns a page of keys, newest first, and the token of the next one.
func (k *Keys) List(ctx context.Context, p paging.Request) ([]domain.Credential, string, error) {
	return paging.Page(ctx, p, "keys", "", false, k.read)
}

func (k *Keys) read(ctx context.Context, _ string, p domain.Page) ([]domain.Credential, *domain.Cursor, error) {
	return k.Store.Credentials(ctx, domain.CredentialKey, "", p)
}

// Rotation asks for another key in place of one.
type Rotation struct {
	// OverlapSeconds is how long the old key stays valid; default a day.
	OverlapSeconds *int `json:"overlap_seconds,omitempty"`
}

// Check checks what Rotate takes.
func (r Rotation) Check() error {
	var f domain.Faults
	if r.OverlapSeconds != nil {
		domain.Within(&f, "/overlap_seconds", *r.OverlapSeconds, 0, int(maxOverlap.Seconds()))
	}
	return f.Err()
}

// Rotate makes another key for the same: both are good until the overlap is over. It
// fails with not_found for a key that is not there or has expired.
func (k *Keys) Rotate(ctx context.Context, id string, in Rotation) (*IssuedKey, error) {
	if err := in.Check(); err != nil {
		return nil, err
	}
	return secretly(ctx, k.Requests, "rotate_key:"+id, in, func(rec *domain.Idempotency) (*IssuedKey, error) {
		overlap := defaultOverlap
		if in.OverlapSeconds != nil {
			overlap = time.Duration(*in.OverlapSeconds) * time.Second
		}
		return k.rotate(ctx, id, overlap, rec)
	})
}

func (k *Keys) rotate(ctx context.Context, id string, overlap time.Duration, rec *domain.Idempotency) (*IssuedKey, error) {
	old, err := k.get(ctx, id)
	if err != nil {
		return nil, err
	}
	next := *old
	next.CreatedAt, next.LastUsedAt = domain.Timestamp(k.Clock.Now()), nil
	issued := issue(next, kindOf[old.Role])
	entry, err := k.Audit.entry(ctx, "key.rotated", "key:"+old.ID, map[string]string{"successor": issued.ID})
	if err != nil {
		return nil, err
	}
	return issued, k.Guard.Commit(ctx, domain.AccessChange{
		Keep: &issued.Credential, Expire: old.ID, ExpireAt: next.CreatedAt.Add(overlap), Audit: entry, Idempotency: rec,
	})
}

// Revoke ends a key, its sessions and its streams; not_found when it is not there.
func (k *Keys) Revoke(ctx context.Context, id string) error {
	old, err := k.get(ctx, id)
	if err != nil {
		return err
	}
	entry, err := k.Audit.entry(ctx, "key.revoked", "key:"+old.ID, nil)
	if err != nil {
		return err
	}
	return k.Guard.Commit(ctx, domain.AccessChange{Drop: old.ID, Audit: entry})
}

// get returns a key that is good.
func (k *Keys) get(ctx context.Context, id string) (*domain.Credential, error) {
	id, err := domain.ParseID("/id", id)
	if err != nil {
		return nil, err
	}
	c, err := k.Store.Credential(ctx, id)
	if err == nil && (c == nil || c.Kind != domain.CredentialKey || !c.Live(k.Clock.Now())) {
		err = domain.Errorf(domain.CodeNotFound, "no key has the id %s", id)
	}
	return c, err
}

// AnyAdmin says whether somebody has a good key of an administrator.
func (k *Keys) AnyAdmin(ctx context.Context) (bool, error) {
	for found, err := range paging.Pages(ctx, "", domain.MaxPageSize, k.read) {
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(found, func(c domain.Credential) bool {
			return c.Role == domain.RoleAdmin && c.Live(k.Clock.Now())
		}) {
			return true, nil
		}
	}
	return false, nil
}

// Myself is who somebody is and what they may do.
type Myself struct {
	Role        domain.Role `json:"role" example:"merchant"`
	Name        string      `json:"name,omitempty"`
	MerchantID  string      `json:"merchant_id,omitempty"`
	CourierID   string      `json:"courier_id,omitempty"`
	OrderID     string      `json:"order_id,omitempty"`
	ExpiresAt   time.Time   `json:"expires_at,omitzero"`
	Permissions []string    `json:"permissions" example:"[\"createOrder\"]"`
}

// Me says who the caller is.
func Me(ctx context.Context) (*Myself, error) {
	c, err := domain.CallerFrom(ctx)
	if err != nil {
		return nil, err
	}
	return &Myself{
		Role: c.Kind, Name: c.Name, MerchantID: c.MerchantID, CourierID: c.CourierID, OrderID: c.OrderID,
		ExpiresAt: c.ExpiresAt, Permissions: Permissions(c.Kind),
	}, nil
}
