package cache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// aliveFor is how long a replica counts after it was last seen.
const aliveFor = 30 * time.Second

// takeQuota is GCRA by the server's clock: the key holds when the quota is full again, in
// microseconds. It takes up to ARGV[3] calls and returns how many, and how long until then.
var takeQuota = rueidis.NewLuaScript(`
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local every, full = tonumber(ARGV[1]), tonumber(ARGV[2])
local at = tonumber(redis.call('GET', KEYS[1]) or now)
if at < now then at = now end
local n = math.min(tonumber(ARGV[3]), math.floor((now + full - at) / every))
if n < 1 then return {0, at - now} end
at = at + n * every
redis.call('SET', KEYS[1], string.format('%.0f', at), 'PX', math.ceil((at - now) / 1000))
return {n, at - now}`)

// countReplica notes that a replica is alive and counts those that are.
var countReplica = rueidis.NewLuaScript(`
local now = tonumber(redis.call('TIME')[1])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return redis.call('ZCARD', KEYS[1])`)

// TakeQuota takes calls from a quota that replicas share; see domain.Quotas.
func (r *Redis) TakeQuota(ctx context.Context, who string, every, full time.Duration, n int) (got int, reset time.Duration, err error) {
	s, err := r.session(ctx)
	if err != nil {
		return 0, 0, err
	}
	name := sha256.Sum256([]byte(who)) // may be somebody's address
	call, cancel := within(ctx, opTimeout)
	defer cancel()
	answer, err := takeQuota.Exec(call, s.client, []string{r.prefix + ":q:" + hex.EncodeToString(name[:12])}, []string{
		strconv.FormatInt(max(1, every.Microseconds()), 10), strconv.FormatInt(full.Microseconds(), 10), strconv.Itoa(n),
	}).AsIntSlice()
	if err == nil && len(answer) != 2 {
		err = errors.New("a script answered something else")
	}
	if err != nil {
		return 0, 0, r.fail(call, s, err)
	}
	return int(answer[0]), time.Duration(answer[1]) * time.Microsecond, nil
}

// Replicas announces this replica and counts all; see domain.Quotas.
func (r *Redis) Replicas(ctx context.Context) (int, error) {
	s, err := r.session(ctx)
	if err != nil {
		return 0, err
	}
	call, cancel := within(ctx, opTimeout)
	defer cancel()
	n, err := countReplica.Exec(call, s.client, []string{r.prefix + ":replicas"}, []string{
		r.replica, strconv.Itoa(int(aliveFor.Seconds())),
	}).AsInt64()
	if err != nil {
		return 0, r.fail(call, s, err)
	}
	return int(n), nil
}
