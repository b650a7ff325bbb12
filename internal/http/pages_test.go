package httpserver

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var unprotectedPages = []string{
	"/", "/docs", "/docs/page.js", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css", "/docs/favicon-32x32.png",
	"/client.js", "/openapi.json", "/asyncapi.yaml",
}

func TestPagesNeedNoInternet(t *testing.T) {
	d := open(t)
	for _, path := range unprotectedPages {
		r := d.do("GET", path, nil)
		require.Equal(t, http.StatusOK, r.StatusCode, path)
		require.NotEmpty(t, r.body, path)
		if strings.Contains(r.Header.Get("Content-Type"), "html") {
			require.Contains(t, r.Header.Get("Content-Security-Policy"), "default-src", path)
			require.NotRegexp(t, `(src|href)=["']?(https?:)?//`, string(r.body), path)
		}
	}
}

// Files are compressed for clients that accept it, plain for others, and not sent again to
// clients that have them.
func TestFilesAreCompressed(t *testing.T) {
	d := open(t)
	for _, path := range unprotectedPages[1:] {
		plain := d.do("GET", path, nil, "Accept-Encoding", "br, gzip;q=0")
		require.Empty(t, plain.Header.Get("Content-Encoding"), path)
		req, err := http.NewRequest(http.MethodGet, d.URL+path, nil)
		require.NoError(t, err)
		req.Header.Set("Accept-Encoding", "br, gzip;q=0.5")
		small, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.Equal(t, "gzip", small.Header.Get("Content-Encoding"), path)
		require.Equal(t, "Accept-Encoding", small.Header.Get("Vary"), path)
		r, err := gzip.NewReader(small.Body)
		require.NoError(t, err)
		content, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, small.Body.Close())
		require.True(t, bytes.Equal(plain.body, content), path)
		require.Equal(t, http.StatusNotModified, d.do("GET", path, nil, "If-None-Match", small.Header.Get("ETag")).StatusCode, path)
	}
}

func TestLandingShowsCommandsThatWork(t *testing.T) {
	keyless := string(open(t).do("GET", "/welcome", nil, "Host", "localhost:81").body)
	require.Contains(t, keyless, "curl http://localhost:81/orders</code>")
	require.Contains(t, keyless, `href="orders"`)
	require.NotContains(t, keyless, "Bearer")

	d, _ := protected(t)
	keyed := string(d.do("GET", "/welcome", nil, "X-Forwarded-Proto", "https", "Host", "track.example").body)
	require.Contains(t, keyed, `curl https://track.example/orders -H "Authorization: Bearer $KEY"`)
	require.NotContains(t, keyed, `href="orders"`, "a browser has no key to show")
	require.Contains(t, string(d.do("GET", "/welcome", nil, "Host", "a&b.example").body), "http://a&amp;b.example/order")
}
