package grpcserver

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/order-tracking/order-tracking/internal/domain"
	pb "github.com/order-tracking/order-tracking/proto/ordertracking/v1"
)

// Messages become the domain's values as they are: what is wrong with them the
// domain says, with all the other faults of the request.

// impossible stands for a timestamp that is none. The domain refuses every time
// after the year 9999 at the place where it finds it.
var impossible = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)

// timeFrom returns the zero time for an absent timestamp.
func timeFrom(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return instant(t.GetSeconds(), t.GetNanos())
}

// instant is the time of a timestamp's fields.
func instant(seconds int64, nanos int32) time.Time {
	t := time.Unix(seconds, int64(nanos)).UTC()
	if seconds < firstSecond || seconds >= endSecond || nanos < 0 || nanos > 999_999_999 || t.IsZero() {
		return impossible
	}
	return t
}

// A timestamp is from the beginning of the year 1 to the end of the year 9999.
const (
	firstSecond = -62_135_596_800
	endSecond   = 253_402_300_800
)

var timePointerFrom = optional(func(t *timestamppb.Timestamp) *time.Time {
	v := timeFrom(t)
	return &v
})

func draftFrom(r *pb.CreateOrderRequest) domain.Draft {
	return domain.Draft{
		ExternalID: r.GetExternalId(), MerchantID: r.GetMerchantId(),
		Customer: customerFrom(r.GetCustomer()),
		Pickup:   placeFrom(r.GetPickup()), Dropoff: placeFrom(r.GetDropoff()),
		Items: each(r.GetItems(), itemFrom), Total: moneyFrom(r.GetTotal()), Notes: r.GetNotes(), Metadata: r.GetMetadata(),
		ReadyAt: timePointerFrom(r.GetReadyAt()), PromisedAt: timePointerFrom(r.GetPromisedAt()),
	}
}

func customerFrom(c *pb.Customer) domain.Customer {
	return domain.Customer{Name: c.GetName(), Phone: c.GetPhone(), Email: c.GetEmail(), Locale: c.GetLocale()}
}

var placeFrom = optional(func(p *pb.Place) *domain.Place {
	return &domain.Place{Address: p.GetAddress(), Location: pointFrom(p.GetLocation()), Notes: p.GetNotes()}
})

var pointFrom = optional(func(p *pb.Point) *domain.Point {
	return &domain.Point{Lat: p.GetLat(), Lon: p.GetLon()}
})

var moneyFrom = optional(func(m *pb.Money) *domain.Money {
	return &domain.Money{Amount: m.GetAmount(), Currency: m.GetCurrency()}
})

// itemFrom reads an absent quantity as one, as JSON does.
func itemFrom(it *pb.Item) domain.Item {
	quantity := 1
	if it.Quantity != nil {
		quantity = int(it.GetQuantity())
	}
	return domain.Item{
		Name: it.GetName(), SKU: it.GetSku(), Quantity: quantity,
		Price: moneyFrom(it.GetPrice()), WeightG: int(it.GetWeightG()),
	}
}

var proofFrom = optional(func(p *pb.Proof) *domain.Proof {
	return &domain.Proof{
		Recipient: p.GetRecipient(), Code: p.GetCode(), Note: p.GetNote(),
		PhotoURL: p.GetPhotoUrl(), SignatureURL: p.GetSignatureUrl(),
	}
})

// filterFrom refuses times that can't be; the rest of a filter the use case checks.
func filterFrom(r *pb.GetOrdersRequest) (domain.OrderFilter, error) {
	f := domain.OrderFilter{
		Statuses: each(r.GetStatus(), statusFrom), CourierID: r.GetCourierId(), MerchantID: r.GetMerchantId(),
		ExternalID: r.GetExternalId(), CustomerPhone: r.GetCustomerPhone(), Search: r.GetQ(),
		CreatedFrom: timeFrom(r.GetCreatedFrom()), CreatedTo: timeFrom(r.GetCreatedTo()), Active: r.Active,
	}
	var faults domain.Faults
	for pointer, t := range map[string]time.Time{"/created_from": f.CreatedFrom, "/created_to": f.CreatedTo} {
		if t.Equal(impossible) {
			faults.Add(pointer, string(domain.CodeImpossibleTime), "must be a time between the years 1 and 9999")
		}
	}
	return f, faults.Err()
}
