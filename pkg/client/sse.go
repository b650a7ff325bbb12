package client

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// maxFrame limits a frame in bytes.
const maxFrame = 16 << 20

var errTooLong = &badFrame{errors.New("it is too long")}

// streamQuery requests the changes after the last one received.
func (w *watcher) streamQuery() url.Values {
	q := url.Values{}
	if w.since >= 0 {
		q.Set("since", strconv.FormatInt(w.since, 10))
	}
	return q
}

// readEvents follows the order over one response of server-sent events.
func (c *Client) readEvents(ctx context.Context, orderID string, w *watcher) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watchdog := time.AfterFunc(c.silence, cancel)
	defer watchdog.Stop()
	k := &call{method: http.MethodGet, path: orderPath(orderID, "/stream"), query: w.streamQuery(), header: http.Header{}}
	k.header.Set("Accept", "text/event-stream")
	req, err := c.request(ctx, k)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxReply)) // even a truncated error response has its status
		return problemOf(resp, body)
	}
	alive := func() { w.heard = time.Now(); watchdog.Reset(c.silence) }
	return scanEvents(resp.Body, alive, func(frame []byte) error {
		watchdog.Stop() // the reader may be slow
		defer watchdog.Reset(c.silence)
		return w.take(frame)
	})
}

// scanEvents reads an event stream (HTML Living Standard, 9.2.6) as far as this API
// uses it: each event's data goes to take, each line, comments too, to alive.
func scanEvents(r io.Reader, alive func(), take func([]byte) error) error {
	lines := bufio.NewReader(r)
	var data []byte
	for {
		line, err := readLine(lines)
		if err != nil {
			return broken(err)
		}
		alive()
		switch {
		case len(line) == 0 && data != nil:
			if err := take(data); err != nil {
				return err
			}
			data = nil
		case bytes.HasPrefix(line, []byte("data:")):
			if data != nil {
				data = append(data, '\n')
			}
			data = append(data, bytes.TrimPrefix(line[len("data:"):], []byte(" "))...)
			if len(data) > maxFrame {
				return errTooLong
			}
		}
	}
}

// readLine returns a line without its end.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxFrame:
			return nil, errTooLong
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil:
			return nil, err
		}
		return bytes.TrimSuffix(line[:len(line)-1], []byte("\r")), nil
	}
}
