package sandbox

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
)

// CDEK's webhook guarantees.
const (
	hookTimeout  = 15 * time.Second
	hookTries    = 12
	hookSpacing  = 75 * time.Minute / hookTries
	maxHooksEach = 2
	tick         = 100 * time.Millisecond
)

type subscription struct {
	id, kind, url string
	off           bool
}

type delivery struct {
	sub   *subscription
	body  []byte
	due   time.Time
	tries int
}

// spellings are the names of statuses in webhooks where they differ from polling.
var spellings = map[string]string{
	"READY_FOR_SHIPMENT_IN_SENDER_CITY": "READY_TO_SHIP_AT_SENDING_OFFICE", "TAKEN_BY_TRANSPORTER_FROM_SENDER_CITY": "PASSED_TO_CARRIER_AT_SENDING_OFFICE",
	"SENT_TO_RECIPIENT_CITY": "SEND_TO_RECIPIENT_OFFICE", "ACCEPTED_IN_RECIPIENT_CITY": "MET_AT_RECIPIENT_OFFICE",
	"TAKEN_BY_COURIER": "ISSUED_FOR_DELIVERY", "RECEIVED_AT_SHIPMENT_WAREHOUSE": "RECEIVED_AT_SHIPMENT_WAREHOUSE ",
}

func (s *Server) listHooks(w http.ResponseWriter, _ *http.Request) {
	out := []object{}
	for _, sub := range s.subs {
		if !sub.off {
			out = append(out, object{"uuid": sub.id, "type": sub.kind, "url": sub.url})
		}
	}
	answer(w, http.StatusOK, out)
}

func (s *Server) addHook(w http.ResponseWriter, r *http.Request) {
	body, ok := read(w, r)
	if !ok {
		return
	}
	kind, same := text(body, "type"), 0
	for _, sub := range s.subs {
		if sub.kind == kind && !sub.off {
			same++
		}
	}
	if same >= maxHooksEach {
		fail(w, http.StatusBadRequest, "v2_webhook_limit", "No more than two subscriptions")
		return
	}
	sub := &subscription{id: uuid.NewString(), kind: kind, url: text(body, "url")}
	s.subs = append(s.subs, sub)
	answer(w, http.StatusOK, object{"entity": object{"uuid": sub.id}, "requests": []object{{
		"type": "CREATE", "state": "SUCCESSFUL", "date_time": s.stamp(s.opt.Now()),
	}}})
}

func (s *Server) dropHook(w http.ResponseWriter, r *http.Request) {
	for _, sub := range s.subs {
		if sub.id == r.PathValue("id") && !sub.off {
			sub.off = true
			answer(w, http.StatusOK, object{"entity": object{"uuid": sub.id}})
			return
		}
	}
	fail(w, http.StatusBadRequest, "v2_entity_not_found", "Entity is not found")
}

// announce queues a status's webhooks. The lock is held.
func (s *Server) announce(o *order, st status) {
	code := st.code
	if alias := spellings[code]; alias != "" {
		code = alias
	}
	related := []object{}
	if o.returns != nil {
		related = append(related, object{"type": "direct_order", "cdek_number": o.returns.cdekNumber, "uuid": o.returns.uuid})
	}
	body, err := json.Marshal(object{
		"type": "ORDER_STATUS", "date_time": s.stamp(s.opt.Now()), "uuid": o.uuid,
		"attributes": object{
			"is_return": o.returns != nil, "is_reverse": false, "is_client_return": false, "cdek_number": o.cdekNumber, "number": o.number,
			"related_entities": related, "code": code, "status_code": "1000", "status_reason_code": st.reason,
			"status_date_time": s.stamp(st.at), "city_name": st.city, "deleted": st.deleted,
		},
	})
	if err != nil {
		panic(err) // plain maps and strings
	}
	for _, sub := range s.subs {
		if sub.kind != "ORDER_STATUS" || sub.off {
			continue
		}
		s.outgoing = append(s.outgoing, &delivery{sub: sub, body: body, due: s.opt.Now()})
		if s.habits.Repeat {
			s.outgoing = append(s.outgoing, &delivery{sub: sub, body: body, due: s.opt.Now()})
		}
	}
}

// Tick sends the due webhooks.
func (s *Server) Tick(ctx context.Context) {
	s.mu.Lock()
	s.settle()
	now := s.opt.Now()
	var due []*delivery
	s.outgoing = slices.DeleteFunc(s.outgoing, func(d *delivery) bool {
		ready := !d.due.After(now)
		if ready {
			due = append(due, d)
		}
		return ready || d.sub.off
	})
	if s.habits.Shuffle {
		rand.Shuffle(len(due), func(i, j int) { due[i], due[j] = due[j], due[i] }) //nolint:gosec // no secret
	}
	s.mu.Unlock()
	for _, d := range due {
		if ctx.Err() != nil {
			return
		}
		s.send(ctx, d)
	}
}

// send makes one attempt. A timeout is retried; any answer other than 200 ends the
// subscription.
func (s *Server) send(ctx context.Context, d *delivery) {
	limited, cancel := context.WithTimeout(ctx, hookTimeout)
	defer cancel()
	code, err := s.opt.Deliver(limited, d.sub.url, d.body)
	s.mu.Lock()
	defer s.mu.Unlock()
	d.tries++
	switch {
	case err == nil && code == http.StatusOK:
	case err != nil && d.tries < hookTries:
		d.due = s.opt.Now().Add(hookSpacing)
		s.outgoing = append(s.outgoing, d)
	default:
		d.sub.off = true
	}
}
