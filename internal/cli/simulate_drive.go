package cli

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/order-tracking/order-tracking/pkg/client"
)

// drive is a simulated courier at work.
type drive struct {
	*simulation
	courier, name string
	luck          *rand.Rand
	at            client.Point
	battery       float64
}

var (
	firstNames = []string{"Anna", "Boris", "Clara", "David", "Elena", "Farid", "Grace", "Hugo", "Irina", "Jonas"}
	goods      = []string{"Pizza", "Books", "Flowers", "Groceries", "Phone", "Shoes"}
)

// deliver takes one order from creation to delivery.
func (d *drive) deliver(ctx context.Context) error {
	started := time.Now()
	from, to, way := d.job()
	o, err := d.client.CreateOrder(ctx, client.Draft{
		Customer: client.Customer{Name: firstNames[d.luck.IntN(len(firstNames))]},
		Pickup:   &client.Place{Address: fmt.Sprintf("Shop %d", 1+d.luck.IntN(40)), Location: &from},
		Dropoff:  &client.Place{Address: fmt.Sprintf("House %d", 1+d.luck.IntN(400)), Location: &to},
		Items:    []client.Item{{Name: goods[d.luck.IntN(len(goods))], Quantity: 1 + d.luck.IntN(3)}},
		Metadata: map[string]string{"simulated": "true"},
	})
	if err != nil {
		return err
	}
	if _, err := d.client.AssignCourier(ctx, o.ID, d.courier); err != nil {
		return err
	}
	steps := []func() error{
		func() error { return d.travel(ctx, streets(d.luck, d.at, from)) },
		func() error { return d.step(ctx, o.ID, client.StatusAtPickup) },
		func() error { return d.wait(ctx) },
		func() error { return d.step(ctx, o.ID, client.StatusPickedUp) },
		func() error { return d.step(ctx, o.ID, client.StatusOutForDelivery) },
		func() error { return d.travel(ctx, way) },
		func() error { return d.step(ctx, o.ID, client.StatusAtDropoff) },
		func() error { return d.wait(ctx) },
		func() error { return d.step(ctx, o.ID, client.StatusDelivered) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	d.driven.Add(int64(time.Since(started)))
	d.delivered.Add(1)
	if !d.json {
		d.clearProgress()
		_, _ = fmt.Fprintf(d.stdout, "%s  %s delivered %s\n", time.Now().Format("15:04:05"), d.name, o.Number)
	}
	return nil
}

// job is an order's pickup, drop-off and route.
func (d *drive) job() (from, to client.Point, way []client.Point) {
	if len(d.trails) > 0 {
		way = d.trails[d.luck.IntN(len(d.trails))]
		return way[0], way[len(way)-1], way
	}
	from, to = d.place(d.luck), d.place(d.luck)
	return from, to, streets(d.luck, from, to)
}

// step changes the order's status, unless automatic arrival has done so already.
func (d *drive) step(ctx context.Context, id string, to client.Status) error {
	now := d.at
	change := client.StatusChange{Status: to, Location: &now}
	if to == client.StatusDelivered {
		change.Proof = &client.Proof{Recipient: "simulated"}
	}
	_, err := d.client.UpdateStatus(ctx, id, change)
	return err
}

// wait stands still and keeps reporting the position.
func (d *drive) wait(ctx context.Context) error {
	for end := time.Now().Add(d.handover); ; {
		if err := d.report(ctx, 0, 0); err != nil {
			return err
		}
		left := time.Until(end)
		if err := sleep(ctx, min(left, d.every)); err != nil || left <= d.every {
			return err
		}
	}
}

// travel moves along a route.
func (d *drive) travel(ctx context.Context, way []client.Point) error {
	w, last := newWalker(way), time.Now()
	for {
		if err := sleep(ctx, d.every); err != nil {
			return err
		}
		now := time.Now()
		speed := d.speed * (0.7 + 0.6*d.luck.Float64())
		at, heading, more := w.walk(speed * now.Sub(last).Seconds())
		last, d.at = now, at
		if !more {
			speed = 0
		}
		if err := d.report(ctx, speed, heading); err != nil || !more {
			return err
		}
	}
}

// report reports the courier's position with a phone's accuracy.
func (d *drive) report(ctx context.Context, speed, heading float64) error {
	const accuracy = 5.0
	d.battery = max(5, d.battery-0.002)
	seen := offset(d.at, (d.luck.Float64()-0.5)*accuracy, (d.luck.Float64()-0.5)*accuracy)
	got, err := d.client.ReportPositions(ctx, d.courier, []client.Position{{
		Lat: seen.Lat, Lon: seen.Lon, Accuracy: client.Ptr(accuracy), Speed: &speed, Heading: &heading,
		Battery: client.Ptr(d.battery), RecordedAt: time.Now(),
	}})
	d.accepted.Add(int64(got.Accepted))
	d.dropped.Add(int64(got.Dropped))
	return err
}
