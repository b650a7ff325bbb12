package cache

import (
	"context"
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
	couriers map[string]*courier
	cells    *cells
}

// courier is the newest position of one, and where in the tree it is.
type courier struct {
	recorded int64 // microseconds since 1970, the device's clock
	fix      domain.Fix
	leaf     *cell
	slot     int
}

// NewMemory makes an empty store.
func NewMemory(o MemoryOptions) *Memory {
	if o.MaxOrders <= 0 {
		o.MaxOrders = 100_000
	}
	return &Memory{
		orders:   otter.Must(&otter.Options[string, *domain.Order]{MaximumSize: o.MaxOrders}),
		couriers: map[string]*courier{},
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
	c, recorded := m.couriers[fix.CourierID], fix.RecordedAt.UnixMicro()
	switch {
	case c == nil:
		c = &courier{recorded: recorded, fix: *fix}
		m.couriers[fix.CourierID] = c
		m.cells.insert(m.cells.root, point{at, recorded, c})
	case recorded > c.recorded:
		c.recorded, c.fix = recorded, *fix
		m.cells.move(point{at, recorded, c})
	default:
		return false
	}
	return true
}

// Position returns the newest position of a courier, or nil.
func (m *Memory) Position(_ context.Context, courierID string) (*domain.Position, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	c := m.couriers[courierID]
	if c == nil {
		return nil, nil
	}
	p := c.fix.Position
	return &p, nil
}

// Nearest returns the newest fixes around a point that were recorded after since,
// nearest first, at most limit.
func (m *Memory) Nearest(_ context.Context, at domain.Point, since time.Time, limit int) ([]domain.Fix, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	limit = min(limit, len(m.couriers))
	out := make([]domain.Fix, 0, max(limit, 0))
	m.cells.nearest(vectorOf(at), since.UnixMicro(), limit, func(c *courier) { out = append(out, c.fix) })
	return out, nil
}

// Fixes returns the newest fix of each courier that was recorded after since.
func (m *Memory) Fixes(_ context.Context, since time.Time) ([]domain.Fix, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var out []domain.Fix
	for _, c := range m.couriers {
		if c.fix.RecordedAt.After(since) {
			out = append(out, c.fix)
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
