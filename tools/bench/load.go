//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"
)

// load is a lean HTTP/1.1 client: it writes prepared requests and reads answers with
// a Content-Length, so that what is measured is mostly the server.
type load struct {
	addr    string
	conns   int
	request func(conn, i int) []byte // the i-th whole request of a connection
	status  int                      // that every answer must have

	each      int                             // requests of a connection; 0 is as many as the time allows
	perSecond float64                         // over all connections; 0 is as fast as they are answered
	answered  func(conn, i int, at time.Time) // when not nil, hears of every answer
}

// outcome is what one round of load did.
type outcome struct {
	perSecond float64
	latencies []time.Duration // sorted
}

func (o outcome) quantile(q float64) time.Duration {
	return o.latencies[min(int(q*float64(len(o.latencies))), len(o.latencies)-1)]
}

// run keeps every connection busy for the duration, or until it has sent each of its requests.
func (l load) run(ctx context.Context, d time.Duration) (outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var mu sync.Mutex
	var all []time.Duration
	var errs []error
	var wg sync.WaitGroup
	begun := time.Now()
	for c := range l.conns {
		wg.Go(func() {
			took, err := l.connection(ctx, c)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
			errs = append(errs, err)
		})
	}
	wg.Wait()
	elapsed := time.Since(begun)
	if err := errors.Join(errs...); err != nil || len(all) == 0 {
		return outcome{}, errors.Join(err, ctxErr(all))
	}
	slices.Sort(all)
	return outcome{float64(len(all)) / elapsed.Seconds(), all}, nil
}

func ctxErr(all []time.Duration) error {
	if len(all) == 0 {
		return errors.New("no request was answered")
	}
	return nil
}

func (l load) connection(ctx context.Context, c int) ([]time.Duration, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", l.addr)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	r := bufio.NewReaderSize(conn, 16<<10)
	var took []time.Duration
	pace := newPace(l.perSecond/float64(l.conns), c, l.conns)
	for i := 0; (l.each == 0 || i < l.each) && pace.wait(ctx); i++ {
		sent := time.Now()
		if _, err := conn.Write(l.request(c, i)); err != nil {
			return took, err
		}
		if err := l.answer(r); err != nil {
			return took, err
		}
		now := time.Now()
		took = append(took, now.Sub(sent))
		if l.answered != nil {
			l.answered(c, i, now)
		}
	}
	return took, nil
}

// pace spreads what one of several workers does evenly over time.
type pace struct {
	next  time.Time
	every time.Duration // 0: no pause
}

// newPace is for worker c of n; they start one after the other.
func newPace(perSecond float64, c, n int) *pace {
	if perSecond == 0 {
		return &pace{}
	}
	every := time.Duration(float64(time.Second) / perSecond)
	return &pace{time.Now().Add(every * time.Duration(c) / time.Duration(n)), every}
}

// wait waits for the next turn, and says whether there is one. A worker that is late
// makes up for it.
func (p *pace) wait(ctx context.Context) bool {
	if p.every > 0 {
		if d := time.Until(p.next); d > 0 {
			pause(ctx, d)
		}
		p.next = p.next.Add(p.every)
	}
	return ctx.Err() == nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func (l load) answer(r *bufio.Reader) error {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	status, length := string(line[9:12]), 0
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) <= 2 {
			break
		}
		if rest, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(rest))); err != nil {
				return err
			}
		}
	}
	if status != strconv.Itoa(l.status) {
		body := make([]byte, length)
		_, _ = io.ReadFull(r, body)
		return fmt.Errorf("status %s, not %d: %s", status, l.status, body)
	}
	_, err = r.Discard(length)
	return err
}
