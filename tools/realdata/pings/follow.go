package pings

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/order-tracking/order-tracking/pkg/client"
)

// shownFor is how old a position may be to be shown to those who wait for an order.
const shownFor = 30 * time.Minute

// parcel is a real order in a cab.
type parcel struct {
	id        string
	positions atomic.Int64 // frames that a watcher saw
	watched   chan error   // how the watching ended
}

// orderFor makes the order that goes with the cab's run, and watches it.
func (d *driver) orderFor(ctx context.Context, c *cab) error {
	from, to := c.run.first, c.run.last
	o, err := d.rest.CreateOrder(ctx, client.Draft{
		ExternalID: d.run + "-" + c.name, Customer: client.Customer{Name: "Passenger of " + c.name},
		Pickup:  &client.Place{Location: &client.Point{Lat: from.lat, Lon: from.lon}},
		Dropoff: &client.Place{Location: &client.Point{Lat: to.lat, Lon: to.lon}},
	})
	if err != nil {
		return err
	}
	if _, err := d.rest.AssignCourier(ctx, o.ID, c.courier); err != nil {
		return err
	}
	d.parcel = &parcel{id: o.ID, watched: make(chan error, 1)}
	go func() { d.parcel.watched <- d.watch(ctx, o.ID) }()
	return nil
}

func (d *driver) watch(ctx context.Context, id string) error {
	for f, err := range d.rest.Watch(ctx, id, client.FromNow) {
		if err != nil {
			return err
		}
		if f.Type == client.FramePosition {
			d.parcel.positions.Add(1)
		}
	}
	return nil
}

// step moves the order to a status as of a ping's time.
func (d *driver) step(ctx context.Context, to client.Status, p ping) error {
	at := p.at
	_, err := d.rest.UpdateStatus(ctx, d.parcel.id, client.StatusChange{
		Status: to, OccurredAt: &at, Location: &client.Point{Lat: p.lat, Lon: p.lon},
	})
	return err
}

// checkParcel compares what the order shows with its part of the cab's way.
func (d *driver) checkParcel(ctx context.Context, c *cab) {
	if c == nil {
		d.faults.add("no occupied run was found that an order could follow")
		return
	}
	select {
	case err := <-d.parcel.watched:
		if err != nil {
			d.faults.add("watching the order: %v", err)
		}
	case <-time.After(30 * time.Second):
		d.faults.add("the watcher of the order did not see its end")
	}
	// Nobody is shown where a courier was long before.
	switch seen := d.parcel.positions.Load(); {
	case seen == 0 && time.Since(c.run.last.at) < shownFor:
		d.faults.add("the watcher of the order saw no position")
	case seen > 0 && d.to.Sub(c.run.last.at) > shownFor:
		d.faults.add("the watcher of the order saw %d positions from long before", seen)
	}
	track, err := d.rest.Track(ctx, d.parcel.id)
	if err != nil {
		d.faults.add("the track of the order: %v", err)
		return
	}
	want := c.between(c.run.first.at, c.run.last.at)
	if track.Status != client.StatusDelivered || track.Position != nil {
		d.faults.add("the order is %s and shows the position %v", track.Status, track.Position)
	}
	d.sameWay(fmt.Sprintf("order %s in %s", d.parcel.id, c.name), want, track.Trail)
	if len(want) > 0 && track.Polyline == "" {
		d.faults.add("the order's trail has no polyline")
	}
	d.trail = len(track.Trail)
}
