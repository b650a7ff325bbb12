//go:build unix

package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/order-tracking/order-tracking/tools/proc"
)

// The rows of a new order in a plain transaction: five statements. The ids grow with
// time, as ours do.
const pgCreateScript = `\set n :n + 1
\set k :run + :n
BEGIN;
INSERT INTO orders (id, created_at, status, finished, version, merchant_id, customer_phone, ledger, search, data)
  VALUES ((lpad(to_hex(:k::bigint), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(:client_id::bigint), 12, '0'))::uuid,
  :k, 'created', false, 1, '', :phone, :ledger, :search, :data);
INSERT INTO order_events (order_id, seq, data, order_data)
  VALUES ((lpad(to_hex(:k::bigint), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(:client_id::bigint), 12, '0'))::uuid,
  1, :event, :data);
INSERT INTO outbox (pos) VALUES (lastval());
COMMIT;
`

// pgCreate is a product on PostgreSQL and pgbench on tables and indexes of the same
// kind in another schema.
type pgCreate struct {
	product *proc.Server
	peer    *pgbench
	pid     int // of PostgreSQL
	dir     string
}

// newPgCreate starts the product with brokers that are not there, so that nothing is
// published on either side.
func newPgCreate(ctx context.Context, b *bench) (*pgCreate, error) {
	if err := b.services.up(ctx); err != nil {
		return nil, err
	}
	p := &pgCreate{dir: b.dir}
	var err error
	if p.pid, err = b.services.pid(ctx, "postgres"); err != nil {
		return nil, err
	}
	mute, err := noKafka()
	if err != nil {
		return nil, err
	}
	var schemas [2]string
	for i, name := range []string{"peer", "product"} {
		if schemas[i], err = b.services.schema(ctx, "bench_"+name); err != nil {
			return nil, err
		}
		if p.product, err = b.replica(ctx, name, schemas[i], mute); err != nil {
			return nil, err
		}
		if name == "peer" { // it was there to make the tables
			if err := p.product.Stop(); err != nil {
				return nil, err
			}
		}
	}
	if _, err := createOne(ctx, p.product.HTTP); err != nil {
		return nil, err
	}
	p.peer = &pgbench{url: b.services.env["TEST_DATABASE_URL"], schema: schemas[0], script: pgCreateScript}
	p.peer.vars, err = rowsOf(ctx, b.services, schemas[1])
	return p, err
}

// rowsOf returns the texts of an order's rows as the product wrote them.
func rowsOf(ctx context.Context, s *services, schema string) (map[string]string, error) {
	db, err := s.in(schema)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	var phone, ledger, search, data, event string
	err = db.QueryRowContext(ctx, `SELECT o.customer_phone, o.ledger, o.search, o.data, e.data
		FROM orders o JOIN order_events e ON e.order_id = o.id LIMIT 1`).Scan(&phone, &ledger, &search, &data, &event)
	return map[string]string{"phone": phone, "ledger": ledger, "search": search, "data": data, "event": event}, err
}

// side is one round of one side.
type side struct {
	perSecond, cpuPerOrder float64 // CPU of PostgreSQL, seconds
	latency                time.Duration
	own                    float64 // CPU seconds of our server an order
}

// ours runs the product; its latency is the 99th percentile.
func (p *pgCreate) ours(ctx context.Context, d time.Duration) (side, error) {
	request := postOrder(p.product.HTTP, orderBody)
	before, err := treeCPU(p.pid)
	if err != nil {
		return side{}, err
	}
	own, err := p.product.CPU()
	if err != nil {
		return side{}, err
	}
	out, err := load{addr: p.product.HTTP, conns: 64, request: always(request), status: http.StatusCreated}.run(ctx, d)
	if err != nil {
		return side{}, err
	}
	after, err := treeCPU(p.pid)
	if err != nil {
		return side{}, err
	}
	end, err := p.product.CPU()
	n := float64(len(out.latencies))
	return side{out.perSecond, (after - before).Seconds() / n, out.quantile(0.99), (end - own).Seconds() / n}, err
}

// theirs runs pgbench; its latency is the average.
func (p *pgCreate) theirs(ctx context.Context, clients int, d time.Duration) (side, error) {
	before, err := treeCPU(p.pid)
	if err != nil {
		return side{}, err
	}
	out, err := p.peer.run(ctx, p.dir, clients, d)
	if err != nil {
		return side{}, err
	}
	pause(ctx, 200*time.Millisecond) // until its backends have ended and their times are their parent's
	after, err := treeCPU(p.pid)
	return side{out.perSecond, (after - before).Seconds() / float64(out.count), out.latency, 0}, err
}

// benchPg compares durable creates on PostgreSQL with pgbench doing the same rows.
func benchPg(ctx context.Context, b *bench) error {
	p, err := newPgCreate(ctx, b)
	if err != nil {
		return err
	}
	defer func() { _ = p.product.Stop() }()
	var rate, best, late, cpu []float64
	for range b.rounds {
		ours, err := p.ours(ctx, b.each)
		if err != nil {
			return err
		}
		fmt.Printf("  product    64 connections %8.0f/s   p99 %-12v PostgreSQL %4.0f µs CPU an order, the server %.0f\n",
			ours.perSecond, ours.latency, ours.cpuPerOrder*1e6, ours.own*1e6)
		var fastest float64
		for _, clients := range []int{64, 32, 8} {
			theirs, err := p.theirs(ctx, clients, b.each)
			if err != nil {
				return err
			}
			fmt.Printf("  pgbench    %2d clients     %8.0f/s   avg %-12v PostgreSQL %4.0f µs CPU an order\n",
				clients, theirs.perSecond, theirs.latency, theirs.cpuPerOrder*1e6)
			fastest = max(fastest, theirs.perSecond)
			if clients == 64 {
				rate = append(rate, ours.perSecond/theirs.perSecond)
				late = append(late, ours.latency.Seconds()/theirs.latency.Seconds())
				cpu = append(cpu, theirs.cpuPerOrder/ours.cpuPerOrder)
			}
		}
		best = append(best, ours.perSecond/fastest)
	}
	verdict("PostgreSQL create over pgbench at 64 clients", median(rate), "x", ">= 3x", median(rate) >= 3)
	verdict("PostgreSQL create over pgbench's best of 8, 32, 64", median(best), "x", ">= 2x", median(best) >= 2)
	verdict("p99 of a create over pgbench's average at 64", median(late), "x", "<= 1x", median(late) <= 1)
	verdict("PostgreSQL's CPU an order, pgbench's over ours", median(cpu), "x", ">= 8x", median(cpu) >= 8)
	return nil
}
