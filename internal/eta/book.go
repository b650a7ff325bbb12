package eta

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"slices"
	"sync"
	"time"
)

// Stage is a part of an order that has a model of its own.
type Stage string

// The stages. Before pick-up and after it nothing is shared.
const (
	StageOrder    Stage = "order"    // from the order to the delivery, by one's own couriers
	StageApproach Stage = "approach" // from the assignment to the arrival at the pick-up
	StagePickup   Stage = "pickup"   // from there to the hand-over, once it is ready: the service time of a pick-up
	StageCarry    Stage = "carry"    // from the hand-over to the delivery, other stops included
	StageRest     Stage = "rest"     // from a place on the way to the door: driving only
	StageDoor     Stage = "door"     // from the arrival at the door to the delivery, the service time of a drop-off
	StageDrive    Stage = "drive"    // from the last stop to the door, in minutes for each that it usually takes in a straight line
	StageBooking  Stage = "booking"  // from the order to the delivery, by a delivery company
	StageParcel   Stage = "parcel"   // from the hand-over to a delivery company to the delivery
)

// Stages lists the stages.
func Stages() []Stage {
	return []Stage{StageOrder, StageApproach, StagePickup, StageCarry, StageRest, StageDoor, StageDrive, StageBooking, StageParcel}
}

// Settings returns those of the stage's kind: days for delivery companies, else minutes.
func (s Stage) Settings() Settings {
	if s == StageBooking || s == StageParcel {
		return Days()
	}
	set := Minutes()
	switch s {
	case StageDrive:
		set.Typical, set.PerLog = time.Minute, 0
	case StagePickup, StageDoor:
		set.Typical = 4 * time.Minute
	}
	return set
}

// Lesson is what one order teaches about a stage: completed trips, or a trip that began,
// or that one that had begun will not be completed. It holds no names and no places,
// only their hashes.
type Lesson struct {
	Stage Stage    `json:"stage"`
	Begun *Query   `json:"begun,omitempty"`
	Lost  bool     `json:"lost,omitempty"`
	Done  []Query  `json:"done,omitempty"`
	Took  []Amount `json:"took,omitempty"` // of each that is done
}

// Amount is a duration in seconds.
type Amount float64

// Begin makes the lesson of a trip that began.
func Begin(s Stage, t Trip) Lesson {
	set := s.Settings()
	q := t.query(&set)
	return Lesson{Stage: s, Begun: &q}
}

// Finish makes the lesson of completed trips of one order. False completions teach nothing.
func Finish(s Stage, cases ...Case) Lesson {
	set := s.Settings()
	l := Lesson{Stage: s}
	for _, c := range cases {
		if (s == StageOrder || s == StageCarry || s == StageParcel || s == StageBooking) && c.Trip.False(c.Took) || c.Took <= 0 {
			return Lesson{Stage: s, Lost: true}
		}
		l.Done = append(l.Done, c.Trip.query(&set))
		l.Took = append(l.Took, Amount(c.Took.Seconds()))
	}
	return l
}

// Book holds a model for each stage, and how far in the list of lessons they are. It is
// safe for concurrent use: estimates share a lock, lessons hold it alone for microseconds.
type Book struct {
	mu     sync.RWMutex
	place  int64
	models map[Stage]*Model
}

// NewBook makes a book that has learned nothing.
func NewBook() *Book {
	b := &Book{models: map[Stage]*Model{}}
	for _, s := range Stages() {
		b.models[s] = New(s.Settings())
	}
	return b
}

// Predict returns the duration of a stage; with few completions (Window.Known) it is a default.
func (b *Book) Predict(s Stage, t Trip) Window {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.models[s].Predict(t)
}

// Known reports whether enough was learned for the window to be better than a default.
func (w Window) Known() bool { return w.Learned >= few }

// Place is the position of the last lesson learned.
func (b *Book) Place() int64 {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.place
}

// Learn takes in what an order taught at a time. Every place in the list of lessons counts
// once: it reports false when it was already learned.
func (b *Book) Learn(place int64, orderID string, at time.Time, lessons []Lesson) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if place <= b.place {
		return false
	}
	b.place = place
	for _, l := range lessons {
		m := b.models[l.Stage]
		switch {
		case m == nil: // of a newer release
		case l.Lost:
			m.open.drop(orderID)
		case l.Begun != nil:
			m.begin(orderID, l.Begun, at)
		case len(l.Done) == len(l.Took) && len(l.Done) > 0:
			m.learn(orderID, at, l.Done, l.Took)
		}
	}
	return true
}

// version of snapshots; another one is not read, and everything is learned again.
const version = 3

// Snapshot encodes the book: equal books give equal bytes.
func (b *Book) Snapshot() []byte {
	b.mu.RLock()
	defer b.mu.RUnlock()
	out := pack(nil, int64(version), b.place)
	for _, s := range Stages() {
		out = b.models[s].pack(out)
	}
	return out
}

// Restore reads a snapshot into the book, or fails and leaves it as it was.
func (b *Book) Restore(data []byte) error {
	r := bytes.NewReader(data)
	var head [2]int64
	if err := binary.Read(r, binary.LittleEndian, &head); err != nil || head[0] != version {
		return errors.New("the snapshot is of another release")
	}
	fresh := NewBook()
	for _, s := range Stages() {
		if err := fresh.models[s].unpack(r); err != nil {
			return err
		}
	}
	if r.Len() > 0 {
		return errors.New("the snapshot is too long")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.place, b.models = head[1], fresh.models
	return nil
}

// MarshalJSON writes the numbers that are known and the keys that are set.
func (q Query) MarshalJSON() ([]byte, error) {
	var w wire
	for i, x := range q.x {
		if !math.IsNaN(x) {
			w.X = append(w.X, [2]float64{float64(i), x})
		}
	}
	for l, k := range q.keys {
		if k != 0 {
			w.K = append(w.K, [2]uint64{uint64(l), k})
		}
	}
	return json.Marshal(w)
}

// UnmarshalJSON is the reverse; numbers and levels of other releases are ignored.
func (q *Query) UnmarshalJSON(data []byte) error {
	var w wire
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	*q = Query{}
	for i := range q.x {
		q.x[i] = math.NaN()
	}
	for _, x := range w.X {
		if i := int(x[0]); i >= 0 && i < numbers {
			q.x[i] = x[1]
		}
	}
	for _, k := range w.K {
		if k[0] < uint64(levels) {
			q.keys[k[0]] = k[1]
		}
	}
	return nil
}

type wire struct {
	X [][2]float64 `json:"x"`
	K [][2]uint64  `json:"k"`
}

func pack(out []byte, values ...any) []byte {
	for _, v := range values {
		out, _ = binary.Append(out, binary.LittleEndian, v) // of fixed size
	}
	return out
}

// pack appends the model to a snapshot, maps in the order of their keys.
func (m *Model) pack(out []byte) []byte {
	g := &m.base
	out = pack(out, m.learned, g.mean, g.count, g.gram, g.moment, g.coef, g.last, int64(g.n), m.effects.mean, m.effects.count)
	keys := slices.SortedFunc(maps.Keys(m.effects.table), key.compare)
	groups, state := make([]uint64, 0, 2*len(keys)), make([]float64, 0, 4*len(keys))
	for _, k := range keys {
		e := m.effects.table[k]
		groups = append(groups, uint64(k.Level), k.Hash)
		state = append(state, e.Sum, e.Size, e.N, float64(e.Last))
	}
	out = pack(out, int64(len(keys)), groups, state) // by columns, which is quick
	for i := range m.spread.bucket {
		r := &m.spread.bucket[i]
		out = pack(out, int64(r.next), int64(len(r.values)), r.values)
	}
	b := &m.open
	out = pack(out, b.mask, b.cached, b.ready, b.at, int64(len(b.list)))
	for _, id := range slices.Sorted(maps.Keys(b.list)) {
		out = pack(out, id, b.list[id])
	}
	return out
}

// most is how long a list in a snapshot may be.
const most = 1 << 20

func (m *Model) unpack(r *bytes.Reader) (err error) {
	read := func(values ...any) {
		for _, v := range values {
			if err == nil {
				err = binary.Read(r, binary.LittleEndian, v)
			}
		}
	}
	length := func() int64 {
		var n int64
		read(&n)
		if err == nil && (n < 0 || n > most) {
			err = errors.New("the snapshot is damaged")
		}
		return n
	}
	g := &m.base
	var n int64
	read(&m.learned, &g.mean, &g.count, &g.gram, &g.moment, &g.coef, &g.last, &n, &m.effects.mean, &m.effects.count)
	g.n = int(n)
	size := length()
	if err != nil || size > int64(r.Len()) {
		return errors.Join(err, errors.New("the snapshot is damaged"))
	}
	groups, state := make([]uint64, 2*size), make([]float64, 4*size)
	read(groups, state)
	for i := range size {
		k, e := groups[2*i:], state[4*i:]
		m.effects.table[key{level(k[0]), k[1]}] = effect{e[0], e[1], e[2], int64(e[3])}
	}
	for i := range m.spread.bucket {
		ring := &m.spread.bucket[i]
		var next int64
		read(&next)
		n := length()
		if err != nil || n > kept || next < 0 || next >= kept {
			return errors.Join(err, errors.New("the snapshot is damaged"))
		}
		ring.next, ring.values = int(next), make([]float32, n, kept)
		read(ring.values)
		ring.sorted = slices.Clone(ring.values)
		slices.Sort(ring.sorted)
	}
	b := &m.open
	read(&b.mask, &b.cached, &b.ready, &b.at)
	for i, n := int64(0), length(); i < n && err == nil; i++ {
		var id uint64
		var k booking
		read(&id, &k)
		b.list[id] = k
	}
	return err
}
