package demo

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/order-tracking/order-tracking/pkg/client"
)

// task is one thing after the other that a courier does: go along legs, wait, wait until a
// time, lose the network for a while, or do something that the server is told.
type task struct {
	legs   []leg
	wait   time.Duration
	until  time.Duration
	silent time.Duration
	act    *Action
}

// rider is a courier at work, as people are: they stop at lights, take a wrong turn, wait
// for lifts, ride into places without a network.
type rider struct {
	n       int
	name    string
	vehicle vehicle
	luck    *rand.Rand
	hurry   float64 // how fast compared with others
	city    *city

	at      point
	node    int // the last that was passed
	heading float64
	speed   float64 // metres per second, now
	tasks   []task
	order   *order // nil: free

	drift   point // how far off the phone's idea of the place is
	battery float64
	still   int           // reports since the last move
	silent  time.Duration // until then the phone has no network
	kept    []Action      // what waits for it
}

func newRider(c *city, seed uint64, n int) *rider {
	luck := rand.New(rand.NewPCG(seed, uint64(n)+1)) //nolint:gosec // a game
	r := &rider{
		n: n, city: c, luck: luck, name: courierNames[n%len(courierNames)],
		vehicle: []vehicle{bicycle, moped, bicycle, foot, bicycle}[n%5],
		hurry:   0.85 + 0.3*luck.Float64(), battery: 35 + 60*luck.Float64(),
	}
	k := c.kitchens[luck.IntN(len(c.kitchens))]
	r.at, r.node = k.at, k.Nodes[r.vehicle]
	return r
}

// goTo are the tasks that bring the courier from a node to a place.
func (r *rider) goTo(from int, p place) []task {
	legs := r.city.way(r.vehicle, from, p.Nodes[r.vehicle])
	if i := len(legs) / 2; len(legs) > 12 && r.luck.Float64() < 0.12 {
		if stray := r.stray(legs[i-1].node, legs[i].node, legs[i+1].node); stray != nil {
			back := r.city.way(r.vehicle, stray[len(stray)-1].node, p.Nodes[r.vehicle])
			tasks := r.ride(append(slices.Clone(legs[:i+1]), stray...))
			tasks = append(tasks, task{wait: r.seconds(3, 9)}) // looks at the map
			return append(tasks, r.ride(append(back, r.walkTo(p)))...)
		}
	}
	return r.ride(append(legs, r.walkTo(p)))
}

// walkTo is the last bit, on foot.
func (r *rider) walkTo(p place) leg { return leg{p.at, vehicleSpeeds[foot], -1} }

// stray is a wrong turn at a crossing: some hops into a street that is not the way.
func (r *rider) stray(before, at, right int) []leg {
	var out []leg
	for range 3 {
		var wrong []hop
		for _, h := range r.city.next[r.vehicle][at] {
			if h.to != right && h.to != before {
				wrong = append(wrong, h)
			}
		}
		if len(wrong) == 0 {
			break
		}
		h := wrong[r.luck.IntN(len(wrong))]
		out = append(out, leg{r.city.nodes[h.to], h.speed, h.to})
		before, at, right = at, h.to, -1
	}
	return out
}

// ride goes along legs and stops at some of the lights.
func (r *rider) ride(legs []leg) []task {
	var tasks []task
	begin, red := 0, -10
	for i, l := range legs {
		// Several nodes of one crossing have lights: of those near each other one is enough.
		if l.node >= 0 && r.city.lights[l.node] && i-red > 6 && i < len(legs)-1 && r.luck.Float64() < 0.35 {
			tasks = append(tasks, task{legs: legs[begin : i+1]}, task{wait: r.seconds(4, 26)})
			begin, red = i+1, i
		}
	}
	return append(tasks, task{legs: legs[begin:]})
}

func (r *rider) seconds(from, to float64) time.Duration {
	return time.Duration((from + (to-from)*r.luck.Float64()) * float64(time.Second))
}

// deliver gives the courier an order: there, up, and to the door.
func (r *rider) deliver(o *order) {
	r.order = o
	kitchen, door := o.kitchen.Nodes[r.vehicle], o.door.Nodes[r.vehicle]
	r.tasks = append(r.goTo(r.node, o.kitchen), r.step(client.StatusAtPickup), task{wait: r.seconds(15, 45)}, task{until: o.ready},
		r.step(client.StatusPickedUp), task{wait: r.seconds(4, 12)})
	r.carry(o, kitchen, door)
	// Then back to where orders are.
	end := door
	if o.fate == sentBack {
		end = kitchen
	}
	next := r.city.kitchens[r.luck.IntN(len(r.city.kitchens))]
	r.tasks = append(append(r.tasks, task{wait: r.seconds(10, 40)}), r.goTo(end, next)...)
}

// carry is the second half: from the kitchen to the door, and what happens there.
func (r *rider) carry(o *order, kitchen, door int) {
	r.tasks = append(r.tasks, r.step(client.StatusOutForDelivery))
	if r.luck.Float64() < 0.12 {
		r.tasks = append(r.tasks, task{silent: r.seconds(40, 100)}) // a dead zone
	}
	r.tasks = append(r.tasks, r.goTo(kitchen, o.door)...)
	r.tasks = append(r.tasks, r.step(client.StatusAtDropoff))
	if r.luck.Float64() < 0.25 {
		r.tasks = append(r.tasks, task{silent: r.seconds(20, 50)}) // a lift
	}
	r.tasks = append(r.tasks, task{wait: r.seconds(30, 100)})
	if o.fate != nobodyHome && o.fate != sentBack {
		r.tasks = append(r.tasks, r.step(client.StatusDelivered))
		return
	}
	failed := r.step(client.StatusDeliveryFailed)
	failed.act.Reason = "customer_unavailable"
	r.tasks = append(r.tasks, task{wait: r.seconds(60, 120)}, failed, task{wait: r.seconds(30, 60)})
	if o.fate == nobodyHome { // who then comes to the door after all
		r.tasks = append(r.tasks, r.step(client.StatusOutForDelivery), task{wait: r.seconds(30, 60)}, r.step(client.StatusAtDropoff),
			task{wait: r.seconds(10, 30)}, r.step(client.StatusDelivered))
		return
	}
	r.tasks = append(r.tasks, r.step(client.StatusReturning))
	r.tasks = append(r.tasks, r.goTo(door, o.kitchen)...)
	r.tasks = append(r.tasks, r.step(client.StatusReturned))
}

func (r *rider) step(to client.Status) task {
	return task{act: &Action{Do: Step, Courier: r.n, Order: r.order.n, Status: to}}
}

// release takes the order from the courier, who stays where he is.
func (r *rider) release() { r.order, r.tasks = nil, nil }

// advance lives on from now for so long and returns what the server is told: steps, and at
// the end where the phone is.
func (r *rider) advance(now, dt time.Duration) []Action {
	var out []Action
	end := now + dt
	moved := false
	for len(r.tasks) > 0 && now < end {
		t := &r.tasks[0]
		switch {
		case len(t.legs) > 0:
			now = r.move(t, now, end)
			moved = true
			if len(t.legs) > 0 {
				continue
			}
		case t.act != nil:
			t.act.At, t.act.Point = now, r.city.degrees(r.at)
			out = append(out, *t.act)
			if s := t.act.Status; s == client.StatusDelivered || s == client.StatusReturned {
				r.order = nil // what else there is to do can be interrupted
			}
		case t.silent > 0:
			r.silent = now + t.silent
		default:
			until := max(t.until, now+t.wait)
			if until > end {
				t.wait, t.until = 0, until
				now = end
				continue
			}
			now = until
		}
		r.tasks = r.tasks[1:]
	}
	if !moved {
		r.speed = 0
		r.still++
	} else {
		r.still = 0
	}
	return r.send(end, append(out, r.report(end)...))
}

// move goes along the task's legs until they or the time are over.
func (r *rider) move(t *task, now, end time.Duration) time.Duration {
	for len(t.legs) > 0 && now < end {
		l := t.legs[0]
		speed := l.speed * r.hurry * (0.9 + 0.2*r.luck.Float64())
		distance, reach := r.at.to(l.to), speed*(end-now).Seconds()
		if distance > 0.1 {
			r.heading = math.Mod(math.Atan2(l.to.x-r.at.x, l.to.y-r.at.y)*180/math.Pi+360, 360)
		}
		r.speed = speed
		if reach < distance {
			r.at = point{r.at.x + (l.to.x-r.at.x)*reach/distance, r.at.y + (l.to.y-r.at.y)*reach/distance}
			return end
		}
		r.at = l.to
		if l.node >= 0 {
			r.node = l.node
		}
		now += time.Duration(distance / speed * float64(time.Second))
		t.legs = t.legs[1:]
	}
	return now
}

// report is where the phone believes to be; one that lies still says so less often.
func (r *rider) report(at time.Duration) []Action {
	if r.still > 3 && r.still%5 != 0 {
		return nil
	}
	const keep, jitter = 0.9, 1.1 // errors of satellites wander
	r.drift = point{keep*r.drift.x + jitter*(r.luck.Float64()*2-1), keep*r.drift.y + jitter*(r.luck.Float64()*2-1)}
	r.battery = max(4, r.battery-0.003)
	seen := point{r.at.x + r.drift.x, r.at.y + r.drift.y}
	p := r.city.degrees(seen)
	round := func(v float64) *float64 { return client.Ptr(math.Round(v*10) / 10) }
	return []Action{{At: at, Do: Report, Courier: r.n, Positions: []client.Position{{
		Lat: p.Lat, Lon: p.Lon, Accuracy: round(4 + math.Hypot(r.drift.x, r.drift.y)), Speed: round(r.speed), Heading: round(r.heading), Battery: round(r.battery),
	}}, times: []time.Duration{at}}}
}

// send lets actions through when there is a network; otherwise they wait. What waited goes
// out in order, its positions in one batch.
func (r *rider) send(now time.Duration, actions []Action) []Action {
	r.kept = append(r.kept, actions...)
	if now < r.silent {
		return nil
	}
	var out []Action
	for _, a := range r.kept {
		if last := len(out) - 1; last >= 0 && a.Do == Report && out[last].Do == Report {
			out[last].Positions = append(out[last].Positions, a.Positions...)
			out[last].times = append(out[last].times, a.times...)
			continue
		}
		out = append(out, a)
	}
	r.kept = nil
	return out
}
