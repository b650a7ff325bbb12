package sandbox

import (
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// order is a stored order.
type order struct {
	uuid, number, cdekNumber string
	input                    object
	created                  time.Time
	registered               time.Time // zero until registered
	statuses                 []status
	requests                 []*request
	travelled                int // steps of the journey taken
	returns                  *order
	broughtBack              *order // the customer's return
	client                   bool   // is one
	agreed                   object
	back                     *order
	planned                  string
	problems                 []object
	lost                     time.Time // cannot be found until then
	charged                  bool
}

type status struct {
	code, city, reason string
	at                 time.Time
	deleted            bool
}

type request struct {
	id, kind, state   string
	at                time.Time
	code, message     string // of the error
	warning, remarked string
}

func (o *order) last() string {
	for _, st := range slices.Backward(o.statuses) {
		if !st.deleted {
			return st.code
		}
	}
	return ""
}

func (o *order) final() bool {
	return slices.Contains([]string{"DELIVERED", "NOT_DELIVERED", "REMOVED", "INVALID"}, o.last())
}

// add appends a status and queues its webhooks.
func (s *Server) add(o *order, st status) {
	o.statuses = append(o.statuses, st)
	if st.code != "ACCEPTED" {
		s.announce(o, st)
	}
	if st.code == "RECEIVED_AT_SHIPMENT_WAREHOUSE" && o.returns == nil {
		o.planned = st.at.AddDate(0, 0, 3).Format(time.DateOnly)
	}
	if st.code == "NOT_DELIVERED" && o.back == nil && st.reason != "26" && st.reason != "27" {
		o.back = s.newOrder(object{"number": o.number}, st.at)
		o.back.returns = o
	}
}

// settle computes what has happened by now. The lock is held.
func (s *Server) settle() {
	now := s.opt.Now()
	for i := 0; i < len(s.orders); i++ { // a return may be appended in the loop
		o := s.orders[i]
		for _, q := range o.requests {
			if at := q.at.Add(s.opt.Decide); q.state == "ACCEPTED" && !now.Before(at) {
				s.decide(o, q, at)
			}
		}
		s.travel(o, now)
	}
}

// decide completes a request.
func (s *Server) decide(o *order, q *request, at time.Time) {
	q.state = "SUCCESSFUL"
	switch q.kind {
	case "CREATE":
		if q.code, q.message = s.objection(o); q.code != "" {
			q.state = "INVALID"
			s.add(o, status{code: "INVALID", city: "Офис СДЭК", at: at})
			return
		}
		s.number++
		o.cdekNumber, o.registered = strconv.Itoa(s.number), at
		s.add(o, status{code: "CREATED", city: "Москва", at: at})
	case "DELETE":
		if o.last() != "CREATED" {
			q.state, q.code, q.message = "INVALID", "error_validate_order_delete_status", "Заказ нельзя удалить"
			return
		}
		s.add(o, status{code: "REMOVED", city: "Офис СДЭК", at: at})
	case "CREATE_REFUSAL":
		if o.final() {
			q.state, q.code, q.message = "INVALID", "v2_entity_has_final_status", "Заказ в конечном статусе"
			return
		}
		o.charged = true
		s.add(o, status{code: "NOT_DELIVERED", reason: "11", city: "Новосибирск", at: at})
	}
}

const numberTaken = "error_validate_im_dep_number_has_already_had_integration"

// taken reports whether another registered order has the shop's number.
func (s *Server) taken(number string, but *order) bool {
	return number != "" && slices.ContainsFunc(s.orders, func(other *order) bool {
		return other != but && other.number == number && other.returns == nil && other.cdekNumber != ""
	})
}

// objection is the reason to reject an order, or empty.
func (s *Server) objection(o *order) (code, message string) {
	if o.returns == nil && s.taken(o.number, o) {
		return numberTaken, "Введенный номер отправления ИМ не уникальный. Введите уникальный номер."
	}
	if tariff := text(o.input, "tariff_code"); o.returns == nil && !slices.ContainsFunc(tariffs, func(t tariffRow) bool { return strconv.Itoa(t.code) == tariff }) {
		return "err_result_service_empty", "По данному направлению при заданных условиях выбранный тариф недоступен"
	}
	return "", ""
}

// travel takes the journey's due steps.
func (s *Server) travel(o *order, now time.Time) {
	if o.registered.IsZero() {
		return
	}
	steps := s.opt.ReturnTravel
	if o.returns == nil {
		steps = nil
		if s.opt.Travel != nil {
			steps = s.opt.Travel(text(o.input, "delivery_point") != "")
		}
	}
	for ; o.travelled < len(steps) && !o.final(); o.travelled++ {
		st := steps[o.travelled]
		if at := o.registered.Add(st.After); !now.Before(at) {
			s.add(o, status{code: st.Code, city: st.City, reason: st.Reason, at: at})
			continue
		}
		return
	}
}

func (s *Server) newOrder(input object, now time.Time) *order {
	o := &order{uuid: uuid.NewString(), number: text(input, "number"), input: input, created: now}
	if text(input, "type") == "2" || s.habits.Forget {
		o.number = ""
	}
	o.requests = []*request{{id: uuid.NewString(), kind: "CREATE", state: "ACCEPTED", at: now}}
	o.statuses = []status{{code: "ACCEPTED", city: "Офис СДЭК", at: now}}
	s.orders = append(s.orders, o)
	return o
}

func (s *Server) createOrder(w http.ResponseWriter, r *http.Request) {
	body, ok := read(w, r)
	if !ok {
		return
	}
	code, message := validate(body)
	if code == "" && s.habits.RefuseAtOnce && s.taken(text(body, "number"), nil) {
		code, message = numberTaken, "Введенный номер отправления ИМ не уникальный"
	}
	if code != "" {
		answer(w, http.StatusBadRequest, object{"requests": []object{{
			"type": "CREATE", "date_time": s.stamp(s.opt.Now()), "state": "INVALID",
			"errors": []object{{"code": code, "message": message}},
		}}, "related_entities": []object{}})
		return
	}
	o := s.newOrder(body, s.opt.Now())
	if p := text(body, "delivery_point"); p != "" && !slices.ContainsFunc(offices, func(f office) bool { return f.code == p }) {
		o.requests[0].warning, o.requests[0].remarked = "v2_delivery_point_changed", "Delivery point "+p+" was replaced by "+offices[0].code
		o.input["delivery_point"] = offices[0].code
	}
	s.accepted(w, o, o.requests[0])
}

// validate is CDEK's validation before it answers.
func validate(body object) (code, message string) {
	packages, _ := body["packages"].([]any)
	recipient, _ := body["recipient"].(object)
	switch {
	case text(body, "tariff_code") == "":
		return "v2_field_is_empty", "[tariff_code] is empty"
	case text(body, "delivery_point") != "" && body["to_location"] != nil:
		return "v2_delivery_address_multivalued", "Recipient address and recipient delivery point can't be filled both"
	case text(body, "shipment_point") != "" && body["from_location"] != nil:
		return "v2_shipment_address_multivalued", "Sender address and sender shipment point can't be filled both"
	case text(recipient, "name") == "":
		return "v2_field_is_empty", "[recipient.name] is empty"
	case len(packages) == 0:
		return "v2_field_is_empty", "[packages] is empty"
	}
	for _, p := range packages {
		box, _ := p.(object)
		items, _ := box["items"].([]any)
		if text(box, "number") == "" || text(box, "weight") == "" || text(body, "type") != "2" && len(items) == 0 {
			return "v2_field_is_empty", "[packages.number, packages.weight, packages.items] must be filled"
		}
	}
	for end, point := range map[string]string{"from_location": "shipment_point", "to_location": "delivery_point"} {
		place, _ := body[end].(object)
		if text(body, point) == "" && text(place, "address") == "" {
			return "v2_field_is_empty", "[" + end + ".address] is empty"
		}
	}
	return "", ""
}

// accepted answers a request that will be processed.
func (s *Server) accepted(w http.ResponseWriter, o *order, q *request) {
	answer(w, http.StatusAccepted, object{
		"entity": object{"uuid": o.uuid}, "requests": []object{s.requestOf(q)}, "related_entities": []object{},
	})
}

func (s *Server) requestOf(q *request) object {
	out := object{"request_uuid": q.id, "type": q.kind, "date_time": s.stamp(q.at), "state": q.state}
	if q.code != "" {
		out["errors"] = []object{{"code": q.code, "message": q.message}}
	}
	if q.warning != "" {
		out["warnings"] = []object{{"code": q.warning, "message": q.remarked}}
	}
	return out
}

func (s *Server) byID(id string) *order {
	for _, o := range s.orders {
		if o.uuid == id {
			return o
		}
	}
	return nil
}

func (s *Server) getOrder(w http.ResponseWriter, r *http.Request) {
	o := s.byID(r.PathValue("id"))
	switch {
	case o == nil || s.opt.Now().Before(o.lost):
		fail(w, http.StatusBadRequest, "v2_entity_not_found", "Entity is not found by uuid "+r.PathValue("id"))
		return
	case o.returns != nil && s.habits.ForbidReturns:
		fail(w, http.StatusForbidden, "v2_entity_forbidden", "Entity is forbidden")
		return
	}
	answer(w, http.StatusOK, s.show(o))
}

// findOrder finds orders by a number; of several with the same shop number it returns the
// valid one.
func (s *Server) findOrder(w http.ResponseWriter, r *http.Request) {
	cdek, shop := r.URL.Query().Get("cdek_number"), r.URL.Query().Get("im_number")
	var found *order
	for _, o := range s.orders {
		fits := cdek != "" && o.cdekNumber == cdek || shop != "" && o.number == shop && o.returns == nil && !s.opt.Now().Before(o.created.Add(s.habits.NumberLag))
		fits = fits && !s.opt.Now().Before(o.lost)
		if fits && (found == nil || found.last() == "INVALID") {
			found = o
		}
	}
	switch {
	case found != nil:
		answer(w, http.StatusOK, s.show(found))
	case shop != "":
		fail(w, http.StatusBadRequest, "v2_entity_not_found_im_number", "Entity is not found by number "+shop)
	default:
		fail(w, http.StatusNotFound, "v2_order_not_found", "Order is not found by cdek_number "+cdek)
	}
}

func (s *Server) deleteOrder(w http.ResponseWriter, r *http.Request) {
	o := s.byID(r.PathValue("id"))
	switch {
	case o == nil:
		fail(w, http.StatusBadRequest, "v2_entity_not_found", "Entity is not found")
	case o.last() == "ACCEPTED":
		fail(w, http.StatusBadRequest, "v2_similar_request_still_processed", "Similar request is still processed")
	case o.last() != "CREATED":
		fail(w, http.StatusBadRequest, "error_validate_order_delete_status", "Заказ нельзя удалить: он уже принят на склад")
	default:
		s.accepted(w, o, s.ask(o, "DELETE"))
	}
}

func (s *Server) refuseOrder(w http.ResponseWriter, r *http.Request) {
	o := s.byID(r.PathValue("id"))
	switch {
	case o == nil:
		fail(w, http.StatusBadRequest, "v2_entity_not_found", "Entity is not found")
	case o.final():
		fail(w, http.StatusBadRequest, "v2_entity_has_final_status", "Entity has final status")
	default:
		s.accepted(w, o, s.ask(o, "CREATE_REFUSAL"))
	}
}

func (s *Server) ask(o *order, kind string) *request {
	q := &request{id: uuid.NewString(), kind: kind, state: "ACCEPTED", at: s.opt.Now()}
	o.requests = append(o.requests, q)
	return q
}

// show encodes an order as polling returns it.
func (s *Server) show(o *order) object {
	e := maps.Clone(o.input)
	e["uuid"], e["number"], e["delivery_problem"] = o.uuid, o.number, o.problems
	if o.cdekNumber != "" { // absent while ACCEPTED
		e["cdek_number"], e["is_return"], e["is_reverse"], e["is_client_return"] = o.cdekNumber, o.returns != nil, false, o.client
		e["delivery_detail"] = s.detail(o)
		for _, t := range tariffs {
			if strconv.Itoa(t.code) == text(o.input, "tariff_code") {
				e["delivery_mode"] = strconv.Itoa(t.mode)
			}
		}
	}
	if until := s.keptUntil(o); until != "" {
		e["keep_free_until"] = until
	}
	if o.planned != "" {
		e["planned_delivery_date"] = o.planned
	}
	var statuses []object
	for _, st := range o.statuses {
		if s.opt.Now().Before(st.at.Add(s.habits.StatusLag)) && st.code != "ACCEPTED" {
			continue
		}
		row := object{"code": st.code, "name": names[st.code], "date_time": s.stamp(st.at), "city": st.city, "deleted": st.deleted}
		if st.reason != "" {
			row["reason_code"] = st.reason
		}
		statuses = append(statuses, row)
	}
	if s.opt.NewestFirst {
		slices.Reverse(statuses)
	}
	if s.habits.Repeat {
		statuses = append(statuses, statuses...)
	}
	if s.habits.Shuffle {
		rand.Shuffle(len(statuses), func(i, j int) { statuses[i], statuses[j] = statuses[j], statuses[i] }) //nolint:gosec // no secret
	}
	e["statuses"] = statuses
	var requests []object
	for _, q := range o.requests {
		requests = append(requests, s.requestOf(q))
	}
	related := []object{}
	if o.back != nil {
		related = append(related, object{"uuid": o.back.uuid, "type": "return_order", "cdek_number": o.back.cdekNumber, "create_time": s.stamp(o.back.created)})
	}
	if o.returns != nil {
		related = append(related, object{"uuid": o.returns.uuid, "type": "direct_order", "cdek_number": o.returns.cdekNumber})
	}
	if back := o.broughtBack; back != nil {
		related = append(related, object{"uuid": back.uuid, "type": "client_return_order", "cdek_number": back.cdekNumber, "create_time": s.stamp(back.created)})
	}
	if o.agreed != nil {
		related = append(related, o.agreed)
	}
	return object{"entity": e, "requests": requests, "related_entities": related}
}
