//go:build unix

package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"
	"google.golang.org/grpc"

	"github.com/order-tracking/order-tracking/tools/proc"
)

const (
	fleetSize = 10_000 // couriers of the benchmarks of positions
	perReport = 16     // positions a message
)

// benchPositions compares the server's CPU per position, decoding and filtering
// included, with that of Redis storing positions by GEOADD, one command each, pipelined.
func benchPositions(ctx context.Context, b *bench) error {
	if err := b.services.up(ctx); err != nil {
		return err
	}
	pid, err := b.services.pid(ctx, "redis")
	if err != nil {
		return err
	}
	redis, err := rueidis.NewClient(rueidis.MustParseURL(b.services.env["TEST_REDIS_URL"]))
	if err != nil {
		return err
	}
	defer redis.Close()
	s, err := b.server(ctx, "server", "OT_TRACKING__HISTORY=false")
	if err != nil {
		return err
	}
	defer func() { _ = s.Stop() }()
	fleet, err := phones(ctx, s.HTTP, fleetSize)
	if err != nil {
		return err
	}
	conn, err := dialGRPC(s.GRPC)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	r := report{phones: fleet, streams: 8, batch: perReport, clock: seconds}
	warm := r
	warm.limit = 2 * len(fleet)
	if _, err := warm.run(ctx, conn); err != nil {
		return err
	}
	if _, _, err := geoadd(ctx, redis, pid, fleet, b.each/4); err != nil {
		return err
	}
	var ratio []float64
	for range b.rounds {
		n, ours, err := reported(ctx, s, conn, r, b.each)
		if err != nil {
			return err
		}
		fmt.Printf("  product  %8.0f positions/s   %6.3f µs CPU each\n", float64(n)/b.each.Seconds(), ours*1e6)
		n, theirs, err := geoadd(ctx, redis, pid, fleet, b.each)
		if err != nil {
			return err
		}
		fmt.Printf("  GEOADD   %8.0f positions/s   %6.3f µs CPU each\n", float64(n)/b.each.Seconds(), theirs*1e6)
		ratio = append(ratio, ours/theirs)
	}
	verdict("CPU of a position, ours over Redis GEOADD", median(ratio), "x", "<= 0.55x", median(ratio) <= 0.55)
	return nil
}

// reported is one round of the product: how many positions it took and its CPU seconds
// for each.
func reported(ctx context.Context, s *proc.Server, conn *grpc.ClientConn, r report, d time.Duration) (int64, float64, error) {
	before, err := s.CPU()
	if err != nil {
		return 0, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	n, err := r.run(ctx, conn)
	if err != nil {
		return 0, 0, err
	}
	after, err := s.CPU()
	return n, (after - before).Seconds() / float64(n), err
}

// geoadd is one round of Redis.
func geoadd(ctx context.Context, c rueidis.Client, pid int, fleet []*phone, d time.Duration) (int64, float64, error) {
	before, err := proc.CPU(pid)
	if err != nil {
		return 0, 0, err
	}
	const pipeline = 256
	cmds := make(rueidis.Commands, pipeline)
	var n int64
	for begun := time.Now(); time.Since(begun) < d; {
		for i := range cmds {
			p := fleet[int(n)%len(fleet)]
			cmds[i] = c.B().Geoadd().Key("bench:positions").LongitudeLatitudeMember().
				LongitudeLatitudeMember(p.lon+rand.Float64()*0.0002, p.lat+rand.Float64()*0.0001, p.courier).Build()
			n++
		}
		for _, resp := range c.DoMulti(ctx, cmds...) {
			if err := resp.Error(); err != nil {
				return 0, 0, err
			}
		}
	}
	after, err := proc.CPU(pid)
	return n, (after - before).Seconds() / float64(n), err
}

// pgPositionScript stores one position in a statement, and so in a transaction, of its
// own. Courier and time grow as ours do.
const pgPositionScript = `\set n :n + 1
\set k :run + :n
INSERT INTO courier_positions (courier_id, recorded_at, received_at, lat, lon, accuracy, speed, heading)
  VALUES (('00000000-0000-7000-8000-' || lpad(to_hex((:client_id * 1000 + :k % 1000)::bigint), 12, '0'))::uuid,
  :k, :k, 55.75, 37.61, 5, 7.5, 90) ON CONFLICT DO NOTHING;
`

// benchHistory compares positions kept per second with single INSERTs on the same
// PostgreSQL; 8 clients are shown beside the one that counts.
func benchHistory(ctx context.Context, b *bench) error {
	if err := b.services.up(ctx); err != nil {
		return err
	}
	var schemas [2]string
	var s *proc.Server
	for i, name := range []string{"peer", "product"} {
		var err error
		if schemas[i], err = b.services.schema(ctx, "bench_"+name); err != nil {
			return err
		}
		if s, err = b.replica(ctx, name, schemas[i]); err != nil {
			return err
		}
		if name == "peer" { // it was there to make the tables
			if err := s.Stop(); err != nil {
				return err
			}
		}
	}
	defer func() { _ = s.Stop() }()
	db, err := b.services.in(schemas[0])
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	if err := dayZero(ctx, db); err != nil {
		return err
	}
	fleet, err := phones(ctx, s.HTTP, 500)
	if err != nil {
		return err
	}
	conn, err := dialGRPC(s.GRPC)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	peer := &pgbench{url: b.services.env["TEST_DATABASE_URL"], schema: schemas[0], script: pgPositionScript}
	var one, eight []float64
	for range b.rounds {
		rate, err := kept(ctx, s, conn, fleet)
		if err != nil {
			return err
		}
		fmt.Printf("  product             %8.0f positions/s\n", rate)
		for clients, out := range map[int]*[]float64{1: &one, 8: &eight} {
			run, err := peer.run(ctx, b.dir, clients, b.each)
			if err != nil {
				return err
			}
			fmt.Printf("  INSERT, %d client(s) %8.0f positions/s\n", clients, run.perSecond)
			*out = append(*out, rate/run.perSecond)
		}
	}
	fmt.Printf("  over 8 clients with single INSERTs: %.1fx\n", median(eight))
	verdict("positions kept over single INSERTs of one client", median(one), "x", ">= 15x", median(one) >= 15)
	return nil
}

// dayZero makes the partition in which the peer's positions are.
func dayZero(ctx context.Context, db *sql.DB) error {
	const day = 24 * 3600 * 1_000_000
	_, err := db.ExecContext(ctx, fmt.Sprintf(
		`CREATE TABLE courier_positions_19700101 PARTITION OF courier_positions FOR VALUES FROM (0) TO (%d)`, day))
	return err
}

// kept reports what still fits into the product's memory as fast as it is taken, and
// returns how many positions a second reached the disk, to the last one.
func kept(ctx context.Context, s *proc.Server, conn *grpc.ClientConn, fleet []*phone) (float64, error) {
	const messages = 9000
	before, err := counter(ctx, s, "ordertracking_positions_stored_total")
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	n, err := report{phones: fleet, streams: 4, batch: perReport, limit: messages, clock: seconds}.run(ctx, conn)
	for err == nil {
		var now float64
		if now, err = counter(ctx, s, "ordertracking_positions_stored_total"); now-before >= float64(n) {
			return float64(n) / time.Since(begun).Seconds(), err
		}
		if err == nil && time.Since(begun) > time.Minute {
			err = fmt.Errorf("%.0f of %d positions were kept", now-before, n)
		}
		pause(ctx, 5*time.Millisecond)
	}
	return 0, err
}

// counter reads one value from the server's /metrics.
func counter(ctx context.Context, s *proc.Server, name string) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.HTTP+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(body)) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(rest), 64)
		}
	}
	return 0, fmt.Errorf("no metric %s", name)
}
