// Package demo is a day in a real city: customers order, kitchens cook, couriers on foot,
// bicycles and mopeds ride along its streets, and some things go wrong. A Day makes it up;
// Run lives through it and tells a server by its public API, as shops and phones do.
package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/order-tracking/order-tracking/pkg/client"
)

// Options are what Run needs.
type Options struct {
	Client   *client.Client
	Seed     uint64        // the same number gives the same day
	Couriers int           // 1 or more
	Speed    float64       // how much faster than life
	Every    time.Duration // how often phones report
	// Begin is when the day began; what is past of it is lived through without waiting.
	// Zero is now.
	Begin time.Time
	// For is how long the day lasts, in its own time; zero is until the context ends.
	For time.Duration
	// Say tells what happened.
	Say func(at time.Time, text string)
	// Watch is told of an order whose courier is minutes from the door, and of its customer's
	// page: of one at first, and of another when it has been delivered.
	Watch func(o *client.Order, page string)
}

// NearlyThere is how far from a door a courier is when the demo begins.
const NearlyThere = 25 * time.Second

// drive is a day that is under way.
type drive struct {
	Options
	day      *Day
	couriers []*client.Courier
	orders   map[int]*client.Order
	dropped  map[int]bool
	watched  int // the order that is watched, -1: none
	live     bool
	fresh    bool // the day begins now: what it begins with happens while it is told
}

// Run drives the couriers until the context ends, which is no error, or the day is over.
func Run(ctx context.Context, o Options) error {
	fresh := o.Begin.IsZero()
	if fresh {
		o.Begin = time.Now()
	}
	day, actions, err := NewDay(o.Seed, o.Couriers, time.Duration(float64(NearlyThere)*o.Speed))
	if err != nil {
		return err
	}
	d := &drive{Options: o, day: day, orders: map[int]*client.Order{}, dropped: map[int]bool{}, watched: -1, fresh: fresh}
	tick := time.Duration(float64(o.Every) * o.Speed)
	for err == nil {
		err = d.perform(ctx, actions)
		if err != nil || (o.For > 0 && day.Now() >= o.For) {
			break
		}
		if d.fresh {
			d.fresh, d.Begin = false, time.Now()
		}
		if err = d.await(ctx, day.Now()+tick); err == nil {
			actions = day.Advance(tick)
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// await waits for a time of the day. After a pause that was not the demo's, such as a
// laptop's sleep, the day goes on where it stopped.
func (d *drive) await(ctx context.Context, at time.Duration) error {
	left := time.Until(d.real(at))
	if d.live && left < -10*d.Every {
		d.Begin = d.Begin.Add(-left)
		left = 0
	}
	if left <= 0 {
		return ctx.Err()
	}
	d.live = true
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// real is when a time of the day is, by the clock on the wall.
func (d *drive) real(at time.Duration) time.Time {
	return d.Begin.Add(time.Duration(float64(at) / d.Speed))
}

// perform tells the server what happened. What it refuses, because somebody else has moved
// the order, the day forgets.
func (d *drive) perform(ctx context.Context, actions []Action) error {
	for _, a := range actions {
		if a.Do != Report && a.Do != Hire && d.dropped[a.Order] {
			continue
		}
		err := d.do(ctx, a)
		var refusal *client.Problem
		switch {
		case err == nil:
		case errors.As(err, &refusal) && refusal.Status < http.StatusInternalServerError && a.Do != Hire:
			if a.Do != Report {
				d.dropped[a.Order] = true
				d.day.Drop(a.Order)
				d.say(a, "%s is left to others: %s", d.number(a.Order), refusal.Detail)
			}
		default:
			return err
		}
	}
	return nil
}

func (d *drive) do(ctx context.Context, a Action) (err error) {
	switch a.Do {
	case Hire:
		c, err := d.Client.CreateCourier(ctx, client.CourierEdit{
			Name: &a.Name, Vehicle: &a.Vehicle, Metadata: map[string]string{"demo": "true"},
		})
		d.couriers = append(d.couriers, c)
		return err
	case Report:
		for i, at := range a.times {
			if !d.fresh {
				a.Positions[i].RecordedAt = d.real(at)
			}
		}
		_, err = d.Client.ReportPositions(ctx, d.couriers[a.Courier].ID, a.Positions)
		return err
	case Place:
		if a.Promised > 0 {
			a.Draft.PromisedAt = client.Ptr(d.real(a.Promised))
		}
		o, err := d.Client.CreateOrder(ctx, a.Draft)
		if err == nil {
			d.orders[a.Order] = o
			d.say(a, "%s ordered %s", o.Customer.Name, what(o))
		}
		return err
	case Confirm:
		_, err = d.Client.UpdateStatus(ctx, d.orders[a.Order].ID, client.StatusChange{Status: client.StatusConfirmed})
		return err
	case Assign:
		_, err = d.Client.AssignCourier(ctx, d.orders[a.Order].ID, d.couriers[a.Courier].ID)
		return err
	case Step:
		return d.step(ctx, a)
	case Cancel:
		_, err = d.Client.CancelOrder(ctx, d.orders[a.Order].ID, a.Reason)
		if err == nil {
			d.say(a, "%s cancelled %s", d.orders[a.Order].Customer.Name, d.number(a.Order))
		}
		return err
	case Ship:
		return d.ship(ctx, a)
	}
	return fmt.Errorf("the demo does not know how to do %d", a.Do)
}

// step takes an order on, as the courier's phone does.
func (d *drive) step(ctx context.Context, a Action) error {
	at, o := d.real(a.At), d.orders[a.Order]
	change := client.StatusChange{Status: a.Status, Reason: a.Reason, Location: &a.Point}
	if !d.fresh {
		change.OccurredAt = &at
	}
	if a.Status == client.StatusDelivered {
		change.Proof = &client.Proof{Recipient: o.Customer.Name}
	}
	changed, err := d.Client.UpdateStatus(ctx, o.ID, change)
	if err != nil {
		return err
	}
	name := d.couriers[a.Courier].Name
	switch a.Status {
	case client.StatusOutForDelivery:
		d.say(a, "%s has %s and is on the way to %s", name, d.number(a.Order), o.Dropoff.Address)
		if d.watched < 0 && d.Watch != nil {
			share, err := d.Client.ShareOrder(ctx, o.ID, nil)
			if err != nil {
				return err
			}
			d.watched = a.Order
			d.Watch(changed, share.URL)
		}
	case client.StatusDelivered:
		d.say(a, "%s handed %s to %s%s", name, d.number(a.Order), o.Customer.Name, punctual(at, o.PromisedAt))
	case client.StatusDeliveryFailed:
		d.say(a, "%s found nobody at %s", name, o.Dropoff.Address)
	case client.StatusReturned:
		d.say(a, "%s took %s back to the kitchen", name, d.number(a.Order))
	}
	if a.Order == d.watched && (a.Status == client.StatusDelivered || a.Status == client.StatusReturned) {
		d.watched = -1
	}
	return nil
}

// ship hands an order to a delivery company.
func (d *drive) ship(ctx context.Context, a Action) error {
	o := d.orders[a.Order]
	if _, err := d.Client.BookShipment(ctx, o.ID, client.Booking{To: client.Stop{City: a.City}}); err != nil {
		return err
	}
	share, err := d.Client.ShareOrder(ctx, o.ID, nil)
	if err == nil {
		d.say(a, "%s goes to %s by an emulated carrier: %s", o.Number, a.City, share.URL)
	}
	return err
}

// say tells of what happens; of what had happened before the day began there is too much.
func (d *drive) say(a Action, format string, args ...any) {
	if d.Say != nil && a.At > 0 {
		d.Say(d.real(a.At), fmt.Sprintf(format, args...))
	}
}

func (d *drive) number(order int) string {
	if o := d.orders[order]; o != nil {
		return o.Number
	}
	return "an order"
}

// what is in an order, in short.
func what(o *client.Order) string {
	text := o.Items[0].Name
	if n := len(o.Items) - 1; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	if o.Pickup != nil {
		text += " from " + o.Pickup.Address
	}
	return text + ": " + o.Number
}

func punctual(at time.Time, promised *time.Time) string {
	if promised != nil && at.After(*promised) {
		return fmt.Sprintf(", %v late", at.Sub(*promised).Round(time.Second))
	}
	return ""
}
