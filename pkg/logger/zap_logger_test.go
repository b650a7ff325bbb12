package logger_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/pkg/logger"
)

func TestJSON(t *testing.T) {
	for _, format := range []string{"json", "auto"} {
		var out bytes.Buffer
		log, err := logger.New("info", format, &out)
		require.NoError(t, err)
		log.Debug("below the level")
		log.Info("ready", zap.String("addr", "127.0.0.1:8080"), zap.Duration("took", 1500*time.Millisecond))

		var line map[string]any
		require.NoError(t, json.Unmarshal(out.Bytes(), &line), "one line, and it is JSON")
		require.Equal(t, "info", line["level"])
		require.Equal(t, "ready", line["msg"])
		require.Equal(t, "127.0.0.1:8080", line["addr"])
		require.Equal(t, "1.5s", line["took"])
		at, err := time.Parse("2006-01-02T15:04:05.000Z", line["time"].(string))
		require.NoError(t, err, "UTC in ISO 8601")
		require.WithinDuration(t, time.Now(), at, time.Minute)
	}
}

func TestConsole(t *testing.T) {
	var out bytes.Buffer
	log, err := logger.New("debug", "console", &out)
	require.NoError(t, err)
	log.Debug("hello", zap.Int("n", 1))
	require.Contains(t, out.String(), "\tDEBUG\thello\t{\"n\": 1}\n")
	require.NotContains(t, out.String(), "\x1b", "no colours where there is no terminal")
}

func TestAutoIsJSONInAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	f, err := os.Create(path)
	require.NoError(t, err)
	log, err := logger.New("warn", "auto", f)
	require.NoError(t, err)
	log.Info("below the level")
	log.Warn("careful")
	require.NoError(t, f.Close())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.True(t, json.Valid(text), "%s", text)
	require.Equal(t, 1, strings.Count(string(text), "\n"))
}

func TestRefused(t *testing.T) {
	_, err := logger.New("loud", "auto", os.Stderr)
	require.ErrorContains(t, err, "loud")
	_, err = logger.New("info", "xml", os.Stderr)
	require.ErrorContains(t, err, "xml")
}
