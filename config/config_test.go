package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

const adminKey = "0123456789abcdef0123456789ABCDEF"

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestDefaultsAreTheShippedFile(t *testing.T) {
	l, err := yamlLayer(originDefault, defaults)
	require.NoError(t, err, "every key of the file is a key of the struct")
	for key := range keys {
		require.Contains(t, l, key, "a key of the struct that the file does not have")
	}

	c, err := Load(nil, nil)
	require.NoError(t, err, "with nothing configured the server starts")
	require.Equal(t, "127.0.0.1:8080", c.HTTP.Addr)
	require.Equal(t, "127.0.0.1:9090", c.GRPC.Addr)
	require.Equal(t, "127.0.0.1:9092", c.Kafka.Listen)
	require.True(t, c.Kafka.Embedded())
	require.True(t, c.Redis.InMemory())
	require.Equal(t, "sqlite://data/order-tracking.db", c.Database.URL)
	require.Equal(t, 24*time.Hour, c.Database.IdempotencyFor)
	require.EqualValues(t, 1<<20, c.HTTP.MaxBodyBytes)
	require.Empty(t, c.Access.BootstrapAdminKey)
	require.False(t, c.KafkaListenExplicit)
	for key := range keys {
		require.Equal(t, originDefault, c.Origin(key))
		require.False(t, c.Explicit(key))
	}
}

func TestEveryKeyIsDocumented(t *testing.T) {
	var doc yaml.Node
	require.NoError(t, yaml.Unmarshal(defaults, &doc))
	documented := 0
	var walk func(prefix string, m *yaml.Node)
	walk = func(prefix string, m *yaml.Node) {
		for i := 0; i < len(m.Content); i += 2 {
			name, value := m.Content[i], m.Content[i+1]
			key := prefix + name.Value
			if prefix != "" {
				require.NotEmpty(t, name.HeadComment, "%s has no comment above it", key)
			}
			if value.Kind == yaml.MappingNode {
				walk(key+".", value)
			} else {
				documented++
			}
		}
	}
	walk("", doc.Content[0])
	require.Equal(t, len(keys), documented)
	for name, key := range shortNames {
		require.Contains(t, keys, key)
		require.Contains(t, string(defaults), name, "the short name of %s is not in the file", key)
	}
}

func TestEnvironment(t *testing.T) {
	tests := []struct {
		env, key string
		want     any
		got      func(*Config) any
	}{
		{"DATABASE_URL=sqlite:///var/x.db", "database.url", "sqlite:///var/x.db", func(c *Config) any { return c.Database.URL }},
		{"DATABASE_URL=postgres://u:p@db:5432/ot", "database.url", "postgres://u:p@db:5432/ot", func(c *Config) any { return c.Database.URL }},
		{"REDIS_URL=redis://cache:6379/0", "redis.url", "redis://cache:6379/0", func(c *Config) any { return c.Redis.URL }},
		{"KAFKA_BROKERS=a:9092, b:9092", "kafka.brokers", []string{"a:9092", "b:9092"}, func(c *Config) any { return c.Kafka.Brokers }},
		{"KAFKA_BROKERS=", "kafka.brokers", []string{}, func(c *Config) any { return c.Kafka.Brokers }},
		{"KAFKA_LISTEN=127.0.0.1:0", "kafka.listen", true, func(c *Config) any { return c.KafkaListenExplicit }},
		{"KAFKA_LISTEN=127.0.0.1:9092", "kafka.listen", true, func(c *Config) any { return c.KafkaListenExplicit }},
		{"HTTP_ADDR=[::1]:8081", "http.addr", "[::1]:8081", func(c *Config) any { return c.HTTP.Addr }},
		{"GRPC_ADDR=localhost:0", "grpc.addr", "localhost:0", func(c *Config) any { return c.GRPC.Addr }},
		{"LOG_LEVEL=debug", "log.level", "debug", func(c *Config) any { return c.Log.Level }},
		{"BOOTSTRAP_ADMIN_KEY=" + adminKey, "access.bootstrap_admin_key", adminKey, func(c *Config) any { return c.Access.BootstrapAdminKey }},
		{"OT_HTTP__ADDR=127.0.0.1:81", "http.addr", "127.0.0.1:81", func(c *Config) any { return c.HTTP.Addr }},
		{"OT_HTTP__READ_TIMEOUT=1m30s", "http.read_timeout", 90 * time.Second, func(c *Config) any { return c.HTTP.ReadTimeout }},
		{"OT_HTTP__ACCESS_LOG=false", "http.access_log", false, func(c *Config) any { return c.HTTP.AccessLog }},
		{"OT_HTTP__ALLOWED_ORIGINS=https://a.example,http://b:81", "http.allowed_origins",
			[]string{"https://a.example", "http://b:81"}, func(c *Config) any { return c.HTTP.AllowedOrigins }},
		{"OT_ESTIMATE__SPEEDS__CAR=7.25", "estimate.speeds.car", 7.25, func(c *Config) any { return c.Estimate.Speeds.Car }},
		{"OT_DATABASE__MAX_GROUP=1", "database.max_group", 1, func(c *Config) any { return c.Database.MaxGroup }},
		{"OT_ORDERS__PHONE_REGION=KE", "orders.phone_region", "KE", func(c *Config) any { return c.Orders.PhoneRegion }},
	}
	for _, tt := range tests {
		t.Run(tt.env, func(t *testing.T) {
			c, err := Load(nil, []string{"PATH=/bin", tt.env, "broken"})
			require.NoError(t, err)
			require.Equal(t, tt.want, tt.got(c))
			require.True(t, c.Explicit(tt.key))
			name, _, _ := strings.Cut(tt.env, "=")
			require.Equal(t, "environment "+name, c.Origin(tt.key))
		})
	}
}

func TestEveryKeyCanBeSetEverywhere(t *testing.T) {
	shipped, err := yamlLayer(originDefault, defaults)
	require.NoError(t, err)
	for key, def := range shipped {
		t.Run(key, func(t *testing.T) {
			text := sprintDefault(def.value)
			env := envPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "__"))
			l, err := envLayer([]string{env + "=" + text})
			require.NoError(t, err)
			if text != "" {
				require.Equal(t, def.value, l[key].value)
			}
			l, _, err = flagLayer([]string{"--set", key + "=" + text})
			require.NoError(t, err)
			require.Equal(t, def.value, l[key].value)
		})
	}
}

func sprintDefault(v any) string {
	if list, ok := v.([]string); ok {
		return strings.Join(list, ",")
	}
	text, err := yaml.Marshal(v)
	if err != nil {
		panic(err)
	}
	return strings.Trim(strings.TrimSpace(string(text)), `"`)
}

func TestPrecedence(t *testing.T) {
	file := writeFile(t, "http:\n  addr: 127.0.0.1:1\n  idle_timeout: 1m\ngrpc:\n  addr: 127.0.0.1:2\nkafka:\n  listen: 127.0.0.1:3\nlog:\n")
	c, err := Load([]string{"--config", file, "--http-addr=127.0.0.1:21", "--set", "log.format=json"},
		[]string{"HTTP_ADDR=127.0.0.1:11", "OT_GRPC__ADDR=127.0.0.1:12", "LOG_LEVEL="})
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:21", c.HTTP.Addr)
	require.Equal(t, "flag --http-addr", c.Origin("http.addr"))
	require.Equal(t, "127.0.0.1:12", c.GRPC.Addr)
	require.Equal(t, "environment OT_GRPC__ADDR", c.Origin("grpc.addr"))
	require.Equal(t, "127.0.0.1:3", c.Kafka.Listen)
	require.Equal(t, "file "+file, c.Origin("kafka.listen"))
	require.True(t, c.KafkaListenExplicit)
	require.Equal(t, time.Minute, c.HTTP.IdleTimeout)
	require.Equal(t, "json", c.Log.Format)
	require.Equal(t, "flag --set", c.Origin("log.format"))
	require.Equal(t, "info", c.Log.Level, "an empty variable counts as absent")
	require.Equal(t, originDefault, c.Origin("log.level"))
}

func TestHelp(t *testing.T) {
	_, err := Load([]string{"--help"}, nil)
	require.ErrorIs(t, err, pflag.ErrHelp)
	for _, f := range flagNames {
		require.Contains(t, Usage(), "--"+f.name)
		require.Contains(t, keys, f.key)
	}
}

func TestAdminKeyFile(t *testing.T) {
	c, err := Load(nil, []string{"BOOTSTRAP_ADMIN_KEY_FILE=" + writeFile(t, adminKey+"\r\n"), "HTTP_ADDR=:8080"})
	require.NoError(t, err)
	require.Equal(t, adminKey, c.Access.BootstrapAdminKey)
}

func TestRedacted(t *testing.T) {
	c, err := Load(nil, []string{
		"DATABASE_URL=postgres://user:hush1@db/ot?sslmode=require&sslpassword=hush2",
		"REDIS_URL=redis://:hush3@cache", "BOOTSTRAP_ADMIN_KEY=" + adminKey,
	})
	require.NoError(t, err)
	text, err := yaml.Marshal(c.Redacted())
	require.NoError(t, err)
	require.NotContains(t, string(text), "hush")
	require.NotContains(t, string(text), adminKey)
	require.Contains(t, string(text), "user:xxxxx@db/ot")
	require.Contains(t, c.Database.URL, "hush1", "the configuration itself is not touched")

	c, err = Load(nil, []string{"DATABASE_URL=sqlite://my data/x%3F.db"})
	require.NoError(t, err)
	require.Equal(t, c, c.Redacted(), "nothing to hide")
}

func TestDatabaseURL(t *testing.T) {
	tests := []struct {
		url    string
		engine Engine
		target string
		wrong  string
	}{
		{"sqlite://data/order-tracking.db", SQLite, "data/order-tracking.db", ""},
		{"sqlite:///var/x.db", SQLite, "/var/x.db", ""},
		{"sqlite://x.db", SQLite, "x.db", ""},
		{"sqlite://my%20data/100%25.db", SQLite, "my data/100%.db", ""},
		{"sqlite://", SQLite, "", "must name a file"},
		{"sqlite:///var/", SQLite, "", "must name a file"},
		{"sqlite://:memory:", SQLite, "", "must name a file"},
		{"sqlite://x.db?mode=ro", SQLite, "", "no parameters"},
		{"sqlite://x%ZZ.db", SQLite, "", "not a valid URL"},
		{"sqlite://x%00.db", SQLite, "", "control character"},
		{"postgres://u:p@h:5432/d?sslmode=disable", Postgres, "postgres://u:p@h:5432/d?sslmode=disable", ""},
		{"postgresql:///d?host=/run/postgresql", Postgres, "postgresql:///d?host=/run/postgresql", ""},
		{"postgres://u:p@h:port/d", Postgres, "postgres://u:p@h:port/d", "not a valid URL"},
		{"mysql://h/d", "", "", "must be a URL that starts with"},
		{"data/x.db", "", "", "must be a URL that starts with"},
		{"", "", "", "must be a URL that starts with"},
	}
	for _, tt := range tests {
		t.Run(tt.url, func(t *testing.T) {
			engine, target, err := Database{URL: tt.url}.ParseURL()
			if tt.wrong != "" {
				require.ErrorContains(t, err, tt.wrong)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.engine, engine)
			require.Equal(t, filepath.FromSlash(tt.target), target)
		})
	}
}

func TestEveryNumberHasLimits(t *testing.T) {
	for key, spec := range keys {
		if kind := reflect.New(spec.kind).Elem(); kind.CanInt() || kind.CanFloat() {
			require.NotEmpty(t, spec.min, key)
		}
	}
	_, err := Load(nil, []string{"OT_HTTP__IDLE_TIMEOUT=100000h"})
	requireOneLine(t, err, "http.idle_timeout", "between 1ms and 87600h0m0s")
}

func TestEveryRuleIsKnown(t *testing.T) {
	for key, spec := range keys {
		name, argument, _ := strings.Cut(spec.rule, " ")
		switch name {
		case "":
		case "oneof":
			require.NotEmpty(t, strings.Fields(argument), key)
		case "text":
			_, err := strconv.Atoi(argument)
			require.NoError(t, err, key)
		default:
			require.Contains(t, checks, name, key)
		}
		require.True(t, name == "" || spec.kind.Kind() == reflect.String || spec.kind.Kind() == reflect.Slice, key)
	}
}
