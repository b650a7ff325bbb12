//go:build unix

package database

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// victimPath is the variable with the database that this process writes until it is killed.
const victimPath = "OT_TEST_VICTIM_DB"

func TestMain(m *testing.M) {
	if path := os.Getenv(victimPath); path != "" {
		victim(path)
		return
	}
	if url := os.Getenv(leaderURL); url != "" {
		leadOnly(url)
		return
	}
	goleak.VerifyTestMain(m)
}

// victim creates and changes orders from many goroutines and prints each acknowledged
// order's id and version.
func victim(path string) {
	s, err := OpenSQLite(context.Background(), path, Options{})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	var out sync.Mutex
	say := func(o *domain.Order, err error) {
		out.Lock()
		defer out.Unlock()
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		fmt.Println(o.ID, o.Version)
	}
	for w := range 16 {
		go func() {
			for i := 0; ; i++ {
				o, err := s.CreateOrder(context.Background(), newChange(w))
				say(o, err)
				say(s.UpdateOrder(context.Background(), o.ID, editNotes(fmt.Sprint(i))))
			}
		}()
	}
	select {}
}

// Acknowledged changes are on disk: a process killed with -9 while writing loses none of
// them, and its file opens again, three times in a row.
func TestKilledProcessLosesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "orders.db")
	answered := map[string]int64{}
	for range 3 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), victimPath+"="+path)
		stdout, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		lines := bufio.NewScanner(stdout)
		for n := 0; lines.Scan(); n++ {
			var id string
			var version int64
			if _, err := fmt.Sscan(lines.Text(), &id, &version); err != nil {
				require.NotContains(t, lines.Text(), "error")
				continue // cut off by the kill
			}
			if len(id) == 36 {
				answered[id] = max(answered[id], version)
			}
			if n == 500 {
				require.NoError(t, cmd.Process.Kill())
			}
		}
		require.Error(t, cmd.Wait(), "killed")

		s := openSQLite(t, path, Options{})
		for id, version := range answered {
			o, err := s.Order(t.Context(), id)
			require.NoError(t, err)
			require.GreaterOrEqual(t, o.Version, version)
			events, err := s.Events(t.Context(), id, 0)
			require.NoError(t, err)
			require.Len(t, events, int(o.Version))
		}
		var orphans int
		require.NoError(t, s.read.QueryRow(`SELECT count(*) FROM order_events e
			WHERE NOT EXISTS (SELECT 1 FROM outbox b WHERE b.pos = e.pos)
			OR NOT EXISTS (SELECT 1 FROM orders o WHERE o.id = e.order_id AND o.version >= e.seq)`).Scan(&orphans))
		require.Zero(t, orphans, "an event without its order or its place in the outbox")
		require.NoError(t, s.Close())
	}
	require.GreaterOrEqual(t, len(answered), 700)
}
