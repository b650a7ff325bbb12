package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/order-tracking/order-tracking/internal/domain"
)

var errClosed = errors.New("the store is closed")

// failure is what callers get when the database does not do its work: unavailable for
// what passes by itself, internal for everything else, such as a constraint, a row that
// can't be read, a bug. Errors of the domain pass as they are.
func failure(err error) error {
	var known *domain.Error
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case passing(err):
		return domain.Unavailable("the database", err)
	}
	return domain.Internal("the database failed", err)
}

// badRow is why a row could not be read. What decoding says of it is about the row, and
// not for the caller.
func badRow(err error) error {
	if err == nil {
		return nil
	}
	return domain.Internal("a stored row can't be read", err)
}

// passing says whether a failure is one that is known to pass: the database is away,
// overloaded, full, read-only for a while, or whoever asked gave up.
func passing(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return passingStates[pg.Code[:2]] || passingStates[pg.Code]
	}
	if code := sqliteResult(err); code > 0 {
		return passingResults[code]
	}
	for _, known := range []error{
		errClosed, errUnknown, errNotLeading, context.Canceled, context.DeadlineExceeded,
		driver.ErrBadConn, sql.ErrConnDone, sql.ErrTxDone, net.ErrClosed, io.EOF, io.ErrUnexpectedEOF,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || pgconn.SafeToRetry(err)
}

const sqliteFull = 13

// sqliteResult is the primary result code of an error of SQLite's, 0 for another error.
func sqliteResult(err error) int {
	var lite interface{ Code() int }
	if errors.As(err, &lite) {
		return lite.Code() & 0xff
	}
	return 0
}

// passingStates are SQLSTATEs, and classes of them, of what passes.
var passingStates = map[string]bool{
	"08": true, "40": true, "53": true, "57": true, // connection, lost races, out of something (disk too), shutdown and timeouts
	"25006": true, "55006": true, "55P03": true, // read-only (a standby), in use, lock not available
}

// passingResults are primary result codes of SQLite of what passes: busy, locked, out of
// memory, read-only, interrupted, input or output, full, can't open, locking protocol.
var passingResults = map[int]bool{5: true, 6: true, 7: true, 8: true, 9: true, 10: true, sqliteFull: true, 14: true, 15: true}

func orderNotFound(id string) error {
	return domain.Errorf(domain.CodeOrderNotFound, "no order has the id %s", id)
}

func courierNotFound(id string) error {
	return domain.Errorf(domain.CodeCourierNotFound, "no courier has the id %s", id)
}

func duplicateExternalID(o *domain.Order) error {
	return domain.Errorf(domain.CodeDuplicateExternalID, "an order with the external_id %q exists", o.ExternalID)
}

// lostRace says whether a transaction that failed before its commit may do better
// when it is tried again: it lost a deadlock, or its connection was gone. SQLite's wait
// by themselves.
func lostRace(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code {
		case "40001", "40P01", "57P01", "57P02", "57P03": // serialization, deadlock, shutdown, crash, starting
			return true
		}
		return false
	}
	var refused *pgconn.ConnectError
	if errors.As(err, &refused) { // nobody is there
		return false
	}
	var network net.Error
	return pgconn.SafeToRetry(err) || errors.As(err, &network) && !network.Timeout() ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrUnexpectedEOF)
}
