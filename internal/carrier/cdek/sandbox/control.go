package sandbox

import (
	"slices"
	"time"
)

// Booked is an order as tests and the control address show it.
type Booked struct {
	UUID       string         `json:"id"`
	Number     string         `json:"number"`
	CdekNumber string         `json:"cdek_number"`
	Status     string         `json:"status"`
	Input      map[string]any `json:"input"`
	Return     bool           `json:"return"`
}

// Booked returns all orders, including rejected ones.
func (s *Server) Booked() []Booked {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	out := []Booked{}
	for _, o := range s.orders {
		out = append(out, Booked{o.uuid, o.number, o.cdekNumber, o.last(), o.input, o.returns != nil})
	}
	return out
}

// Report gives an order a status now. It reports whether the order exists.
func (s *Server) Report(id, code, reason, city string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	o := s.byID(id)
	if o != nil {
		s.add(o, status{code: code, reason: reason, city: city, at: s.opt.Now()})
	}
	return o != nil
}

// Problem adds a courier's delivery problem to an order.
func (s *Server) Problem(id, code string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.byID(id)
	if o != nil {
		o.problems = append(o.problems, object{"code": code, "create_date": s.stamp(s.opt.Now())})
	}
	return o != nil
}

// Retract retracts the last status with the code.
func (s *Server) Retract(id, code string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	o := s.byID(id)
	if o == nil {
		return false
	}
	at := slices.IndexFunc(o.statuses, func(st status) bool { return st.code == code && !st.deleted })
	if at < 0 {
		return false
	}
	o.statuses[at].deleted = true
	s.announce(o, o.statuses[at])
	return true
}

// Duplicate books an order again under the same name, like a client that never got the
// first answer; it returns the second order's id.
func (s *Server) Duplicate(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newOrder(s.byID(id).input, s.opt.Now()).uuid
}

// Lose makes an order unfindable for a while.
func (s *Server) Lose(id string, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.byID(id); o != nil {
		o.lost = s.opt.Now().Add(d)
	}
}

// Charged counts the orders returned at the sender's expense.
func (s *Server) Charged() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, o := range s.orders {
		if o.charged {
			n++
		}
	}
	return n
}
