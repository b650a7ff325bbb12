package cache

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// maxGeoLat is the highest latitude that GEO supports, in degrees. Couriers beyond it are
// in a separate set, which is nearly always empty and checked by every search.
const maxGeoLat = 85

// putBatch is how many positions go into one script.
const putBatch = 500

// searchRadii are the successive search radii in metres; the last covers the whole Earth.
var searchRadii = []float64{2e3, 2e4, 2e5, 2e6, 2.1e7}

// putFixes stores positions newer than the stored ones and returns which were.
var putFixes = rueidis.NewLuaScript(`
local newer = {}
for i = 1, #ARGV, 5 do
	local id, at = ARGV[i], tonumber(ARGV[i + 1])
	local held = redis.call('HGET', KEYS[1], id)
	if held and tonumber(string.match(held, '^%-?%d+')) >= at then
		newer[#newer + 1] = 0
	else
		redis.call('HSET', KEYS[1], id, ARGV[i + 4])
		if ARGV[i + 2] == '' then
			redis.call('ZREM', KEYS[2], id)
			redis.call('SADD', KEYS[3], id)
		else
			redis.call('GEOADD', KEYS[2], ARGV[i + 2], ARGV[i + 3], id)
			if not held or string.match(held, '^%-?%d+P') then redis.call('SREM', KEYS[3], id) end
		end
		newer[#newer + 1] = 1
	end
end
return newer`)

// fixesKey, geoKey and polarKey share a hash tag, so that one script writes them all.
func (r *Redis) fixesKey() string { return r.tag(0) + ":fixes" }
func (r *Redis) geoKey() string   { return r.tag(0) + ":geo" }
func (r *Redis) polarKey() string { return r.tag(0) + ":polar" }

// PutFixes stores positions that are newer by the device's clock; see domain.LiveStore.
// Without Redis it compares with the positions received by this replica.
func (r *Redis) PutFixes(ctx context.Context, fixes []domain.Fix) ([]bool, error) {
	newer, err := r.memory.PutFixes(ctx, fixes)
	if err != nil {
		return nil, err
	}
	if s, err := r.session(ctx); err == nil {
		// After an outage midway, memory's results stand for the rest.
		_ = r.put(ctx, s, fixes, newer)
	}
	return newer, nil
}

func (r *Redis) put(ctx context.Context, s *session, fixes []domain.Fix, newer []bool) error {
	keys := []string{r.fixesKey(), r.geoKey(), r.polarKey()}
	for some := range slices.Chunk(fixes, putBatch) {
		args := make([]string, 0, 5*len(some))
		for i := range some {
			args = appendFix(args, &some[i])
		}
		call, cancel := within(ctx, opTimeout)
		flags, err := putFixes.Exec(call, s.client, keys, args).AsIntSlice()
		cancel()
		if err == nil && len(flags) != len(some) {
			err = errors.New("a script answered something else")
		}
		if err != nil {
			return r.fail(call, s, err)
		}
		for i, flag := range flags {
			newer[i] = flag == 1
		}
		newer = newer[len(some):]
	}
	return nil
}

// appendFix appends a position's script arguments.
func appendFix(args []string, f *domain.Fix) []string {
	at := strconv.FormatInt(f.RecordedAt.UnixMicro(), 10)
	data, _ := json.Marshal(f.Position) // validated numbers always encode
	lat, lon, mark := "", "", " "
	if f.Lat > maxGeoLat || f.Lat < -maxGeoLat {
		mark = "P" // tells the script that it belongs to the polar set
	} else {
		lat = strconv.FormatFloat(f.Lat, 'f', -1, 64)
		lon = strconv.FormatFloat(geoLon(f.Lon), 'f', -1, 64)
	}
	own := strconv.FormatInt(f.Interval.Milliseconds(), 10)
	if !f.LedFrom.IsZero() {
		own += " " + strconv.FormatInt(f.LedFrom.UnixMicro(), 10)
	}
	return append(args, f.CourierID, at, lon, lat, at+mark+own+string(data))
}

// geoLon maps the antimeridian to the longitude that GEO uses.
func geoLon(lon float64) float64 {
	if lon >= 180 {
		return -180
	}
	return lon
}

func decodeFix(courierID, value string) (domain.Fix, error) {
	f := domain.Fix{CourierID: courierID}
	i := strings.IndexByte(value, '{')
	if i < 0 {
		return f, errors.New("a position in Redis can't be read")
	}
	if mark := strings.IndexAny(value[:i], " P"); mark >= 0 {
		interval, led, _ := strings.Cut(value[mark+1:i], " ")
		ms, _ := strconv.ParseInt(interval, 10, 64) // values from older versions have none
		f.Interval = time.Duration(ms) * time.Millisecond
		if at, err := strconv.ParseInt(led, 10, 64); err == nil {
			f.LedFrom = time.UnixMicro(at).UTC()
		}
	}
	return f, json.Unmarshal([]byte(value[i:]), &f.Position)
}

// Position returns the newest position of a courier, or nil.
func (r *Redis) Position(ctx context.Context, courierID string) (*domain.Position, error) {
	found, err := r.Positions(ctx, []string{courierID})
	return found[courierID], err
}

// Positions returns the newest positions of couriers by id.
func (r *Redis) Positions(ctx context.Context, ids []string) (map[string]*domain.Position, error) {
	found, err := r.memory.Positions(ctx, ids)
	if err != nil || len(ids) == 0 {
		return found, err
	}
	s, err := r.session(ctx)
	if err != nil {
		return found, nil
	}
	call, cancel := within(ctx, opTimeout)
	defer cancel()
	there, err := r.fetch(call, s, ids, time.Time{})
	for i := range there {
		f := &there[i]
		if here := found[f.CourierID]; here == nil || f.RecordedAt.After(here.RecordedAt) {
			found[f.CourierID] = &f.Position
		}
	}
	if domain.CodeOf(err) == domain.CodeUnavailable { // positions received by this replica
		return found, ctx.Err()
	}
	return found, err
}

func (r *Redis) contactsKey() string { return r.tag(0) + ":contacts" }

// PutContact records when and how a courier's phone last made contact, for all replicas.
func (r *Redis) PutContact(ctx context.Context, courierID string, c domain.Contact) error {
	_ = r.memory.PutContact(ctx, courierID, c)
	s, err := r.session(ctx)
	if err != nil {
		return nil
	}
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	call, cancel := within(ctx, opTimeout)
	defer cancel()
	err = s.client.Do(call, s.client.B().Hset().Key(r.contactsKey()).FieldValue().FieldValue(courierID, string(data)).Build()).Error()
	if err != nil {
		return r.fail(call, s, err)
	}
	return nil
}

// Contacts returns when and how couriers' phones last made contact, by courier id.
// Without Redis it returns the contacts made with this replica.
func (r *Redis) Contacts(ctx context.Context, ids []string) (map[string]*domain.Contact, error) {
	found, err := r.memory.Contacts(ctx, ids)
	if err != nil || len(ids) == 0 {
		return found, err
	}
	s, err := r.session(ctx)
	if err != nil {
		return found, nil
	}
	call, cancel := within(ctx, opTimeout)
	defer cancel()
	values, err := s.client.Do(call, s.client.B().Hmget().Key(r.contactsKey()).Field(ids...).Build()).ToArray()
	if err != nil {
		_ = r.fail(call, s, err)
		return found, ctx.Err()
	}
	for i, v := range values {
		var c domain.Contact
		if text, err := v.ToString(); err == nil && json.Unmarshal([]byte(text), &c) == nil {
			if here := found[ids[i]]; here == nil || c.At.After(here.At) {
				found[ids[i]] = &c
			}
		}
	}
	return found, nil
}

// Nearest returns the newest fixes around a point that were recorded after since,
// nearest first, at most limit. GEO rounds coordinates to half a metre.
func (r *Redis) Nearest(ctx context.Context, at domain.Point, since time.Time, limit int) ([]domain.Fix, error) {
	if limit <= 0 {
		return nil, nil
	}
	s, err := r.session(ctx)
	if err != nil {
		return r.memory.Nearest(ctx, at, since, limit)
	}
	var found []domain.Fix
	if at.Lat > maxGeoLat || at.Lat < -maxGeoLat {
		found, err = r.scan(ctx, s, since)
	} else {
		found, err = r.search(ctx, s, at, since, limit)
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return r.memory.Nearest(ctx, at, since, limit)
	}
	here := vectorOf(at)
	slices.SortFunc(found, func(a, b domain.Fix) int {
		return cmp.Compare(vectorOf(a.Point()).distance(here), vectorOf(b.Point()).distance(here))
	})
	return found[:min(limit, len(found))], nil
}

// search finds at least the limit nearest, widening the radius, and all polar couriers.
func (r *Redis) search(ctx context.Context, s *session, at domain.Point, since time.Time, limit int) ([]domain.Fix, error) {
	ctx, cancel := within(ctx, 5*opTimeout)
	defer cancel()
	polar, err := s.client.Do(ctx, s.client.B().Smembers().Key(r.polarKey()).Build()).AsStrSlice()
	if err != nil {
		return nil, r.fail(ctx, s, err)
	}
	beyond, err := r.fetch(ctx, s, polar, since)
	if err != nil {
		return nil, err
	}
	count := int64(limit) + 16 // those at the edge may be slightly nearer than GEO computes
	for i := 0; i < len(searchRadii); {
		ids, err := s.client.Do(ctx, s.client.B().Geosearch().Key(r.geoKey()).Fromlonlat(geoLon(at.Lon), at.Lat).
			Byradius(searchRadii[i]).M().Asc().Count(count).Build()).AsStrSlice()
		if err != nil {
			return nil, r.fail(ctx, s, err)
		}
		fresh, err := r.fetch(ctx, s, ids, since)
		if err != nil {
			return nil, err
		}
		last := i == len(searchRadii)-1
		switch {
		case len(fresh) >= limit, last && int64(len(ids)) < count:
			return append(fresh, beyond...), nil
		case int64(len(ids)) < count:
			i++ // this radius has no more couriers
		default:
			count *= 4 // many of them are stale
		}
	}
	return nil, nil
}

// fetch returns the fixes of couriers that were recorded after since.
func (r *Redis) fetch(ctx context.Context, s *session, ids []string, since time.Time) ([]domain.Fix, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	values, err := s.client.Do(ctx, s.client.B().Hmget().Key(r.fixesKey()).Field(ids...).Build()).ToArray()
	if err != nil {
		return nil, r.fail(ctx, s, err)
	}
	out := make([]domain.Fix, 0, len(ids))
	for i, v := range values {
		value, err := v.ToString()
		if err != nil {
			continue // deleted meanwhile
		}
		if out, err = appendRecent(out, ids[i], value, since); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// appendRecent decodes a fix when it was recorded after since.
func appendRecent(out []domain.Fix, id, value string, since time.Time) ([]domain.Fix, error) {
	at, err := strconv.ParseInt(value[:max(0, strings.IndexAny(value, " P"))], 10, 64)
	if err != nil || at <= since.UnixMicro() {
		return out, err
	}
	f, err := decodeFix(id, value)
	return append(out, f), err
}

// Fixes returns the newest fix of each courier that was recorded after since.
func (r *Redis) Fixes(ctx context.Context, since time.Time) ([]domain.Fix, error) {
	here, err := r.memory.Fixes(ctx, since)
	if err != nil {
		return nil, err
	}
	s, err := r.session(ctx)
	if err != nil {
		return here, nil
	}
	there, err := r.scan(ctx, s, since)
	if err != nil {
		return here, ctx.Err()
	}
	all := make(map[string]domain.Fix, len(there))
	for _, f := range slices.Concat(there, here) {
		if old, known := all[f.CourierID]; !known || f.RecordedAt.After(old.RecordedAt) {
			all[f.CourierID] = f
		}
	}
	return slices.Collect(maps.Values(all)), nil
}

// scan reads each courier's fix recorded after since, once.
func (r *Redis) scan(ctx context.Context, s *session, since time.Time) ([]domain.Fix, error) {
	ctx, cancel := within(ctx, 30*opTimeout)
	defer cancel()
	var out []domain.Fix
	seen := map[string]bool{}
	for cursor := uint64(0); ; {
		page, err := s.client.Do(ctx, s.client.B().Hscan().Key(r.fixesKey()).Cursor(cursor).Count(1000).Build()).AsScanEntry()
		if err != nil {
			return nil, r.fail(ctx, s, err)
		}
		for i := 0; i+1 < len(page.Elements); i += 2 {
			if id := page.Elements[i]; !seen[id] {
				seen[id] = true
				if out, err = appendRecent(out, id, page.Elements[i+1], since); err != nil {
					return nil, err
				}
			}
		}
		if cursor = page.Cursor; cursor == 0 {
			return out, nil
		}
	}
}

// seed writes the positions received by this replica to a freshly started server.
func (r *Redis) seed(ctx context.Context, s *session) error {
	if r.seeded == s.runs[0] {
		return nil
	}
	fixes, err := r.memory.Fixes(ctx, time.Time{})
	if err != nil {
		return err
	}
	if err := r.put(ctx, s, fixes, make([]bool, len(fixes))); err != nil {
		return err
	}
	r.seeded = s.runs[0]
	return nil
}
