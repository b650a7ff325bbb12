package access

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
	"github.com/order-tracking/order-tracking/internal/paging"
)

// Keys manages API keys. Only administrators may use it.
type Keys struct {
	Store    domain.Store
	Clock    domain.Clock
	Audit    *Audit
	Requests *idempotency.Keys
	Guard    *Guard
}

// NewKey is a request for a key.
type NewKey struct {
	Name       string      `json:"name" minLength:"1" maxLength:"200" example:"shop"`
	Role       domain.Role `json:"role" enum:"admin,dispatcher,merchant,courier,partner,monitor" example:"merchant"`
	MerchantID string      `json:"merchant_id,omitempty" maxLength:"128" example:"shop" doc:"required for merchants and partners"`
	CourierID  string      `json:"courier_id,omitempty" format:"uuid" doc:"required for couriers"`
	ExpiresAt  *time.Time  `json:"expires_at,omitempty"`
}

// IssuedKey is a new key; its secret is shown only once.
type IssuedKey struct {
	domain.Credential
	Key string `json:"key" example:"ot_mer_…"`
}

// keyRoles are the roles a key may have.
var keyRoles = []domain.Role{
	domain.RoleAdmin, domain.RoleDispatcher, domain.RoleMerchant, domain.RoleCourier, domain.RolePartner, domain.RoleMonitor,
}

// How long a rotated key stays valid: the default and the maximum.
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

// expires validates an expiry time.
func expires(f *domain.Faults, at *time.Time, now time.Time) {
	f.Time("/expires_at", at)
	if at != nil && !at.After(now) {
		f.Add("/expires_at", "out_of_range", "must be in the future")
	}
}

// Check validates the input of Create.
func (k *Keys) Check(in NewKey) error { return in.validate(k.Clock.Now()) }

// Create creates a key. It fails with validation_failed, courier_not_found or an idempotency code.
func (k *Keys) Create(ctx context.Context, in NewKey) (*IssuedKey, error) {
	return idempotency.Secret(ctx, k.Requests, "create_key", in, func(rec *domain.Idempotency) (*IssuedKey, error) {
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
		return issued, k.commit(ctx, "key.created", issued.ID, map[string]string{
			"role": string(in.Role), "merchant_id": in.MerchantID, "courier_id": in.CourierID,
		}, domain.AccessChange{Keep: &issued.Credential, Idempotency: rec})
	})
}

// commit commits a change of a key with an entry in the audit log.
func (k *Keys) commit(ctx context.Context, action, id string, data map[string]string, c domain.AccessChange) (err error) {
	if c.Audit, err = k.Audit.Entry(ctx, action, "key:"+id, data); err != nil {
		return err
	}
	return k.Guard.Commit(ctx, c)
}

// issue gives a credential a secret and an id.
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

// Rotation is a request to replace a key.
type Rotation struct {
	// OverlapSeconds is how long the old key stays valid; default a day.
	OverlapSeconds *int `json:"overlap_seconds,omitempty" minimum:"0" maximum:"2592000" doc:"default: a day"`
}

// Check validates the input of Rotate.
func (r Rotation) Check() error {
	var f domain.Faults
	if r.OverlapSeconds != nil {
		domain.Within(&f, "/overlap_seconds", *r.OverlapSeconds, 0, int(maxOverlap.Seconds()))
	}
	return f.Err()
}

// Rotate creates a replacement key: both are valid until the overlap ends. It fails with
// not_found if the key is unknown or has expired.
func (k *Keys) Rotate(ctx context.Context, id string, in Rotation) (*IssuedKey, error) {
	if err := in.Check(); err != nil {
		return nil, err
	}
	return idempotency.Secret(ctx, k.Requests, "rotate_key:"+id, in, func(rec *domain.Idempotency) (*IssuedKey, error) {
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
	return issued, k.commit(ctx, "key.rotated", old.ID, map[string]string{"successor": issued.ID}, domain.AccessChange{
		Keep: &issued.Credential, Expire: old.ID, ExpireAt: next.CreatedAt.Add(overlap), Idempotency: rec,
	})
}

// Revoke revokes a key and ends its sessions and streams; not_found if the key is unknown.
func (k *Keys) Revoke(ctx context.Context, id string) error {
	return idempotency.Do(ctx, k.Requests, "revoke_key", id, func(rec *domain.Idempotency) error {
		old, err := k.get(ctx, id)
		if err != nil {
			return err
		}
		return k.commit(ctx, "key.revoked", old.ID, nil, domain.AccessChange{Drop: old.ID, Idempotency: rec})
	})
}

// get returns a valid key.
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

// AnyAdmin reports whether a valid administrator key exists.
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

// Myself describes the caller and their permissions.
type Myself struct {
	Role        domain.Role `json:"role" example:"merchant"`
	Name        string      `json:"name,omitempty"`
	MerchantID  string      `json:"merchant_id,omitempty"`
	CourierID   string      `json:"courier_id,omitempty"`
	OrderID     string      `json:"order_id,omitempty"`
	ExpiresAt   time.Time   `json:"expires_at,omitzero"`
	Permissions []string    `json:"permissions" example:"[\"createOrder\"]"`
	PhotoForPIN bool        `json:"photo_for_pin" doc:"whether a photo stands in for a PIN that could not be checked without a network (proof.offline)"`
}

// Me returns the caller's description.
func Me(ctx context.Context, photoForPIN bool) (*Myself, error) {
	c, err := domain.CallerFrom(ctx)
	if err != nil {
		return nil, err
	}
	return &Myself{
		Role: c.Kind, Name: c.Name, MerchantID: c.MerchantID, CourierID: c.CourierID, OrderID: c.OrderID,
		ExpiresAt: c.ExpiresAt, Permissions: Permissions(c.Kind), PhotoForPIN: photoForPIN,
	}, nil
}

// OrderPIN derives the PIN of an order from its id and the installation's key: four digits.
func OrderPIN(key []byte, orderID string) string {
	raw, _ := hkdf.Expand(sha256.New, key, "order pin "+orderID, 8) // fails for lengths of more than 8 KB only
	return fmt.Sprintf("%04d", binary.BigEndian.Uint64(raw)%10_000)
}

// A secret has the form ot_<kind>_<30 base62><6 base62 CRC-32 of the preceding text>. The checksum rejects typos and most
// made-up secrets without a look-up; secret scanners recognise the form.
const (
	secretStart  = "ot_"
	secretRandom = 30 // 178 bits
	secretSum    = 6
	secretLength = len(secretStart) + 3 + 1 + secretRandom + secretSum
	// prefixLength is how much of a secret is stored to tell it apart from others.
	prefixLength = len(secretStart) + 3 + 1 + 4

	base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// kindOf is the secret kind of each role.
var kindOf = map[domain.Role]string{
	domain.RoleAdmin: "adm", domain.RoleDispatcher: "dsp", domain.RoleMerchant: "mer", domain.RoleCourier: "cou",
	domain.RolePartner: "prt", domain.RoleMonitor: "mon", domain.RoleCustomer: "shr",
}

// Kinds that belong to no role.
const (
	kindPhone   = "phn"
	kindSession = "ses"
	kindCode    = "cod"
)

// NewPhoneToken makes the secret of a courier's phone.
func NewPhoneToken() string { return newSecret(kindPhone) }

// newSecret makes a random secret.
func newSecret(kind string) string {
	var raw [2 * secretRandom]byte
	for {
		_, _ = rand.Read(raw[:]) // never fails
		if s, ok := compose(kind, raw[:]); ok {
			return s
		}
	}
}

// linkSecret derives a share link's secret from its id and the installation's key.
func linkSecret(key []byte, linkID string) (string, error) {
	raw, err := hkdf.Expand(sha256.New, key, "share link "+linkID, 4*secretRandom)
	if err != nil {
		return "", err
	}
	s, ok := compose(kindOf[domain.RoleCustomer], raw)
	if !ok { // once in 10^40
		return "", domain.Errorf(domain.CodeInternal, "no secret comes of the link %s", linkID)
	}
	return s, nil
}

// compose encodes random bytes as a secret. It skips bytes that would bias the letters, and returns false if too few are left.
func compose(kind string, random []byte) (string, bool) {
	b := make([]byte, 0, secretLength)
	b = append(append(append(b, secretStart...), kind...), '_')
	want := len(b) + secretRandom
	for _, r := range random {
		if len(b) == want {
			break
		}
		if int(r) < 256/len(base62)*len(base62) {
			b = append(b, base62[int(r)%len(base62)])
		}
	}
	if len(b) < want {
		return "", false
	}
	sum := checksum(string(b))
	return string(append(b, sum[:]...)), true
}

// checksum returns the CRC-32 (IEEE) of a secret's beginning.
func checksum(s string) (out [secretSum]byte) {
	sum := ^uint32(0) // as crc32.ChecksumIEEE does, which needs a copy on the heap
	for i := range len(s) {
		sum = crc32.IEEETable[byte(sum)^s[i]] ^ sum>>8
	}
	sum = ^sum
	for i := secretSum - 1; i >= 0; i-- {
		out[i] = base62[sum%uint32(len(base62))]
		sum /= uint32(len(base62))
	}
	return out
}

// wellFormed reports whether s has the form of a secret and a valid checksum.
func wellFormed(s string) bool {
	if len(s) != secretLength || !strings.HasPrefix(s, secretStart) || s[len(secretStart)+3] != '_' {
		return false
	}
	sum := checksum(s[:secretLength-secretSum])
	return s[secretLength-secretSum:] == string(sum[:])
}
