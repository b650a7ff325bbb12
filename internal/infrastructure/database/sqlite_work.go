package database

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
)

// The statements that the writer keeps prepared, beside those that insert.
const (
	sqliteLockOrder   = `SELECT data, ledger, status, courier_id, version FROM orders WHERE id = $1`
	sqliteLockCourier = `SELECT capacity, active_orders FROM couriers WHERE id = $1`
	sqliteLoad        = `UPDATE couriers SET active_orders = active_orders + $2 WHERE id = $1`
	sqliteOutbox      = `INSERT INTO outbox (pos) VALUES (last_insert_rowid())`
	sqliteSavepoint   = `SAVEPOINT job`
	sqliteRelease     = `RELEASE job`
	sqliteBack        = `ROLLBACK TO job`
)

var (
	sqliteInserts     = inserts(func(t *table) string { return "VALUES (" + t.list("$%[2]d") + ")" })
	sqliteUpdateOrder = "UPDATE orders SET " + ordersTable.rest("%[1]s = $%[2]d") + " WHERE id = $1"
)

func (e *sqlite) prepare(ctx context.Context) error {
	texts := append(slices.Collect(maps.Values(sqliteInserts)), sqliteLockOrder, sqliteLockCourier, sqliteLoad,
		sqliteOutbox, sqliteSavepoint, sqliteRelease, sqliteBack, sqliteUpdateOrder, upsertShipment)
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

func (e *sqlite) begin(ctx context.Context) (*work, error) {
	tx, err := e.write.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	w := &sqliteWork{e, ctx, tx}
	return &work{
		lockOrders: w.lockOrders, lockCouriers: w.lockCouriers, write: w.writePlan, job: w.job,
		commit:   tx.Commit,
		rollback: func() { _ = tx.Rollback() },
		settle:   func(context.Context) error { return nil },
	}, nil
}

func (w *sqliteWork) stmt(text string) *sql.Stmt { return w.tx.StmtContext(w.ctx, w.e.stmts[text]) }

// exec runs a statement and says how many rows it touched.
func (w *sqliteWork) exec(text string, args ...any) (int64, error) {
	res, err := w.stmt(text).ExecContext(w.ctx, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (w *sqliteWork) lockOrders(ids []string) (map[string]*orderRow, error) {
	return lookUp(w, sqliteLockOrder, ids, func(id string, scan func(...any) error) (*orderRow, error) {
		r := &orderRow{id: id}
		var courier sql.NullString
		err := scan(&r.data, &r.ledger, &r.status, &courier, &r.version)
		r.courier = courier.String
		return r, err
	})
}

func (w *sqliteWork) lockCouriers(ids []string) (map[string]courierLoad, error) {
	return lookUp(w, sqliteLockCourier, ids, func(_ string, scan func(...any) error) (l courierLoad, err error) {
		err = scan(&l.capacity, &l.active)
		return l, err
	})
}

// lookUp reads those of the rows that exist.
func lookUp[T any](
	w *sqliteWork, text string, ids []string, read func(id string, scan func(...any) error) (T, error),
) (map[string]T, error) {
	found := make(map[string]T, len(ids))
	st := w.stmt(text)
	for _, id := range ids {
		v, err := read(id, st.QueryRowContext(w.ctx, id).Scan)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found[id] = v
	}
	return found, nil
}

func (w *sqliteWork) writePlan(p *plan) (map[*call]error, error) {
	ours := map[rowName]bool{}
	for _, t := range claimed {
		for _, c := range p.claims[t] {
			n, err := w.exec(sqliteInserts[t], c.values...)
			if err != nil {
				return nil, err
			}
			ours[c.rowName] = n > 0
		}
	}
	if lost := p.lost(ours); len(lost) > 0 {
		return lost, nil
	}
	for _, row := range p.updates {
		if _, err := w.exec(sqliteUpdateOrder, row...); err != nil {
			return nil, err
		}
	}
	for _, row := range p.events {
		_, err := w.exec(sqliteInserts[eventsTable], row...)
		if err == nil && published(row) {
			_, err = w.exec(sqliteOutbox)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, row := range p.shipping {
		if _, err := w.exec(upsertShipment, row...); err != nil {
			return nil, err
		}
	}
	for id, n := range p.shifts() {
		if _, err := w.exec(sqliteLoad, id, n); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// job runs a job in a savepoint of its own.
func (w *sqliteWork) job(fn func(context.Context, *sql.Tx) error) error {
	if _, err := w.exec(sqliteSavepoint); err != nil {
		return err
	}
	err := safely(w.e.store.log, "", func() error { return fn(w.ctx, w.tx) })
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
		var oldest int64
		found, err := e.store.one(ctx, `SELECT courier_id, recorded_at FROM courier_positions WHERE courier_id > $1
			ORDER BY courier_id, recorded_at LIMIT 1`, []any{courier}, &courier, &oldest)
		if err != nil || !found {
			return err
		}
		if oldest >= before {
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
