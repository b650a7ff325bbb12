package demo

import (
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/order-tracking/order-tracking/pkg/client"
)

// Whoever sets out arrives, along streets only, and by no such detour that people would
// wonder.
func TestWay(t *testing.T) {
	c, err := load(helsinki)
	require.NoError(t, err)
	require.Len(t, c.kitchens, 12)
	rapid.Check(t, func(t *rapid.T) {
		v := vehicle(rapid.IntRange(0, 2).Draw(t, "vehicle"))
		kitchen, door := rapid.SampledFrom(c.kitchens).Draw(t, "kitchen"), rapid.SampledFrom(c.homes).Draw(t, "door")
		from, to := kitchen.Nodes[v], door.Nodes[v]
		legs := c.way(v, from, to)
		if len(legs) == 0 || legs[0].node != from || legs[len(legs)-1].node != to {
			t.Fatalf("%v does not lead from %d to %d", legs, from, to)
		}
		metres := 0.0
		for i, l := range legs[1:] {
			known := false
			for _, h := range c.next[v][legs[i].node] {
				known = known || h.to == l.node && h.speed == l.speed
			}
			if !known {
				t.Fatalf("no street from %d to %d", legs[i].node, l.node)
			}
			metres += legs[i].to.to(l.to)
		}
		if straight := c.nodes[from].to(c.nodes[to]); metres < straight-0.1 || metres > 3*straight+1000 {
			t.Fatalf("%.0f metres for %.0f", metres, straight)
		}
	})
}

// A day with couriers, minute by minute.
func live(t *testing.T, seed uint64, couriers int, length time.Duration) (*Day, []Action) {
	t.Helper()
	d, all, err := NewDay(seed, couriers, time.Minute)
	require.NoError(t, err)
	for d.Now() < length {
		all = append(all, d.Advance(3*time.Second)...)
	}
	return d, all
}

func TestSeedRepeatsADay(t *testing.T) {
	_, a := live(t, 7, 30, 10*time.Minute)
	_, b := live(t, 7, 30, 10*time.Minute)
	require.True(t, reflect.DeepEqual(a, b))
	_, other := live(t, 8, 30, 10*time.Minute)
	require.False(t, reflect.DeepEqual(a, other))
}

// What follows what; a day that broke this would be refused by the server.
var follows = map[client.Status][]client.Status{
	"":                          {client.StatusConfirmed, client.StatusCancelled},
	client.StatusConfirmed:      {client.StatusAssigned, client.StatusCancelled},
	client.StatusAssigned:       {client.StatusAtPickup},
	client.StatusAtPickup:       {client.StatusPickedUp},
	client.StatusPickedUp:       {client.StatusOutForDelivery},
	client.StatusOutForDelivery: {client.StatusAtDropoff},
	client.StatusAtDropoff:      {client.StatusDelivered, client.StatusDeliveryFailed},
	client.StatusDeliveryFailed: {client.StatusOutForDelivery, client.StatusReturning},
	client.StatusReturning:      {client.StatusReturned},
}

// An hour and a half holds everything that a day should: orders in time and late, failed and brought
// back, cancelled, parcels; each goes the way that orders go, and couriers do not fly.
func TestDay(t *testing.T) {
	_, actions := live(t, 3, 30, 90*time.Minute)
	status, promised, ended, late, parcels := map[int]client.Status{}, map[int]time.Duration{}, map[client.Status]int{}, 0, 0
	last, batches := map[int]client.Position{}, 0
	lastAt := map[int]time.Duration{}
	c, err := load(helsinki)
	require.NoError(t, err)
	move := func(a Action, to client.Status) {
		require.Contains(t, follows[status[a.Order]], to, "order %d after %q", a.Order, status[a.Order])
		status[a.Order] = to
		ended[to]++
		if to == client.StatusDelivered && a.At > promised[a.Order] {
			late++
		}
	}
	for _, a := range actions {
		switch a.Do {
		case Place:
			status[a.Order], promised[a.Order] = "", a.Promised
		case Confirm:
			move(a, client.StatusConfirmed)
		case Assign:
			move(a, client.StatusAssigned)
		case Step:
			move(a, a.Status)
		case Cancel:
			move(a, client.StatusCancelled)
		case Ship:
			parcels++
		case Report:
			if len(a.times) > 3 {
				batches++
			}
			for i, p := range a.Positions {
				require.InDelta(t, 60.1716, p.Lat, 0.009)
				require.InDelta(t, 24.9443, p.Lon, 0.012)
				if before, known := last[a.Courier]; known {
					seconds := (a.times[i] - lastAt[a.Courier]).Seconds()
					metres := math.Hypot((p.Lat-before.Lat)*metresPerLat, (p.Lon-before.Lon)*c.metresPerLon)
					require.Positive(t, seconds)
					require.Less(t, metres, 13*seconds+8, "courier %d at %v", a.Courier, a.times[i])
				}
				last[a.Courier], lastAt[a.Courier] = p, a.times[i]
			}
		}
	}
	require.Greater(t, ended[client.StatusDelivered], 110)
	for what, n := range map[string]int{
		"late": late, "failed": ended[client.StatusDeliveryFailed], "returned": ended[client.StatusReturned],
		"cancelled": ended[client.StatusCancelled], "parcels": parcels, "dead zones": batches,
	} {
		require.Positive(t, n, what)
	}
	require.Less(t, late, ended[client.StatusDelivered]/3)
}

// An order that somebody else has moved is no business of the couriers any more, and who
// carried it carries others.
func TestDrop(t *testing.T) {
	d, all, err := NewDay(5, 4, time.Minute)
	require.NoError(t, err)
	dropped, others := map[int]bool{}, 0
	for d.Now() < 40*time.Minute {
		for _, a := range all {
			if a.Do == Step && a.Status == client.StatusAtPickup && a.At > 0 && a.Order%2 == 0 {
				d.Drop(a.Order)
				dropped[a.Order] = true
			} else if a.Do == Step {
				require.False(t, dropped[a.Order] && a.Status != client.StatusPickedUp)
				others++
			}
		}
		all = d.Advance(time.Second)
	}
	require.NotEmpty(t, dropped)
	require.Greater(t, others, 20)
}

// Whoever starts the demo sees a courier at a door within a minute, whatever the day, and
// the courier whom the opened page is about is still minutes away.
func TestFirstMinute(t *testing.T) {
	const speed = 2
	for seed := range uint64(10) {
		d, all, err := NewDay(seed, 30, NearlyThere*speed)
		require.NoError(t, err)
		arrivals := map[int]time.Duration{}
		for d.Now() < 90*time.Second*speed {
			for _, a := range all {
				if a.Do == Step && a.Status == client.StatusAtDropoff {
					arrivals[a.Order] = a.At
				}
			}
			all = d.Advance(speed * time.Second)
		}
		require.Contains(t, arrivals, 1)
		require.Less(t, arrivals[1], time.Minute*speed)
		require.NotContains(t, arrivals, 0)
	}
}
