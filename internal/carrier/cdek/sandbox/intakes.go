package sandbox

import (
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"
)

type intake struct {
	id     string
	of     *order
	input  object
	at     time.Time
	number int
	gone   bool
}

func (s *Server) addIntake(w http.ResponseWriter, r *http.Request) {
	body, ok := read(w, r)
	if !ok {
		return
	}
	var of *order
	for _, o := range s.orders {
		if id := text(body, "order_uuid"); id == o.uuid || id == "" && text(body, "cdek_number") == o.cdekNumber {
			of = o
		}
	}
	switch {
	case of == nil:
		fail(w, http.StatusBadRequest, "v2_entity_not_found", "Entity is not found")
		return
	case text(body, "intake_date") == "" || text(body, "intake_time_from") == "" || text(body, "intake_time_to") == "":
		fail(w, http.StatusBadRequest, "v2_field_is_empty", "[intake_date, intake_time_from, intake_time_to] must be filled")
		return
	}
	for _, i := range s.intakes {
		if i.of == of && !i.gone {
			fail(w, http.StatusBadRequest, "v2_intake_exists_by_order", "Intake exists by order")
			return
		}
	}
	i := &intake{id: uuid.NewString(), of: of, input: body, at: s.opt.Now(), number: 13000000 + len(s.intakes)}
	s.intakes = append(s.intakes, i)
	answer(w, http.StatusAccepted, object{"entity": object{"uuid": i.id}, "requests": []object{{
		"type": "CREATE", "state": "ACCEPTED", "date_time": s.stamp(i.at),
	}}})
}

func (s *Server) intakeByID(id string) *intake {
	for _, i := range s.intakes {
		if i.id == id {
			return i
		}
	}
	return nil
}

// showIntake encodes an intake: a courier is appointed an hour after the request.
func (s *Server) showIntake(i *intake) object {
	e := maps.Clone(i.input)
	e["uuid"], e["intake_number"] = i.id, strconv.Itoa(i.number)
	rows := []object{{"code": "ACCEPTED", "name": "Принята", "date_time": s.stamp(i.at)}}
	if now := s.opt.Now(); now.Sub(i.at) >= s.opt.Decide {
		rows = append(rows, object{"code": "READY_FOR_APPOINTMENT", "name": "Готова к назначению", "date_time": s.stamp(i.at.Add(time.Second))})
		if now.Sub(i.at) >= time.Hour {
			rows = append(rows, object{"code": "APPOINTED_COURIER", "name": "Назначен курьер", "date_time": s.stamp(i.at.Add(time.Hour))})
		}
	}
	if i.gone {
		rows = append(rows, object{"code": "REMOVED", "name": "Удалена", "date_time": s.stamp(s.opt.Now())})
	}
	e["statuses"] = rows
	return e
}

func (s *Server) getIntake(w http.ResponseWriter, r *http.Request) {
	if i := s.intakeByID(r.PathValue("id")); i != nil {
		answer(w, http.StatusOK, object{"entity": s.showIntake(i)})
		return
	}
	fail(w, http.StatusBadRequest, "v2_entity_not_found", "Entity is not found")
}

func (s *Server) orderIntakes(w http.ResponseWriter, r *http.Request) {
	out := []object{}
	for _, i := range s.intakes {
		if i.of.uuid == r.PathValue("id") {
			out = append(out, s.showIntake(i))
		}
	}
	answer(w, http.StatusOK, object{"entity": out})
}

func (s *Server) deleteIntake(w http.ResponseWriter, r *http.Request) {
	i := s.intakeByID(r.PathValue("id"))
	if i == nil {
		fail(w, http.StatusBadRequest, "v2_entity_not_found", "Entity is not found")
		return
	}
	i.gone = true
	answer(w, http.StatusOK, object{"entity": object{"uuid": i.id}})
}

// editOrder changes the given fields of an order that has not moved.
func (s *Server) editOrder(w http.ResponseWriter, r *http.Request) {
	body, ok := read(w, r)
	if !ok {
		return
	}
	o := s.byID(text(body, "uuid"))
	switch {
	case o == nil:
		fail(w, http.StatusBadRequest, "v2_entity_not_found", "Entity is not found")
	case o.last() != "CREATED" && o.last() != "ACCEPTED":
		fail(w, http.StatusBadRequest, "v2_update_forbidden", "Update is forbidden in this status")
	default:
		delete(body, "uuid")
		if body["to_location"] != nil {
			delete(o.input, "delivery_point")
		} else if body["delivery_point"] != nil {
			delete(o.input, "to_location")
		}
		maps.Copy(o.input, body) // packages that are not sent are deleted
		s.accepted(w, o, s.ask(o, "UPDATE"))
	}
}
