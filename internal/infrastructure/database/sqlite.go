package database

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// sqlite is the engine: one connection that writes, used by the committer alone.
type sqlite struct {
	store *Store
	write *sql.DB
	stmts map[string]*sql.Stmt // of the writer, by text
	// unlock lets other processes have the file.
	unlock func() error
}

func (e *sqlite) dialect() *dialect {
	return &dialect{
		prepare: true,
		among:   " IN (SELECT value FROM json_each($1))",
		list: func(values any) any {
			b, err := json.Marshal(values)
			if err != nil { // texts and integers always can be
				panic(err)
			}
			return string(b)
		},
		position: "instr",
		begin:    e.begin,
		// No deadline: the file is local, and another process that writes is waited for
		// by busy_timeout.
		workContext: func() (context.Context, context.CancelFunc) { return context.Background(), func() {} },
		wakeOthers:  func() {},
		// The file has one relay: that of the process.
		lead:       func(context.Context) (domain.Outbox, func(), error) { return e.store, func() {}, nil },
		job:        e.job,
		longJob:    e.job,
		insert:     e.insert,
		storeFixes: func(_ context.Context, _ [][]any, job func() error) error { return job() },
		purgeFixes: e.purgeFixes,
		writing:    func() Pool { return poolOf("write", e.write.Stats()) },
		ping:       e.ping,
		close:      e.close,
	}
}

// ping writes, since only that shows a full disk: a number in the file's header that
// nobody reads. A commit within the last second says as much.
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

// job queues up for the only writer.
func (e *sqlite) job(ctx context.Context, fn txFunc) error {
	_, err := e.store.submit(ctx, &call{job: fn})
	return err
}
