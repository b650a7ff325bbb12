package orders

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/paging"
)

// compare compares the row with the existing order.
func (im *importer) compare(ctx context.Context, row ImportRow, ch *domain.Change, taken error) (known bool, err error) {
	given := &row.Order.Order
	var stored *domain.Order
	if given.ID == "" {
		stored, err = im.external(ctx, given.MerchantID, given.ExternalID)
	} else {
		stored, err = im.Store.Order(ctx, ch.Order.ID)
	}
	if domain.CodeOf(err) == domain.CodeOrderNotFound || err == nil && stored == nil {
		return false, taken // another order has the external_id
	}
	if err != nil {
		return false, err
	}
	if !im.caller.Reaches(stored) {
		return false, taken
	}
	ours := *ch.Order
	if len(row.Order.Events) == 0 {
		// Fields missing in the row count as equal.
		ours.ID, ours.Version, ours.ETA = stored.ID, stored.Version, stored.ETA
		if given.Number == "" {
			ours.Number = stored.Number
		}
		if given.UpdatedAt.IsZero() {
			ours.UpdatedAt = stored.UpdatedAt
		}
		if given.CreatedAt.IsZero() && len(row.Order.Steps) == 0 {
			ours.CreatedAt = stored.CreatedAt
		}
	}
	ours.SetETA(ours.ETA) // drop the cached encoding
	same, err := sameJSON(&ours, stored)
	if err == nil && same && len(row.Order.Events) > 0 {
		var events []domain.Event
		if events, err = im.Store.Events(ctx, stored.ID, 0); err == nil {
			same, err = sameJSON(ch.Events, domain.History(events, im.caller.View()))
		}
	}
	switch {
	case err != nil || same:
		return same, err
	case given.ID == "":
		return false, taken
	}
	return false, domain.Errorf(domain.CodeVersionConflict, "a different order with this id exists, at version %d", stored.Version)
}

// external finds an order by its external id; nil when there is none.
func (im *importer) external(ctx context.Context, merchant, external string) (*domain.Order, error) {
	of := domain.OrderFilter{MerchantID: merchant, ExternalID: external}
	for o, err := range paging.All(ctx, of, im.Store.Orders) {
		if err != nil || o.MerchantID == merchant {
			return o, err
		}
	}
	return nil, nil
}

func sameJSON(a, b any) (bool, error) {
	one, err := json.Marshal(a)
	other, otherErr := json.Marshal(b)
	return bytes.Equal(one, other), errors.Join(err, otherErr)
}
