//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/order-tracking/order-tracking/tools/proc"
)

const orderBody = `{"customer":{"name":"Anna Petrova","phone":"+79161234567"},` +
	`"pickup":{"address":"Tverskaya 7, Moscow","location":{"lat":55.7597,"lon":37.6103}},` +
	`"dropoff":{"address":"Arbat 12, Moscow","location":{"lat":55.7507,"lon":37.5956}},` +
	`"items":[{"name":"Pizza","quantity":2,"price":{"amount":79900,"currency":"RUB"}}],"total":{"amount":159800,"currency":"RUB"}}`

func postOrder(addr, body string) []byte {
	return fmt.Appendf(nil, "POST /order HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		addr, len(body), body)
}

// always sends the same request.
func always(request []byte) func(conn, i int) []byte {
	return func(int, int) []byte { return request }
}

func (b *bench) server(ctx context.Context, name string, env ...string) (*proc.Server, error) {
	dir := filepath.Join(b.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s, err := proc.New(b.bin, dir, append(env, "OT_HTTP__ACCESS_LOG=false", "LOG_LEVEL=warn")...)
	if err != nil {
		return nil, err
	}
	_, err = s.Start(ctx)
	return s, err
}

// benchCreate compares durable creates over 64 connections with the same store when
// it commits every order on its own. SQLite runs with synchronous=FULL in both.
func benchCreate(ctx context.Context, b *bench) error {
	const conns = 64
	grouped, err := b.server(ctx, "grouped")
	if err != nil {
		return err
	}
	defer func() { _ = grouped.Stop() }()
	single, err := b.server(ctx, "single", "OT_DATABASE__MAX_GROUP=1")
	if err != nil {
		return err
	}
	defer func() { _ = single.Stop() }()
	var rates [2][]float64
	for range b.rounds {
		for side, s := range []*proc.Server{grouped, single} {
			request := postOrder(s.HTTP, orderBody)
			out, err := load{addr: s.HTTP, conns: conns, request: always(request), status: http.StatusCreated}.run(ctx, b.each)
			if err != nil {
				return err
			}
			rates[side] = append(rates[side], out.perSecond)
			fmt.Printf("  %-8s %8.0f/s   p50 %-12v p99 %v\n", []string{"grouped", "single"}[side],
				out.perSecond, out.quantile(0.5), out.quantile(0.99))
		}
	}
	r := median(ratios(rates[0], rates[1]))
	verdict("REST create, grouped over one commit per order", r, "x", ">= 4x", r >= 4)
	return nil
}

// benchGet compares reading a hot order with a bare Gin handler that returns the same bytes.
func benchGet(ctx context.Context, b *bench) error {
	s, err := b.server(ctx, "server")
	if err != nil {
		return err
	}
	defer func() { _ = s.Stop() }()
	order, err := createOne(ctx, s.HTTP)
	if err != nil {
		return err
	}
	var id struct{ ID string }
	if err := json.Unmarshal(order, &id); err != nil {
		return err
	}
	bare, err := proc.New("", "")
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, self, "bare", bare.HTTP)
	cmd.Stdin, cmd.Stderr = strings.NewReader(string(order)), os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	if err := reachable(ctx, bare.HTTP); err != nil {
		return err
	}
	var rates [2][]float64
	for range b.rounds {
		for side, addr := range []string{s.HTTP, bare.HTTP} {
			request := fmt.Appendf(nil, "GET /order/%s HTTP/1.1\r\nHost: %s\r\n\r\n", id.ID, addr)
			out, err := load{addr: addr, conns: 16, request: always(request), status: http.StatusOK}.run(ctx, b.each)
			if err != nil {
				return err
			}
			rates[side] = append(rates[side], out.perSecond)
			fmt.Printf("  %-8s %8.0f/s   p50 %-12v p99 %v\n", []string{"product", "bare"}[side],
				out.perSecond, out.quantile(0.5), out.quantile(0.99))
		}
	}
	r := median(ratios(rates[0], rates[1]))
	verdict("GET of a hot order over a bare Gin handler", r, "x", ">= 0.85x", r >= 0.85)
	return nil
}

func createOne(ctx context.Context, addr string) ([]byte, error) {
	return createOrder(ctx, addr, orderBody)
}

func createOrder(ctx context.Context, addr, body string) ([]byte, error) {
	return answerTo(ctx, http.MethodPost, "http://"+addr+"/order", body)
}

func reachable(ctx context.Context, addr string) error {
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			return resp.Body.Close()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// serveBare is the peer of benchGet: Gin with nothing around it, which answers with
// the bytes that it got on stdin.
func serveBare() {
	body, err := io.ReadAll(os.Stdin)
	if err != nil {
		panic(err)
	}
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.GET("/order/:id", func(c *gin.Context) { c.Data(http.StatusOK, "application/json", body) })
	if err := r.Run(os.Args[len(os.Args)-1]); err != nil {
		panic(err)
	}
}

// benchStart measures the start on an existing database and the idle memory.
func benchStart(ctx context.Context, b *bench) error {
	s, err := b.server(ctx, "server")
	if err != nil {
		return err
	}
	request := postOrder(s.HTTP, orderBody)
	if _, err := (load{addr: s.HTTP, conns: 16, request: always(request), status: http.StatusCreated}).run(ctx, b.each); err != nil {
		return err
	}
	var took []float64
	for range b.rounds {
		if err := s.Stop(); err != nil {
			return err
		}
		d, err := s.Start(ctx)
		if err != nil {
			return err
		}
		took = append(took, float64(d.Milliseconds()))
	}
	ms := median(took)
	verdict("start to ready on an existing database", ms, " ms", "<= 150 ms", ms <= 150)
	select {
	case <-time.After(10 * time.Second):
	case <-ctx.Done():
		return ctx.Err()
	}
	rss, err := s.RSS()
	if err != nil {
		return err
	}
	mb := float64(rss) / (1 << 20)
	verdict("idle memory, 10 s after the start", mb, " MB", "<= 60 MB", mb <= 60)
	return s.Stop()
}
