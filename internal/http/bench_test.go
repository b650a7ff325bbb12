package httpserver

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// discard is a response writer that drops everything.
type discard struct{ h http.Header }

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

// The server against a bare Gin handler that returns the same bytes, without sockets.
func BenchmarkGetHotOrder(b *testing.B) {
	cfg := testConfig()
	cfg.AccessLog = false
	d := openWith(b, cfg, guardOf(""))
	id := d.order()
	body := d.do("GET", "/order/"+id, nil).body
	bare := gin.New()
	bare.GET("/order/:order_id", func(c *gin.Context) { c.Data(200, jsonType, body) })
	for name, handler := range map[string]http.Handler{"server": d.srv, "bare": bare} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			r := httptest.NewRequest("GET", "/order/"+id, nil)
			r.RemoteAddr, r.Host = "127.0.0.1:4711", "localhost:8080"
			for b.Loop() {
				handler.ServeHTTP(&discard{h: http.Header{}}, r)
			}
		})
	}
}

// The full path over loopback, where the server's own work hardly shows.
func BenchmarkGetHotOrderOverHTTP(b *testing.B) {
	cfg := testConfig()
	cfg.AccessLog = false
	d := openWith(b, cfg, guardOf(""))
	id := d.order()
	body := d.do("GET", "/order/"+id, nil).body
	bare := gin.New()
	bare.GET("/order/:order_id", func(c *gin.Context) { c.Data(200, jsonType, body) })
	plain := httptest.NewServer(bare)
	defer plain.Close()
	for name, url := range map[string]string{"server": d.URL, "bare": plain.URL} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				resp, err := http.Get(url + "/order/" + id)
				require.NoError(b, err)
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
		})
	}
}

func BenchmarkDecodeDraft(b *testing.B) {
	body := []byte(`{"external_id":"x","customer":{"name":"Ann","phone":"+79161234567"},"pickup":{"address":"Arbat 10","location":{"lat":55.7,"lon":37.6}},` +
		`"dropoff":{"address":"1 High Street","location":{"lat":55.7,"lon":37.6}},"items":[{"name":"Pizza","quantity":2,"price":{"amount":64950,"currency":"RUB"}}],` +
		`"total":{"amount":129900,"currency":"RUB"},"notes":"` + strings.Repeat("n", 100) + `","metadata":{"a":"1","b":"2"}}`)
	b.ReportAllocs()
	for b.Loop() {
		_, _, err := decode[domain.Draft](JSONBody{RawBody: body})
		require.NoError(b, err)
	}
}
