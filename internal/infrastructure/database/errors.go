package database

import (
	"errors"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/order-tracking/order-tracking/internal/domain"
)

var errClosed = errors.New("the store is closed")

// unavailable is what callers get when the database does not do its work; errors
// of the domain pass as they are.
func unavailable(err error) error {
	if err == nil {
		return nil
	}
	var known *domain.Error
	if errors.As(err, &known) {
		return err
	}
	return domain.Unavailable("the database", err)
}

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
