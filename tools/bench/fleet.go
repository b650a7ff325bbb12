//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
)

const (
	dispatchers = 200
	movesASec   = 300
)

// benchFleet compares the CPU of showing moves to dispatchers with writing a prepared
// frame for every move to each of them. Ours is what the server uses more than while
// the same moves come in and nobody watches.
func benchFleet(ctx context.Context, b *bench) error {
	s, err := b.server(ctx, "server", "OT_LIVE__PING_EVERY=10m")
	if err != nil {
		return err
	}
	defer func() { _ = s.Stop() }()
	bare, err := startBare(ctx)
	if err != nil {
		return err
	}
	defer bare.stop()
	fleet, err := phones(ctx, s.HTTP, movesASec)
	if err != nil {
		return err
	}
	conn, err := dialGRPC(s.GRPC)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	theirs := &board{addr: bare.addr}
	if err := theirs.open(ctx); err != nil {
		return err
	}
	ours := &board{addr: s.HTTP, hello: `{"subscribe":["fleet"]}`}
	var spentOurs, spentTheirs time.Duration
	var shown, written int64
	for round := range b.rounds + 1 { // in the first one the couriers become known
		drive := func() error { return moves(ctx, conn, fleet, b.each) }
		unseen, err := spent(s.CPU, drive)
		if err != nil {
			return err
		}
		if err := ours.open(ctx); err != nil {
			return err
		}
		seen, err := spent(s.CPU, drive)
		if err := errors.Join(err, ours.close()); err != nil {
			return err
		}
		plain, err := spent(bare.CPU, func() error {
			return bare.publish(ctx, moveFrame, int(movesASec*b.each.Seconds()), movesASec)
		})
		if err != nil {
			return err
		}
		a, b := ours.look(), theirs.look()
		fmt.Printf("  product %6d updates, %v CPU (%v while nobody watched)   bare %6d, %v\n", a, seen, unseen, b, plain)
		if round > 0 {
			spentOurs, spentTheirs = spentOurs+seen-unseen, spentTheirs+plain
			shown, written = shown+a, written+b
		}
	}
	// Over all rounds: ours is so little that one round hardly shows it.
	each := max(spentOurs, 10*time.Millisecond).Seconds() / float64(shown)
	r := spentTheirs.Seconds() / float64(written) / each
	verdict("CPU of a move shown, a write each over ours", r, "x", ">= 5x", r >= 5)
	return theirs.close()
}

// moveFrame is a position as a dispatcher would get it alone.
const moveFrame = `{"type":"position","at":"2026-01-02T03:04:05.678901Z","data":{` +
	`"courier_id":"0190b7a1-7d3c-7c1e-9f3a-2b1c5d6e7f80","lat":55.75123456,"lon":37.61843211,"accuracy":5,"speed":7.5,"heading":90,` +
	`"recorded_at":"2026-01-02T03:04:05.678901Z","received_at":"2026-01-02T03:04:05.678901Z"}}`

// board is the dispatchers of one side, who count the moves that they see.
type board struct {
	addr, hello string
	crowd       *crowd
	updates     atomic.Int64
}

func (b *board) open(ctx context.Context) error {
	mark := []byte(`"courier_id"`)
	var err error
	b.crowd, err = openCrowd(ctx, b.addr, dispatchers, func(int) string { return "/ws" }, b.hello, func(_ int, message []byte) {
		b.updates.Add(int64(bytes.Count(message, mark)))
	})
	return err
}

// look is how many updates came since the last look.
func (b *board) look() int64 { return b.updates.Swap(0) }

func (b *board) close() error { return b.crowd.close() }

// spent is the CPU that a round takes.
func spent(cpu func() (time.Duration, error), round func() error) (time.Duration, error) {
	before, err := cpu()
	if err != nil {
		return 0, err
	}
	if err := round(); err != nil {
		return 0, err
	}
	time.Sleep(200 * time.Millisecond) //nolint:forbidigo // two ticks: what is under way
	after, err := cpu()
	return after - before, err
}

// moves reports positions of all couriers in turn, as they happen.
func moves(ctx context.Context, conn *grpc.ClientConn, fleet []*phone, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	now := func(*phone) time.Time { return time.Now() }
	_, err := report{phones: fleet, streams: 1, batch: 1, perSecond: movesASec, clock: now}.run(ctx, conn)
	return err
}
