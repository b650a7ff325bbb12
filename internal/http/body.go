package httpserver

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/klauspost/compress/zstd"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// The rest of a rejected request's body is read and discarded, so that clients that send everything before reading the
// response do get it. These limit the bytes, the time and the connections drained at once.
const (
	maxRefused   = 8 << 20
	drainedFor   = 5 * time.Second
	drainedAside = 64
)

// maxWindow bounds the memory that decompressing a body may need.
const maxWindow = 8 << 20

// body is a request body, decompressed, up to a limit. Read errors are fit for the caller to see.
type body struct {
	wire  io.Reader // as sent
	from  io.Reader // decompressed; nil until the first byte is read
	open  func(io.Reader) (io.ReadCloser, error)
	limit int64 // 0 for none
	left  int64
	begun bool
	ended bool // of wire

	tooLarge bool // as stated by its Content-Length
}

// takeBody wraps the request's body. It fails with unsupported_media_type; a body that is too
// large is reported when it is read, after authorization.
func takeBody(c *gin.Context, limit int64) error {
	b := &body{wire: c.Request.Body, limit: limit, left: limit, tooLarge: limit > 0 && c.Request.ContentLength > limit}
	r := new(*c.Request) // the server must find its own body in its own request
	r.Body, c.Request = b, r
	switch coding := r.Header.Get("Content-Encoding"); strings.ToLower(strings.TrimSpace(coding)) {
	case "", "identity":
		b.from = (*wire)(b)
	case "gzip", "x-gzip":
		b.open = func(from io.Reader) (io.ReadCloser, error) { return gzip.NewReader(from) }
	case "zstd":
		b.open = func(from io.Reader) (io.ReadCloser, error) {
			d, err := zstd.NewReader(from, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
			if err != nil {
				return nil, err
			}
			return d.IOReadCloser(), nil
		}
	default:
		return domain.Errorf(domain.CodeUnsupportedMediaType, "a body may be compressed by gzip or zstd, not %q", coding)
	}
	if b.open != nil {
		r.ContentLength = -1
		r.Header.Del("Content-Encoding")
	}
	return nil
}

// Read returns domain errors.
func (b *body) Read(p []byte) (int, error) {
	if b.tooLarge {
		return 0, bodyTooLarge(b.limit)
	}
	if b.from == nil {
		from, err := b.open((*wire)(b))
		if err != nil {
			return 0, readingError(err)
		}
		b.from = from
	}
	if b.limit > 0 && int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.from.Read(p)
	if b.limit > 0 && int64(n) > b.left {
		return int(b.left), bodyTooLarge(b.limit)
	}
	b.left -= int64(n)
	if err != nil {
		err = readingError(err)
	}
	return n, err
}

// Close frees the decompressor; the server closes the rest.
func (b *body) Close() error {
	if closer, ok := b.from.(io.Closer); ok && b.open != nil {
		return closer.Close()
	}
	return nil
}

// wire is a body as sent.
type wire body

func (w *wire) Read(p []byte) (int, error) {
	w.begun = true
	n, err := w.wire.Read(p)
	w.ended = w.ended || errors.Is(err, io.EOF)
	return n, err
}

// readingError describes a read failure without addresses.
func readingError(err error) error {
	var known *domain.Error
	switch {
	case errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &known):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return domain.Errorf(domain.CodeRequestTimeout, "the body did not arrive in time")
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.Is(err, zstd.ErrMagicMismatch), errors.Is(err, zstd.ErrCRCMismatch):
		return domain.Errorf(domain.CodeMalformed, "the body is not compressed as stated in Content-Encoding")
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return bodyTooLarge(maxWindow)
	}
	return errors.Join(domain.Errorf(domain.CodeMalformed, "the body ended before it was complete"), cut(err))
}

// cut reduces a failure to the fact that the body was cut off.
func cut(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.Canceled) {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// drain reads the rest of the body after a rejection.
func (s *Server) drain(c *gin.Context) {
	b, ok := c.Request.Body.(*body)
	if !ok {
		return
	}
	defer b.Close()                                           //nolint:errcheck // there is nothing to lose
	waits := !b.begun && c.Request.Header.Get("Expect") != "" // the client sends no body without a 100 Continue
	late := c.Writer.Status() == http.StatusRequestTimeout
	if c.Writer.Status() < http.StatusBadRequest || b.ended || waits || late {
		return
	}
	select {
	case s.draining <- struct{}{}:
		defer func() { <-s.draining }()
	default:
		return
	}
	c.Writer.Flush()
	_ = http.NewResponseController(c.Writer).SetReadDeadline(time.Now().Add(drainedFor)) // without deadlines the size limit applies
	_, _ = io.CopyN(io.Discard, (*wire)(b), maxRefused)
}
