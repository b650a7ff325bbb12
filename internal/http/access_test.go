package httpserver

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/access"
)

// TestEveryRouteHasARow: every route except pages has a row in the permission table, and
// pages are the same for everyone.
func TestEveryRouteHasARow(t *testing.T) {
	d := open(t)
	for _, r := range d.srv.engine.Routes() {
		if r.Method == "HEAD" || isPage(r.Path) {
			continue
		}
		op := d.srv.operations[route{r.Method, r.Path}]
		require.NotNil(t, op, "%s %s", r.Method, r.Path)
		require.Equal(t, access.OperationOf(op.ID), op, "%s %s", r.Method, r.Path)
		require.NotEmpty(t, op.ID, "%s %s", r.Method, r.Path)
	}
}

// isPage reports whether a path is that of a page or of a file that pages load.
func isPage(path string) bool {
	return path == "/" || slices.ContainsFunc([]string{"/docs", "/client", "/assets", "/t/", "/courier-app", "/brand", "/map", "/licences", "/parts", "/sw.js", "/welcome"}, func(p string) bool {
		return strings.HasPrefix(path, p)
	})
}
