package database

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

//nolint:gosec // names of columns, no credentials
const credentialColumns = `id, kind, hash, COALESCE(parent_id, ''), prefix, name, role, merchant_id, courier_id,
	COALESCE(order_id, ''), created_at, expires_at, last_used_at`

func scanCredential(r *sql.Rows) (c domain.Credential, err error) {
	var hash []byte
	var expires, used time.Time
	err = r.Scan(&c.ID, &c.Kind, &hash, &c.ParentID, &c.Prefix, &c.Name, &c.Role, &c.MerchantID, &c.CourierID,
		&c.OrderID, instant{&c.CreatedAt}, instant{&expires}, instant{&used})
	copy(c.Hash[:], hash)
	c.ExpiresAt, c.LastUsedAt = optional(expires), optional(used)
	return c, err
}

// optional maps the zero time to nil.
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func nullInstant(t *time.Time) any { return nullTime(domain.Or(t, time.Time{})) }

// ChangeAccess commits the change; see domain.AccessStore.
func (s *Store) ChangeAccess(ctx context.Context, c domain.AccessChange) error {
	caller, _ := domain.CallerFrom(ctx) //nolint:errcheck // the product itself has none
	return s.within(ctx, func(t *txn) {
		t.record(c.Idempotency)
		t.endCredentials(c)
		if k := c.Keep; k != nil {
			t.exec(`INSERT INTO credentials (id, kind, hash, parent_id, prefix, name, role, merchant_id,
				courier_id, order_id, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
				k.ID, k.Kind, k.Hash[:], null(k.ParentID), k.Prefix, k.Name, k.Role, k.MerchantID, k.CourierID,
				null(k.OrderID), micros(k.CreatedAt), nullInstant(k.ExpiresAt))
		}
		if c.Document != nil {
			t.putDocument(c.Document, caller)
		}
		if c.TakesAway() {
			t.exec(`UPDATE access_state SET epoch = epoch + 1`)
		}
		for i := range c.Deliveries {
			t.insert(deliveriesTable, deliveryValues(&c.Deliveries[i]))
		}
		t.appendAudit(c.Audit)
	})
}

// endCredentials deletes or expires the change's credentials and the sessions they opened.
func (t *txn) endCredentials(c domain.AccessChange) {
	for _, end := range []struct {
		id, text string
		args     []any
	}{
		{c.Drop, `DELETE FROM credentials WHERE %s = $1`, nil},
		{c.Expire, `UPDATE credentials SET expires_at = $2 WHERE %s = $1 AND (expires_at IS NULL OR expires_at > $2)`, []any{micros(c.ExpireAt)}},
	} {
		if end.id == "" {
			continue
		}
		if len(rowsOf(t, scanOne[string], `SELECT id FROM credentials WHERE id = $1 OR parent_id = $1`, end.id)) == 0 {
			t.fail(domain.Errorf(domain.CodeNotFound, "nothing has the id %s", end.id))
		}
		for _, column := range []string{"id", "parent_id"} {
			t.exec(fmt.Sprintf(end.text, column), append([]any{end.id}, end.args...)...)
		}
	}
}

// putDocument stores a document over its previous version, or deletes that one.
func (t *txn) putDocument(d *domain.Document, caller *domain.Caller) {
	var old domain.Document
	if found := rowsOf(t, scanDocument, documentColumns+` WHERE kind = $1 AND id = $2`+t.d.forUpdate, d.Kind, d.ID); len(found) > 0 {
		old = found[0]
	}
	if d.Version != old.Version+1 {
		t.fail(old.Moved(old.Version, d.Version-1, old.UpdatedAt, caller))
	}
	if len(d.Data) == 0 {
		t.exec(`DELETE FROM documents WHERE kind = $1 AND id = $2`, d.Kind, d.ID)
		return
	}
	trail, _ := old.Step(d.Version, d.ChangedBy, old.Data, d.Data)
	n := t.exec(`INSERT INTO documents (kind, id, version, updated_at, changed_by, members, data)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (kind, id) DO UPDATE SET version = excluded.version, updated_at = excluded.updated_at,
		changed_by = excluded.changed_by, members = excluded.members, data = excluded.data WHERE documents.version = excluded.version - 1`,
		d.Kind, d.ID, d.Version, micros(d.UpdatedAt), encoded{trail.ChangedBy}, encoded{trail.Members}, string(d.Data))
	if n == 0 { // another first version was faster
		t.fail(old.Moved(d.Version, d.Version-1, d.UpdatedAt, caller))
	}
}

// appendAudit appends the entry, if there is one, at the next position.
func (t *txn) appendAudit(entry *domain.AuditEntry) {
	if entry == nil {
		return
	}
	for _, position := range rowsOf(t, scanOne[int64], `UPDATE access_state SET audited = audited + 1 RETURNING audited`) {
		e := *entry
		e.Position = position
		t.exec(`INSERT INTO audit (position, at, actor_id, object, data) VALUES ($1, $2, $3, $4, $5)`,
			e.Position, micros(e.At), e.Actor.ID, e.Object, encoded{e})
	}
}

// AccessEpoch returns the epoch; see domain.AccessStore.
func (s *Store) AccessEpoch(ctx context.Context) (int64, error) {
	return value[int64](ctx, s, `SELECT epoch FROM access_state`)
}

// CredentialByHash returns the credential with this hash, or nil.
func (s *Store) CredentialByHash(ctx context.Context, hash [32]byte) (*domain.Credential, error) {
	return s.credential(ctx, "hash", hash[:])
}

// Credential returns the credential of the id, or nil.
func (s *Store) Credential(ctx context.Context, id string) (*domain.Credential, error) {
	return s.credential(ctx, "id", id)
}

func (s *Store) credential(ctx context.Context, column string, value any) (*domain.Credential, error) {
	return firstOf(list(ctx, s, scanCredential, `SELECT `+credentialColumns+` FROM credentials WHERE `+column+` = $1`, value))
}

// TakeCode deletes and returns the code with this hash; see domain.AccessStore.
func (s *Store) TakeCode(ctx context.Context, hash [32]byte) (*domain.Credential, error) {
	return firstOf(changed(ctx, s, scanCredential, `DELETE FROM credentials WHERE hash = $1 AND kind = $2 RETURNING `+credentialColumns,
		hash[:], domain.CredentialCode))
}

// Credentials returns a page of credentials; see domain.AccessStore.
func (s *Store) Credentials(
	ctx context.Context, kind domain.CredentialKind, orderID string, p domain.Page,
) ([]domain.Credential, *domain.Cursor, error) {
	l := newListing(p)
	l.and("kind = %s", string(kind))
	l.when(orderID != "", "order_id = %s", orderID)
	l.fromCursor()
	return read(ctx, s, l, l.newest(credentialColumns, "credentials"), scanCredential, func(c domain.Credential) domain.Cursor {
		return domain.Cursor{CreatedAt: c.CreatedAt, ID: c.ID}
	})
}

// KnownCredentials returns expiry times by credential id; see domain.AccessStore.
func (s *Store) KnownCredentials(ctx context.Context, ids []string) (map[string]*time.Time, error) {
	out := make(map[string]*time.Time, len(ids))
	_, err := list(ctx, s, func(r *sql.Rows) (none struct{}, err error) {
		var id string
		var expires time.Time
		err = r.Scan(&id, instant{&expires})
		out[id] = optional(expires)
		return none, err
	}, `SELECT id, expires_at FROM credentials WHERE id`+s.d.among, s.d.list(ids))
	return out, err
}

// CredentialsUsed records when credentials were last used.
func (s *Store) CredentialsUsed(ctx context.Context, at map[string]time.Time) error {
	return s.within(ctx, func(t *txn) {
		for _, id := range slices.Sorted(maps.Keys(at)) { // every transaction locks in the same order
			t.exec(`UPDATE credentials SET last_used_at = $2
				WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)`, id, micros(at[id]))
		}
	})
}

// Document returns a document, or nil if there is none.
func (s *Store) Document(ctx context.Context, kind, id string) (*domain.Document, error) {
	return firstOf(list(ctx, s, scanDocument, documentColumns+` WHERE kind = $1 AND id = $2`, kind, id))
}

// Documents returns documents of a kind by id; see domain.AccessStore.
func (s *Store) Documents(ctx context.Context, kind, after string, limit int) ([]domain.Document, error) {
	return list(ctx, s, scanDocument, documentColumns+` WHERE kind = $1 AND id > $2 ORDER BY id LIMIT $3`, kind, after, limit)
}

const documentColumns = `SELECT kind, id, version, updated_at, changed_by, members, data FROM documents`

func scanDocument(r *sql.Rows) (d domain.Document, err error) {
	return d, r.Scan(&d.Kind, &d.ID, &d.Version, instant{&d.UpdatedAt}, encoded{&d.ChangedBy}, encoded{&d.Members}, &d.Data)
}

// Secret returns the installation's secret of the name; see domain.AccessStore.
func (s *Store) Secret(ctx context.Context, name string, proposal []byte) ([]byte, error) {
	const read = `SELECT value FROM secrets WHERE name = $1`
	if known, err := value[[]byte](ctx, s, read, name); known != nil || err != nil {
		return known, err
	}
	if err := s.do(ctx, `INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING`, name, proposal); err != nil {
		return nil, err
	}
	return value[[]byte](ctx, s, read, name)
}

// AuditEntries returns entries, newest first; see domain.AccessStore.
func (s *Store) AuditEntries(ctx context.Context, f domain.AuditFilter, before int64, limit int) ([]domain.AuditEntry, error) {
	l := newListing(domain.Page{})
	l.args[0] = limit
	l.when(f.ActorID != "", "actor_id = %s", f.ActorID)
	l.when(f.Object != "", "object = %s", f.Object)
	l.when(!f.From.IsZero(), "at >= %s", micros(f.From))
	l.when(!f.To.IsZero(), "at < %s", micros(f.To))
	l.when(before != 0, "position < %s", before)
	return varying(ctx, s, scanAudit, `SELECT data FROM audit`+l.conditions()+` ORDER BY position DESC LIMIT $1`, l.args)
}

// AuditAfter returns entries, oldest first; see domain.AccessStore.
func (s *Store) AuditAfter(ctx context.Context, after int64, limit int) ([]domain.AuditEntry, error) {
	return list(ctx, s, scanAudit, `SELECT data FROM audit WHERE position > $1 ORDER BY position LIMIT $2`, after, limit)
}

func scanAudit(r *sql.Rows) (e domain.AuditEntry, err error) { return e, r.Scan(encoded{&e}) }

// AuditSeals returns seals, oldest first; see domain.AccessStore.
func (s *Store) AuditSeals(ctx context.Context, after int64, limit int) ([]domain.AuditSeal, error) {
	return list(ctx, s, func(r *sql.Rows) (v domain.AuditSeal, err error) {
		return v, r.Scan(&v.Number, &v.LastPosition, &v.Hash, instant{&v.SealedAt})
	}, `SELECT number, last_position, hash, sealed_at FROM audit_seals WHERE number > $1 ORDER BY number LIMIT $2`, after, limit)
}

// SealAudit commits the next seal; see domain.AccessStore.
func (s *Store) SealAudit(ctx context.Context, v domain.AuditSeal) (bool, error) {
	n, err := s.change(ctx, `INSERT INTO audit_seals (number, last_position, hash, sealed_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT DO NOTHING`, v.Number, v.LastPosition, v.Hash, micros(v.SealedAt))
	return n == 1, err
}

// KeepTicket commits a ticket.
func (s *Store) KeepTicket(ctx context.Context, t domain.Ticket) error {
	return s.do(ctx, `INSERT INTO tickets (hash, caller, expires_at) VALUES ($1, $2, $3)`, t.Hash[:], encoded{t.Caller}, micros(t.ExpiresAt))
}

// TakeTicket deletes and returns the ticket with this hash; see domain.Tickets.
func (s *Store) TakeTicket(ctx context.Context, hash [32]byte) (*domain.Ticket, error) {
	return firstOf(changed(ctx, s, into(func(t *domain.Ticket) []any {
		t.Hash = hash
		return []any{encoded{&t.Caller}, instant{&t.ExpiresAt}}
	}), `DELETE FROM tickets WHERE hash = $1 RETURNING caller, expires_at`, hash[:]))
}
