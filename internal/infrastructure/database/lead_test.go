//go:build unix

package database

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// leaderURL is the variable with the database whose relay this process leads.
const leaderURL = "OT_TEST_LEADER_URL"

// leadOnly leads, prints so repeatedly, and prints the error that ended it.
func leadOnly(url string) {
	ctx := context.Background()
	s, err := OpenPostgres(ctx, url, Options{})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	box, _, err := s.Lead(ctx)
	if err != nil || box == nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	for {
		entries, err := box.Pending(ctx, 10)
		if err == nil && len(entries) > 1 {
			err = box.Published(ctx, []int64{entries[0].Position})
		}
		if err != nil {
			fmt.Println("over", err)
			os.Exit(0)
		}
		fmt.Println("leading", len(entries))
		time.Sleep(50 * time.Millisecond) // a separate process, with no event to wait for
	}
}

// startLeader starts a leading process and returns its output lines once it leads.
func startLeader(t *testing.T, url string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), leaderURL+"="+url)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := bufio.NewScanner(stdout)
	require.True(t, lines.Scan())
	require.Contains(t, lines.Text(), "leading")
	return cmd, lines
}

// takesOver waits until s leads and returns how long that took.
func takesOver(t *testing.T, s *Store) (domain.Outbox, func(), time.Duration) {
	t.Helper()
	since := time.Now()
	var box domain.Outbox
	var resign func()
	require.Eventually(t, func() bool {
		var err error
		box, resign, err = s.Lead(t.Context())
		require.NoError(t, err)
		return box != nil
	}, 20*time.Second, 100*time.Millisecond)
	return box, resign, time.Since(since)
}

// A killed or suspended leader is replaced within five seconds; one that resumes finds that
// it no longer leads, and does no harm.
func TestAnotherLeads(t *testing.T) {
	t.Parallel()
	for name, signal := range map[string]syscall.Signal{"killed": syscall.SIGKILL, "stopped": syscall.SIGSTOP} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := freshPostgres(t)
			s := openPostgres(t, url, Options{})
			cmd, lines := startLeader(t, url)
			for range 3 { // while it works no other process leads
				require.True(t, lines.Scan())
				box, _, err := s.Lead(t.Context())
				require.NoError(t, err)
				require.Nil(t, box)
			}
			require.NoError(t, cmd.Process.Signal(signal))
			box, resign, took := takesOver(t, s)
			defer resign()
			require.Less(t, took, 5*time.Second)
			t.Log("took over after", took)
			for i := range 3 {
				_, err := s.CreateOrder(t.Context(), newChange(i))
				require.NoError(t, err)
			}
			if signal == syscall.SIGSTOP {
				require.NoError(t, cmd.Process.Signal(syscall.SIGCONT))
				last := ""
				for lines.Scan() {
					last = lines.Text()
				}
				require.Contains(t, last, "over")
			}
			entries, err := box.Pending(t.Context(), 10)
			require.NoError(t, err)
			require.Len(t, entries, 3, "the old leader took none of them")
			require.NoError(t, box.Published(t.Context(), []int64{entries[0].Position}))
		})
	}
}

func TestLead(t *testing.T) {
	t.Parallel()
	url := freshPostgres(t)
	a, b := openPostgres(t, url, Options{}), openPostgres(t, url, Options{})
	_, err := a.CreateOrder(t.Context(), newChange(1))
	require.NoError(t, err)
	box, resign, err := a.Lead(t.Context())
	require.NoError(t, err)
	entries, err := box.Pending(t.Context(), 10)
	require.NoError(t, err)
	all, err := b.Pending(t.Context(), 10)
	require.NoError(t, err)
	require.Equal(t, all, entries)
	require.NoError(t, box.Published(t.Context(), []int64{entries[0].Position}))
	backlog, err := b.Backlog(t.Context())
	require.NoError(t, err)
	require.Zero(t, backlog)

	// Heartbeats keep its session while it is idle for longer than leadIdle.
	time.Sleep(leadIdle + leadPulse) // real sockets: nothing else to wait for
	_, err = box.Pending(t.Context(), 10)
	require.NoError(t, err)

	resign()
	resign() // again is fine
	_, err = box.Pending(t.Context(), 10)
	require.Equal(t, domain.CodeUnavailable, domain.CodeOf(err))
	_, _, took := takesOver(t, b)
	require.Less(t, took, 2*time.Second)
	other, _, err := a.Lead(t.Context())
	require.NoError(t, err)
	require.Nil(t, other)
}
