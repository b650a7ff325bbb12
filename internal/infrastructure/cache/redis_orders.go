package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/order-tracking/order-tracking/internal/domain"
)

const (
	orderTTL  = time.Minute            // of an order in Redis; no failure can make a read staler than that
	nearTTL   = 900 * time.Millisecond // of client-side copies, which the server also invalidates
	freshFor  = 50 * time.Millisecond  // how long a decoded copy is used without comparing
	missedFor = 2 * orderTTL           // by then an older version has expired in Redis
	markTTL   = 10 * time.Second       // longer than the time between reading an order and caching it
)

// putOrder writes an order unless a newer version is stored.
var putOrder = rueidis.NewLuaScript(`
local v, s = string.match(redis.call('GETRANGE', KEYS[1], 0, 40), '^(%d+) (%d+) ')
if v then
	local dv, ds = tonumber(v) - tonumber(ARGV[1]), tonumber(s) - tonumber(ARGV[2])
	if dv > 0 or (dv == 0 and ds >= 0) then return 0 end
end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
return 1`)

// dropOlder replaces an order that is missing or older than a version with a marker, so that
// a reader that fetched an older one from the database earlier can't cache it afterwards.
var dropOlder = rueidis.NewLuaScript(`
local v = string.match(redis.call('GETRANGE', KEYS[1], 0, 40), '^(%d+) ')
if v and tonumber(v) >= tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1] .. ' 0 \n', 'PX', ARGV[2])
return 1`)

func (c *orderCopy) age(now time.Time) time.Duration {
	return time.Duration(now.UnixNano() - c.seen.Load())
}

func (r *Redis) orderKey(s *session, id string) string {
	i := part(id, len(s.runs))
	return r.tag(i) + ":" + s.runs[i] + ":o:" + id
}

// CachedOrder returns a copy of an order that is at most a second old, or nil.
func (r *Redis) CachedOrder(ctx context.Context, id string) (*domain.Order, error) {
	s, err := r.session(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	known, _ := r.memory.orders.GetIfPresent(id)
	if known != nil && known.age(now) < freshFor {
		return known.order, nil
	}
	if now.Before(s.readable) {
		return nil, nil
	}
	call, cancel := within(ctx, opTimeout)
	defer cancel()
	raw, err := s.client.DoCache(call, s.client.B().Get().Key(r.orderKey(s, id)).Cache(), nearTTL).ToString()
	switch {
	case rueidis.IsRedisNil(err):
		return nil, nil
	case err != nil:
		return nil, r.fail(call, s, err)
	case strings.HasSuffix(raw, " \n"): // a marker
		return nil, nil
	case !r.still(ctx, s, id):
		return nil, nil // the answer may come from another server
	}
	if known != nil && known.raw == raw {
		known.seen.Store(now.UnixNano())
		return known.order, nil
	}
	o, err := decodeOrder(raw)
	if err != nil {
		return nil, err
	}
	if known != nil && newer(known.order, o) {
		// This replica has written a newer version. Either its invalidation has not arrived
		// yet, or Redis has lost it and the next database read caches it again.
		if known.age(now) < time.Second {
			return known.order, nil
		}
		return nil, nil
	}
	r.remember(o, raw)
	return o, nil
}

// CacheOrder caches the order unless a newer version is cached.
func (r *Redis) CacheOrder(ctx context.Context, o *domain.Order) error {
	raw, err := encodeOrder(o)
	if err != nil {
		return err
	}
	r.remember(o, raw)
	s, err := r.session(ctx)
	if err != nil {
		r.miss(o.ID)
		return err
	}
	call, cancel := within(ctx, opTimeout)
	defer cancel()
	err = putOrder.Exec(call, s.client, []string{r.orderKey(s, o.ID)}, []string{
		strconv.FormatInt(o.Version, 10), strconv.FormatInt(o.Bookkeeping.Seq, 10), raw,
		strconv.FormatInt(orderTTL.Milliseconds(), 10),
	}).Error()
	if err != nil || !r.still(ctx, s, o.ID) {
		r.miss(o.ID)
	}
	if err != nil {
		return r.fail(call, s, err)
	}
	return nil
}

// ForgetOlder drops cached orders older than these versions, here and in Redis.
func (r *Redis) ForgetOlder(ctx context.Context, versions map[string]int64) error {
	if err := r.memory.ForgetOlder(ctx, versions); err != nil {
		return err
	}
	s, err := r.session(ctx)
	if err == nil {
		err = r.dropOlder(ctx, s, versions)
	}
	if err != nil {
		for id := range versions {
			r.miss(id)
		}
	}
	return err
}

func (r *Redis) dropOlder(ctx context.Context, s *session, versions map[string]int64) error {
	calls := make([]rueidis.LuaExec, 0, len(versions))
	ids := make([]string, 0, len(versions))
	for id, version := range versions {
		ids = append(ids, id)
		calls = append(calls, rueidis.LuaExec{Keys: []string{r.orderKey(s, id)}, Args: []string{
			strconv.FormatInt(version, 10), strconv.FormatInt(markTTL.Milliseconds(), 10),
		}})
	}
	if len(calls) == 0 {
		return nil
	}
	call, cancel := within(ctx, opTimeout)
	defer cancel()
	for i, resp := range dropOlder.ExecMulti(call, s.client, calls...) {
		if err := resp.Error(); err != nil {
			return r.fail(call, s, err)
		}
		if !r.still(ctx, s, ids[i]) {
			r.miss(ids[i])
		}
	}
	return nil
}

// remember keeps a decoded copy unless it has a newer one.
func (r *Redis) remember(o *domain.Order, raw string) {
	c := &orderCopy{order: o, raw: raw}
	c.seen.Store(time.Now().UnixNano())
	r.memory.keep(c)
}

// encodeOrder writes version and seq, bookkeeping and order, one line each.
func encodeOrder(o *domain.Order) (string, error) {
	data, err := o.MarshalJSON()
	if err != nil {
		return "", err
	}
	ledger, err := json.Marshal(o.Bookkeeping)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d %d \n%s\n%s", o.Version, o.Bookkeeping.Seq, ledger, data), nil
}

func decodeOrder(raw string) (*domain.Order, error) {
	_, rest, _ := strings.Cut(raw, "\n")
	first, data, found := strings.Cut(rest, "\n")
	if !found {
		return nil, errors.New("an order in Redis can't be read")
	}
	var ledger domain.Bookkeeping
	if err := json.Unmarshal([]byte(first), &ledger); err != nil {
		return nil, err
	}
	return domain.Thaw([]byte(data), ledger)
}

// miss records an order whose newest version could not be written to Redis.
func (r *Redis) miss(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.missed[id] = time.Now()
}

// forgetMissed deletes the orders whose newest version could not be written, so that no replica reads an older one.
func (r *Redis) forgetMissed(ctx context.Context, s *session) error {
	r.mu.Lock()
	missed := maps.Clone(r.missed)
	r.mu.Unlock()
	for ids := range slices.Chunk(slices.Collect(maps.Keys(missed)), 500) {
		keys := domain.Each(ids, func(id string) string { return r.orderKey(s, id) })
		call, cancel := within(ctx, opTimeout)
		errs := rueidis.MUnlink(s.client, call, keys)
		cancel()
		for _, err := range errs {
			if err != nil {
				return err
			}
		}
		r.mu.Lock()
		for _, id := range ids {
			if r.missed[id].Equal(missed[id]) { // not missed again meanwhile
				delete(r.missed, id)
			}
		}
		r.mu.Unlock()
	}
	return nil
}
