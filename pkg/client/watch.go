package client

import (
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"time"
)

// FromNow is the since value for a Watch without earlier changes.
const FromNow int64 = -1

// Watch follows an order until it is finished: a snapshot, then, when since is not
// FromNow, each change with a later version (0 is the whole history), then live
// frames. It ends after the end frame.
//
// A stream that breaks, or that the server closes because it stops or the reader was
// too slow, resumes from the last change received: there is another snapshot, and no
// change is lost or duplicated. An error ends the iteration: when the server rejects
// the caller, can't be reached for the time of WithRetryFor, or the context ends.
func (c *Client) Watch(ctx context.Context, orderID string, since int64) iter.Seq2[Frame, error] {
	return func(yield func(Frame, error) bool) {
		w := &watcher{since: since, yield: yield}
		if err := c.follow(ctx, orderID, w); err != nil && !w.stopped {
			yield(Frame{}, err)
		}
	}
}

// Ticket opens one stream with its requester's permissions; it is shown only once.
type Ticket struct {
	Ticket    string    `json:"ticket"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Ticket creates a ticket for your web page, which opens a stream with it (?ticket=)
// and never sees the key.
func (c *Client) Ticket(ctx context.Context, opts ...CallOption) (*Ticket, error) {
	return do[*Ticket](ctx, c, http.MethodPost, "/ws/ticket", nil, opts...)
}

// watcher is the state of a Watch across its connections.
type watcher struct {
	since   int64 // the newest version received, FromNow before the first
	yield   func(Frame, error) bool
	heard   time.Time // when the server last sent anything
	ended   bool      // the order is finished
	stopped bool      // the reader stopped
}

// errClosed ends a connection that should be reopened.
var errClosed = errors.New("the stream was closed")

// errDone ends the watch without an error.
var errDone = errors.New("done")

// follow reconnects until the stream is finished, then returns nil.
func (c *Client) follow(ctx context.Context, orderID string, w *watcher) error {
	w.heard = time.Now()
	for try := 0; ; try++ {
		began := time.Now()
		var err error
		if c.websocket {
			err = c.readSocket(ctx, orderID, w)
		} else {
			err = c.readEvents(ctx, orderID, w)
		}
		switch {
		case w.ended, w.stopped, errors.Is(err, errDone):
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case final(err):
			return err
		}
		if time.Since(began) > c.pause.longest {
			try = 0
		}
		wait := max(c.pause.wait(try), retryAfter(err))
		if time.Since(w.heard)+wait > c.retryFor {
			return err
		}
		if !sleep(ctx, wait) {
			return ctx.Err()
		}
	}
}

// final reports whether reconnecting after err is useless.
func final(err error) bool {
	var bad *badFrame
	var p *Problem
	return errors.As(err, &bad) ||
		(errors.As(err, &p) && p.Status < 500 && p.Status != http.StatusTooManyRequests)
}

// take handles one frame; an error ends the connection.
func (w *watcher) take(b []byte) error {
	w.heard = time.Now()
	f, err := decodeFrame(b)
	if err != nil {
		return err
	}
	switch f.Type {
	case framePing:
		return nil
	case frameError:
		if f.problem != nil && f.problem.Status != 0 {
			return f.problem
		}
		return errClosed
	case FrameSnapshot:
		if w.since < 0 {
			w.since = f.Snapshot.Version
		}
	case FrameStatus:
		if f.Version <= w.since {
			return nil
		}
		w.since = f.Version
	case FrameEnd:
		w.ended = true
	}
	w.stopped = !w.yield(f, nil)
	w.heard = time.Now() // the reader may have been slow
	if w.ended || w.stopped {
		return errDone
	}
	return nil
}

// closed maps a WebSocket's close code to an error that decides whether to reconnect.
func closed(code uint16, reason string) error {
	switch code {
	case 1000:
		return errDone
	case 4001:
		return &Problem{Status: http.StatusUnauthorized, Code: CodeUnauthenticated, Title: "Unauthorised", Detail: reason}
	case 4002:
		return &Problem{Status: http.StatusForbidden, Code: CodeForbidden, Title: "Revoked", Detail: reason}
	case 4400:
		return &Problem{Status: http.StatusBadRequest, Code: CodeMalformed, Title: "Bad request", Detail: reason}
	}
	return errClosed
}

// broken wraps a connection error as a broken stream.
func broken(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return errClosed
	}
	return err
}
