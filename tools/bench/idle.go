//go:build unix

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// benchIdle measures the memory of sockets that get no frames after their snapshot, 50
// per order.
func benchIdle(ctx context.Context, b *bench) error {
	const (
		sockets  = 5000
		perOrder = 50
		settle   = 15 * time.Second
	)
	if err := raiseFiles(20_000); err != nil {
		return err
	}
	s, err := b.server(ctx, "server")
	if err != nil {
		return err
	}
	defer func() { _ = s.Stop() }()
	orders := make([]string, sockets/perOrder)
	for i := range orders {
		order, err := createOne(ctx, s.HTTP)
		if err != nil {
			return err
		}
		var id struct{ ID string }
		if err := json.Unmarshal(order, &id); err != nil {
			return err
		}
		orders[i] = id.ID
	}
	path := func(i int) string { return "/order/" + orders[i%len(orders)] + "/ws" }
	pause(ctx, settle)
	before, err := s.RSS()
	if err != nil {
		return err
	}
	c, err := openCrowd(ctx, s.HTTP, sockets, path, "", func(int, []byte) {})
	if err != nil {
		return err
	}
	pause(ctx, settle)
	after, err := s.RSS()
	if err := errors.Join(err, c.close()); err != nil {
		return err
	}
	fmt.Printf("  %.1f MB before, %.1f MB with %d sockets\n", float64(before)/(1<<20), float64(after)/(1<<20), sockets)
	each := float64(after-before) / sockets / 1024
	verdict("memory of an idle WebSocket", each, " KB", "<= 12 KB", each <= 12)
	return nil
}
