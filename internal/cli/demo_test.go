package cli

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/demo"
)

// The demo starts, prints its addresses, stops when interrupted, and removes its data
// unless asked to keep it.
func TestDemo(t *testing.T) {
	for _, keep := range []bool{false, true} {
		dir := t.TempDir()
		t.Setenv("TMPDIR", dir)
		ctx, stop := context.WithCancel(t.Context())
		var out, errs lockedBuffer
		args := []string{"demo", "--couriers", "4", "--seed", "7", "--http-addr", "127.0.0.1:0"}
		if keep {
			args = append(args, "--keep")
		}
		code := make(chan int, 1)
		go func() {
			// A database in the environment is ignored.
			environ := []string{"DATABASE_URL=postgres://127.0.0.1:1/none"}
			code <- newEnv(Build{Version: "1.2.3"}, environ, strings.NewReader(""), &out, &errs).run(ctx, args)
		}()
		require.Eventually(t, func() bool { return strings.Contains(out.String(), "Follow ") }, 20*time.Second, 10*time.Millisecond)
		if !keep {
			base := regexp.MustCompile(`http://[0-9.:]+`).FindString(out.String())
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/map.pmtiles", nil)
			require.NoError(t, err)
			resp, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			require.EqualValues(t, len(demo.Map), resp.ContentLength)
			require.NoError(t, resp.Body.Close())
		}
		stop()
		require.Zero(t, <-code, errs.String())
		require.Contains(t, out.String(), "© OpenStreetMap contributors")
		require.Contains(t, out.String(), "--seed 7 repeats it")
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Equal(t, keep, len(left) == 1)
		if keep {
			kept := filepath.Join(dir, left[0].Name())
			require.Contains(t, out.String(), kept)
			require.FileExists(t, filepath.Join(kept, "orders.db"))
		}
	}
}

func TestDemoRefuses(t *testing.T) {
	for _, args := range [][]string{{"--speed", "0"}, {"--speed", "NaN"}, {"--couriers", "0"}, {"--http-addr", "x"}, {"here"}} {
		var out, errs lockedBuffer
		code := newEnv(Build{}, nil, strings.NewReader(""), &out, &errs).run(t.Context(), append([]string{"demo"}, args...))
		require.NotZero(t, code, args)
		require.Equal(t, 1, strings.Count(errs.String(), "\n"), errs.String())
	}
}
