package database

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// sqlite is the SQLite engine: one write connection, used by the committer only.
type sqlite struct {
	store *Store
	write *sql.DB
	stmts map[string]*sql.Stmt // the writer's, by SQL text
	// unlock releases the file for other processes.
	unlock func() error
}

func (e *sqlite) dialect() *dialect {
	return &dialect{
		engine: e, prepare: true,
		among:    " IN (SELECT value FROM json_each($1))",
		list:     func(values any) any { return asJSON(values) },
		position: "instr", bytesAsText: "CAST(result AS TEXT)",
		begin: e.begin,
		searchGrams: `SELECT p.segment, p.part, p.data
			FROM json_each($1) s CROSS JOIN json_each($2) g CROSS JOIN search_parts p ON p.segment = s.value AND p.part = g.value`,
		searchPages: `SELECT p.segment, p.part, p.data FROM json_each($1) k CROSS JOIN search_parts p
			ON p.segment = json_extract(k.value, '$[0]') AND p.part = json_extract(k.value, '$[1]')`,
		pairs: func(pairs [][2]int64) []any { return []any{asJSON(pairs)} },
	}
}

// workContext has no deadline: the file is local, and busy_timeout limits the wait for another process that writes.
func (e *sqlite) workContext() (context.Context, context.CancelFunc) {
	return context.Background(), func() {}
}

// The file belongs to this process: its relay always leads, and it has the only writer.
func (e *sqlite) lead(context.Context) (domain.Outbox, func(), error)             { return e.store, func() {}, nil }
func (e *sqlite) leadFeed(context.Context) (func(), error)                        { return func() {}, nil }
func (e *sqlite) wakeOthers()                                                     {}
func (e *sqlite) holdOrders(context.Context, *sql.Tx) error                       { return nil }
func (e *sqlite) longJob(ctx context.Context, fn txFunc) error                    { return e.job(ctx, fn) }
func (e *sqlite) storeFixes(_ context.Context, _ [][]any, job func() error) error { return job() }
func (e *sqlite) writing() Pool                                                   { return poolOf("write", e.write.Stats()) }

func asJSON(values any) string {
	b, err := json.Marshal(values)
	if err != nil { // strings and integers always can be
		panic(err)
	}
	return string(b)
}

// ping writes an unused number in the file's header, since only a write detects a full
// disk. A commit within the last second proves the same.
func (e *sqlite) ping(ctx context.Context) error {
	now := time.Now()
	if err := e.store.alive(ctx); err != nil || now.UnixNano()-e.store.wrote.Load() < int64(time.Second) {
		return err
	}
	return e.job(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", now.Unix()&0x7fffffff))
		return err
	})
}

func (e *sqlite) close() error {
	for _, st := range e.stmts {
		_ = st.Close()
	}
	return errors.Join(e.write.Close(), e.unlock())
}

// job queues for the only writer.
func (e *sqlite) job(ctx context.Context, fn txFunc) error {
	_, err := e.store.submit(ctx, &call{job: fn})
	return err
}
