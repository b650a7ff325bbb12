package sandbox

import (
	"math"
	"net/http"
	"strconv"
	"time"
)

// due is the amount that the recipient of an order pays.
func (o *order) due() float64 {
	sum := number(o.input, "delivery_recipient_cost", "value")
	packages, _ := o.input["packages"].([]any)
	for _, p := range packages {
		box, _ := p.(object)
		items, _ := box["items"].([]any)
		for _, i := range items {
			row, _ := i.(object)
			sum += number(row, "payment", "value") * number(row, "amount")
		}
	}
	return math.Round(sum*100) / 100
}

// number reads a nested number of an object.
func number(o object, names ...string) float64 {
	for _, name := range names[:len(names)-1] {
		o, _ = o[name].(object)
	}
	f, _ := strconv.ParseFloat(text(o, names[len(names)-1]), 64)
	if v, ok := o[names[len(names)-1]].(float64); ok {
		f = v
	}
	return f
}

// deliveredAt is the delivery time of an order, zero if it was not delivered.
func (o *order) deliveredAt() (at time.Time) {
	for _, st := range o.statuses {
		if st.code == "DELIVERED" && !st.deleted {
			at = st.at
		}
	}
	return at
}

// detail encodes an order's payment details.
func (s *Server) detail(o *order) object {
	out := object{"delivery_sum": 435, "total_sum": 522, "payment_info": []object{}}
	if at := o.deliveredAt(); !at.IsZero() && o.due() > 0 {
		out["date"], out["payment_sum"] = at.Format(time.DateOnly), o.due()
		out["payment_info"] = []object{{"type": "CARD", "sum": o.due()}}
	}
	return out
}

// keptFor is how long a parcel is held at a pick-up point.
const keptFor = 7 * 24 * time.Hour

// keptUntil is the end of an order's storage at a pick-up point, or "".
func (s *Server) keptUntil(o *order) string {
	for _, st := range o.statuses {
		if st.code == "ACCEPTED_AT_PICK_UP_POINT" || st.code == "POSTOMAT_POSTED" {
			return st.at.Add(keptFor).Format(time.DateOnly)
		}
	}
	return ""
}

// registries lists a day's money registries; a registry's number is the date.
func (s *Server) registries(w http.ResponseWriter, r *http.Request) {
	day, out := r.URL.Query().Get("date"), []object{}
	var rows []object
	for _, o := range s.orders {
		if at := o.deliveredAt(); !at.IsZero() && o.due() > 0 && at.Format(time.DateOnly) == day {
			rows = append(rows, object{"cdek_number": o.cdekNumber, "payment_sum": o.due(), "transfer_sum": o.due()})
		}
	}
	if rows != nil {
		out = append(out, object{"registry_number": "R-" + day, "payment_date": day, "orders": rows})
	}
	answer(w, http.StatusOK, object{"registries": out})
}

// Move changes an order's pick-up point, as agreed with the recipient.
func (s *Server) Move(id, point string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.byID(id); o != nil {
		o.input["delivery_point"] = point
	}
}
