package sandbox

import (
	"net/http"
	"time"
)

// clientReturn makes an order that brings a delivered one back.
func (s *Server) clientReturn(w http.ResponseWriter, r *http.Request) {
	body, ok := read(w, r)
	if !ok {
		return
	}
	o := s.byID(r.PathValue("id"))
	switch {
	case o == nil:
		fail(w, http.StatusBadRequest, "v2_entity_not_found", "Entity is not found")
	case o.last() != "DELIVERED" || o.returns != nil || o.broughtBack != nil:
		fail(w, http.StatusBadRequest, "v2_entity_has_final_status", "Client return is impossible")
	case text(body, "tariff_code") == "":
		fail(w, http.StatusBadRequest, "v2_field_is_empty", "[tariff_code] is empty")
	default:
		back := s.newOrder(object{"tariff_code": body["tariff_code"]}, s.opt.Now())
		back.client, o.broughtBack = true, back
		s.accepted(w, back, back.requests[0])
	}
}

// intervals offers the next three days.
func (s *Server) intervals(w http.ResponseWriter, r *http.Request) {
	if s.byID(r.URL.Query().Get("order_uuid")) == nil {
		fail(w, http.StatusBadRequest, "v2_entity_not_found", "Entity is not found")
		return
	}
	var days []object
	for day := 1; day <= 3; day++ {
		days = append(days, object{"date": s.opt.Now().AddDate(0, 0, day).Format(time.DateOnly), "time_intervals": []object{
			{"start_time": "09:00:00", "end_time": "14:00:00"}, {"start_time": "14:00:00", "end_time": "18:00:00"},
		}})
	}
	answer(w, http.StatusOK, object{"date_intervals": days})
}

// agree stores a delivery agreement.
func (s *Server) agree(w http.ResponseWriter, r *http.Request) {
	body, ok := read(w, r)
	if !ok {
		return
	}
	o := s.byID(text(body, "order_uuid"))
	switch {
	case o == nil:
		fail(w, http.StatusBadRequest, "v2_entity_not_found", "Entity is not found")
	case o.final():
		fail(w, http.StatusBadRequest, "v2_entity_has_final_status", "Entity has final status")
	default:
		o.agreed = object{"type": "delivery", "uuid": o.uuid, "date": body["date"], "time_from": body["time_from"], "time_to": body["time_to"]}
		s.accepted(w, o, s.ask(o, "UPDATE"))
	}
}
