package domain

import (
	"context"
	"time"
)

// PhoneTokens stores which phones may report which couriers' positions.
type PhoneTokens interface {
	// KeepToken commits a token, or fails with courier_not_found.
	KeepToken(ctx context.Context, t PhoneToken, idem *Idempotency) error
	// Tokens returns a courier's tokens, newest first.
	Tokens(ctx context.Context, courierID string) ([]PhoneToken, error)
	// TokenOwner returns the courier of the token with this hash, or "".
	TokenOwner(ctx context.Context, hash [32]byte) (string, error)
	// DropTokens removes a courier's token by id, or all of them when id is empty, and returns the ids of the removed tokens.
	DropTokens(ctx context.Context, courierID, id string, idem *Idempotency) ([]string, error)
}

// Tickets stores tickets until they are used.
type Tickets interface {
	// KeepTicket commits a ticket.
	KeepTicket(ctx context.Context, t Ticket) error
	// TakeTicket removes and returns the ticket with this hash, or nil; of several callers one gets it.
	TakeTicket(ctx context.Context, hash [32]byte) (*Ticket, error)
}

// AccessStore stores credentials, documents and the audit log.
type AccessStore interface {
	// ChangeAccess commits the change, or fails with not_found (the credential to drop or expire) or version_conflict.
	ChangeAccess(ctx context.Context, c AccessChange) error
	// AccessEpoch grows when access is revoked or a document changes: data read before may be outdated.
	AccessEpoch(ctx context.Context) (int64, error)
	// CredentialByHash returns the credential with this hash, even an expired one, or nil.
	CredentialByHash(ctx context.Context, hash [32]byte) (*Credential, error)
	// TakeCode removes and returns the code with this hash, or nil; of several callers one gets it.
	TakeCode(ctx context.Context, hash [32]byte) (*Credential, error)
	// Credential returns the credential by id, or nil.
	Credential(ctx context.Context, id string) (*Credential, error)
	// Credentials returns a page of a kind's credentials (of an order, if set), newest first, and the next cursor.
	Credentials(ctx context.Context, kind CredentialKind, orderID string, p Page) ([]Credential, *Cursor, error)
	// KnownCredentials returns the expiry times of the credentials that exist, by id.
	KnownCredentials(ctx context.Context, ids []string) (map[string]*time.Time, error)
	// CredentialsUsed records when credentials, by id, were used.
	CredentialsUsed(ctx context.Context, at map[string]time.Time) error
	// Document returns a document, or nil.
	Document(ctx context.Context, kind, id string) (*Document, error)
	// Documents returns the documents of a kind with an id after the given one, by id, at most limit.
	Documents(ctx context.Context, kind, after string, limit int) ([]Document, error)
	// Secret returns the installation's secret by name; the first caller's proposal is stored.
	Secret(ctx context.Context, name string, proposal []byte) ([]byte, error)
	// AuditEntries returns entries below a position (0: all), newest first, at most limit.
	AuditEntries(ctx context.Context, f AuditFilter, before int64, limit int) ([]AuditEntry, error)
	// AuditAfter returns entries with a position above after, oldest first, at most limit.
	AuditAfter(ctx context.Context, after int64, limit int) ([]AuditEntry, error)
	// AuditSeals returns the seals with a number above after, oldest first, at most limit.
	AuditSeals(ctx context.Context, after int64, limit int) ([]AuditSeal, error)
	// SealAudit commits the next seal; of several callers with the same number one gets true.
	SealAudit(ctx context.Context, s AuditSeal) (bool, error)
}

// Issuer is an OpenID Connect provider that authenticates callers. Its methods fail with
// unavailable while nothing is known about the provider because it does not answer.
type Issuer interface {
	// Verify returns the caller of a bearer token (a JWT). It fails with unauthenticated, or
	// with forbidden if a valid token gives no role.
	Verify(ctx context.Context, token string) (*Caller, error)
	// LoginURL returns the provider's page where people sign in.
	LoginURL(ctx context.Context, l Login) (string, error)
	// Redeem exchanges the code of a sign-in for its caller, whose expiry is the page's; it fails like Verify.
	Redeem(ctx context.Context, l Login, code string) (*Caller, error)
}

// Privacy stores whose data is to be erased, and erases what orders leave elsewhere.
type Privacy interface {
	// KeepErasures remembers orders to be erased, together with the audit entry and the
	// idempotency record when set; ErrRecorded as above.
	KeepErasures(ctx context.Context, list []Erasure, audit *AuditEntry, idem *Idempotency) error
	// DueErasures returns the remembered orders that are final, at most limit, and whether any orders are remembered.
	DueErasures(ctx context.Context, limit int) (due []Erasure, waiting bool, err error)
	// OldOrders returns the ids of final orders created before a time whose customers' data
	// was not erased, oldest first, after the cursor, at most limit.
	OldOrders(ctx context.Context, before time.Time, after Cursor, limit int) ([]Cursor, error)
	// EraseTraces erases everything about orders that are Erased themselves: their history,
	// events not yet published, remembered answers, shipments' papers, links. It forgets
	// their erasures and commits the audit entry with that, unless another replica did.
	EraseTraces(ctx context.Context, orderIDs []string, audit *AuditEntry) error
	// Traces returns everything that is held about an order beside itself and its events, by table.
	Traces(ctx context.Context, orderID string) (map[string][]map[string]any, error)
}

// Quotas counts calls for all replicas together. Its methods fail with unavailable.
type Quotas interface {
	// TakeQuota takes up to n calls from a quota of full/every calls, one of which comes back
	// every so often. It returns how many it got and how long until the quota is full again.
	TakeQuota(ctx context.Context, who string, every, full time.Duration, n int) (got int, reset time.Duration, err error)
	// Replicas announces this process and returns how many share the quotas.
	Replicas(ctx context.Context) (int, error)
}
