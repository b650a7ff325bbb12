package app_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/app"
)

// disk mounts a small file system, which requires root.
func disk(t *testing.T) (dir string, remount func(options string)) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skip("mounting takes the rights to: ", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	return dir, func(options string) {
		flags := uintptr(syscall.MS_REMOUNT)
		if options == "ro" {
			flags |= syscall.MS_RDONLY
		}
		require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", flags, "size=4m"))
	}
}

// fill uses up the remaining space.
func fill(t *testing.T, dir string) (free func()) {
	t.Helper()
	name := filepath.Join(dir, "filling")
	f, err := os.Create(name)
	require.NoError(t, err)
	_, err = io.Copy(f, zeros{})
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.NoError(t, f.Close())
	return func() { require.NoError(t, os.Remove(name)) }
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestAReadOnlyFolderDoesNotStart(t *testing.T) {
	dir, remount := disk(t)
	remount("ro")
	_, err := app.New(t.Context(), settings(t, dir), zap.NewNop(), "test")
	require.ErrorContains(t, err, "read-only file system")
	require.NotContains(t, err.Error(), "\n")
}

// A server on a full disk is not ready and changes nothing. Its data is undamaged, and with
// free space it continues where it was, with the broker's log.
func TestAFullDisk(t *testing.T) {
	dir, _ := disk(t)
	create := func(a *app.App) int {
		body := fmt.Sprintf(`{"customer":{"name":"Anna"},"dropoff":{"address":"Main St 1"},"notes":%q}`, strings.Repeat("x", 1500))
		return status(t, http.MethodPost, "http://"+a.HTTPAddr()+"/order", body)
	}
	ready := func(a *app.App) int { return status(t, http.MethodGet, "http://"+a.HTTPAddr()+"/readyz", "") }
	t.Run("while it runs", func(t *testing.T) {
		a := running(t, dir, "--set=shutdown.timeout=1s")
		require.Equal(t, http.StatusCreated, create(a))
		free := fill(t, dir)
		for create(a) == http.StatusCreated { // fills the free space in the log's last page
		}
		require.Equal(t, http.StatusServiceUnavailable, create(a))
		require.Eventually(t, func() bool { return ready(a) == http.StatusServiceUnavailable }, patience, moment)
		free()
		require.Eventually(t, func() bool { return ready(a) == http.StatusOK }, patience, moment)
		require.Equal(t, http.StatusCreated, create(a))
		fill(t, dir)
	})
	free := fill(t, dir) // also what the stop gave back, such as the database's log
	_, err := app.New(t.Context(), settings(t, dir), zap.NewNop(), "test")
	require.ErrorContains(t, err, "no space left on device")
	require.NotContains(t, err.Error(), "\n")
	free()
	t.Run("afterwards", func(t *testing.T) {
		a := running(t, dir)
		require.Equal(t, http.StatusOK, ready(a))
		aside, err := filepath.Glob(filepath.Join(dir, "data", "kafka", "*unreadable*"))
		require.NoError(t, err)
		require.Empty(t, aside)
	})
}
