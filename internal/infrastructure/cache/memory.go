package cache

import (
	"context"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// MemoryOptions bounds a Memory.
type MemoryOptions struct {
	// MaxOrders is how many orders are kept; default 100,000.
	MaxOrders int
}

// lockedFixes is how many positions are stored before others get the lock again.
const lockedFixes = 256

// Memory is the live store of one process. It is safe for concurrent use, starts no
// goroutine and needs no closing.
type Memory struct {
	orders *otter.Cache[string, *domain.Order]

	mu       sync.RWMutex
	couriers map[string]uint32 // where in the tree's roster
	cells    *cells
}

// courier is the newest position of one, and where in the tree it is. It is kept small
// and nearly free of pointers: there are many, and a search reads a few at random.
type courier struct {
	id                 string
	lat, lon           float64
	measured           [5]float64 // accuracy, speed, heading, altitude, battery; NaN where unknown
	recorded, received int64      // microseconds since 1970
	attributes         domain.Attributes
	leaf               *cell
	slot               int
}

func (c *courier) set(f *domain.Fix) {
	c.lat, c.lon, c.attributes = f.Lat, f.Lon, f.Attributes
	c.recorded, c.received = f.RecordedAt.UnixMicro(), f.ReceivedAt.UnixMicro()
	for i, v := range [...]*float64{f.Accuracy, f.Speed, f.Heading, f.Altitude, f.Battery} {
		c.measured[i] = math.NaN()
		if v != nil {
			c.measured[i] = *v
		}
	}
}

func (c *courier) position() domain.Position {
	p := domain.Position{
		Lat: c.lat, Lon: c.lon, Attributes: c.attributes,
		RecordedAt: time.UnixMicro(c.recorded).UTC(), ReceivedAt: time.UnixMicro(c.received).UTC(),
	}
	var values *[5]float64 // made once, for those that are known
	for i, field := range [...]**float64{&p.Accuracy, &p.Speed, &p.Heading, &p.Altitude, &p.Battery} {
		if v := c.measured[i]; !math.IsNaN(v) {
			if values == nil {
				values = &[5]float64{}
				*values = c.measured
			}
			*field = &values[i]
		}
	}
	return p
}

func (c *courier) fix() domain.Fix { return domain.Fix{CourierID: c.id, Position: c.position()} }

// roster numbers couriers from 0 and keeps them in blocks: the collector has few objects
// to look at, and none of the tree's points points to one.
type roster struct {
	blocks []*[rosterBlock]courier
	count  uint32
}

const rosterBlock = 256

func (r *roster) at(i uint32) *courier { return &r.blocks[i/rosterBlock][i%rosterBlock] }

func (r *roster) add(id string) uint32 {
	if r.count%rosterBlock == 0 {
		r.blocks = append(r.blocks, new([rosterBlock]courier))
	}
	i := r.count
	r.count++
	r.at(i).id = id
	return i
}

// NewMemory makes an empty store.
func NewMemory(o MemoryOptions) *Memory {
	if o.MaxOrders <= 0 {
		o.MaxOrders = 100_000
	}
	return &Memory{
		orders:   otter.Must(&otter.Options[string, *domain.Order]{MaximumSize: o.MaxOrders}),
		couriers: map[string]uint32{},
		cells:    newCells(),
	}
}

// PutFixes stores positions that are newer by the device's clock; see domain.LiveStore.
func (m *Memory) PutFixes(_ context.Context, fixes []domain.Fix) ([]bool, error) {
	newer := make([]bool, len(fixes))
	var places [lockedFixes]vector
	for from := 0; from < len(fixes); from += lockedFixes {
		some := fixes[from:min(from+lockedFixes, len(fixes))]
		for i := range some {
			places[i] = vectorOf(some[i].Point())
		}
		m.mu.Lock()
		for i := range some {
			newer[from+i] = m.put(&some[i], places[i])
		}
		m.mu.Unlock()
	}
	return newer, nil
}

func (m *Memory) put(fix *domain.Fix, at vector) bool {
	recorded, couriers := fix.RecordedAt.UnixMicro(), &m.cells.couriers
	i, known := m.couriers[fix.CourierID]
	if !known {
		id := strings.Clone(fix.CourierID) // it may be a part of a request
		i = couriers.add(id)
		m.couriers[id] = i
		couriers.at(i).set(fix)
		m.cells.insert(m.cells.root, point{at, recorded, i})
		return true
	}
	c := couriers.at(i)
	if recorded <= c.recorded {
		return false
	}
	c.set(fix)
	m.cells.move(point{at, recorded, i})
	return true
}

// Position returns the newest position of a courier, or nil.
func (m *Memory) Position(_ context.Context, courierID string) (*domain.Position, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	i, known := m.couriers[courierID]
	if !known {
		return nil, nil
	}
	p := m.cells.couriers.at(i).position()
	return &p, nil
}

// Nearest returns the newest fixes around a point that were recorded after since,
// nearest first, at most limit.
func (m *Memory) Nearest(_ context.Context, at domain.Point, since time.Time, limit int) ([]domain.Fix, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	limit = min(limit, len(m.couriers))
	out := make([]domain.Fix, 0, max(limit, 0))
	m.cells.nearest(vectorOf(at), since.UnixMicro(), limit, func(c *courier) { out = append(out, c.fix()) })
	return out, nil
}

// Fixes returns the newest fix of each courier that was recorded after since.
func (m *Memory) Fixes(_ context.Context, since time.Time) ([]domain.Fix, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var out []domain.Fix
	for _, i := range m.couriers {
		if c := m.cells.couriers.at(i); c.recorded > since.UnixMicro() {
			out = append(out, c.fix())
		}
	}
	return out, nil
}

// CachedOrder returns the order kept under the id, or nil.
func (m *Memory) CachedOrder(_ context.Context, id string) (*domain.Order, error) {
	o, _ := m.orders.GetIfPresent(id)
	return o, nil
}

// CacheOrder keeps the order unless a newer one is kept.
func (m *Memory) CacheOrder(_ context.Context, o *domain.Order) error {
	m.orders.Compute(o.ID, func(old *domain.Order, found bool) (*domain.Order, otter.ComputeOp) {
		if found && !newer(o, old) {
			return old, otter.CancelOp
		}
		return o, otter.WriteOp
	})
	return nil
}

// ForgetOlder drops the copies that are older than these versions.
func (m *Memory) ForgetOlder(_ context.Context, versions map[string]int64) error {
	for id, version := range versions {
		m.orders.ComputeIfPresent(id, func(old *domain.Order) (*domain.Order, otter.ComputeOp) {
			if old.Version < version {
				return nil, otter.InvalidateOp
			}
			return old, otter.CancelOp
		})
	}
	return nil
}

// newer says whether a knows more than b: a note moves the history on and leaves the version.
func newer(a, b *domain.Order) bool {
	if a.Version != b.Version {
		return a.Version > b.Version
	}
	return a.Ledger.Seq > b.Ledger.Seq
}
