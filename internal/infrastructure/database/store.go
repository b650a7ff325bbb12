// Package database is the durable store, on SQLite or PostgreSQL: one store, one schema
// and shared SQL; sqlite.go and postgres.go hold the differences.
//
// Invariants: an order's row, its events, the outbox entries and every side row of a change are committed in one
// transaction. Once a method returns success, its change is on disk. order_events is append-only. A courier's active_orders
// equals the number of its unfinished orders.
//
// Concurrency: order changes queue for a committer, a goroutine that takes one waiting call, then all other waiting calls,
// up to MaxGroup, and commits them together (group.go). SQLite has one committer; PostgreSQL has two, so that one writes
// while the other waits for its commit. The closures of a group run sequentially, each on its own copy of the object
// (plan.go), so one that fails or panics does not affect the others. Reads use a connection pool.
//
// Lifecycle: Open… runs the migrations and starts the committers, Close waits for
// running commits; calls still queued then fail with unavailable.
package database

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Options tunes a store.
type Options struct {
	// MaxGroup limits the callers that share a commit, 1 to 64; 0 means 64.
	MaxGroup int
	// Segment is the largest number of orders in a segment of the search index, and SearchQueue how long a
	// changed order may be queued for it; 0 means the defaults.
	Segment     int
	SearchQueue time.Duration
	// Log receives messages for operators; nil discards them.
	Log *zap.Logger
	// Committed is called after each committed group with its number of changes and its duration.
	Committed func(group int, took time.Duration)
}

const maxGroup = 64

// Store implements domain.Store over SQLite or PostgreSQL.
type Store struct {
	read     *sql.DB
	d        *dialect
	log      *zap.Logger
	maxGroup int
	observe  func(group int, took time.Duration)
	segment  int
	patience time.Duration
	besides  sync.Mutex // held by the search that reads with two connections

	stmts     sync.Map      // constant SQL text to *sql.Stmt
	waiting   chan *call    // callers, until a committer takes them
	turn      chan struct{} // held by the committer that fills its group
	flight    chan struct{} // closed when the latest group is committed; owned by the holder of turn
	committed chan struct{}
	wrote     atomic.Int64 // time of the last group commit, nanoseconds since 1970
	closing   chan struct{}
	close     func() error
	running   sync.WaitGroup
}

var _ domain.Store = (*Store)(nil)

// txFunc runs in a transaction, possibly several times.
type txFunc func(context.Context, *sql.Tx) error

// dialect holds the differences between the engines.
type dialect struct {
	engine
	// prepare makes the store keep statements prepared.
	prepare bool
	// forUpdate ends a SELECT that locks its rows, skipLocked one that also skips rows locked by others.
	forUpdate, skipLocked string
	// among follows a column name: the column is in the list passed as the first parameter.
	among string
	list  func(any) any
	// position is the SQL function that finds a substring; it returns zero if there is none.
	position string
	// bytesAsText is the column result, which holds bytes, as text.
	bytesAsText string
	// listMode precedes the arguments of a query whose plan depends on their values.
	listMode []any
	begin    func(context.Context) (*work, error)
	// snapshot are the options of a transaction that reads one state of the database.
	snapshot *sql.TxOptions
	// searchGrams reads parts of the search index by lists of segments and of numbers; searchPages reads parts listed by pairs.
	searchGrams, searchPages string
	pairs                    func([][2]int64) []any
}

// engine is what SQLite and PostgreSQL do in different ways.
type engine interface {
	workContext() (context.Context, context.CancelFunc)
	// wakeOthers notifies other processes that events may be pending.
	wakeOthers()
	// lead implements Store.Lead.
	lead(context.Context) (domain.Outbox, func(), error)
	// job runs a transaction that does not change an order, longJob one that may take minutes.
	job(context.Context, txFunc) error
	longJob(context.Context, txFunc) error
	// leadFeed makes this process the only one that feeds the search index, until release is
	// called. It returns nil while another one does.
	leadFeed(context.Context) (release func(), err error)
	// holdOrders lets no order be committed until the transaction ends.
	holdOrders(context.Context, *sql.Tx) error
	// insert stores rows and returns how many were new.
	insert(ctx context.Context, tx *sql.Tx, t *table, rows [][]any) (int, error)
	// storeFixes runs a job that inserts positions.
	storeFixes(ctx context.Context, rows [][]any, job func() error) error
	// purgeFixes deletes positions recorded before a time (microseconds).
	purgeFixes(ctx context.Context, before int64) error
	// writing returns the statistics of the write connections.
	writing() Pool
	// ping fails unless the database accepts writes.
	ping(context.Context) error
	close() error
}

// newStore starts the committers over an open database.
func newStore(read *sql.DB, d *dialect, committers int, o Options) *Store {
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Committed == nil {
		o.Committed = func(int, time.Duration) {}
	}
	if o.MaxGroup < 1 || o.MaxGroup > maxGroup {
		o.MaxGroup = maxGroup
	}
	if o.Segment == 0 {
		o.Segment = fullSegment
	}
	if o.SearchQueue == 0 {
		o.SearchQueue = queueTime
	}
	s := &Store{
		segment: max(smallSegments, o.Segment), patience: o.SearchQueue,
		read: read, d: d, log: o.Log, maxGroup: o.MaxGroup, observe: o.Committed,
		waiting: make(chan *call), turn: make(chan struct{}, 1),
		committed: make(chan struct{}, 1), closing: make(chan struct{}), flight: make(chan struct{}),
	}
	close(s.flight)
	for range committers {
		s.running.Go(s.commitLoop)
	}
	s.close = sync.OnceValue(func() error {
		close(s.closing)
		s.running.Wait()
		s.stmts.Range(func(_, v any) bool { _ = v.(*sql.Stmt).Close(); return true })
		return errors.Join(s.read.Close(), s.d.close())
	})
	return s
}

// Close waits for running commits and closes the database.
func (s *Store) Close() error { return s.close() }

// Ping fails unless the database answers and accepts writes.
func (s *Store) Ping(ctx context.Context) error { return failure(s.d.ping(ctx)) }

// readTries is how often a read is tried after a broken connection: enough to get through a pool full of them.
const readTries = 10

// one reads the first row of a query with constant SQL; false if there is none.
func (s *Store) one(ctx context.Context, text string, args []any, dest ...any) (bool, error) {
	rows, err := s.query(ctx, text, args...)
	if err != nil {
		return false, failure(err)
	}
	defer func() { _ = rows.Close() }()
	if !rows.Next() {
		return false, failure(rows.Err())
	}
	if err := rows.Scan(dest...); err != nil {
		return false, badRow(err)
	}
	err = rows.Close()
	return err == nil, failure(err)
}

// value reads the only column of the first row of a query with constant SQL, zero if there is none.
func value[T any](ctx context.Context, s *Store, text string, args ...any) (v T, err error) {
	_, err = s.one(ctx, text, args, &v)
	return v, err
}

// query runs a query with constant SQL.
func (s *Store) query(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	if s.d.prepare {
		st, err := s.prepared(ctx, text)
		if err != nil {
			return nil, err
		}
		return st.QueryContext(ctx, args...)
	}
	return s.queryVarying(ctx, text, args...)
}

// queryVarying runs a query with dynamically built SQL.
func (s *Store) queryVarying(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	if err := s.alive(ctx); err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		rows, err := s.read.QueryContext(ctx, text, args...)
		if err == nil || try == readTries || !lostRace(err) {
			return rows, err
		}
	}
}

// alive returns an error if the store is closed or the caller gave up.
func (s *Store) alive(ctx context.Context) error {
	select {
	case <-s.closing:
		return errClosed
	default:
		return ctx.Err()
	}
}

func (s *Store) prepared(ctx context.Context, text string) (*sql.Stmt, error) {
	if err := s.alive(ctx); err != nil {
		return nil, err
	}
	if st, ok := s.stmts.Load(text); ok {
		return st.(*sql.Stmt), nil
	}
	st, err := s.read.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	if other, loaded := s.stmts.LoadOrStore(text, st); loaded {
		_ = st.Close()
		return other.(*sql.Stmt), nil
	}
	return st, nil
}

// collect reads every row of a query.
func collect[T any](rows *sql.Rows, err error, scan func(*sql.Rows) (T, error)) ([]T, error) {
	if err != nil {
		return nil, failure(err)
	}
	defer func() { _ = rows.Close() }()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, badRow(err)
		}
		out = append(out, v)
	}
	return out, failure(rows.Err())
}

// list reads every row of a query with constant SQL.
func list[T any](ctx context.Context, s *Store, scan func(*sql.Rows) (T, error), text string, args ...any) ([]T, error) {
	rows, err := s.query(ctx, text, args...)
	return collect(rows, err, scan)
}

// into makes a scanner of rows from the targets of their columns.
func into[T any](targets func(*T) []any) func(*sql.Rows) (T, error) {
	return func(r *sql.Rows) (v T, err error) {
		err = r.Scan(targets(&v)...)
		return v, err
	}
}

// firstOf returns the first of the rows, nil if there are none.
func firstOf[T any](rows []T, err error) (*T, error) {
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return &rows[0], nil
}

// scanOne reads a row of one column.
func scanOne[T any](r *sql.Rows) (v T, err error) {
	err = r.Scan(&v)
	return v, err
}
