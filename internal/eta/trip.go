package eta

import (
	"math"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Trip is what is known of a stage when it begins. Everything but At may be absent.
type Trip struct {
	// At is when the stage begins, in the zone of its clock on the wall.
	At       time.Time
	From, To *domain.Point
	// FromArea and ToArea are names of larger areas; without them the places' cells are used.
	FromArea, ToArea string
	// Metres is the length of the way; without it, it is that of the straight line.
	Metres float64
	// Expected is what a road engine or a delivery company says.
	Expected time.Duration
	// Elapsed is how long the order existed before, and Pace how fast the courier has been
	// so far, in m/s.
	Elapsed time.Duration
	Pace    float64
	// Sender is the shop, Receiver the customer, where they are known to come again.
	Sender, Receiver string
	Courier          string
	Carrier, Tariff  string
	Category         string
	Vehicle          domain.Vehicle
	// Waiting and Couriers are how many orders wait, and how many couriers work.
	Waiting, Couriers float64
	Items             int
	Price             float64
	WeightG           float64
}

// Query is a trip as the model sees it.
type Query struct {
	x    vector
	keys [levels]uint64
}

// logOf is NaN for what can't be; the rest is bounded, so that nothing bends the base.
func logOf(v, least, most float64) float64 {
	if math.IsNaN(v) || v <= 0 || v > 1e15 {
		return math.NaN()
	}
	return math.Log(bound(v, least, most))
}

func (t *Trip) metres() float64 {
	switch {
	case t.Metres > 0 && t.Metres < 1e15:
		return t.Metres
	case t.From != nil && t.To != nil:
		return t.From.DistanceM(*t.To)
	}
	return math.NaN()
}

func (t *Trip) query(s *Settings) Query {
	var q Query
	for i := range q.x {
		q.x[i] = math.NaN()
	}
	q.x[xOne] = 1
	if km := t.metres() / 1000; !math.IsNaN(km) {
		km = bound(km, 0, 20_000)
		q.x[xDistance], q.x[xRoot] = math.Log1p(km), math.Sqrt(min(km, 5000))
		q.keys[lvDistance] = hash(uint64(4*math.Log2(1+km)), 1)
	}
	// A delivery company's promise changes with its policy: it is a group, whose effect decays.
	if x := logOf(t.Expected.Minutes(), 1, year); s.Censored && !math.IsNaN(x) {
		q.keys[lvExpected] = hash(uint64(5*x), 1)
	} else {
		q.x[xExpected] = x
	}
	if t.Elapsed > 0 {
		q.x[xElapsed] = math.Log1p(min(t.Elapsed.Minutes(), year))
	}
	q.x[xLoad] = logOf((t.Waiting+1)/(t.Couriers+1), 0.01, 100)
	if t.Couriers <= 0 {
		q.x[xLoad] = math.NaN()
	}
	q.x[xItems], q.x[xPrice] = logOf(float64(t.Items), 1, 1000), logOf(t.Price, 0.01, 1e9)
	q.x[xWeight], q.x[xPace] = logOf(t.WeightG, 1, 1e9), logOf(t.Pace, 0.2, 50)
	t.groups(s, &q.keys)
	return q
}

func (t *Trip) groups(s *Settings, k *[levels]uint64) {
	k[lvGlobal], k[lvNow] = 1, 1
	day := t.At.Weekday()
	weekend := uint64(0)
	if day == time.Saturday || day == time.Sunday {
		weekend = 1
	}
	k[lvHour], k[lvWeekday] = hash(uint64(t.At.Hour()), weekend+1), hash(uint64(day), 1)
	k[lvTariff], k[lvCarrier], k[lvCategory], k[lvVehicle] = named(t.Tariff), named(t.Carrier), named(t.Category), named(string(t.Vehicle))
	k[lvSender], k[lvReceiver], k[lvCourier] = named(t.Sender), named(t.Receiver), named(t.Courier)
	k[lvFrom], k[lvFromFine] = area(t.FromArea, t.From, s)
	k[lvTo], k[lvToFine] = area(t.ToArea, t.To, s)
	k[lvPair], k[lvPairFine] = both(k[lvFrom], k[lvTo]), both(k[lvFromFine], k[lvToFine])
}

func area(name string, p *domain.Point, s *Settings) (coarse, fine uint64) {
	if p != nil {
		coarse, fine = cell(*p, s.Coarse), cell(*p, s.Fine)
	}
	if name != "" {
		coarse = named(name)
	}
	return coarse, fine
}

// cell is the square that a point is in; its width is that at the equator.
func cell(p domain.Point, side float64) uint64 {
	return hash(uint64(int64(math.Floor(p.Lat/side))), uint64(int64(math.Floor(p.Lon/side)))+1)
}

func both(a, b uint64) uint64 {
	if a == 0 || b == 0 {
		return 0
	}
	return hash(a, b)
}

// hash mixes two numbers (the finaliser of MurmurHash3); it is never zero.
func hash(a, b uint64) uint64 {
	h := a*0x9e3779b97f4a7c15 ^ b
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	h ^= h >> 33
	return h | 1
}

// named is the FNV-1a hash of a name, zero for none.
func named(s string) uint64 {
	if s == "" {
		return 0
	}
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h | 1
}

// False reports whether a trip that took so long did not really end: less than a minute,
// or faster than 80 km/h in a straight line.
func (t *Trip) False(took time.Duration) bool {
	if took < time.Minute {
		return true
	}
	if t.From == nil || t.To == nil {
		return false
	}
	return t.From.DistanceM(*t.To)/took.Seconds() > 80/3.6
}
