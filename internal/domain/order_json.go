package domain

import (
	"strconv"
	"time"
)

// appendOrder appends the JSON that json.Marshal makes of the order's fields, several
// times as fast: each version is encoded once for the database, Kafka and all readers.
func appendOrder(b []byte, o *Order) []byte {
	b = appendString(append(b, `{"id":`...), o.ID)
	b = appendString(append(b, `,"number":`...), o.Number)
	b = appendMember(b, `,"external_id":`, o.ExternalID)
	b = appendMember(b, `,"merchant_id":`, o.MerchantID)
	b = appendString(append(b, `,"status":`...), string(o.Status))
	b = strconv.AppendInt(append(b, `,"version":`...), o.Version, 10)
	b = appendCustomer(append(b, `,"customer":`...), &o.Customer)
	if o.Pickup != nil {
		b = appendPlace(append(b, `,"pickup":`...), o.Pickup)
	}
	b = appendPlace(append(b, `,"dropoff":`...), &o.Dropoff)
	if len(o.Items) > 0 {
		b = append(b, `,"items":`...)
		for i := range o.Items {
			b = appendItem(append(b, "[,"[min(i, 1)]), &o.Items[i])
		}
		b = append(b, ']')
	}
	b = appendMoney(b, `,"total":`, o.Total)
	b = appendMember(b, `,"notes":`, o.Notes)
	if len(o.Metadata) > 0 {
		b = appendAny(append(b, `,"metadata":`...), o.Metadata)
	}
	b = appendMember(b, `,"courier_id":`, o.CourierID)
	if o.Shipment != nil {
		b = appendAny(append(b, `,"shipment":`...), o.Shipment)
	}
	b = appendInstant(b, `,"ready_at":`, o.ReadyAt)
	b = appendInstant(b, `,"promised_at":`, o.PromisedAt)
	if o.ETA != nil {
		b = appendEstimate(append(b, `,"eta":`...), o.ETA)
	}
	b = strconv.AppendInt(append(b, `,"attempts":`...), int64(o.Attempts), 10)
	if o.Exception != nil {
		b = appendAny(append(b, `,"exception":`...), o.Exception)
	}
	b = appendTime(append(b, `,"created_at":`...), o.CreatedAt)
	b = appendTime(append(b, `,"updated_at":`...), o.UpdatedAt)
	b = appendInstant(b, `,"delivered_at":`, o.DeliveredAt)
	b = appendInstant(b, `,"cancelled_at":`, o.CancelledAt)
	return append(b, '}')
}

func appendCustomer(b []byte, c *Customer) []byte {
	b = appendString(append(b, `{"name":`...), c.Name)
	b = appendMember(b, `,"phone":`, c.Phone)
	b = appendMember(b, `,"email":`, c.Email)
	b = appendMember(b, `,"locale":`, c.Locale)
	return append(b, '}')
}

func appendPlace(b []byte, p *Place) []byte {
	begin := len(b)
	b = appendMember(b, `,"address":`, p.Address)
	if p.Location != nil {
		b = appendPoint(append(b, `,"location":`...), p.Location)
	}
	b = appendMember(b, `,"notes":`, p.Notes)
	if len(b) == begin {
		return append(b, "{}"...)
	}
	b[begin] = '{' // in place of the first comma
	return append(b, '}')
}

func appendItem(b []byte, i *Item) []byte {
	b = appendString(append(b, `{"name":`...), i.Name)
	b = appendMember(b, `,"sku":`, i.SKU)
	b = strconv.AppendInt(append(b, `,"quantity":`...), int64(i.Quantity), 10)
	b = appendMoney(b, `,"price":`, i.Price)
	if i.WeightG != 0 {
		b = strconv.AppendInt(append(b, `,"weight_g":`...), int64(i.WeightG), 10)
	}
	return append(b, '}')
}

func appendEstimate(b []byte, e *Estimate) []byte {
	b = appendString(append(b, `{"order_id":`...), e.OrderID)
	b = appendTime(append(b, `,"eta":`...), e.ETA)
	b = appendTime(append(b, `,"earliest":`...), e.Earliest)
	b = appendTime(append(b, `,"latest":`...), e.Latest)
	b = strconv.AppendInt(append(b, `,"minutes_remaining":`...), int64(e.MinutesRemaining), 10)
	if e.DistanceM != nil {
		b = appendFloat(append(b, `,"distance_m":`...), *e.DistanceM)
	}
	b = appendString(append(b, `,"method":`...), string(e.Method))
	b = appendFloat(append(b, `,"confidence":`...), e.Confidence)
	b = appendTime(append(b, `,"computed_at":`...), e.ComputedAt)
	return append(b, '}')
}

func appendMoney(b []byte, name string, m *Money) []byte {
	if m == nil {
		return b
	}
	b = strconv.AppendInt(append(append(b, name...), `{"amount":`...), m.Amount, 10)
	return append(appendString(append(b, `,"currency":`...), m.Currency), '}')
}

func appendPoint(b []byte, p *Point) []byte {
	b = appendFloat(append(b, `{"lat":`...), p.Lat)
	return append(appendFloat(append(b, `,"lon":`...), p.Lon), '}')
}

func appendInstant(b []byte, name string, t *time.Time) []byte {
	if t == nil {
		return b
	}
	return appendTime(append(b, name...), *t)
}
