package demo

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/order-tracking/order-tracking/pkg/client"
)

// Verb is what an action does.
type Verb int

// The verbs.
const (
	Hire    Verb = iota // a courier comes on duty: Name, Vehicle
	Report              // a courier's phone says where it is: Positions
	Place               // a customer orders: Draft
	Confirm             // the kitchen takes the order
	Assign              // the order is given to a courier
	Step                // the courier takes the order to Status
	Cancel              // the customer cancels, for Reason
	Ship                // the order is booked with a delivery company, to City
)

// Action is something that somebody in the city does and that the server is told. Times
// count from the day's beginning.
type Action struct {
	At             time.Duration
	Do             Verb
	Courier, Order int // numbers of the demo's own, from 0
	Name, Vehicle  string
	Draft          client.Draft
	Promised       time.Duration // 0: nothing is promised
	Status         client.Status
	Reason         string
	City           string
	Point          client.Point
	Positions      []client.Position // without times, which are in times
	times          []time.Duration
}

// fate is how an order ends.
type fate int

const (
	delivered   fate = iota
	late             // the kitchen takes far too long
	nobodyHome       // the first attempt fails, the second does not
	sentBack         // nobody is there: back to the kitchen
	changedMind      // the customer cancels before a courier has come
)

type order struct {
	n             int
	kitchen, door place
	fate          fate
	placed, ready time.Duration
	confirmed     bool
}

// Day is a day in the city. The same seed gives the same day, as long as nobody interferes.
// It is not for concurrent use.
type Day struct {
	city    *city
	luck    *rand.Rand
	now     time.Duration
	riders  []*rider
	orders  int
	waiting []*order // for a courier
	next    time.Duration
	parcel  time.Duration
	parcels int
}

const (
	orderEvery  = 26 * time.Second // in the mean
	parcelEvery = 4 * time.Minute
	cooking     = 5 * time.Minute
	promise     = 15 * time.Minute
)

// NewDay begins a day with so many couriers, 1 or more, and returns what happens at once:
// they come on duty, and some are on their way to a door already: the first with a long way
// to go, the second nearly there.
func NewDay(seed uint64, couriers int, nearly time.Duration) (*Day, []Action, error) {
	c, err := theCity()
	if err != nil {
		return nil, nil, fmt.Errorf("the demo's city: %w", err)
	}
	d := &Day{city: c, luck: rand.New(rand.NewPCG(seed, 0)), parcel: parcelEvery / 4} //nolint:gosec // a game
	var out []Action
	for n := range couriers {
		r := newRider(c, seed, n)
		d.riders = append(d.riders, r)
		out = append(out, Action{Do: Hire, Courier: n, Name: r.name, Vehicle: vehicleNames[r.vehicle]})
	}
	for n, r := range d.riders {
		switch {
		case n == 0: // the page that is opened: a long way, and nothing goes wrong
			out = append(out, d.onTheWay(r, d.longest(), math.MaxInt)...)
		case n == 1:
			out = append(out, d.onTheWay(r, d.order(delivered), nearly)...)
		case n < couriers/2:
			out = append(out, d.onTheWay(r, d.order(delivered), time.Duration(60+d.luck.IntN(240))*time.Second)...)
		}
	}
	for _, r := range d.riders {
		out = append(out, r.report(0)...)
	}
	return d, out, nil
}

// longest is an order with as long a way as a phone's map shows well: close enough for its
// streets to be seen, and with nothing of what lies beyond the city.
func (d *Day) longest() *order {
	const wide, high = 330.0, 345.0 // half of what such a map shows, metres
	o := d.order(delivered)
	longest := 0.0
	for _, k := range d.city.kitchens {
		for _, door := range d.city.homes {
			middle := point{(k.at.x + door.at.x) / 2, (k.at.y + door.at.y) / 2}
			shown := math.Abs(k.at.x-door.at.x) < 1.3*wide && math.Abs(k.at.y-door.at.y) < 1.3*high
			inside := middle.x > wide && middle.x < d.city.corner.x-wide && middle.y > high && middle.y < d.city.corner.y-high
			if way := k.at.to(door.at); shown && inside && way > longest {
				longest, o.kitchen, o.door = way, k, door
			}
		}
	}
	return o
}

// onTheWay gives a courier an order that is in his bag already; he is at most so long from
// the door, and there without waiting at lights.
func (d *Day) onTheWay(r *rider, o *order, left time.Duration) []Action {
	r.order = o
	legs := append(d.city.way(r.vehicle, o.kitchen.Nodes[r.vehicle], o.door.Nodes[r.vehicle]), r.walkTo(o.door))
	var seconds float64
	first := len(legs) - 1
	for ; first > 0; first-- {
		seconds += legs[first-1].to.to(legs[first].to) / (legs[first].speed * r.hurry)
		if seconds > left.Seconds() {
			break
		}
	}
	r.at, r.node = legs[first].to, max(legs[first].node, 0)
	if legs[first].node < 0 {
		r.node = o.door.Nodes[r.vehicle]
	}
	out := []Action{d.draft(o), {Do: Confirm, Order: o.n}, {Do: Assign, Order: o.n, Courier: r.n}}
	for _, s := range []client.Status{client.StatusAtPickup, client.StatusPickedUp, client.StatusOutForDelivery} {
		out = append(out, Action{Do: Step, Order: o.n, Courier: r.n, Status: s, Point: d.city.degrees(o.kitchen.at)})
	}
	r.tasks = []task{{legs: legs[first:]}, r.step(client.StatusAtDropoff), {wait: r.seconds(20, 50)}, r.step(client.StatusDelivered)}
	return out
}

// order is a new one between a kitchen and a door that is neither next to it nor at the
// other end of the city.
func (d *Day) order(f fate) *order {
	o := &order{n: d.orders, fate: f, placed: d.now, ready: d.now + cooking/2 + time.Duration(d.luck.Int64N(int64(cooking)))}
	d.orders++
	o.kitchen = d.city.kitchens[d.luck.IntN(len(d.city.kitchens))]
	for range 50 {
		o.door = d.city.homes[d.luck.IntN(len(d.city.homes))]
		if far := o.kitchen.at.to(o.door.at); far > 200 && far < 1100 {
			break
		}
	}
	if f == late {
		o.ready = d.now + promise
	}
	return o
}

// draft is the order as the kitchen's shop sends it.
func (d *Day) draft(o *order) Action {
	pick := func(n int) int { return d.luck.IntN(n) }
	k, at := o.kitchen, d.city.degrees
	from, to := at(k.at), at(o.door.at)
	draft := client.Draft{
		MerchantID: slug(k.Name), Customer: client.Customer{Name: customerNames[pick(len(customerNames))]},
		Pickup:  &client.Place{Address: k.Name + ", " + k.Address, Location: &from},
		Dropoff: &client.Place{Address: o.door.Address + ", Helsinki", Location: &to, Notes: doorNotes[pick(len(doorNotes))]},
	}
	menu, total := menuOf(k.Cuisine), int64(0)
	for _, i := range d.luck.Perm(len(menu))[:1+pick(3)] {
		item := client.Item{Name: menu[i].name, Quantity: 1 + pick(2), Price: euros(menu[i].cents)}
		total += menu[i].cents * int64(item.Quantity)
		draft.Items = append(draft.Items, item)
	}
	draft.Total = euros(total)
	return Action{At: d.now, Do: Place, Order: o.n, Draft: draft, Promised: o.placed + promise, Point: from}
}

func slug(name string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		case r == 'é':
			return 'e'
		case r == '\'':
			return -1
		}
		return '-'
	}, strings.ToLower(name)), "-")
}

// Now is how long the day has lasted.
func (d *Day) Now() time.Duration { return d.now }

// Advance lives on for so long and returns what happened, in order.
func (d *Day) Advance(dt time.Duration) []Action {
	out := d.trade()
	for _, r := range d.riders {
		out = append(out, r.advance(d.now, dt)...)
	}
	d.now += dt
	return out
}

// trade lets customers order and cancel, kitchens confirm, and gives orders to couriers.
func (d *Day) trade() []Action {
	var out []Action
	for d.next <= d.now {
		o := d.order(d.fateOf(d.luck.Float64()))
		out = append(out, d.draft(o))
		d.waiting = append(d.waiting, o)
		d.next += time.Duration(d.luck.ExpFloat64() * float64(orderEvery))
	}
	if d.parcel <= d.now {
		out = append(out, d.ship()...)
		d.parcel += parcelEvery
	}
	var still []*order
	for _, o := range d.waiting {
		age := d.now - o.placed
		switch {
		case !o.confirmed && age > 20*time.Second:
			o.confirmed = true
			out = append(out, Action{At: d.now, Do: Confirm, Order: o.n})
		case o.fate == changedMind && age > 90*time.Second:
			out = append(out, Action{At: d.now, Do: Cancel, Order: o.n, Reason: "The customer changed their mind"})
			continue
		case o.fate != changedMind && age > 30*time.Second:
			if r := d.free(o.kitchen); r != nil {
				r.deliver(o)
				out = append(out, Action{At: d.now, Do: Assign, Order: o.n, Courier: r.n})
				continue
			}
		}
		still = append(still, o)
	}
	d.waiting = still
	return out
}

func (d *Day) fateOf(luck float64) fate {
	switch {
	case luck < 0.10:
		return late
	case luck < 0.16:
		return nobodyHome
	case luck < 0.20:
		return sentBack
	case luck < 0.24:
		return changedMind
	}
	return delivered
}

// free is the courier without an order who is soonest at a kitchen, nil when there is none.
func (d *Day) free(k place) *rider {
	var best *rider
	soonest := math.Inf(1)
	for _, r := range d.riders {
		if seconds := r.at.to(k.at) / vehicleSpeeds[r.vehicle]; r.order == nil && seconds < soonest {
			best, soonest = r, seconds
		}
	}
	return best
}

// ship sends a parcel to another town.
func (d *Day) ship() []Action {
	p := parcels[d.parcels%len(parcels)]
	d.parcels++
	n := d.orders
	d.orders++
	return []Action{
		{At: d.now, Do: Place, Order: n, Draft: client.Draft{
			MerchantID: "kirjakauppa", Customer: client.Customer{Name: p.customer, Locale: "ru"},
			Pickup: &client.Place{Address: "Москва, Кузнецкий Мост, 18"}, Dropoff: &client.Place{Address: p.address},
			Items: []client.Item{{Name: "Туве Янссон. Муми-тролль и комета", Quantity: 1, WeightG: 450}},
		}},
		{At: d.now, Do: Ship, Order: n, City: "Новосибирск"},
	}
}

// Drop says that the server did not let an order go on as the day had it, because somebody
// else moved it: whoever carries it lets go.
func (d *Day) Drop(n int) {
	for _, r := range d.riders {
		if r.order != nil && r.order.n == n {
			r.release()
		}
	}
	for i, o := range d.waiting {
		if o.n == n {
			d.waiting = append(d.waiting[:i:i], d.waiting[i+1:]...)
			return
		}
	}
}
