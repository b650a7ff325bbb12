package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// The statements that the writer keeps prepared.
const (
	sqliteLockOrder   = `SELECT data, ledger, status, courier_id, version FROM orders WHERE id = $1`
	sqliteLockCourier = `SELECT capacity, active_orders FROM couriers WHERE id = $1`
	sqliteLoad        = `UPDATE couriers SET active_orders = active_orders + $2 WHERE id = $1`
	sqliteOutbox      = `INSERT INTO outbox (pos) VALUES ($1)`
	sqliteSavepoint   = `SAVEPOINT job`
	sqliteRelease     = `RELEASE job`
	sqliteBack        = `ROLLBACK TO job`
)

var (
	sqliteUpdateOrder = updateText(&ordersTable)
	sqliteInserts     = map[*table]string{}
)

func init() {
	for _, t := range []*table{&ordersTable, &eventsTable, &idempotencyTable, &inboundTable, &positionsTable} {
		sqliteInserts[t] = insertText(t)
	}
}

// insertText adds one row unless it exists.
func insertText(t *table) string {
	places := make([]string, len(t.cols))
	for i := range t.cols {
		places[i] = fmt.Sprintf("$%d", i+1)
	}
	return "INSERT INTO " + t.name + " (" + t.names() + ") VALUES (" + strings.Join(places, ", ") + ") ON CONFLICT DO NOTHING"
}

// updateText writes all columns of the row whose first column is the key.
func updateText(t *table) string {
	set := make([]string, 0, len(t.cols))
	for i, c := range t.cols[1:] {
		set = append(set, fmt.Sprintf("%s = $%d", c.name, i+2))
	}
	return "UPDATE " + t.name + " SET " + strings.Join(set, ", ") + " WHERE " + t.cols[0].name + " = $1"
}

func (e *sqlite) prepare(ctx context.Context) error {
	texts := []string{
		sqliteLockOrder, sqliteLockCourier, sqliteLoad, sqliteOutbox,
		sqliteSavepoint, sqliteRelease, sqliteBack, sqliteUpdateOrder,
	}
	for _, text := range sqliteInserts {
		texts = append(texts, text)
	}
	e.stmts = make(map[string]*sql.Stmt, len(texts))
	for _, text := range texts {
		st, err := e.write.PrepareContext(ctx, text)
		if err != nil {
			return err
		}
		e.stmts[text] = st
	}
	return nil
}

// sqliteWork is one transaction of the writer. The transaction holds the only
// write lock there is, so what it reads stays true until it commits.
type sqliteWork struct {
	e   *sqlite
	ctx context.Context //nolint:containedctx // the transaction's own
	tx  *sql.Tx
}

func (e *sqlite) begin(ctx context.Context, _ bool) (*work, error) {
	tx, err := e.write.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	w := &sqliteWork{e, ctx, tx}
	return &work{
		lockOrders: w.lockOrders, claim: w.claim, unclaim: w.unclaim, write: w.writePlan, job: w.job,
		commit:   tx.Commit,
		rollback: func() { _ = tx.Rollback() },
		settle:   func(context.Context) error { return nil },
	}, nil
}

func (w *sqliteWork) stmt(text string) *sql.Stmt { return w.tx.StmtContext(w.ctx, w.e.stmts[text]) }

// exec runs a statement and says whether it touched a row.
func (w *sqliteWork) exec(text string, args ...any) (bool, error) {
	res, err := w.stmt(text).ExecContext(w.ctx, args...)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

func (w *sqliteWork) lockOrders(ids []string) (map[string]*orderRow, error) {
	rows := make(map[string]*orderRow, len(ids))
	st := w.stmt(sqliteLockOrder)
	for _, id := range ids {
		r := &orderRow{id: id}
		var courier sql.NullString
		err := st.QueryRowContext(w.ctx, id).Scan(&r.data, &r.ledger, &r.status, &courier, &r.version)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, err
		}
		r.courier = courier.String
		rows[id] = r
	}
	return rows, nil
}

func (w *sqliteWork) claim(p *plan, couriers []string) (*claims, error) {
	k := newClaims(p, couriers)
	for _, id := range couriers {
		var l courierLoad
		err := w.stmt(sqliteLockCourier).QueryRowContext(w.ctx, id).Scan(&l.capacity, &l.active)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, err
		}
		k.couriers[id] = l
	}
	for _, i := range p.keys {
		ours, err := w.exec(sqliteInserts[&idempotencyTable], idempotencyValues(i)...)
		if err != nil {
			return nil, err
		}
		k.keys[idemKey{i.Scope, i.Key}] = ours
	}
	for _, in := range p.inbound {
		ours, err := w.exec(sqliteInserts[&inboundTable], in.id, micros(in.recordedAt))
		if err != nil {
			return nil, err
		}
		k.inbound[in.id] = ours
	}
	for _, r := range p.inserts {
		ours, err := w.exec(sqliteInserts[&ordersTable], r.values...)
		if err != nil {
			return nil, err
		}
		k.orders[r.id] = ours
	}
	return k, nil
}

func (w *sqliteWork) unclaim(keys []idemKey, inbound, orders []string) error {
	for _, k := range keys {
		if _, err := w.tx.ExecContext(w.ctx, deleteKey, k.scope, k.key); err != nil {
			return err
		}
	}
	for _, id := range inbound {
		if _, err := w.tx.ExecContext(w.ctx, deleteInbound, id); err != nil {
			return err
		}
	}
	for _, id := range orders {
		if _, err := w.tx.ExecContext(w.ctx, deleteOrder, id); err != nil {
			return err
		}
	}
	return nil
}

func (w *sqliteWork) writePlan(p *plan) error {
	for _, r := range p.updates {
		if _, err := w.exec(sqliteUpdateOrder, r.values...); err != nil {
			return err
		}
	}
	for _, ev := range p.events {
		res, err := w.stmt(sqliteInserts[&eventsTable]).ExecContext(w.ctx, ev.values...)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, fmt.Errorf("event %d of order %s exists", ev.Seq, ev.OrderID))
		}
		if !ev.published() {
			continue
		}
		pos, err := res.LastInsertId()
		if err != nil {
			return err
		}
		if _, err := w.exec(sqliteOutbox, pos); err != nil {
			return err
		}
	}
	for _, row := range p.shipping {
		if _, err := w.tx.ExecContext(w.ctx, upsertShipment, row...); err != nil {
			return err
		}
	}
	for id, n := range p.loads() {
		if n == 0 {
			continue
		}
		if _, err := w.exec(sqliteLoad, id, n); err != nil {
			return err
		}
	}
	return nil
}

// job runs a job in a savepoint of its own.
func (w *sqliteWork) job(fn func(context.Context, *sql.Tx) error) error {
	if _, err := w.exec(sqliteSavepoint); err != nil {
		return err
	}
	err := safelyJob(w.ctx, w.tx, fn)
	if err != nil {
		if _, backErr := w.exec(sqliteBack); backErr != nil {
			return backErr
		}
	}
	if _, releaseErr := w.exec(sqliteRelease); err == nil {
		err = releaseErr
	}
	return err
}

func safelyJob(ctx context.Context, tx *sql.Tx, fn func(context.Context, *sql.Tx) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = domain.Errorf(domain.CodeInternal, "the change failed unexpectedly: %v", v)
		}
	}()
	return fn(ctx, tx)
}

func (e *sqlite) insert(ctx context.Context, tx *sql.Tx, t *table, rows [][]any) (int, error) {
	st := tx.StmtContext(ctx, e.stmts[sqliteInserts[t]])
	added := 0
	for _, values := range rows {
		res, err := st.ExecContext(ctx, values...)
		if err != nil {
			return 0, err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return 0, err
		}
		added += int(n)
	}
	return added, nil
}

// purgeFixes goes courier by courier along the primary key: an index by time would
// cost more with each position than it would save here.
func (e *sqlite) purgeFixes(ctx context.Context, before int64) error {
	for courier := ""; ; {
		err := e.store.queryRow(ctx,
			`SELECT courier_id FROM courier_positions WHERE courier_id > $1 ORDER BY courier_id LIMIT 1`, courier).Scan(&courier)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		var oldest sql.NullInt64
		err = e.store.queryRow(ctx, `SELECT min(recorded_at) FROM courier_positions WHERE courier_id = $1`, courier).Scan(&oldest)
		if err != nil {
			return err
		}
		if !oldest.Valid || oldest.Int64 >= before {
			continue
		}
		err = e.store.purge(ctx, `DELETE FROM courier_positions WHERE courier_id = $1 AND recorded_at IN
			(SELECT recorded_at FROM courier_positions WHERE courier_id = $1 AND recorded_at < $2 ORDER BY recorded_at LIMIT $3)`,
			courier, before)
		if err != nil {
			return err
		}
	}
}
