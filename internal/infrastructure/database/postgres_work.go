package database

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/order-tracking/order-tracking/internal/domain"
)

const (
	pgLock  = ` = ANY($1::text[]::uuid[]) ORDER BY id FOR UPDATE`
	pgLoads = `UPDATE couriers c SET active_orders = active_orders + l.n
		FROM unnest($1::text[]::uuid[], $2::bigint[]) AS l (id, n) WHERE c.id = l.id`
	pgTransaction = `SELECT pg_current_xact_id()::text`
)

// The statements of a group; each handles all rows at once, in array order.
var (
	pgInserts = inserts(func(t *table) string { return "SELECT *" + t.values + " FROM " + t.unnest() })
	// One statement inserts an event and its outbox entry.
	pgInsertEvents = "WITH added AS (" + pgInserts[eventsTable] +
		" RETURNING pos, order_data IS NOT NULL AS due) INSERT INTO outbox (pos) SELECT pos FROM added WHERE due"
	pgUpdateOrders = "UPDATE orders t SET " + ordersTable.rest("%[1]s = v.%[1]s") +
		" FROM " + ordersTable.unnest() + " AS v (" + ordersTable.list("%[1]s") + ") WHERE t.id = v.id"
)

// unnest turns one array per column into rows.
func (t *table) unnest() string { return "unnest(" + t.list("$%[2]d::%[3]s[]") + ")" }

// arrays turns rows into one array per column. It avoids plain slices, which pgx would encode by reflection.
func (t *table) arrays(rows [][]any) []any {
	out := make([]any, len(t.cols))
	for i := range t.cols {
		a := make(pgtype.FlatArray[any], len(rows))
		for j, row := range rows {
			a[j] = row[i]
		}
		out[i] = a
	}
	return out
}

// pgWork is one transaction of a committer. Statements that do not depend on an answer are
// pipelined, so that a group takes one to three round trips plus its commit.
type pgWork struct {
	e    *postgres
	ctx  context.Context //nolint:containedctx // the transaction's own
	conn *pgxpool.Conn

	begun bool
	over  bool
	xid   string // the transaction's id, known before the commit is sent
}

func (e *postgres) begin(ctx context.Context) (*work, error) {
	conn, err := e.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	w := &pgWork{e: e, ctx: ctx, conn: conn}
	return &work{lock: w.lock, write: w.writePlan, commit: w.commit, rollback: w.rollback, settle: w.settle}, nil
}

// send runs a batch in one round trip; the first one also begins the transaction.
func (w *pgWork) send(b *pgx.Batch) error {
	if !w.begun {
		first := &pgx.Batch{}
		first.Queue("BEGIN")
		first.QueuedQueries = append(first.QueuedQueries, b.QueuedQueries...)
		b, w.begun = first, true
	}
	return w.conn.SendBatch(w.ctx, b).Close()
}

func (w *pgWork) lock(text string, ids []string, dest []any, read func()) error {
	b := &pgx.Batch{}
	b.Queue(text+pgLock, ids).Query(func(r pgx.Rows) error {
		_, err := pgx.ForEachRow(r, dest, func() error { read(); return nil })
		return err
	})
	return w.send(b)
}

// writePlan sends everything at once, since lost claims are rare.
func (w *pgWork) writePlan(p *plan) (map[*call]error, error) {
	b := &pgx.Batch{}
	ours := map[rowName]bool{}
	for _, t := range claimed {
		if len(p.claims[t]) == 0 {
			continue
		}
		rows := domain.Each(p.claims[t], func(c claim) []any { return c.values })
		b.Queue(pgInserts[t]+" RETURNING "+t.key, t.arrays(rows)...).Query(func(r pgx.Rows) error {
			row := rowName{table: t}
			_, err := pgx.ForEachRow(r, []any{&row.a, &row.b}, func() error { ours[row] = true; return nil })
			return err
		})
	}
	if len(p.updates) > 0 {
		b.Queue(pgUpdateOrders, ordersTable.arrays(p.updates)...)
	}
	if len(p.events) > 0 {
		b.Queue(pgInsertEvents, eventsTable.arrays(p.events)...)
	}
	for t, rows := range p.beside {
		b.Queue(pgInserts[t], t.arrays(rows)...)
	}
	for _, row := range p.shipping {
		b.Queue(upsertShipment, row...)
	}
	if len(p.unsought) > 0 {
		b.Queue(pgInserts[searchQueue], searchQueue.arrays(p.unsought)...)
	}
	if len(p.created) > 0 {
		b.Queue(pgShareOrders, w.e.ordersKey())
		b.Queue(pgQueueLate, searchQueue.arrays(p.created)...)
	}
	if shifts := p.shifts(); len(shifts) > 0 {
		ids := slices.Collect(maps.Keys(shifts))
		b.Queue(pgLoads, ids, domain.Each(ids, func(id string) int64 { return shifts[id] }))
	}
	b.Queue(pgTransaction).QueryRow(func(r pgx.Row) error { return r.Scan(&w.xid) })
	err := w.send(b)
	if err == nil || eventExists(err) { // the order exists already, so its claim was lost first
		if lost := p.lostClaims(ours); len(lost) > 0 {
			return lost, nil
		}
	}
	return nil, err
}

// eventExists reports whether a statement failed because an event with that order and seq exists (unique_violation).
func eventExists(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == "23505" && e.TableName == eventsTable.name
}

// commit is a separate round trip, so an error before it means that nothing was committed.
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
	w.conn.Release() // the pool drops a connection that is still in a transaction
}

// settle waits until the server has finished the transaction. The connection may be lost while the server is still committing.
func (w *pgWork) settle(ctx context.Context) error {
	if w.xid == "" {
		return nil
	}
	var status sql.NullString
	if err := w.e.read.QueryRowContext(ctx, `SELECT pg_xact_status($1::text::xid8)`, w.xid).Scan(&status); err != nil {
		var pg *pgconn.PgError
		if errors.As(err, &pg) && pg.Code == "22023" { // a transaction id in the future: this server never saw it
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
	return affected(tx.ExecContext(ctx, pgInserts[t], t.arrays(rows)...))
}
