package httpserver

import (
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"
	"github.com/klauspost/compress/gzip"
)

// compressFrom is the shortest response worth compressing, in bytes.
const compressFrom = 1 << 10

var zippers = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // fails only for unknown levels
	return w
}}

// zipped is a writer that compresses responses that are long enough: it decides on the first
// write, which usually contains the whole response.
type zipped struct {
	gin.ResponseWriter
	zip     *gzip.Writer
	decided bool
}

// compress compresses the response if the client accepts it.
func compress(c *gin.Context) (done func()) {
	z := &zipped{ResponseWriter: c.Writer}
	c.Writer = z
	return z.close
}

// Unwrap lets http.ResponseController reach the underlying writer.
func (z *zipped) Unwrap() http.ResponseWriter { return z.ResponseWriter }

func (z *zipped) Write(data []byte) (int, error) {
	if !z.decided {
		z.decide(data)
	}
	if z.zip != nil {
		return z.zip.Write(data)
	}
	return z.ResponseWriter.Write(data)
}

func (z *zipped) WriteString(s string) (int, error) { return z.Write([]byte(s)) } //nolint:gocritic // io.WriteString would recurse

// decide looks at the response's headers and first bytes.
func (z *zipped) decide(data []byte) {
	z.decided = true
	h := z.Header()
	length, known := strconv.Atoi(h.Get("Content-Length"))
	long := len(data) >= compressFrom || known == nil && length >= compressFrom || streamed[h.Get("Content-Type")]
	if !long || h.Get("Content-Encoding") != "" || !compressible(h.Get("Content-Type")) || z.Written() ||
		z.Status() == http.StatusPartialContent {
		return
	}
	h.Set("Content-Encoding", "gzip")
	h.Add("Vary", "Accept-Encoding")
	h.Del("Content-Length")
	z.zip = zippers.Get().(*gzip.Writer)
	z.zip.Reset(z.ResponseWriter)
}

// streamed are the content types of responses whose first write does not show their length.
var streamed = map[string]bool{ndjsonType: true, csvType: true}

func compressible(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	return media != "text/event-stream" && (strings.HasPrefix(media, "text/") || strings.HasSuffix(media, "json") ||
		strings.HasSuffix(media, "javascript") || strings.HasSuffix(media, "yaml") || strings.HasSuffix(media, "xml"))
}

// Flush sends what is buffered.
func (z *zipped) Flush() {
	if z.zip != nil {
		_ = z.zip.Flush() // the next write returns the error again
	}
	z.ResponseWriter.Flush()
}

func (z *zipped) close() {
	if z.zip != nil {
		_ = z.zip.Close() // on failure the client sees a truncated response
		zippers.Put(z.zip)
		z.zip = nil
	}
}
