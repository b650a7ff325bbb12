package httpserver

import (
	"cmp"
	"encoding/binary"
	"errors"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/lxzan/gws"

	"github.com/order-tracking/order-tracking/internal/push"
	"github.com/order-tracking/order-tracking/internal/transport"
)

// writeAtOnce is roughly how many bytes of waiting frames are written together.
const writeAtOnce = 32 << 10

// manySockets is the number of waiting sockets per writer at which another writer starts.
const manySockets = 64

// writers are the goroutines that write to WebSockets: at most one per two processors, and none while there is nothing to
// write. They never wait for a client: what one does not accept at once is left to a goroutine of its own.
type writers struct {
	most int

	mu      sync.Mutex
	waiting []*socket
	next    int // index into waiting
	running int
}

func newWriters() *writers { return &writers{most: max(1, runtime.GOMAXPROCS(0)/2)} }

// add queues a socket for writing. It does not block.
func (w *writers) add(k *socket) {
	w.mu.Lock()
	w.waiting = append(w.waiting, k)
	// One is enough while it keeps up: handing over between processors costs more.
	start := w.running == 0 || w.running < w.most && len(w.waiting)-w.next > w.running*manySockets
	if start {
		w.running++
	}
	w.mu.Unlock()
	if start {
		go w.run()
	}
}

// run writes for sockets until none is left.
func (w *writers) run() {
	b := batches.Get().(*batch)
	defer batches.Put(b)
	for {
		w.mu.Lock()
		if w.next == len(w.waiting) {
			w.waiting, w.next = w.waiting[:0], 0
			w.running--
			w.mu.Unlock()
			return
		}
		k := w.waiting[w.next]
		w.waiting[w.next] = nil
		w.next++
		w.mu.Unlock()
		k.work(b)
		b.reset()
	}
}

// batch holds a writer's buffers.
type batch struct {
	frames []push.Frame
	out    []byte

	attempt func(fd uintptr) bool
	taken   int
	failed  error
}

var batches = sync.Pool{New: func() any { return new(batch) }}

// reset releases frames and unusually large buffers.
func (b *batch) reset() {
	clear(b.frames)
	if b.frames = b.frames[:0]; cap(b.out) > 2*writeAtOnce {
		b.out = nil
	}
}

// work writes until there is nothing left. Only one goroutine does so at a time: pending,
// the number of unhandled wakes, ensures that.
func (k *socket) work(b *batch) {
	for {
		seen := k.pending.Load()
		var end error
		b.frames, end = k.sub.Drain(b.frames[:0])
		left := b.frames
		for len(left) > 0 {
			left = b.encode(k, left)
			locked := k.writing.TryLock()
			taken, err := 0, error(nil)
			if locked {
				taken, err = b.try(k.raw)
			}
			if err != nil {
				k.writing.Unlock()
				k.hangUp() // pending stays above 0, so nothing more is written
				return
			}
			if taken < len(b.out) {
				go k.insist(locked, slices.Clone(b.out[taken:]), slices.Clone(left), end)
				return
			}
			k.writing.Unlock()
		}
		if end != nil {
			go k.end(end)
			return
		}
		if k.pending.CompareAndSwap(seen, 0) {
			return
		}
	}
}

// encode encodes messages from the first frames, as many as are written together, and returns the remaining frames.
func (b *batch) encode(k *socket, frames []push.Frame) []push.Frame {
	b.out = b.out[:0]
	for i, f := range frames {
		if len(b.out) > 0 && len(b.out)+len(f.JSON) > writeAtOnce {
			return frames[i:]
		}
		if k.many != nil && f.Type == push.TypeEnd {
			k.many.forget(f.Topic)
		}
		b.out = appendText(b.out, f.JSON)
	}
	return nil
}

// appendText appends an unfragmented text message as sent by a server (RFC 6455, 5.2).
func appendText(out, text []byte) []byte {
	const final = 0x80
	out = append(out, final|byte(gws.OpcodeText))
	switch n := len(text); {
	case n > 0xffff:
		out = binary.BigEndian.AppendUint64(append(out, 127), uint64(n))
	case n > 125:
		out = binary.BigEndian.AppendUint16(append(out, 126), uint16(n))
	default:
		out = append(out, byte(n))
	}
	return append(out, text...)
}

// try writes what the client accepts without blocking.
func (b *batch) try(raw syscall.RawConn) (taken int, err error) {
	if raw == nil {
		return 0, nil
	}
	if b.attempt == nil { // allocated once: it is called for every write
		b.attempt = func(fd uintptr) bool {
			b.taken, b.failed = writeFD(fd, b.out)
			return true
		}
	}
	b.taken, b.failed = 0, nil
	err = raw.Write(b.attempt)
	return b.taken, cmp.Or(err, b.failed)
}

// insist waits for the client to accept the rest of a message and the frames after it.
// locked means that the socket is already locked, since a message is partly written.
func (k *socket) insist(locked bool, rest []byte, frames []push.Frame, end error) {
	if !locked {
		k.writing.Lock()
	}
	err := k.writeAll(rest)
	for len(frames) > 0 && err == nil {
		var b batch
		frames = b.encode(k, frames)
		err = k.writeAll(b.out)
	}
	k.writing.Unlock()
	switch {
	case err != nil:
		k.hangUp()
	case end != nil:
		k.end(end)
	default:
		k.server.writers.add(k) // pending is still above 0
	}
}

// writeAll blocks until all is written, for at most transport.WriteTimeout; the socket is locked.
func (k *socket) writeAll(data []byte) error {
	return k.patiently(func() error {
		_, err := k.conn.NetConn().Write(data)
		return err
	})
}

// patiently runs a write with a deadline of transport.WriteTimeout; the socket is locked.
func (k *socket) patiently(write func() error) error {
	if err := k.conn.SetWriteDeadline(time.Now().Add(transport.WriteTimeout)); err != nil {
		return err
	}
	err := write()
	if err == nil {
		err = k.conn.SetWriteDeadline(time.Time{}) // writers would run into the deadline
	}
	return err
}

// end closes the socket with a close code.
func (k *socket) end(err error) {
	if !errors.Is(err, push.ErrClosed) { // otherwise the reader has already gone
		how, _ := transport.EndOf(err)
		k.close(how.Close, how.Text)
	}
}

// hangUp closes the connection; the goroutine that reads notices.
func (k *socket) hangUp() { _ = k.conn.NetConn().Close() }
