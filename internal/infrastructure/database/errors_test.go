package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// result is an SQLite error with a result code.
type result int

func (r result) Error() string { return fmt.Sprint("result ", int(r)) }
func (r result) Code() int     { return int(r) }

func TestOnlyWhatPassesIsUnavailable(t *testing.T) {
	for _, c := range []struct {
		err  error
		code domain.Code
	}{
		{nil, ""},
		{context.Canceled, domain.CodeUnavailable},
		{io.ErrUnexpectedEOF, domain.CodeUnavailable},
		{errUnknown, domain.CodeUnavailable},
		{&pgconn.PgError{Code: "53100"}, domain.CodeUnavailable}, // the disk is full
		{&pgconn.PgError{Code: "57P01"}, domain.CodeUnavailable}, // shutting down
		{&pgconn.PgError{Code: "57014"}, domain.CodeUnavailable}, // took too long
		{&pgconn.PgError{Code: "40P01"}, domain.CodeUnavailable}, // deadlock
		{&pgconn.PgError{Code: "25006"}, domain.CodeUnavailable}, // a standby
		{&pgconn.PgError{Code: "23505"}, domain.CodeInternal},    // unique
		{&pgconn.PgError{Code: "42P01"}, domain.CodeInternal},    // no such table
		{&pgconn.PgError{Code: "28P01"}, domain.CodeInternal},    // wrong password
		{&pgconn.PgError{Code: "22P02"}, domain.CodeInternal},    // not a uuid
		{result(13), domain.CodeUnavailable},                     // full
		{result(5 | 2<<8), domain.CodeUnavailable},               // busy, extended
		{result(10 | 3<<8), domain.CodeUnavailable},              // a write failed
		{result(19 | 8<<8), domain.CodeInternal},                 // unique
		{result(11), domain.CodeInternal},                        // corrupt
		{result(26), domain.CodeInternal},                        // not a database
		{sql.ErrNoRows, domain.CodeInternal},
		{errors.New("a bug"), domain.CodeInternal},
		{orderNotFound("x"), domain.CodeOrderNotFound},
		{badRow(orderNotFound("x")), domain.CodeInternal},
	} {
		got := failure(c.err)
		require.Equal(t, c.code, domain.CodeOf(got), "%v", c.err)
		if c.err != nil {
			require.ErrorIs(t, got, c.err, "the cause is kept")
			require.ErrorIs(t, failure(fmt.Errorf("twice: %w", got)), c.err)
		}
	}
}

// An unreadable row is an internal error for every kind of read.
func TestABadRowIsInternal(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		o, err := s.CreateOrder(t.Context(), newChange(1))
		require.NoError(t, err)
		for _, bad := range []string{`{`, `[]`} {
			_, err = s.change(t.Context(), `UPDATE orders SET data = $2 WHERE id = $1`, o.ID, bad)
			require.NoError(t, err)
			_, one := s.Order(t.Context(), o.ID)
			_, _, many := s.Orders(t.Context(), domain.OrderFilter{}, domain.Page{Size: 10})
			_, changing := s.UpdateOrder(t.Context(), o.ID, editNotes("x"))
			for name, err := range map[string]error{"one": one, "many": many, "changing": changing} {
				require.Error(t, err, "%s %s", name, bad)
				require.Equal(t, domain.CodeInternal, domain.CodeOf(err), "%s %s: %v", name, bad, err)
			}
		}
	})
}
