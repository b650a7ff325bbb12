package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	pgLockOrders = `SELECT id::text, data, ledger, status, courier_id::text, version FROM orders
		WHERE id = ANY($1) ORDER BY id FOR UPDATE`
	pgLockCouriers = `SELECT id::text, capacity, active_orders FROM couriers WHERE id = ANY($1) ORDER BY id FOR UPDATE`
	pgLoads        = `UPDATE couriers c SET active_orders = active_orders + l.n
		FROM unnest($1::uuid[], $2::integer[]) AS l (id, n) WHERE c.id = l.id`
	pgTransaction = `SELECT pg_current_xact_id()::text`
)

// The statements of a group, each for all rows at once, in the order of the arrays.
var (
	pgInsertKeys    = pgInsertText(&idempotencyTable) + " RETURNING scope, idem_key"
	pgInsertInbound = pgInsertText(&inboundTable) + " RETURNING id"
	pgInsertOrders  = pgInsertText(&ordersTable) + " RETURNING id::text"
	// No ON CONFLICT: an event that exists is a fault that must fail.
	pgInsertEvents = "WITH added AS (" + strings.TrimSuffix(pgInsertText(&eventsTable), " ON CONFLICT DO NOTHING") +
		" RETURNING pos, order_data IS NOT NULL AS due) INSERT INTO outbox (pos) SELECT pos FROM added WHERE due"
	pgUpdateOrders = pgUpdateText(&ordersTable)
)

func pgInsertText(t *table) string {
	return "INSERT INTO " + t.name + " (" + t.names() + ") SELECT * FROM " + t.unnest() + " ON CONFLICT DO NOTHING"
}

// unnest makes rows of one array per column.
func (t *table) unnest() string {
	arrays := make([]string, len(t.cols))
	for i, c := range t.cols {
		arrays[i] = fmt.Sprintf("$%d::%s[]", i+1, c.kind)
	}
	return "unnest(" + strings.Join(arrays, ", ") + ")"
}

func pgUpdateText(t *table) string {
	set := make([]string, 0, len(t.cols))
	for _, c := range t.cols[1:] {
		set = append(set, c.name+" = v."+c.name)
	}
	key := t.cols[0].name
	return "UPDATE " + t.name + " t SET " + strings.Join(set, ", ") +
		" FROM " + t.unnest() + " AS v (" + t.names() + ") WHERE t." + key + " = v." + key
}

// arrays turns rows into the arrays of their columns.
func (t *table) arrays(rows [][]any) ([]any, error) {
	out := make([]any, len(t.cols))
	for i, c := range t.cols {
		var err error
		if out[i], err = columnArray(c.kind, rows, i); err != nil {
			return nil, fmt.Errorf("%s.%s: %w", t.name, c.name, err)
		}
	}
	return out, nil
}

func columnArray(kind string, rows [][]any, i int) (any, error) {
	switch kind {
	case "uuid":
		a := make(pgtype.FlatArray[pgtype.UUID], len(rows)) // not a plain slice, which pgx would walk by reflection
		for j, r := range rows {
			if s, ok := r[i].(string); ok {
				id, err := uuid.Parse(s)
				if err != nil {
					return nil, err
				}
				a[j] = pgtype.UUID{Bytes: id, Valid: true}
			}
		}
		return a, nil
	case "text":
		a := make(pgtype.FlatArray[pgtype.Text], len(rows))
		for j, r := range rows {
			a[j].String, a[j].Valid = r[i].(string)
		}
		return a, nil
	case "bigint":
		return typedArray[int64](rows, i), nil
	case "boolean":
		return typedArray[bool](rows, i), nil
	case "bytea":
		return pgtype.FlatArray[[]byte](typedArray[[]byte](rows, i)), nil
	case "double precision":
		a := make(pgtype.FlatArray[pgtype.Float8], len(rows))
		for j, r := range rows {
			a[j].Float64, a[j].Valid = r[i].(float64)
		}
		return a, nil
	}
	return nil, fmt.Errorf("no arrays of %s", kind)
}

func typedArray[T any](rows [][]any, i int) []T {
	a := make([]T, len(rows))
	for j, r := range rows {
		a[j], _ = r[i].(T)
	}
	return a
}

func uuids(ids []string) []pgtype.UUID {
	out := make([]pgtype.UUID, 0, len(ids))
	for _, id := range ids {
		if parsed, err := uuid.Parse(id); err == nil {
			out = append(out, pgtype.UUID{Bytes: parsed, Valid: true})
		}
	}
	return out
}

// pgWork is one transaction of a committer. What can be known without an answer is
// sent together, so that a group takes two or three round trips and its commit.
type pgWork struct {
	e       *postgres
	ctx     context.Context //nolint:containedctx // the transaction's own
	conn    *pgxpool.Conn
	careful bool // claims are answered before anything is built on them

	begun   bool
	over    bool
	written *plan  // what was sent along with its claims
	xid     string // of the transaction, known before the commit is sent
}

func (e *postgres) begin(ctx context.Context, careful bool) (*work, error) {
	conn, err := e.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	w := &pgWork{e: e, ctx: ctx, conn: conn, careful: careful}
	return &work{
		lockOrders: w.lockOrders, claim: w.claim, unclaim: w.unclaim, write: w.writePlan,
		commit: w.commit, rollback: w.rollback, settle: w.settle,
	}, nil
}

// send runs a batch in one round trip, the transaction's begin before the first.
func (w *pgWork) send(b *pgx.Batch) error {
	if !w.begun {
		first := &pgx.Batch{}
		first.Queue("BEGIN")
		first.QueuedQueries = append(first.QueuedQueries, b.QueuedQueries...)
		b, w.begun = first, true
	}
	return w.conn.SendBatch(w.ctx, b).Close()
}

func (w *pgWork) lockOrders(ids []string) (map[string]*orderRow, error) {
	rows := make(map[string]*orderRow, len(ids))
	b := &pgx.Batch{}
	b.Queue(pgLockOrders, uuids(ids)).Query(func(r pgx.Rows) error {
		var courier pgtype.Text
		row := orderRow{}
		_, err := pgx.ForEachRow(r, []any{&row.id, &row.data, &row.ledger, &row.status, &courier, &row.version}, func() error {
			copied := row
			copied.courier = courier.String
			rows[copied.id] = &copied
			return nil
		})
		return err
	})
	return rows, w.send(b)
}

func (w *pgWork) claim(p *plan, couriers []string) (*claims, error) {
	k := newClaims(p, couriers)
	b := &pgx.Batch{}
	if len(couriers) > 0 {
		b.Queue(pgLockCouriers, uuids(couriers)).Query(func(r pgx.Rows) error {
			var id string
			var l courierLoad
			_, err := pgx.ForEachRow(r, []any{&id, &l.capacity, &l.active}, func() error { k.couriers[id] = l; return nil })
			return err
		})
	}
	if err := queueClaims(b, p, k); err != nil {
		return nil, err
	}
	// Where nothing depends on the answer but rare losers, everything goes at once; if
	// there is one, the transaction starts over, carefully.
	if !w.careful && len(couriers) == 0 {
		if err := w.queueWrites(b, p); err != nil {
			return nil, err
		}
		w.written = p
	}
	if b.Len() == 0 {
		return k, nil
	}
	if err := w.send(b); err != nil {
		if w.written != nil && eventExists(err) {
			err = errLost // an order of this id is there, and so are its events
		}
		return nil, err
	}
	if w.written != nil && !p.holds(k) {
		return nil, errLost
	}
	return k, nil
}

// eventExists says whether a statement failed because an event of that order and seq is
// there (unique_violation).
func eventExists(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == "23505" && e.TableName == eventsTable.name
}

// queueClaims inserts what may exist already and marks in k what did not.
func queueClaims(b *pgx.Batch, p *plan, k *claims) error {
	insert := func(t *table, text string, rows [][]any, ours func(pgx.Rows) error) error {
		if len(rows) == 0 {
			return nil
		}
		args, err := t.arrays(rows)
		if err != nil {
			return err
		}
		b.Queue(text, args...).Query(ours)
		return nil
	}
	keys, inbound, orders := p.claimRows()
	var a, c string
	err := insert(&idempotencyTable, pgInsertKeys, keys, func(r pgx.Rows) error {
		_, err := pgx.ForEachRow(r, []any{&a, &c}, func() error { k.keys[idemKey{a, c}] = true; return nil })
		return err
	})
	if err == nil {
		err = insert(&inboundTable, pgInsertInbound, inbound, func(r pgx.Rows) error {
			_, err := pgx.ForEachRow(r, []any{&a}, func() error { k.inbound[a] = true; return nil })
			return err
		})
	}
	if err == nil {
		err = insert(&ordersTable, pgInsertOrders, orders, func(r pgx.Rows) error {
			_, err := pgx.ForEachRow(r, []any{&a}, func() error { k.orders[a] = true; return nil })
			return err
		})
	}
	return err
}

// queueWrites adds everything that can't collide.
func (w *pgWork) queueWrites(b *pgx.Batch, p *plan) error {
	queue := func(t *table, text string, rows [][]any) error {
		if len(rows) == 0 {
			return nil
		}
		args, err := t.arrays(rows)
		if err == nil {
			b.Queue(text, args...)
		}
		return err
	}
	updates := make([][]any, len(p.updates))
	for i, r := range p.updates {
		updates[i] = r.values
	}
	if err := queue(&ordersTable, pgUpdateOrders, updates); err != nil {
		return err
	}
	events := make([][]any, len(p.events))
	for i, e := range p.events {
		events[i] = e.values
	}
	if err := queue(&eventsTable, pgInsertEvents, events); err != nil {
		return err
	}
	for _, row := range p.shipping {
		b.Queue(upsertShipment, row...)
	}
	var ids []string
	var changes []int32
	for id, n := range p.loads() {
		if n != 0 {
			ids, changes = append(ids, id), append(changes, int32(n)) //nolint:gosec // at most a group's size
		}
	}
	if len(ids) > 0 {
		b.Queue(pgLoads, uuids(ids), changes)
	}
	b.Queue(pgTransaction).QueryRow(func(r pgx.Row) error { return r.Scan(&w.xid) })
	return nil
}

func (w *pgWork) writePlan(p *plan) error {
	if w.written == p {
		return nil
	}
	b := &pgx.Batch{}
	if err := w.queueWrites(b, p); err != nil {
		return err
	}
	return w.send(b)
}

func (w *pgWork) unclaim(keys []idemKey, inbound, orders []string) error {
	b := &pgx.Batch{}
	for _, k := range keys {
		b.Queue(deleteKey, k.scope, k.key)
	}
	for _, id := range inbound {
		b.Queue(deleteInbound, id)
	}
	for _, id := range orders {
		b.Queue(deleteOrder, id)
	}
	if b.Len() == 0 {
		return nil
	}
	return w.send(b)
}

// commit is a round trip of its own: an error before it means that nothing happened.
func (w *pgWork) commit() error {
	tag, err := w.conn.Exec(w.ctx, "COMMIT")
	if err == nil && tag.String() != "COMMIT" {
		err = errors.New("the server rolled the transaction back")
	}
	if err == nil {
		w.over = true
		w.conn.Release()
	}
	return err
}

func (w *pgWork) rollback() {
	if w.over {
		return
	}
	w.over = true
	if w.conn.Conn().PgConn().TxStatus() != 'I' && !w.conn.Conn().IsClosed() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), time.Second)
		defer cancel()
		_, _ = w.conn.Exec(ctx, "ROLLBACK")
	}
	w.conn.Release() // one that is still in a transaction is thrown away
}

// settle waits until the server is through with the transaction. Its connection may
// be gone while the server still commits.
func (w *pgWork) settle(ctx context.Context) error {
	if w.xid == "" {
		return nil
	}
	var status sql.NullString
	if err := w.e.read.QueryRowContext(ctx, `SELECT pg_xact_status($1::text::xid8)`, w.xid).Scan(&status); err != nil {
		var pg *pgconn.PgError
		if errors.As(err, &pg) && pg.Code == "22023" { // in the future: a server that never saw it
			return nil
		}
		return err
	}
	if status.String == "in progress" {
		return errors.New("the transaction is still in progress")
	}
	return nil
}

func (e *postgres) insert(ctx context.Context, tx *sql.Tx, t *table, rows [][]any) (int, error) {
	args, err := t.arrays(rows)
	if err != nil {
		return 0, err
	}
	res, err := tx.ExecContext(ctx, pgInsertText(t), args...)
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	return int(n), err
}
