package sandbox

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

type object = map[string]any

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func fail(w http.ResponseWriter, status int, code string) {
	answer(w, status, object{"code": code, "message": "Ошибка: " + code})
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000+00:00") }

// show encodes a claim. The lock is held.
func (s *Server) show(c *claim) object {
	status, changed := c.status, c.changed
	if lag := s.habits.StatusLag; lag > 0 {
		status, changed = "new", c.made
		for _, e := range s.journal {
			if e.claim == c.id && !s.opt.Now().Before(e.at.Add(lag)) {
				status, changed = e.status, e.at
			}
		}
	}
	out := object{
		"id": c.id, "status": status, "version": c.version, "created_ts": stamp(c.made), "updated_ts": stamp(changed),
		"last_status_change_ts": stamp(changed), "items": c.input["items"], "route_points": c.points(), "pricing": object{}, "eta": 30,
	}
	if status != "new" && status != "estimating" {
		out["pricing"] = object{"offer": object{"offer_id": "o", "price": c.price, "valid_until": stamp(c.made.Add(offerLife))}, "currency": "RUB"}
	}
	if c.travelled > 1 {
		out["performer_info"] = object{"courier_name": "Иван", "legal_name": "ИП Иванов", "car_model": "Lada", "car_number": "А001АА", "transport_type": "car"}
	}
	return out
}

// points encodes the route points of a reply, where the id has another name.
func (c *claim) points() []object {
	var out []object
	list, _ := c.input["route_points"].([]any)
	for _, one := range list {
		in, _ := one.(object)
		out = append(out, object{
			"id": in["point_id"], "type": in["type"], "contact": in["contact"], "address": in["address"], "external_order_id": in["external_order_id"],
			"visit_status": "pending", "visited_at": object{"expected": stamp(c.made.Add(time.Hour))},
		})
	}
	return out
}

func (s *Server) create(w http.ResponseWriter, r *http.Request) {
	request := r.URL.Query().Get("request_id")
	if request == "" || len(request) > 128 {
		fail(w, http.StatusBadRequest, "validation_error")
		return
	}
	for _, c := range s.claims {
		if c.request == request { // whatever the body
			answer(w, http.StatusOK, s.show(c))
			return
		}
	}
	var in object
	if json.NewDecoder(r.Body).Decode(&in) != nil || !valid(in) {
		fail(w, http.StatusBadRequest, "validation_error")
		return
	}
	now := s.opt.Now()
	c := &claim{
		id: strings.ReplaceAll(uuid.NewString(), "-", ""), request: request, status: "new", input: in, version: 1, made: now, changed: now, price: "318.60",
	}
	s.claims = append(s.claims, c)
	answer(w, http.StatusOK, s.show(c))
}

// valid checks what a claim must have.
func valid(in object) bool {
	items, _ := in["items"].([]any)
	points, _ := in["route_points"].([]any)
	for _, one := range points {
		p, _ := one.(object)
		address, _ := p["address"].(object)
		contact, _ := p["contact"].(object)
		if address["fullname"] == nil || contact["name"] == nil || contact["phone"] == nil {
			return false
		}
	}
	for _, one := range items {
		if it, _ := one.(object); it["title"] == nil || it["cost_value"] == nil || it["quantity"] == nil {
			return false
		}
	}
	return len(items) > 0 && len(points) >= 2
}

// known returns the claim of a call; it answers for an unknown one.
func (s *Server) known(w http.ResponseWriter, r *http.Request) *claim {
	c := s.byID(r.URL.Query().Get("claim_id"))
	if c == nil {
		fail(w, http.StatusNotFound, "not_found")
	}
	return c
}

func (s *Server) info(w http.ResponseWriter, r *http.Request) {
	if c := s.known(w, r); c != nil {
		answer(w, http.StatusOK, s.show(c))
	}
}

// position is where the courier is: on a straight way between the points' coordinates while he travels.
func (s *Server) position(w http.ResponseWriter, r *http.Request) {
	c := s.known(w, r)
	switch {
	case c == nil:
	case c.travelled <= 1 || c.ended():
		fail(w, http.StatusConflict, "inappropriate_status")
	default:
		share := float64(c.travelled) / float64(len(s.opt.Travel))
		from, to := c.coordinates(0), c.coordinates(1)
		answer(w, http.StatusOK, object{"position": object{
			"lon": from[0] + share*(to[0]-from[0]), "lat": from[1] + share*(to[1]-from[1]), "speed": 4.2, "direction": 90, "timestamp": s.opt.Now().Unix(),
		}})
	}
}

// coordinates returns those of a point, longitude first; the centre of Moscow without them.
func (c *claim) coordinates(i int) [2]float64 {
	list, _ := c.input["route_points"].([]any)
	point, _ := list[i].(object)
	address, _ := point["address"].(object)
	if at, _ := address["coordinates"].([]any); len(at) == 2 {
		lon, _ := at[0].(float64)
		lat, _ := at[1].(float64)
		return [2]float64{lon, lat}
	}
	return [2]float64{37.6173, 55.7558}
}

type change struct {
	Version     int    `json:"version"`
	CancelState string `json:"cancel_state"`
}

func (s *Server) accept(w http.ResponseWriter, r *http.Request) {
	c, in := s.known(w, r), change{}
	switch {
	case c == nil:
	case json.NewDecoder(r.Body).Decode(&in) != nil || in.Version != c.version:
		fail(w, http.StatusConflict, "old_version")
	case c.status != "ready_for_approval":
		fail(w, http.StatusConflict, "inappropriate_status")
	default:
		c.accepted = s.opt.Now()
		s.move(c, "accepted", c.accepted)
		answer(w, http.StatusOK, object{"id": c.id, "status": c.status, "version": c.version})
	}
}

// cancelState is free until the courier has come, then paid until he has the goods.
func (c *claim) cancelState() string {
	switch c.status {
	case "pickup_arrived", "ready_for_pickup_confirmation":
		return "paid"
	case "pickuped", "delivery_arrived", "ready_for_delivery_confirmation", "pay_waiting", "delivered", "returning", "return_arrived", "returned":
		return "unavailable"
	}
	return "free"
}

func (s *Server) cancelInfo(w http.ResponseWriter, r *http.Request) {
	c := s.known(w, r)
	switch {
	case c == nil:
	case c.ended():
		fail(w, http.StatusConflict, "inappropriate_status")
	default:
		out := object{"cancel_state": c.cancelState(), "currency": "RUB"}
		if c.cancelState() == "paid" {
			out["price"] = "149.00"
		}
		answer(w, http.StatusOK, out)
	}
}

func (s *Server) cancel(w http.ResponseWriter, r *http.Request) {
	c, in := s.known(w, r), change{}
	switch {
	case c == nil:
	case json.NewDecoder(r.Body).Decode(&in) != nil || in.Version != c.version:
		fail(w, http.StatusConflict, "old_version")
	case c.ended() || c.cancelState() == "unavailable":
		fail(w, http.StatusConflict, "inappropriate_status")
	case in.CancelState != c.cancelState():
		fail(w, http.StatusConflict, "free_cancel_is_unavailable")
	default:
		status := "cancelled"
		if in.CancelState == "paid" {
			status = "cancelled_with_payment"
			s.paid++
		}
		s.move(c, status, s.opt.Now())
		answer(w, http.StatusOK, object{"id": c.id, "status": c.status, "version": c.version})
	}
}

func (s *Server) offers(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Items []struct {
			Quantity int     `json:"quantity"`
			Weight   float64 `json:"weight"`
		} `json:"items"`
		Points []struct {
			ID       int    `json:"id"`
			Fullname string `json:"fullname"`
		} `json:"route_points"`
		Requirements struct {
			Classes []string `json:"taxi_classes"`
		} `json:"requirements"`
	}
	if json.NewDecoder(r.Body).Decode(&in) != nil || len(in.Items) == 0 || in.Items[0].Quantity < 1 || len(in.Points) < 2 || in.Points[0].ID == 0 || in.Points[1].Fullname == "" {
		fail(w, http.StatusBadRequest, "validation_error")
		return
	}
	from := s.opt.Now().Add(40 * time.Minute)
	one := func(class, price string) object {
		return object{
			"payload": "p-" + class, "taxi_class": class, "price": object{"total_price": price, "currency": "RUB"},
			"delivery_interval": object{"from": stamp(from), "to": stamp(from.Add(time.Hour))},
		}
	}
	offers := []object{}
	for class, price := range map[string]string{"courier": "250.00", "express": "318.60"} {
		if wanted := in.Requirements.Classes; len(wanted) == 0 || slices.Contains(wanted, class) {
			offers = append(offers, one(class, price))
		}
	}
	answer(w, http.StatusOK, object{"offers": offers})
}

// read answers with the journal's entries behind a cursor.
func (s *Server) read(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Cursor string `json:"cursor"`
	}
	err := json.NewDecoder(r.Body).Decode(&in)
	from, numErr := strconv.Atoi(strings.TrimPrefix(in.Cursor, "c-"))
	if in.Cursor == "" {
		from, numErr = 0, nil
	}
	if err != nil || numErr != nil || s.habits.BadCursor && in.Cursor != "" || from > len(s.journal) {
		fail(w, http.StatusBadRequest, "invalid_cursor")
		return
	}
	events := []object{}
	to := from
	for ; to < len(s.journal) && to < from+100; to++ {
		e := s.journal[to]
		if s.opt.Now().Before(e.at.Add(s.habits.StatusLag)) {
			break
		}
		events = append(events, object{
			"operation_id": to + 1, "claim_id": e.claim, "change_type": "status_changed", "updated_ts": stamp(e.at), "revision": 1, "new_status": e.status,
		})
	}
	if s.habits.LieCursor {
		to = from
	}
	if s.habits.Shuffle {
		rand.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] }) //nolint:gosec // no secret
	}
	answer(w, http.StatusOK, object{"cursor": "c-" + strconv.Itoa(to), "events": events})
}
