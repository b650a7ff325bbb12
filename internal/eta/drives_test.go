package eta

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// shop is a kitchen whose couriers stay, after a wait for the goods, and drive to the door
// that many times longer than usual.
type shop struct {
	at         domain.Point
	wait, stay float64 // minutes
	slower     float64
}

// teach has so many orders of the shop delivered, by car.
func (s shop) teach(t require.TestingT, b *Book, orders int) {
	place := int64(1000)
	to := domain.Point{Lat: s.at.Lat, Lon: s.at.Lon + .02}
	metres := s.at.DistanceM(to)
	drive := s.slower * metres / usual[domain.VehicleCar] / 60
	for n := range orders {
		picked := 10 + s.wait + s.stay
		left := picked + 20 // he brings another order there first, and stays
		o, history := delivered(fmt.Sprint(s.at, n), map[domain.Status]float64{
			domain.StatusAssigned: 1, domain.StatusAtPickup: 10, domain.StatusPickedUp: picked,
			domain.StatusAtDropoff: left + drive, domain.StatusDelivered: left + drive + 2,
		})
		o.Pickup.Location, o.Dropoff.Location = &s.at, &to
		o.ReadyAt = new(noon.Add(time.Duration((10 + s.wait) * float64(time.Minute))))
		minute := func(m float64) time.Time { return noon.Add(time.Duration(m * float64(time.Minute))) }
		trail := []domain.Position{*at(s.at, minute(picked)), *at(s.at, minute(picked+5)), *at(s.at, minute(left))}
		for part := 1.; part < 10; part++ {
			on := domain.Point{Lat: s.at.Lat, Lon: s.at.Lon + .02*part/10}
			trail = append(trail, *at(on, minute(left+drive*part/10)))
		}
		require.True(t, b.Learn(b.Place()+place, o.ID, *o.DeliveredAt, Teach(o, history, trail, domain.VehicleCar)))
	}
}

// What planners read becomes, with a few weeks' orders, what it really is at each place.
func TestStaysAndDrivesAreLearnedByPlace(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	between := func(low, high float64) float64 { return low + (high-low)*rng.Float64() }
	for range 8 {
		c := config
		c.Book = NewBook()
		var shops []shop
		for _, at := range []domain.Point{{Lat: 60.17, Lon: 24.93}, {Lat: 60.27, Lon: 24.83}} {
			shops = append(shops, shop{at: at, wait: between(0, 20), stay: between(1, 15), slower: between(.6, 2)})
		}
		for range 20 { // by turns
			for _, s := range shops {
				s.teach(t, c.Book, 5)
			}
		}
		for _, s := range shops {
			o := order(domain.StatusCreated)
			to := domain.Point{Lat: s.at.Lat, Lon: s.at.Lon + .02}
			o.MerchantID, o.Pickup.Location, o.Dropoff.Location = "shop", &s.at, &to
			pickup, door := c.Stays(o, noon)
			require.InEpsilon(t, s.stay, pickup.Minutes(), .2, "the wait for the goods is none")
			require.InEpsilon(t, 2, door.Minutes(), .2)
			way := c.Drives(noon)(domain.VehicleCar, s.at, to)
			require.InEpsilon(t, s.slower*s.at.DistanceM(to)/usual[domain.VehicleCar], way.Seconds(), .2, "what comes before the drive is none of it")
		}
	}
}

// Before much was learned, and for what was never seen, the configuration and sense rule.
func TestPlannersStartCold(t *testing.T) {
	c := config
	c.Book, c.Pickup = NewBook(), 4*time.Minute
	s := shop{at: domain.Point{Lat: 60.17, Lon: 24.93}, stay: 12, slower: 1.5}
	to := domain.Point{Lat: 60.18, Lon: 24.95}
	s.teach(t, c.Book, few-1)
	for _, c := range []Config{config, c} {
		c.Pickup = 4 * time.Minute
		pickup, door := c.Stays(order(domain.StatusCreated), noon)
		require.Equal(t, []time.Duration{4 * time.Minute, c.Handover}, []time.Duration{pickup, door})
		want := c.Detour * s.at.DistanceM(to) / c.Speeds[domain.VehicleMotorbike]
		require.InEpsilon(t, want, c.Drives(noon)(domain.VehicleMotorbike, s.at, to).Seconds(), .001)
	}
	s.teach(t, c.Book, 40)
	drives := c.Drives(noon)
	foot, car := drives(domain.VehicleFoot, s.at, to), drives(domain.VehicleCar, s.at, to)
	require.InEpsilon(t, usual[domain.VehicleCar]/usual[domain.VehicleFoot], foot.Seconds()/car.Seconds(), .1, "nobody has walked yet")
	require.Equal(t, car, drives(domain.VehicleCar, s.at, to))
	require.Zero(t, drives(domain.VehicleCar, to, to))

	lies := Config{Speeds: map[domain.Vehicle]float64{domain.VehicleMotorbike: 10}, Detour: 1, Book: NewBook()}
	shop{at: s.at, stay: 12, slower: 2}.teach(t, lies.Book, 40)
	require.InEpsilon(t, strange*s.at.DistanceM(to)/10, lies.Drives(noon)(domain.VehicleCar, s.at, to).Seconds(), .001, "hard to believe")
}
