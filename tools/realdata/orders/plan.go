package orders

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"github.com/order-tracking/order-tracking/pkg/client"
)

// source is the source of all reports, so that their times are compared.
const source = "rider-app"

// pickupReason is what the driver says when it takes an order to picked_up itself.
const pickupReason = "the courier's report was out of time"

// report is a message for order_status_updates.
type report struct {
	EventID    string        `json:"event_id"`
	OrderID    string        `json:"order_id,omitempty"`
	ExternalID string        `json:"external_id,omitempty"`
	Status     client.Status `json:"status"`
	OccurredAt time.Time     `json:"occurred_at"`
	Source     string        `json:"source"`
	Reason     string        `json:"reason,omitempty"`
	Location   *client.Point `json:"location,omitempty"`
}

// plan holds a row's calls and reports and the expected results.
type plan struct {
	row
	run        string
	externalID string
	before     []report // to send before the courier is assigned, in order, with repeats
	after      []report // to send afterwards
	byHand     bool     // picked_up came late: a person has to do it
	overREST   bool     // how delivered is said
	want       *history
	wantBefore wait // for what before is over
	wantAfter  wait
}

// wait is what shows that reports were applied: a version that is published when the
// last of them that matters changed the order, a number of entries otherwise.
type wait struct {
	version int64
	entries int // zero: the version says it
}

// newPlan decides what is done with a row of a run; the same for the same row and run.
func newPlan(run string, r row) *plan {
	p := &plan{row: r, run: run, externalID: run + "-" + r.id, overREST: r.index%2 == 0, want: newHistory()}
	at := func(s client.Status, t time.Time, where *client.Point) report {
		return report{
			EventID: fmt.Sprintf("%s-%s", p.externalID, s), Status: s, OccurredAt: t,
			Source: source, Location: where,
		}
	}
	random := rand.New(rand.NewPCG(uint64(r.index), hash(run)))
	p.before = p.lay(random, at(client.StatusCreated, r.placed, nil), at(client.StatusConfirmed, r.confirmed, nil))
	p.after = p.lay(random, at(client.StatusAtPickup, r.atPickup, &r.pickup), at(client.StatusPickedUp, r.pickedUp, &r.pickup))

	p.want.create()
	p.wantBefore = p.want.observeAll(p.before)
	p.want.assign()
	p.wantAfter = p.want.observeAll(p.after)
	if p.want.status != client.StatusPickedUp {
		p.byHand = true
		p.want.move(p.pickupByHand())
	}
	p.want.move(p.delivery())
	return p
}

// lay lays out reports as they will be sent: every fourth row twice, every eighth shuffled.
func (p *plan) lay(random *rand.Rand, reports ...report) []report {
	if p.index%4 == 1 {
		reports = append(reports, reports...)
	}
	if p.index%8 >= 6 {
		random.Shuffle(len(reports), func(i, j int) { reports[i], reports[j] = reports[j], reports[i] })
	}
	return reports
}

func (p *plan) draft() client.Draft {
	d := client.Draft{
		ExternalID: p.externalID,
		Customer:   client.Customer{Name: p.user, Phone: p.phone(), Locale: "en-KE"},
		Pickup:     &client.Place{Address: "Pick-up of " + p.id, Location: &p.pickup},
		Dropoff:    &client.Place{Address: "Destination of " + p.id, Location: &p.dropoff, Notes: p.business},
		Items:      []client.Item{{Name: "Parcel", Quantity: 1}},
		Metadata: map[string]string{
			"placed": p.placed.Format(time.RFC3339), "platform": p.platform, "road_km": p.roadKM,
		},
	}
	for name, value := range map[string]string{"temp_c": p.temperature, "rain_mm": p.rainMM} {
		if value != "" {
			d.Metadata[name] = value
		}
	}
	return d
}

// phone generates the customer's number, since the data has none: Kenyan, and the
// same for the same customer.
func (p *plan) phone() string { return fmt.Sprintf("+254712%06d", hash(p.user)%1_000_000) }

// courier is the rider as the product is told of one. The rows are not driven in the
// order of the calendar, so a rider has many orders in hand.
func (p *plan) courier() client.CourierEdit {
	return client.CourierEdit{
		Name: client.Ptr(p.rider), Vehicle: client.Ptr("motorbike"), Capacity: client.Ptr(1000),
		Metadata: map[string]string{"run": p.run},
	}
}

func (p *plan) pickupByHand() client.StatusChange {
	return client.StatusChange{
		Status: client.StatusPickedUp, Reason: pickupReason, OccurredAt: &p.pickedUp, Location: &p.pickup,
	}
}

func (p *plan) delivery() client.StatusChange {
	return client.StatusChange{
		Status: client.StatusDelivered, OccurredAt: &p.arrived, Location: &p.dropoff,
		Proof: &client.Proof{Recipient: p.user},
	}
}

func hash(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s)) // never fails
	return h.Sum64()
}
