package database

import (
	"errors"

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
