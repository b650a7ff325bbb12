package database

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// The writer's prepared statements, other than the inserts.
const (
	sqliteLock      = ` = $1`
	sqliteLoad      = `UPDATE couriers SET active_orders = active_orders + $2 WHERE id = $1`
	sqliteOutbox    = `INSERT INTO outbox (pos) VALUES (last_insert_rowid())`
	sqliteSealed    = `SELECT sealed_at, sealed_id FROM search_state`
	sqliteSavepoint = `SAVEPOINT job`
	sqliteRelease   = `RELEASE job`
	sqliteBack      = `ROLLBACK TO job`
	sqliteBulk      = 8 // rows of one statement, which costs as much as a row
)

var (
	sqliteInserts     = inserts(func(t *table) string { return "VALUES (" + t.list("$%[2]d") + t.values + ")" })
	sqliteBulkInserts = inserts(func(t *table) string {
		row := "(?" + strings.Repeat(", ?", len(t.cols)-1) + t.values + ")"
		return "VALUES " + row + strings.Repeat(", "+row, sqliteBulk-1)
	})
	sqliteUpdateOrder = "UPDATE orders SET " + ordersTable.rest("%[1]s = $%[2]d") + " WHERE id = $1"
)

func (e *sqlite) prepare(ctx context.Context) error {
	texts := append(slices.Collect(maps.Values(sqliteInserts)), slices.Collect(maps.Values(sqliteBulkInserts))...)
	texts = append(texts, lockOrders+sqliteLock, lockCouriers+sqliteLock, sqliteLoad,
		sqliteOutbox, sqliteSealed, sqliteSavepoint, sqliteRelease, sqliteBack, sqliteUpdateOrder, upsertShipment)
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

// sqliteWork is one transaction of the writer. It holds the only write lock, so what it reads stays valid until it commits.
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
		lock: w.lock, write: w.writePlan, job: w.job,
		commit:   tx.Commit,
		rollback: func() { _ = tx.Rollback() },
		settle:   func(context.Context) error { return nil },
	}, nil
}

// exec runs a statement and returns the number of affected rows.
func (w *sqliteWork) exec(text string, args ...any) (int, error) {
	return w.e.each(w.ctx, w.tx, text, [][]any{args})
}

func (w *sqliteWork) lock(text string, ids []string, dest []any, read func()) error {
	st := w.tx.StmtContext(w.ctx, w.e.stmts[text+sqliteLock])
	for _, id := range ids {
		err := st.QueryRowContext(w.ctx, id).Scan(dest...)
		if err == nil {
			read()
		} else if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
	}
	return nil
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
	if lost := p.lostClaims(ours); len(lost) > 0 {
		return lost, nil
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
	var loads [][]any
	for id, n := range p.shifts() {
		loads = append(loads, []any{id, n})
	}
	for _, rest := range []struct {
		text string
		rows [][]any
	}{{sqliteUpdateOrder, p.updates}, {upsertShipment, p.shipping}, {sqliteLoad, loads}} {
		if _, err := w.e.each(w.ctx, w.tx, rest.text, rest.rows); err != nil {
			return nil, err
		}
	}
	for t, rows := range p.beside {
		if _, err := w.e.insert(w.ctx, w.tx, t, rows); err != nil {
			return nil, err
		}
	}
	return nil, w.queueSearch(p)
}

// queueSearch queues the changed orders, and new ones older than the newest segment.
func (w *sqliteWork) queueSearch(p *plan) error {
	rows := p.unsought
	if len(p.created) > 0 {
		var sealed doc
		if err := w.tx.StmtContext(w.ctx, w.e.stmts[sqliteSealed]).QueryRowContext(w.ctx).Scan(&sealed.at, &sealed.id); err != nil {
			return err
		}
		for _, row := range p.created {
			if key := (doc{row[1].(int64), uuid.MustParse(row[0].(string))}); key.compare(sealed) <= 0 {
				rows = append(rows, row)
			}
		}
	}
	_, err := w.e.insert(w.ctx, w.tx, searchQueue, rows)
	return err
}

// each runs a statement once per row and returns the number of affected rows.
func (e *sqlite) each(ctx context.Context, tx *sql.Tx, text string, rows [][]any) (touched int, err error) {
	st := tx.StmtContext(ctx, e.stmts[text])
	for _, row := range rows {
		n, err := affected(st.ExecContext(ctx, row...))
		if err != nil {
			return 0, err
		}
		touched += n
	}
	return touched, nil
}

// job runs a job in its own savepoint.
func (w *sqliteWork) job(fn txFunc) error {
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
	var bulks [][]any
	for ; len(rows) >= sqliteBulk; rows = rows[sqliteBulk:] {
		bulks = append(bulks, slices.Concat(rows[:sqliteBulk]...))
	}
	n, err := e.each(ctx, tx, sqliteBulkInserts[t], bulks)
	if err != nil {
		return 0, err
	}
	more, err := e.each(ctx, tx, sqliteInserts[t], rows)
	return n + more, err
}

// purgeFixes deletes courier by courier along the primary key: an index by time would cost
// more on each insert than it would save here.
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
