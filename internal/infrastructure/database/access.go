package database

import (
	"context"
	"database/sql"
	"encoding/json"
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

func nullInstant(t *time.Time) any {
	if t == nil {
		return nil
	}
	return micros(*t)
}

// ChangeAccess commits the change; see domain.AccessStore.
func (s *Store) ChangeAccess(ctx context.Context, c domain.AccessChange) error {
	caller, _ := domain.CallerFrom(ctx) //nolint:errcheck // the product itself has none
	return failure(s.d.job(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := s.record(ctx, tx, c.Idempotency); err != nil {
			return err
		}
		if err := endCredentials(ctx, tx, c); err != nil {
			return err
		}
		if k := c.Keep; k != nil {
			_, err := tx.ExecContext(ctx, `INSERT INTO credentials (id, kind, hash, parent_id, prefix, name, role, merchant_id,
				courier_id, order_id, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
				k.ID, k.Kind, k.Hash[:], null(k.ParentID), k.Prefix, k.Name, k.Role, k.MerchantID, k.CourierID,
				null(k.OrderID), micros(k.CreatedAt), nullInstant(k.ExpiresAt))
			if err != nil {
				return err
			}
		}
		if c.Document != nil {
			if err := s.putDocument(ctx, tx, c.Document, caller); err != nil {
				return err
			}
		}
		if c.TakesAway() {
			if _, err := tx.ExecContext(ctx, `UPDATE access_state SET epoch = epoch + 1`); err != nil {
				return err
			}
		}
		for i := range c.Deliveries {
			if _, err := tx.ExecContext(ctx, insertDelivery, deliveryValues(&c.Deliveries[i])...); err != nil {
				return err
			}
		}
		if c.Audit == nil {
			return nil
		}
		return appendAudit(ctx, tx, *c.Audit)
	}))
}

// endCredentials deletes or expires the change's credentials and the sessions they opened.
func endCredentials(ctx context.Context, tx *sql.Tx, c domain.AccessChange) error {
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
		var there int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM credentials WHERE id = $1 OR parent_id = $1`, end.id).Scan(&there); err != nil {
			return err
		}
		if there == 0 {
			return domain.Errorf(domain.CodeNotFound, "nothing has the id %s", end.id)
		}
		for _, column := range []string{"id", "parent_id"} {
			if _, err := tx.ExecContext(ctx, fmt.Sprintf(end.text, column), append([]any{end.id}, end.args...)...); err != nil {
				return err
			}
		}
	}
	return nil
}

// putDocument stores a document over its previous version, or deletes that one.
func (s *Store) putDocument(ctx context.Context, tx *sql.Tx, d *domain.Document, caller *domain.Caller) error {
	rows, err := tx.QueryContext(ctx, documentColumns+` WHERE kind = $1 AND id = $2`+s.d.forUpdate, d.Kind, d.ID)
	found, err := collect(rows, err, scanDocument)
	if err != nil {
		return err
	}
	var old domain.Document
	if len(found) > 0 {
		old = found[0]
	}
	if d.Version != old.Version+1 {
		return old.Moved(old.Version, d.Version-1, old.UpdatedAt, caller)
	}
	if len(d.Data) == 0 {
		_, err := tx.ExecContext(ctx, `DELETE FROM documents WHERE kind = $1 AND id = $2`, d.Kind, d.ID)
		return err
	}
	trail, _ := old.Step(d.Version, d.ChangedBy, old.Data, d.Data)
	by, err := json.Marshal(trail.ChangedBy)
	if err != nil {
		return err
	}
	members, err := json.Marshal(trail.Members)
	if err != nil {
		return err
	}
	n, err := affected(tx.ExecContext(ctx, `INSERT INTO documents (kind, id, version, updated_at, changed_by, members, data)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (kind, id) DO UPDATE SET version = excluded.version, updated_at = excluded.updated_at,
		changed_by = excluded.changed_by, members = excluded.members, data = excluded.data WHERE documents.version = excluded.version - 1`,
		d.Kind, d.ID, d.Version, micros(d.UpdatedAt), string(by), string(members), string(d.Data)))
	if err == nil && n == 0 { // another first version was faster
		err = old.Moved(d.Version, d.Version-1, d.UpdatedAt, caller)
	}
	return err
}

// appendAudit appends the entry at the next position.
func appendAudit(ctx context.Context, tx *sql.Tx, e domain.AuditEntry) error {
	err := tx.QueryRowContext(ctx, `UPDATE access_state SET audited = audited + 1 RETURNING audited`).Scan(&e.Position)
	if err != nil {
		return err
	}
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO audit (position, at, actor_id, object, data) VALUES ($1, $2, $3, $4, $5)`,
		e.Position, micros(e.At), e.Actor.ID, e.Object, string(data))
	return err
}

// AccessEpoch returns the epoch; see domain.AccessStore.
func (s *Store) AccessEpoch(ctx context.Context) (epoch int64, err error) {
	_, err = s.one(ctx, `SELECT epoch FROM access_state`, nil, &epoch)
	return epoch, err
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
	found, err := list(ctx, s, scanCredential, `SELECT `+credentialColumns+` FROM credentials WHERE `+column+` = $1`, value)
	if len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// TakeCode deletes and returns the code with this hash; see domain.AccessStore.
func (s *Store) TakeCode(ctx context.Context, hash [32]byte) (*domain.Credential, error) {
	taken, err := changed(ctx, s, scanCredential, `DELETE FROM credentials WHERE hash = $1 AND kind = $2 RETURNING `+credentialColumns,
		hash[:], domain.CredentialCode)
	if len(taken) == 0 {
		return nil, err
	}
	return &taken[0], nil
}

// Credentials returns a page of credentials; see domain.AccessStore.
func (s *Store) Credentials(
	ctx context.Context, kind domain.CredentialKind, orderID string, p domain.Page,
) ([]domain.Credential, *domain.Cursor, error) {
	l := newListing(p)
	l.and("kind = %s", string(kind))
	if orderID != "" {
		l.and("order_id = %s", orderID)
	}
	if c := l.page.After; !c.CreatedAt.IsZero() {
		l.where = append(l.where, l.after(c))
	}
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
	return failure(s.d.job(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, id := range slices.Sorted(maps.Keys(at)) { // every transaction locks in the same order
			_, err := tx.ExecContext(ctx, `UPDATE credentials SET last_used_at = $2
				WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)`, id, micros(at[id]))
			if err != nil {
				return err
			}
		}
		return nil
	}))
}

// Document returns a document, or nil if there is none.
func (s *Store) Document(ctx context.Context, kind, id string) (*domain.Document, error) {
	found, err := list(ctx, s, scanDocument, documentColumns+` WHERE kind = $1 AND id = $2`, kind, id)
	if len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
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
func (s *Store) Secret(ctx context.Context, name string, proposal []byte) (value []byte, err error) {
	read := func() (bool, error) {
		return s.one(ctx, `SELECT value FROM secrets WHERE name = $1`, []any{name}, &value)
	}
	if found, err := read(); found || err != nil {
		return value, err
	}
	if _, err = s.change(ctx, `INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING`, name, proposal); err != nil {
		return nil, err
	}
	_, err = read()
	return value, err
}

// AuditEntries returns entries, newest first; see domain.AccessStore.
func (s *Store) AuditEntries(ctx context.Context, f domain.AuditFilter, before int64, limit int) ([]domain.AuditEntry, error) {
	l := newListing(domain.Page{})
	l.args[0] = limit
	for _, c := range []struct {
		asked     bool
		condition string
		value     any
	}{
		{f.ActorID != "", "actor_id = %s", f.ActorID},
		{f.Object != "", "object = %s", f.Object},
		{!f.From.IsZero(), "at >= %s", micros(f.From)},
		{!f.To.IsZero(), "at < %s", micros(f.To)},
		{before != 0, "position < %s", before},
	} {
		if c.asked {
			l.and(c.condition, c.value)
		}
	}
	text := `SELECT data FROM audit` + l.conditions() + ` ORDER BY position DESC LIMIT $1`
	rows, err := s.queryVarying(ctx, text, slices.Concat(s.d.listMode, l.args)...)
	return collect(rows, err, scanAudit)
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
	caller, err := json.Marshal(t.Caller)
	if err != nil {
		return err
	}
	_, err = s.change(ctx, `INSERT INTO tickets (hash, caller, expires_at) VALUES ($1, $2, $3)`,
		t.Hash[:], string(caller), micros(t.ExpiresAt))
	return err
}

// TakeTicket deletes and returns the ticket with this hash; see domain.Tickets.
func (s *Store) TakeTicket(ctx context.Context, hash [32]byte) (*domain.Ticket, error) {
	taken, err := changed(ctx, s, func(r *sql.Rows) (*domain.Ticket, error) {
		t := &domain.Ticket{Hash: hash}
		return t, r.Scan(encoded{&t.Caller}, instant{&t.ExpiresAt})
	}, `DELETE FROM tickets WHERE hash = $1 RETURNING caller, expires_at`, hash[:])
	if err != nil || len(taken) == 0 {
		return nil, err
	}
	return taken[0], nil
}
