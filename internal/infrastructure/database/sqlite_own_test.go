package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

func TestSQLiteFilesArePrivate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "deep ?#%", "orders.db")
	s := openSQLite(t, path, Options{})
	_, err := s.CreateOrder(t.Context(), newChange(1))
	require.NoError(t, err)
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), name)
	}
	info, err := os.Stat(filepath.Dir(path))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
}

func TestSQLiteSettings(t *testing.T) {
	t.Parallel()
	s := openSQLite(t, filepath.Join(t.TempDir(), "orders.db"), Options{})
	require.NoError(t, s.d.job(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "busy_timeout": "5000"} {
			var got string
			require.NoError(t, tx.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(&got))
			require.Equal(t, want, got, pragma)
		}
		return nil
	}))
	_, err := s.read.Exec(`DELETE FROM orders`)
	require.Error(t, err, "readers can't write")
}

// Two processes may open one file by mistake: each sees what the other wrote and
// neither loses a change.
func TestTwoOpensOfOneFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "orders.db")
	stores := []*Store{openSQLite(t, path, Options{}), openSQLite(t, path, Options{})}
	o, err := stores[0].CreateOrder(t.Context(), newChange(1))
	require.NoError(t, err)
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			_, err := stores[i%2].UpdateOrder(t.Context(), o.ID, editNotes(fmt.Sprint(i)))
			require.NoError(t, err)
		})
	}
	wg.Wait()
	for _, s := range stores {
		stored, err := s.Order(t.Context(), o.ID)
		require.NoError(t, err)
		require.Equal(t, int64(41), stored.Version)
	}
}

func editNotes(notes string) func(*domain.Change) error {
	return func(ch *domain.Change) error {
		events, err := ch.Order.Edit(domain.Edit{Notes: &notes}, "RU", domain.By{Now: time.Now()})
		ch.Add(events...)
		return err
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "orders.db")
	s := openSQLite(t, path, Options{})
	require.NoError(t, s.d.job(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9000, 1)`)
		return err
	}))
	require.NoError(t, s.Close())
	_, err := OpenSQLite(t.Context(), path, Options{})
	require.ErrorContains(t, err, "schema version 9000")
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, []byte("this is no database, and longer than a header of SQLite has to be at least"), 0o600))
	for _, path := range []string{file, filepath.Join(file, "below a file.db")} {
		_, err := OpenSQLite(t.Context(), path, Options{})
		require.Error(t, err)
	}
}

// inOneGroup runs the calls so that they share a commit: they queue up while a
// first one is held.
func inOneGroup(t *testing.T, s *Store, calls ...func() error) []error {
	t.Helper()
	blocker, err := s.CreateOrder(context.Background(), newChange(0))
	require.NoError(t, err)
	release := make(chan struct{})
	errs := make([]error, len(calls))
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := s.UpdateOrder(context.Background(), blocker.ID, func(*domain.Change) error { <-release; return nil })
		require.NoError(t, err)
	})
	synctest.Wait()
	for i, call := range calls {
		wg.Go(func() { errs[i] = call() })
	}
	synctest.Wait()
	close(release)
	wg.Wait()
	return errs
}

// withSQLite runs a test in a bubble, where it is known who waits.
func withSQLite(t *testing.T, test func(t *testing.T, s *Store)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "orders.db")
	synctest.Test(t, func(t *testing.T) {
		s, err := OpenSQLite(context.Background(), path, Options{})
		require.NoError(t, err)
		defer func() { require.NoError(t, s.Close()) }()
		test(t, s)
	})
}

// poison makes SQLite refuse orders of the merchant "poison" by the trigger's body.
func poison(t *testing.T, s *Store, body string) {
	t.Helper()
	require.NoError(t, s.d.job(context.Background(), func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			CREATE TABLE gate (id TEXT PRIMARY KEY);
			CREATE TABLE guard (ref TEXT REFERENCES gate (id) DEFERRABLE INITIALLY DEFERRED);
			CREATE TRIGGER poison AFTER INSERT ON orders WHEN NEW.merchant_id = 'poison' BEGIN `+body+`; END`)
		return err
	}))
}

func TestOneBadCallOfAGroup(t *testing.T) {
	for name, body := range map[string]string{
		"at its statement": `SELECT RAISE(ABORT, 'refused')`,
		"at the commit":    `INSERT INTO guard VALUES (NEW.id)`,
	} {
		t.Run(name, func(t *testing.T) {
			withSQLite(t, func(t *testing.T, s *Store) {
				poison(t, s, body)
				begun := countBegins(s)
				changes := make([]*domain.Change, 6)
				calls := make([]func() error, len(changes))
				for i := range changes {
					changes[i] = newChange(i)
					if i == 2 {
						changes[i] = poisoned()
					}
					calls[i] = func() error { _, err := s.CreateOrder(context.Background(), changes[i]); return err }
				}
				errs := inOneGroup(t, s, calls...)
				for i, err := range errs {
					_, found := s.Order(context.Background(), changes[i].Order.ID)
					require.Equal(t, i == 2, err != nil, "call %d: %v", i, err)
					require.Equal(t, i == 2, found != nil)
					if i == 2 {
						require.Equal(t, domain.CodeUnavailable, domain.CodeOf(err))
					}
				}
				require.Equal(t, 2+1+len(calls), *begun, "the blocker, the group and each alone")
			})
		})
	}
}

func poisoned() *domain.Change {
	o, ev := domain.NewOrder(domain.Draft{
		MerchantID: "poison", Customer: domain.Customer{Name: "x"}, Dropoff: &domain.Place{Address: "y"},
	}, domain.By{Now: time.Now()})
	return &domain.Change{Order: o, Events: []domain.Event{ev}}
}

// countBegins counts the transactions from now on.
func countBegins(s *Store) *int {
	n, begin := new(int), s.d.begin
	s.d.begin = func(ctx context.Context, careful bool) (*work, error) { *n++; return begin(ctx, careful) }
	return n
}

// When the answer to a commit is lost the store finds out and runs nothing twice
// that was committed and everything again that was not.
func TestLostAnswerOfACommit(t *testing.T) {
	for name, committed := range map[string]bool{"committed": true, "not committed": false} {
		t.Run(name, func(t *testing.T) {
			withSQLite(t, func(t *testing.T, s *Store) {
				o, err := s.CreateOrder(context.Background(), newChange(1))
				require.NoError(t, err)
				lost, begin := 0, s.d.begin
				s.d.begin = func(ctx context.Context, careful bool) (*work, error) {
					w, err := begin(ctx, careful)
					if err != nil {
						return nil, err
					}
					commit := w.commit
					w.commit = func() error {
						if lost++; lost != 2 { // the second is the group's
							return commit()
						}
						if committed {
							require.NoError(t, commit())
						}
						return errors.New("connection reset")
					}
					return w, nil
				}
				fresh := newChange(2)
				errs := inOneGroup(t, s,
					func() error { _, err := s.UpdateOrder(context.Background(), o.ID, editNotes("a")); return err },
					func() error { _, err := s.UpdateOrder(context.Background(), o.ID, editNotes("b")); return err },
					func() error { _, err := s.CreateOrder(context.Background(), fresh); return err },
				)
				require.NoError(t, errors.Join(errs...))
				require.Equal(t, !committed, lost > 2)
				stored, err := s.Order(context.Background(), o.ID)
				require.NoError(t, err)
				require.Equal(t, int64(3), stored.Version)
				_, err = s.Order(context.Background(), fresh.Order.ID)
				require.NoError(t, err)
			})
		})
	}
}

// A call that depended on one that failed late is run again and does not fail with it.
func TestWhoDependedOnALoserRunsAgain(t *testing.T) {
	withSQLite(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		name, one := "Courier", 1
		busy, err := domain.NewCourier(domain.CourierEdit{Name: &name, Capacity: &one}, "RU", time.Now())
		require.NoError(t, err)
		free, err := domain.NewCourier(domain.CourierEdit{Name: &name, Capacity: &one}, "RU", time.Now())
		require.NoError(t, err)
		require.NoError(t, s.CreateCourier(ctx, busy, nil))
		require.NoError(t, s.CreateCourier(ctx, free, nil))
		assign := func(id, courier string) error {
			_, err := s.UpdateOrder(ctx, id, func(ch *domain.Change) error {
				if courier == "" { // whoever: the second choice depends on what the first did
					courier = busy.ID
					if ch.Order.CourierID == "" {
						courier = free.ID
					}
				}
				events, err := ch.Order.Assign(courier, domain.By{Now: time.Now()})
				ch.Add(events...)
				return err
			})
			return err
		}
		taken, err := s.CreateOrder(ctx, newChange(1))
		require.NoError(t, err)
		require.NoError(t, assign(taken.ID, busy.ID))
		o, err := s.CreateOrder(ctx, newChange(2))
		require.NoError(t, err)
		errs := inOneGroup(t, s,
			func() error { return assign(o.ID, busy.ID) },
			func() error { _, err := s.UpdateOrder(ctx, o.ID, editNotes("kept")); return err },
		)
		require.Equal(t, domain.CodeCourierBusy, domain.CodeOf(errs[0]))
		require.NoError(t, errs[1])
		require.NoError(t, assign(o.ID, ""))
		stored, err := s.Order(ctx, o.ID)
		require.NoError(t, err)
		require.Equal(t, "kept", stored.Notes)
		require.Equal(t, free.ID, stored.CourierID)
	})
}
