// Package cache implements domain.LiveStore: it caches hot orders and the newest position of each courier.
//
// Memory serves a single process. An order is kept only while no newer version is known, and rarely read orders are evicted.
// Positions are in a tree of cells that answers nearest-courier queries exactly.
//
// Redis serves replicas that share a Redis or a Redis Cluster, and carries their wake-ups. Invariants:
//
//   - An order only replaces an older version. A stale version is read for at most a second after a newer one was written,
//     and never by the replica that wrote it.
//   - Orders that a server loads from disk after a restart are ignored: order keys carry the run id of their server, which
//     is checked once a second and after every new connection.
//   - An order that could not be written is deleted before this replica trusts Redis again, and no replica reads orders in
//     the first moments after its own outage.
//   - Positions never fail: those received by this replica are kept in the process, served while Redis is down and written
//     to a server that has lost them.
//
// Goroutines: one renews the session with the servers, one publishes; Receive has one per
// subscription connection. Close ends them; Receive ends with its context.
//
// Nothing here has to be durable: lost data is read from the store again or comes with a courier's next position.
package cache

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// MemoryOptions limits a Memory.
type MemoryOptions struct {
	// MaxOrders is how many orders are kept; default 20,000, about 100 MB.
	MaxOrders int
}

// lockedFixes is how many positions are stored per lock acquisition.
const lockedFixes = 256

// Memory is the live store of one process. It is safe for concurrent use, starts no goroutine and needs no closing.
type Memory struct {
	orders *otter.Cache[string, *orderCopy]

	mu       sync.RWMutex
	couriers map[string]uint32 // index in cells.couriers
	contacts map[string]domain.Contact
	cells    cells
}

// orderCopy is a cached order.
type orderCopy struct {
	order *domain.Order
	raw   string       // its known encoding in Redis
	seen  atomic.Int64 // nanoseconds: when it was last known to be the newest in Redis
}

// courier is a courier's newest position and its place in the tree.
type courier struct {
	domain.Fix
	leaf *cell
	slot int
}

// NewMemory makes an empty store.
func NewMemory(o MemoryOptions) *Memory {
	if o.MaxOrders <= 0 {
		o.MaxOrders = 20_000
	}
	return &Memory{
		orders:   otter.Must(&otter.Options[string, *orderCopy]{MaximumSize: o.MaxOrders}),
		couriers: map[string]uint32{}, contacts: map[string]domain.Contact{},
		cells: cells{root: cell{half: 1}},
	}
}

// PutFixes stores positions that are newer by the device's clock; see domain.LiveStore.
func (m *Memory) PutFixes(_ context.Context, fixes []domain.Fix) ([]bool, error) {
	newer := make([]bool, 0, len(fixes))
	var places [lockedFixes]vector
	for some := range slices.Chunk(fixes, lockedFixes) {
		for i := range some {
			places[i] = vectorOf(some[i].Point())
		}
		m.mu.Lock()
		for i := range some {
			newer = append(newer, m.put(&some[i], places[i]))
		}
		m.mu.Unlock()
	}
	return newer, nil
}

func (m *Memory) put(fix *domain.Fix, at vector) bool {
	recorded := fix.RecordedAt.UnixMicro()
	i, known := m.couriers[fix.CourierID]
	if !known {
		i = uint32(len(m.cells.couriers)) //nolint:gosec // far fewer couriers than that
		c := courier{Fix: *fix}
		c.CourierID = strings.Clone(c.CourierID) // it may be a substring of a request
		m.cells.couriers = append(m.cells.couriers, c)
		m.couriers[c.CourierID] = i
		m.cells.insert(&m.cells.root, point{at, recorded, i})
		return true
	}
	c := &m.cells.couriers[i]
	if recorded <= c.RecordedAt.UnixMicro() {
		return false
	}
	c.Position = fix.Position
	m.cells.move(point{at, recorded, i})
	return true
}

// Position returns the newest position of a courier, or nil.
func (m *Memory) Position(ctx context.Context, courierID string) (*domain.Position, error) {
	found, err := m.Positions(ctx, []string{courierID})
	return found[courierID], err
}

// Positions returns the newest positions of couriers by id.
func (m *Memory) Positions(_ context.Context, ids []string) (map[string]*domain.Position, error) {
	found := make(map[string]*domain.Position, len(ids))
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, id := range ids {
		if i, known := m.couriers[id]; known {
			found[id] = new(m.cells.couriers[i].Position)
		}
	}
	return found, nil
}

// PutContact records when and how a courier's phone last made contact.
func (m *Memory) PutContact(_ context.Context, courierID string, c domain.Contact) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.contacts[strings.Clone(courierID)] = c
	return nil
}

// Contacts returns when and how couriers' phones last made contact, by courier id.
func (m *Memory) Contacts(_ context.Context, ids []string) (map[string]*domain.Contact, error) {
	found := make(map[string]*domain.Contact, len(ids))
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, id := range ids {
		if c, known := m.contacts[id]; known {
			found[id] = &c
		}
	}
	return found, nil
}

// Nearest returns the newest fixes around a point that were recorded after since, nearest first, at most limit.
func (m *Memory) Nearest(_ context.Context, at domain.Point, since time.Time, limit int) ([]domain.Fix, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if limit = min(limit, len(m.couriers)); limit <= 0 {
		return nil, nil
	}
	found := m.cells.nearest(vectorOf(at), since.UnixMicro(), limit)
	return domain.Each(found, func(c candidate) domain.Fix { return m.cells.couriers[c.courier].Fix }), nil
}

// Fixes returns the newest fix of each courier that was recorded after since.
func (m *Memory) Fixes(_ context.Context, since time.Time) ([]domain.Fix, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var out []domain.Fix
	for i := range m.cells.couriers {
		if c := &m.cells.couriers[i]; c.RecordedAt.After(since) {
			out = append(out, c.Fix)
		}
	}
	return out, nil
}

// CachedOrder returns the cached order with the id, or nil.
func (m *Memory) CachedOrder(_ context.Context, id string) (*domain.Order, error) {
	if c, known := m.orders.GetIfPresent(id); known {
		return c.order, nil
	}
	return nil, nil
}

// CacheOrder caches the order unless a newer version is cached.
func (m *Memory) CacheOrder(_ context.Context, o *domain.Order) error {
	m.keep(&orderCopy{order: o})
	return nil
}

func (m *Memory) keep(c *orderCopy) {
	m.orders.Compute(c.order.ID, func(old *orderCopy, found bool) (*orderCopy, otter.ComputeOp) {
		if found && newer(old.order, c.order) {
			return old, otter.CancelOp
		}
		return c, otter.WriteOp
	})
}

// ForgetOlder drops cached orders older than these versions.
func (m *Memory) ForgetOlder(_ context.Context, versions map[string]int64) error {
	for id, version := range versions {
		m.orders.ComputeIfPresent(id, func(old *orderCopy) (*orderCopy, otter.ComputeOp) {
			if old.order.Version < version {
				return nil, otter.InvalidateOp
			}
			return old, otter.CancelOp
		})
	}
	return nil
}

// newer reports whether a is newer than b: a note entry raises the seq but not the version.
func newer(a, b *domain.Order) bool {
	if a.Version != b.Version {
		return a.Version > b.Version
	}
	return a.Bookkeeping.Seq > b.Bookkeeping.Seq
}
