package domain

import "time"

// CredentialKind is what a credential is for.
type CredentialKind string

// The kinds of stored credentials.
const (
	CredentialKey     CredentialKind = "key"     // a program's
	CredentialLink    CredentialKind = "link"    // shows one order to whoever has it
	CredentialSession CredentialKind = "session" // a page's, in a cookie
	CredentialCode    CredentialKind = "code"    // opens one session
)

// Credential is something that lets its holder in. The secret itself is shown once and
// not kept.
type Credential struct {
	ID   string         `json:"id" format:"uuid"`
	Kind CredentialKind `json:"-"`
	Hash [32]byte       `json:"-"` // of the secret, see HashToken
	// ParentID is the credential that a session was opened with: both end together.
	ParentID string `json:"-"`
	// Prefix is how the secret begins, to tell keys apart.
	Prefix     string     `json:"prefix,omitempty"`
	Name       string     `json:"name,omitempty"`
	Role       Role       `json:"role" example:"merchant"`
	MerchantID string     `json:"merchant_id,omitempty"`
	CourierID  string     `json:"courier_id,omitempty"`
	OrderID    string     `json:"order_id,omitempty"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at,omitempty"`
	// LastUsedAt is right to a minute.
	LastUsedAt *time.Time `json:"last_used_at,omitempty"`
}

// Caller is who comes in with the credential.
func (c *Credential) Caller() *Caller {
	who := &Caller{
		Actor: Actor{Kind: c.Role, ID: c.ID}, Name: c.Name, Credential: c.ID,
		MerchantID: c.MerchantID, CourierID: c.CourierID, OrderID: c.OrderID,
	}
	switch {
	case c.Role == RoleCourier: // the same person on every phone
		who.ID = c.CourierID
	case c.Kind == CredentialSession:
		who.ID = c.ParentID
	}
	if c.ExpiresAt != nil {
		who.ExpiresAt = *c.ExpiresAt
	}
	return who
}

// Live says whether the credential has not expired.
func (c *Credential) Live(now time.Time) bool { return c.ExpiresAt == nil || now.Before(*c.ExpiresAt) }

// AccessChange is one change of who may do what, committed as a whole. Empty fields
// change nothing.
type AccessChange struct {
	// Keep is a new credential.
	Keep *Credential
	// Drop is the id of a credential that ends now, with every session opened by it.
	Drop string
	// Expire is the id of a credential that ends at ExpireAt at the latest, sessions too.
	Expire   string
	ExpireAt time.Time
	// Document is stored when its version is one above what is stored.
	Document *Document
	Audit    *AuditEntry
	// Idempotency is remembered with the change; when it is already, the change fails with ErrRecorded.
	Idempotency *Idempotency
}

// TakesAway says whether what was read before may not be true any more.
func (c *AccessChange) TakesAway() bool { return c.Drop != "" || c.Expire != "" || c.Document != nil }

// The kinds of documents.
const (
	DocumentMerchant = "merchant"
	DocumentSettings = "settings"
)

// Document is what staff set up while the product runs: a merchant, the settings.
type Document struct {
	Kind    string
	ID      string // the merchant's; empty for the settings
	Version int64  // from 1
	Data    []byte // JSON
	// UpdatedAt and ChangedBy say when this version was made, and by whom.
	UpdatedAt time.Time
	ChangedBy Actor
}

// AuditEntry is one line of who changed access, settings and personal data. It holds
// ids and keyed hashes only, so that erasing a person leaves it as it is.
type AuditEntry struct {
	// Position orders the entries; the store gives it.
	Position int64     `json:"position"`
	At       time.Time `json:"at"`
	Actor    Actor     `json:"actor"`
	Action   string    `json:"action"`           // such as key.created
	Object   string    `json:"object,omitempty"` // such as key:0190…
	// Remote is a keyed hash of the caller's address.
	Remote string            `json:"remote,omitempty"`
	Data   map[string]string `json:"data,omitempty"`
}

// AuditFilter narrows a list of audit entries; zero fields do not.
type AuditFilter struct {
	ActorID  string
	Object   string
	From, To time.Time // To is exclusive
}

// AuditSeal closes a batch of audit entries: its hash is over the hash of the seal before
// and the entries after that, so that none can be changed or left out unnoticed.
type AuditSeal struct {
	Number       int64 // from 1
	LastPosition int64 // of the newest entry in it
	Hash         []byte
	SealedAt     time.Time
}
