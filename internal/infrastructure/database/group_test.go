package database

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// onBoth runs a test over each engine.
func onBoth(t *testing.T, test func(t *testing.T, s *Store)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, openSQLite(t, filepath.Join(t.TempDir(), "test.db"), Options{}))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, openPostgres(t, freshPostgres(t), Options{}))
	})
}

// together commits the calls as one group, as a committer does with waiting calls.
func together(s *Store, calls ...*call) []error {
	for _, c := range calls {
		c.done = make(chan struct{})
	}
	s.commitGroup(calls, &shift{pass: func() {}, standIn: func() {}})
	errs := make([]error, len(calls))
	for i, c := range calls {
		<-c.done
		errs[i] = failure(c.outcome.err)
	}
	return errs
}

func creating(t *testing.T, ch *domain.Change) *call {
	t.Helper()
	row, events, err := encodeChange(ch)
	require.NoError(t, err)
	return &call{id: ch.Order.ID, create: ch, row: row, events: events}
}

func assigning(order, courier string) *call {
	return &call{id: order, fn: func(ch *domain.Change) error {
		events, err := ch.Order.Assign(courier, domain.By{Now: time.Now()})
		ch.Add(events...)
		return err
	}}
}

// reporting changes an order by an inbound message.
func reporting(order, message string) *call {
	return &call{id: order, fn: func(ch *domain.Change) error {
		ch.InboundID = message
		return editNotes("reported")(ch)
	}}
}

// poison makes the database reject orders of the merchant "poison", immediately or at the commit.
func poison(t *testing.T, s *Store, atCommit bool) {
	t.Helper()
	text := `CREATE TRIGGER poison AFTER INSERT ON orders WHEN NEW.merchant_id = 'poison'
		BEGIN SELECT RAISE(ABORT, 'refused'); END`
	switch {
	case s.d.prepare && atCommit: // SQLite
		text = `CREATE TABLE gate (id TEXT PRIMARY KEY);
			CREATE TABLE guard (ref TEXT REFERENCES gate (id) DEFERRABLE INITIALLY DEFERRED);
			CREATE TRIGGER poison AFTER INSERT ON orders WHEN NEW.merchant_id = 'poison'
			BEGIN INSERT INTO guard VALUES (NEW.id); END`
	case !s.d.prepare:
		deferred := map[bool]string{true: "DEFERRABLE INITIALLY DEFERRED", false: ""}[atCommit]
		require.NoError(t, s.d.job(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
				AS $$ BEGIN RAISE 'refused'; END $$`)
			return err
		}))
		text = `CREATE CONSTRAINT TRIGGER poison AFTER INSERT ON orders ` + deferred + `
			FOR EACH ROW WHEN (NEW.merchant_id = 'poison') EXECUTE FUNCTION refuse()`
	}
	require.NoError(t, s.d.job(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, text)
		return err
	}))
}

func poisoned() *domain.Change {
	o, ev := domain.NewOrder(domain.Draft{
		MerchantID: "poison", Customer: domain.Customer{Name: "x"}, Dropoff: &domain.Place{Address: "y"},
	}, domain.By{Now: time.Now()})
	return &domain.Change{Order: o, Events: []domain.Event{ev}}
}

// A call rejected by the database fails alone, whether at its statement or only at the
// commit.
func TestOneBadCallOfAGroup(t *testing.T) {
	for name, atCommit := range map[string]bool{"at its statement": false, "at the commit": true} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, s *Store) {
				poison(t, s, atCommit)
				begun, begin := 0, s.d.begin
				s.d.begin = func(ctx context.Context) (*work, error) { begun++; return begin(ctx) }
				changes := make([]*domain.Change, 6)
				calls := make([]*call, len(changes))
				for i := range changes {
					changes[i] = newChange(i)
					if i == 2 {
						changes[i] = poisoned()
					}
					calls[i] = creating(t, changes[i])
				}
				for i, err := range together(s, calls...) {
					_, found := s.Order(t.Context(), changes[i].Order.ID)
					require.Equal(t, i == 2, err != nil, "call %d: %v", i, err)
					require.Equal(t, i == 2, found != nil)
					if i == 2 {
						require.Equal(t, domain.CodeInternal, domain.CodeOf(err), "what never passes is not called unavailable")
						require.Error(t, errors.Unwrap(err), "the cause is kept")
					}
				}
				require.Equal(t, 1+len(calls), begun, "the group and each alone")
			})
		})
	}
}

// If the answer to a commit is lost, the store checks the outcome: committed calls are not
// run again, the others are.
func TestLostAnswerOfACommit(t *testing.T) {
	for name, committed := range map[string]bool{"committed": true, "not committed": false} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, s *Store) {
				o, err := s.CreateOrder(t.Context(), newChange(1))
				require.NoError(t, err)
				commits, begin := 0, s.d.begin
				s.d.begin = func(ctx context.Context) (*work, error) {
					w, err := begin(ctx)
					if err != nil {
						return nil, err
					}
					commit := w.commit
					w.commit = func() error {
						if commits++; commits > 1 {
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
				errs := together(s,
					&call{id: o.ID, fn: editNotes("a")}, &call{id: o.ID, fn: editNotes("b")}, creating(t, fresh))
				require.NoError(t, errors.Join(errs...))
				require.Equal(t, map[bool]int{true: 1, false: 4}[committed], commits)
				stored, err := s.Order(t.Context(), o.ID)
				require.NoError(t, err)
				require.Equal(t, int64(3), stored.Version)
				require.Equal(t, "b", stored.Notes)
				_, err = s.Order(t.Context(), fresh.Order.ID)
				require.NoError(t, err)
			})
		})
	}
}

// Calls after one that fails late, at its claims, don't fail with it; the loser's claims
// are released.
func TestLosersOfAGroup(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		name, one := "Courier", 1
		busy, err := domain.NewCourier(domain.CourierEdit{Name: &name, Capacity: &one}, "RU", time.Now())
		require.NoError(t, err)
		require.NoError(t, s.CreateCourier(t.Context(), busy, nil))
		taken, err := s.CreateOrder(t.Context(), newChange(1))
		require.NoError(t, err)
		require.NoError(t, errors.Join(together(s, assigning(taken.ID, busy.ID))...))
		o, err := s.CreateOrder(t.Context(), newChange(2))
		require.NoError(t, err)
		require.NoError(t, errors.Join(together(s, reporting(o.ID, "lost"))...))

		recorded := newChange(3)
		recorded.Idempotency = &domain.Idempotency{Scope: "s", Key: "used", Hash: "h", CreatedAt: time.Now()}
		_, err = s.CreateOrder(t.Context(), recorded)
		require.NoError(t, err)
		keyTaken, idTaken := newChange(4), newChange(5)
		keyTaken.Idempotency = recorded.Idempotency
		keyTaken.Order.ExternalID = "freed"
		idTaken.Order.ExternalID = recorded.Order.ExternalID
		idTaken.Idempotency = &domain.Idempotency{Scope: "s", Key: "freed", Hash: "h", CreatedAt: time.Now()}

		errs := together(s,
			assigning(o.ID, busy.ID), &call{id: o.ID, fn: editNotes("kept")},
			creating(t, keyTaken), creating(t, idTaken), creating(t, newChange(6)),
			reporting(taken.ID, "lost"), &call{id: taken.ID, fn: editNotes("kept")})
		require.Equal(t, domain.CodeCourierBusy, domain.CodeOf(errs[0]))
		require.NoError(t, errs[1])
		require.ErrorIs(t, errs[2], domain.ErrRecorded)
		require.Equal(t, domain.CodeDuplicateExternalID, domain.CodeOf(errs[3]))
		require.NoError(t, errs[4])
		require.ErrorIs(t, errs[5], domain.ErrRecorded)
		require.NoError(t, errs[6])
		stored, err := s.Order(t.Context(), taken.ID)
		require.NoError(t, err)
		require.Equal(t, "kept", stored.Notes)
		require.Equal(t, int64(3), stored.Version, "nothing of the loser is in what followed it")

		stored, err = s.Order(t.Context(), o.ID)
		require.NoError(t, err)
		require.Equal(t, "kept", stored.Notes)
		require.Empty(t, stored.CourierID)
		again := newChange(7)
		again.Order.ExternalID = "freed"
		again.Idempotency = idTaken.Idempotency
		_, err = s.CreateOrder(t.Context(), again)
		require.NoError(t, err)
	})
}

// Capacity freed by an earlier call of the group can be used by a later one.
func TestAPlaceFreedInTheSameGroup(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		name, one := "Courier", 1
		c, err := domain.NewCourier(domain.CourierEdit{Name: &name, Capacity: &one}, "RU", time.Now())
		require.NoError(t, err)
		require.NoError(t, s.CreateCourier(t.Context(), c, nil))
		first, err := s.CreateOrder(t.Context(), newChange(1))
		require.NoError(t, err)
		second, err := s.CreateOrder(t.Context(), newChange(2))
		require.NoError(t, err)
		free := &call{id: first.ID, fn: func(ch *domain.Change) error {
			events, err := ch.Order.Move(domain.StatusConfirmed, nil, domain.By{Now: time.Now()})
			ch.Add(events...)
			return err
		}}
		errs := together(s, assigning(first.ID, c.ID), assigning(second.ID, c.ID), free, assigning(second.ID, c.ID))
		require.Equal(t, domain.CodeCourierBusy, domain.CodeOf(errs[1]))
		require.NoError(t, errors.Join(errs[0], errs[2], errs[3]))
		got, err := s.Courier(t.Context(), c.ID)
		require.NoError(t, err)
		require.Equal(t, 1, got.ActiveOrders)
	})
}

func TestWhoIsGathered(t *testing.T) {
	for name, c := range map[string]struct {
		come   int  // after the first call
		landed bool // the other group's commit is over from the start
		lands  bool // or later
		want   int
		took   time.Duration
	}{
		"alone":                       {landed: true, want: 1},
		"those that wait":             {come: 5, landed: true, want: 6},
		"not more than a group":       {come: 20, landed: true, want: 8},
		"until the commit is over":    {come: 2, lands: true, want: 3, took: time.Millisecond},
		"half a group does not wait":  {come: 3, want: 4},
		"a commit that hangs is left": {come: 1, want: 2, took: gatherFor},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &Store{maxGroup: 8, waiting: make(chan *call), flight: make(chan struct{})}
				if c.landed {
					close(s.flight)
				}
				gone := make(chan struct{})
				for range c.come {
					go func() {
						select {
						case s.waiting <- new(call):
						case <-gone:
						}
					}()
				}
				synctest.Wait()
				if c.lands {
					time.AfterFunc(time.Millisecond, func() { close(s.flight) })
				}
				began := time.Now()
				require.Len(t, s.gather([]*call{{}}), c.want)
				require.Equal(t, c.took, time.Since(began))
				close(gone)
			})
		})
	}
}
