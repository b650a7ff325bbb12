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

// failure maps a database error to the caller's error: unavailable if it is transient, internal for everything else, such as
// a constraint violation, an unreadable row or a bug. Domain errors are returned unchanged.
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

// badRow is the error for a row that could not be decoded. The decoding error describes the row and must not reach the caller.
func badRow(err error) error {
	if err == nil {
		return nil
	}
	return domain.Internal("a stored row can't be read", err)
}

// passing reports whether a failure is known to be transient: the database is down,
// overloaded, full or temporarily read-only, or the caller gave up.
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

// sqliteResult is the primary result code of an SQLite error, 0 for any other error.
func sqliteResult(err error) int {
	var lite interface{ Code() int }
	if errors.As(err, &lite) {
		return lite.Code() & 0xff
	}
	return 0
}

// passingStates are the SQLSTATEs and SQLSTATE classes of transient failures.
var passingStates = map[string]bool{
	"08": true, "40": true, "53": true, "57": true, // connection, transaction rollback, insufficient resources (disk included), shutdown and timeouts
	"25006": true, "55006": true, "55P03": true, // read-only (a standby), in use, lock not available
}

// passingResults are the primary SQLite result codes of transient failures: busy, locked,
// out of memory, read-only, interrupted, I/O error, full, can't open, locking protocol.
var passingResults = map[int]bool{5: true, 6: true, 7: true, 8: true, 9: true, 10: true, sqliteFull: true, 14: true, 15: true}

func orderNotFound(id string) error {
	return domain.Errorf(domain.CodeOrderNotFound, "no order has the id %s", id)
}

func courierNotFound(id string) error {
	return domain.Errorf(domain.CodeCourierNotFound, "no courier has the id %s", id)
}

// lostRace reports whether a transaction that failed before its commit is worth retrying:
// it lost a deadlock or its connection. SQLite transactions wait for each other instead.
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
	if errors.As(err, &refused) { // nothing listens there
		return false
	}
	var network net.Error
	return pgconn.SafeToRetry(err) || errors.As(err, &network) && !network.Timeout() ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrUnexpectedEOF)
}
