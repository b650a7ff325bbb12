package domain

import (
	"crypto/sha256"
	"time"
)

// CredentialKind is the purpose of a credential.
type CredentialKind string

// The kinds of stored credentials.
const (
	CredentialKey     CredentialKind = "key"     // for a program
	CredentialLink    CredentialKind = "link"    // shows one order to its holder
	CredentialSession CredentialKind = "session" // a page's, in a cookie
	CredentialCode    CredentialKind = "code"    // opens one session
)

// Credential authenticates its holder. The secret itself is shown once and not stored.
type Credential struct {
	ID   string         `json:"id" format:"uuid"`
	Kind CredentialKind `json:"-"`
	Hash [32]byte       `json:"-"` // of the secret, see HashToken
	// ParentID is the credential that opened the session: both end together.
	ParentID string `json:"-"`
	// Prefix is the beginning of the secret, to tell keys apart.
	Prefix     string     `json:"prefix,omitempty"`
	Name       string     `json:"name,omitempty"`
	Role       Role       `json:"role" example:"merchant"`
	MerchantID string     `json:"merchant_id,omitempty"`
	CourierID  string     `json:"courier_id,omitempty"`
	OrderID    string     `json:"order_id,omitempty"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at,omitempty"`
	// LastUsedAt has a precision of one minute.
	LastUsedAt *time.Time `json:"last_used_at,omitempty"`
}

// Caller returns the caller that the credential authenticates.
func (c *Credential) Caller() *Caller {
	who := &Caller{
		Actor: Actor{Kind: c.Role, ID: c.ID}, Name: c.Name, Credential: c.ID, ExpiresAt: Or(c.ExpiresAt, time.Time{}),
		MerchantID: c.MerchantID, CourierID: c.CourierID, OrderID: c.OrderID,
	}
	switch {
	case c.Role == RoleCourier: // the same person on every phone
		who.ID = c.CourierID
	case c.Kind == CredentialSession:
		who.ID = c.ParentID
	}
	return who
}

// Live reports whether the credential has not expired.
func (c *Credential) Live(now time.Time) bool { return c.ExpiresAt == nil || now.Before(*c.ExpiresAt) }

// Login is a sign-in at an identity provider that is under way.
type Login struct {
	// State ties the provider's answer to the browser, Nonce the token to the sign-in, and
	// Verifier proves that who redeems the code began it (PKCE).
	State, Nonce, Verifier string
	// RedirectURL is where the provider sends the browser back to.
	RedirectURL string
}

// AccessChange is one change of access rights, committed as a whole. Empty fields change nothing.
type AccessChange struct {
	// Keep is a new credential to store.
	Keep *Credential
	// Drop is the id of a credential to revoke, together with every session it opened.
	Drop string
	// Expire is the id of a credential that ends at ExpireAt at the latest, its sessions too.
	Expire   string
	ExpireAt time.Time
	// Document is stored if its version is one above the stored one.
	Document *Document
	Audit    *AuditEntry
	// Deliveries are messages about the change.
	Deliveries []Delivery
	// Idempotency is recorded with the change; if it was recorded before, the change fails with ErrRecorded.
	Idempotency *Idempotency
}

// TakesAway reports whether cached access data may be outdated by the change.
func (c *AccessChange) TakesAway() bool { return c.Drop != "" || c.Expire != "" || c.Document != nil }

// The kinds of documents.
const (
	DocumentMerchant = "merchant"
	DocumentSettings = "settings"
	DocumentWebhook  = "webhook"
	DocumentRules    = "notification_rules"
)

// Document is configuration that staff change at run time: a merchant, the settings, a webhook.
type Document struct {
	Kind      string
	ID        string // the merchant's or webhook's; empty for the settings
	Version   int64  // from 1
	Data      []byte // JSON; empty to delete the version before
	UpdatedAt time.Time
	// Trail has the author of this version; the store keeps its members.
	Trail
}

// Expect fails with version_conflict when the document, nil if there is none yet, is not at the
// version that the caller has seen. Zero expects nothing, and a negative version is that of no document.
func (d *Document) Expect(version int64, caller *Caller) error {
	if d == nil {
		d = new(Document)
	}
	if version == 0 || max(version, 0) == d.Version {
		return nil
	}
	return d.Moved(d.Version, max(version, 0), d.UpdatedAt, caller)
}

// AuditEntry records a change of access, settings or personal data. It holds ids and keyed
// hashes only, so that erasing a person does not change it.
type AuditEntry struct {
	// Position orders the entries; the store assigns it.
	Position int64     `json:"position"`
	At       time.Time `json:"at"`
	Actor    Actor     `json:"actor"`
	Action   string    `json:"action"`           // such as key.created
	Object   string    `json:"object,omitempty"` // such as key:0190…
	// Remote is a keyed hash of the caller's address.
	Remote string            `json:"remote,omitempty"`
	Data   map[string]string `json:"data,omitempty"`
}

// AuditFilter narrows a list of audit entries; zero fields match everything.
type AuditFilter struct {
	ActorID  string
	Object   string
	From, To time.Time // To is exclusive
}

// AuditSeal closes a batch of audit entries: its hash covers the previous seal's hash and
// the entries since, so that changed or missing entries are noticed.
type AuditSeal struct {
	Number       int64 // from 1
	LastPosition int64 // of the newest entry in it
	Hash         []byte
	SealedAt     time.Time
}

// TicketTTL is the lifetime of a ticket: a page requests one right before it connects.
const TicketTTL = 30 * time.Second

// Ticket authorizes its holder to open one stream: browsers can't send headers when they
// open one, and keys do not belong in URLs. The ticket itself is shown once and not stored.
type Ticket struct {
	Hash      [32]byte // of the ticket, see HashToken
	Caller    Caller   // the caller who requested it
	ExpiresAt time.Time
}

// PhoneToken authorizes a phone to report the positions of one courier. The token itself is shown once and not stored.
type PhoneToken struct {
	ID        string            `json:"id"`
	CourierID string            `json:"courier_id"`
	Hash      [sha256.Size]byte `json:"-"` // of the token
	CreatedAt time.Time         `json:"created_at"`
}

// HashToken returns the stored hash of a token. Tokens are long and random, so a plain hash is enough.
func HashToken(token string) [sha256.Size]byte { return sha256.Sum256([]byte(token)) }
