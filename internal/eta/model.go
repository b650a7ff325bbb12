package eta

import (
	"math"
	"time"
)

// Model predicts the duration of one stage of deliveries and learns from each completion:
//
//	ln T = base(x) + sum over levels of u[level, key]
//
// The base is a regression on a few numbers, such as the logarithm of the distance; u are
// the effects of groups, such as a zone or a courier, which are decayed and shrunk to zero
// (Effects). What remains unexplained is kept as residuals, whose quantiles make the window.
//
// A model has no clock. It must be fed in the order of time; equal input gives equal output
// and an equal Snapshot. It is not safe for concurrent use: Book is.
type Model struct {
	set     Settings
	base    regression
	effects effects
	spread  residuals
	open    bookings
	learned int64
}

// Settings are what two kinds of stages, minutes and days, differ in. All data of a kind
// share one set.
type Settings struct {
	// Unit is the length of the shortest bucket of windows.
	Unit time.Duration
	// HalfLife is after what time a completion has lost half of its weight; Fast is that of
	// the levels that follow the day's conditions.
	HalfLife, Fast time.Duration
	// Caution multiplies the pseudo-counts that pull effects to zero.
	Caution float64
	// Fine and Coarse are the sides of the cells of zones, in degrees.
	Fine, Coarse float64
	// Typical is the duration expected before anything was learned, for a way of no
	// length, and PerLog how its logarithm grows with that of 1 + the kilometres.
	Typical time.Duration
	PerLog  float64
	// Censored is set where completions come days late: then the window is that of all
	// bookings of the last Recent, those still on their way included.
	Censored bool
	Recent   time.Duration
}

// Minutes are the settings of deliveries that take minutes or hours.
func Minutes() Settings {
	return Settings{
		Unit: 4 * time.Minute, HalfLife: 90 * 24 * time.Hour, Fast: 2 * time.Hour, Caution: 1,
		Fine: 0.01, Coarse: 0.04, Typical: 12 * time.Minute, PerLog: 0.5,
	}
}

// Days are the settings of parcels.
func Days() Settings {
	return Settings{
		Unit: 24 * time.Hour, HalfLife: 240 * 24 * time.Hour, Fast: 5 * 24 * time.Hour, Caution: 2,
		Fine: 0.5, Coarse: 2, Typical: 4 * 24 * time.Hour, PerLog: 0.15,
		Censored: true, Recent: 7 * 24 * time.Hour,
	}
}

// New makes a model that knows its settings' defaults only.
func New(s Settings) *Model {
	m := &Model{set: s}
	m.base.prior[0], m.base.prior[xDistance] = math.Log(s.Typical.Minutes()), s.PerLog
	m.effects.table = map[key]effect{}
	m.open.list = map[uint64]booking{}
	return m
}

// Window is a predicted duration: the median and an 80 % interval.
type Window struct {
	P10, P50, P90 time.Duration
	// Learned is how many completions the model has seen.
	Learned int64
}

// limits of a logarithm of minutes: a second, and a year.
var shortest, longest = math.Log(1. / 60), math.Log(year)

// year is one in minutes.
const year = 366 * 24 * 60

// point is a prediction before the windows: the logarithm of the minutes, and the scale
// of its residuals.
type point struct{ Mean, Scale float64 }

func (m *Model) point(q *Query, now time.Time) (p point, base float64, sum float64) {
	base = m.base.at(&q.x)
	sum, scale := m.effects.sum(q, now, &m.set)
	return point{Mean: bound(base+sum, shortest, longest), Scale: scale}, base, sum
}

// Predict returns the duration of a trip that starts at q's time, using what was learned.
func (m *Model) Predict(t Trip) Window {
	q := t.query(&m.set)
	p, _, _ := m.point(&q, t.At)
	var z [3]float64
	if m.set.Censored && m.open.ready {
		z = m.open.cached
	} else {
		z = m.spread.quantiles(m.bucket(p.Mean))
	}
	at := func(z float64) time.Duration {
		return time.Duration(math.Exp(bound(p.Mean+p.Scale*z, shortest, longest)) * float64(time.Minute))
	}
	return Window{P10: at(z[0]), P50: at(z[1]), P90: at(z[2]), Learned: m.learned}
}

// Open notes that a trip has begun, for windows that count those on their way.
func (m *Model) Open(id string, t Trip) {
	q := t.query(&m.set)
	m.begin(id, &q, t.At)
}

func (m *Model) begin(id string, q *Query, at time.Time) {
	if m.set.Censored {
		p, _, _ := m.point(q, at)
		m.open.add(id, p, at)
		m.open.renew(at, &m.set)
	}
}

// Case is a completed trip: one of an order, or several from places on its way.
type Case struct {
	Trip Trip
	Took time.Duration
}

// Learn takes in the cases of one order: many count as much as the root of their number. now is
// when they became known; it must not be before the model's last, else they count as older.
func (m *Model) Learn(id string, now time.Time, cases ...Case) {
	qs, took := make([]Query, len(cases)), make([]Amount, len(cases))
	for i, c := range cases {
		qs[i], took[i] = c.Trip.query(&m.set), Amount(c.Took.Seconds())
	}
	m.learn(id, now, qs, took)
}

func (m *Model) learn(id string, now time.Time, qs []Query, took []Amount) {
	if len(qs) == 0 {
		return
	}
	if m.set.Censored {
		m.open.end(id, time.Duration(float64(took[0])*float64(time.Second)))
		m.open.renew(now, &m.set)
	}
	for i := range qs { // all residuals before anything of this order is learned
		p, _, _ := m.point(&qs[i], now)
		m.spread.add(m.bucket(p.Mean), (took[i].log()-p.Mean)/p.Scale)
	}
	// Late news count as older.
	w := decay(m.base.last-now.Unix(), m.set.HalfLife) / math.Sqrt(float64(len(qs)))
	for i := range qs {
		_, base, sum := m.point(&qs[i], now)
		m.effects.learn(&qs[i], now, took[i].log()-base, sum, w, &m.set)
		m.base.learn(&qs[i].x, took[i].log()-sum, w, now, m.set.HalfLife)
	}
	m.effects.prune(now, &m.set)
	m.learned++
}

// log is that of the minutes.
func (a Amount) log() float64 { return bound(math.Log(float64(a)/60), shortest, longest) }

func logMinutes(d time.Duration) float64 { return Amount(d.Seconds()).log() }

// bucket is by the predicted length: the window of a short trip is relatively wider.
func (m *Model) bucket(mean float64) int {
	units := math.Exp(mean) / m.set.Unit.Minutes()
	return int(bound(math.Floor(math.Log2(units)), 0, buckets-1))
}

func bound(v, low, high float64) float64 {
	if math.IsNaN(v) {
		return low
	}
	return min(max(v, low), high)
}
