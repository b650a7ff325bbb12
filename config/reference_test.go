package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestReferenceIsCurrent(t *testing.T) {
	want, err := Reference()
	require.NoError(t, err)
	got, err := os.ReadFile(filepath.Join("..", "docs", "configuration.md"))
	require.NoError(t, err)
	require.Equal(t, want, strings.ReplaceAll(string(got), "\r\n", "\n"), "run: go generate ./config")
	for key := range keys {
		require.Contains(t, want, "**`"+key+"`**")
		require.Contains(t, want, "`OT_"+strings.ToUpper(strings.ReplaceAll(key, ".", "__"))+"`")
	}
	for name := range shortNames {
		require.Contains(t, want, "`"+name+"`")
	}
	require.Zero(t, strings.Count(want, "```")%2, "every block of code is closed")
}

// The printed configuration can be loaded as a file.
func TestPrintedConfigurationCanBeRead(t *testing.T) {
	environ := []string{
		"OT_HTTP__READ_TIMEOUT=90s", "OT_ESTIMATE__HANDOVER=1h0m30s", "OT_DATABASE__PURGE_EVERY=10m", "KAFKA_BROKERS=a:1,b:2",
		"OT_ORDERS__PHONE_REGION=KE", "LOG_LEVEL=debug",
	}
	c, err := Load(nil, environ)
	require.NoError(t, err)
	text, err := c.YAML()
	require.NoError(t, err)
	require.Contains(t, text, "purge_every: 10m # environment OT_DATABASE__PURGE_EVERY\n")
	file := filepath.Join(t.TempDir(), "config.yaml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	again, err := Load([]string{"--config", file}, nil)
	require.NoError(t, err)
	again.origins, c.origins = nil, nil
	again.KafkaListenExplicit = c.KafkaListenExplicit
	require.Equal(t, c, again)
}

func TestDurationsAsPeopleWriteThem(t *testing.T) {
	for d, want := range map[time.Duration]string{
		24 * time.Hour: "24h", 90 * time.Second: "1m30s", 10 * time.Minute: "10m", 10 * time.Second: "10s", 0: "0s",
		time.Hour + time.Second: "1h0m1s", 250 * time.Millisecond: "250ms", 100 * time.Minute: "1h40m",
	} {
		require.Equal(t, want, shortDuration(d))
	}
}
