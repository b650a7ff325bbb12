package client

import (
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"time"
)

// FromNow is the since of a Watch that wants no earlier changes.
const FromNow int64 = -1

// Watch follows an order until it is finished: a snapshot, then, when since is not
// FromNow, each change with a later version (0 is the whole history), then what
// happens. It ends after the end frame.
//
// A stream that breaks or that the server closes because it stops or because the
// reader was too slow is taken up again from the last change that was seen: there is
// another snapshot, and no change is missing or comes twice. When the server refuses
// the caller or can't be reached for the time of WithRetryFor, the error is the last
// thing that it yields; so is the context's error.
func (c *Client) Watch(ctx context.Context, orderID string, since int64) iter.Seq2[Frame, error] {
	return func(yield func(Frame, error) bool) {
		w := &watcher{since: since, yield: yield}
		if err := c.follow(ctx, orderID, w); err != nil && !w.stopped {
			yield(Frame{}, err)
		}
	}
}

// Ticket opens one stream, as the one who asked for it; it is shown this once.
type Ticket struct {
	Ticket    string    `json:"ticket"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Ticket asks for a ticket to hand to a web page of yours, which opens a stream with it
// (?ticket=) and never sees the key.
func (c *Client) Ticket(ctx context.Context, opts ...CallOption) (*Ticket, error) {
	return do[*Ticket](ctx, c, http.MethodPost, "/ws/ticket", nil, opts...)
}

// watcher is where a Watch stands, across its connections.
type watcher struct {
	since   int64 // the newest version that was seen, FromNow before there is one
	yield   func(Frame, error) bool
	heard   time.Time // when the server last said something
	ended   bool      // the order is finished
	stopped bool      // the reader has enough
}

// errClosed ends a connection that is worth taking up again.
var errClosed = errors.New("the stream was closed")

// errDone ends a connection for good, in peace.
var errDone = errors.New("done")

// follow connects again and again; nil when there is nothing more to follow.
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

// final says whether coming back after err is of no use.
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
	w.heard = time.Now() // the reader may have taken its time
	if w.ended || w.stopped {
		return errDone
	}
	return nil
}

// closed turns the code of a WebSocket's close frame into what Watch does about it.
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

// broken makes an error of a connection one that says that the stream was cut.
func broken(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return errClosed
	}
	return err
}
