package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// hush is the secret in every test of a rejected configuration.
const hush = "hush-hush-hush"

func requireOneLine(t *testing.T, err error, parts ...string) {
	t.Helper()
	require.Error(t, err)
	require.NotContains(t, err.Error(), "\n")
	require.NotContains(t, err.Error(), hush)
	for _, part := range parts {
		require.Contains(t, err.Error(), part)
	}
}

func TestRefusedEnvironment(t *testing.T) {
	tests := []struct {
		name string
		env  []string
		want []string
	}{
		{"unknown key", []string{"OT_HTTP__ADR=x"}, []string{"http.adr", "OT_HTTP__ADR"}},
		{"no section", []string{"OT_LEVEL=" + hush}, []string{"OT_LEVEL"}},
		{"a section", []string{"OT_HTTP=" + hush}, []string{"OT_HTTP"}},
		{"unknown vehicle", []string{"OT_ESTIMATE__SPEEDS__TRAM=9"}, []string{"estimate.speeds.tram"}},
		{"unknown and empty", []string{"OT_NOPE__X="}, []string{"nope.x"}},
		{"newline in a name", []string{"OT_A\nB=1"}, []string{`OT_A\nB`}},
		{"twice", []string{"HTTP_ADDR=127.0.0.1:1", "OT_HTTP__ADDR=127.0.0.1:1"}, []string{"http.addr", "HTTP_ADDR", "OT_HTTP__ADDR"}},
		{"database scheme", []string{"DATABASE_URL=mysql://u:" + hush + "@h/d"}, []string{"database.url", "DATABASE_URL"}},
		{"database URL", []string{"DATABASE_URL=postgres://u:a#" + hush + "@h:1/d"}, []string{"database.url"}},
		{"database URL port", []string{"DATABASE_URL=postgres://u:a/" + hush + "@h/d"}, []string{"database.url"}},
		{"redis scheme", []string{"REDIS_URL=http://:" + hush + "@h"}, []string{"redis.url"}},
		{"redis host", []string{"REDIS_URL=redis://"}, []string{"redis.url", "host"}},
		{"redis URL", []string{"REDIS_URL=redis://:%" + hush + "@h"}, []string{"redis.url"}},
		{"brokers", []string{"KAFKA_BROKERS=kafka"}, []string{"kafka.brokers", `"kafka"`}},
		{"broker without host", []string{"KAFKA_BROKERS=:9092"}, []string{"kafka.brokers"}},
		{"broker port 0", []string{"KAFKA_BROKERS=a:0"}, []string{"kafka.brokers"}},
		{"address", []string{"HTTP_ADDR=8080"}, []string{"http.addr", `"8080"`}},
		{"address port", []string{"GRPC_ADDR=127.0.0.1:65536"}, []string{"grpc.addr"}},
		{"address port sign", []string{"GRPC_ADDR=127.0.0.1:+1"}, []string{"grpc.addr"}},
		{"address URL", []string{"HTTP_ADDR=http://127.0.0.1:80"}, []string{"http.addr"}},
		{"same address", []string{"HTTP_ADDR=127.0.0.1:9090"}, []string{"grpc.addr", "http.addr"}},
		{"log level", []string{"LOG_LEVEL=loud"}, []string{"log.level", "loud", "debug, info, warn, error"}},
		{"duration", []string{"OT_HTTP__READ_TIMEOUT=30"}, []string{"http.read_timeout", "30s"}},
		{"negative duration", []string{"OT_SHUTDOWN__TIMEOUT=-1s"}, []string{"shutdown.timeout"}},
		{"number", []string{"OT_LIVE__QUEUE=many"}, []string{"live.queue", "whole number"}},
		{"number range", []string{"OT_DATABASE__MAX_GROUP=65"}, []string{"database.max_group", "64"}},
		{"huge number", []string{"OT_HTTP__MAX_BODY_BYTES=99999999999999999999"}, []string{"http.max_body_bytes"}},
		{"NaN", []string{"OT_ESTIMATE__DETOUR=NaN"}, []string{"estimate.detour"}},
		{"no speed", []string{"OT_ESTIMATE__SPEEDS__FOOT=0"}, []string{"estimate.speeds.foot"}},
		{"bool", []string{"OT_HTTP__ACCESS_LOG=yes"}, []string{"http.access_log", "true or false"}},
		{"origin", []string{"OT_HTTP__ALLOWED_ORIGINS=https://a.example/path"}, []string{"http.allowed_origins"}},
		{"router without a scheme", []string{"OT_ROUTING__URL=osrm:5000"}, []string{"routing.url"}},
		{"public address without a scheme", []string{"OT_HTTP__PUBLIC_URL=track.example"}, []string{"http.public_url"}},
		{"call link that runs a script", []string{"OT_CALL__URL=javascript:alert({order_id})"}, []string{"call.url"}},
		{"call link for every order", []string{"OT_CALL__URL=tel:+78001234567"}, []string{"call.url"}},
		{"name without a domain", []string{"OT_TLS__ACME__HOST=localhost"}, []string{"tls.acme.host"}},
		{"certificate from two sources", []string{"OT_TLS__ACME__HOST=a.example", "OT_TLS__CERT_FILE=a", "OT_TLS__KEY_FILE=b"}, []string{"tls.acme.host"}},
		{"public address with a query", []string{"OT_HTTP__PUBLIC_URL=https://track.example/?a=b"}, []string{"http.public_url"}},
		{"network", []string{"OT_WEBHOOKS__ALLOW=10.0.0.0/8,10.0.0.1"}, []string{"webhooks.allow", `"10.0.0.1"`}},
		{"pause", []string{"OT_WEBHOOKS__TRIES=5s,soon"}, []string{"webhooks.tries", `"soon"`}},
		{"network with a host", []string{"OT_WEBHOOKS__ALLOW=10.0.0.1/8"}, []string{"webhooks.allow"}},
		{"any origin", []string{"OT_HTTP__ALLOWED_ORIGINS=*"}, []string{"http.allowed_origins"}},
		{"region", []string{"OT_ORDERS__PHONE_REGION=ke"}, []string{"orders.phone_region", "KE"}},
		{"short key", []string{"BOOTSTRAP_ADMIN_KEY=" + hush}, []string{"access.bootstrap_admin_key", "BOOTSTRAP_ADMIN_KEY", "32"}},
		{"31 characters", []string{"BOOTSTRAP_ADMIN_KEY=" + adminKey[1:]}, []string{"access.bootstrap_admin_key"}},
		{"key with a space", []string{"BOOTSTRAP_ADMIN_KEY=" + adminKey + " " + hush}, []string{"access.bootstrap_admin_key"}},
		{"key and file", []string{"BOOTSTRAP_ADMIN_KEY=" + adminKey, "BOOTSTRAP_ADMIN_KEY_FILE=/x"}, []string{"access.bootstrap_admin_key_file"}},
		{"no key file", []string{"BOOTSTRAP_ADMIN_KEY_FILE=/no/such\nfile"}, []string{"access.bootstrap_admin_key_file", "no such file"}},
		{"protected Kafka", []string{"KAFKA_LISTEN=[::]:9092"}, []string{"kafka.listen", "KAFKA_LISTEN", "BOOTSTRAP_ADMIN_KEY"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(nil, tt.env)
			requireOneLine(t, err, tt.want...)
		})
	}
}

func TestProtectedMode(t *testing.T) {
	for _, env := range [][]string{
		{"HTTP_ADDR=127.9.9.9:1", "GRPC_ADDR=LOCALHOST:2", "KAFKA_LISTEN=[::1]:3"},
		{"HTTP_ADDR=:8080", "GRPC_ADDR=0.0.0.0:9090", "KAFKA_LISTEN=myhost:9092", "BOOTSTRAP_ADMIN_KEY=" + adminKey},
		// With external brokers nothing listens there.
		{"KAFKA_LISTEN=:9092", "KAFKA_BROKERS=kafka:9092"},
		{"HTTP_ADDR=127.0.0.1:0", "GRPC_ADDR=127.0.0.1:0", "KAFKA_LISTEN=127.0.0.1:0"},
	} {
		_, err := Load(nil, env)
		require.NoError(t, err, "%v", env)
	}
}

func TestRefusedFlags(t *testing.T) {
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"--loud"}, "--loud"},
		{[]string{"--admin-key=" + hush}, "--admin-key"},
		{[]string{"-x" + hush}, "--help"},
		{[]string{"--=" + hush}, "--help"},
		{[]string{"--http-addr"}, "--http-addr"},
		{[]string{"--log-level", "info", hush}, "argument 3"},
		{[]string{"--set", hush}, "--set"},
		{[]string{"--set", "http.adr=" + hush}, "http.adr"},
		{[]string{"--set", "http.addr=127.0.0.1:1", "--http-addr=127.0.0.1:1"}, "http.addr"},
		{[]string{"--config", ""}, "--config"},
		{[]string{"--config", "/no/such/file"}, "/no/such/file"},
		{[]string{"--config", "/"}, "--config"},
		{[]string{"--database-url=" + hush}, "database.url (flag --database-url)"},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			_, err := Load(tt.args, nil)
			requireOneLine(t, err, tt.want)
		})
	}
}

func TestRefusedFile(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"unknown section", "htp:\n  addr: x", `"htp"`},
		{"unknown key", "http:\n  adr: " + hush, `"http.adr"`},
		{"not a mapping", "- a", "not valid YAML"},
		{"syntax", "http: {addr: " + hush, "not valid YAML at line"},
		{"anchor", "redis:\n  url: *" + hush, "not valid YAML"},
		{"twice", "log:\n  level: info\n  level: debug", "line 3"},
		{"section is a value", "access: " + hush, "access"},
		{"section is a list", "http: [1]", "http"},
		{"value is a section", "log:\n  level: {x: 1}", "log.level"},
		{"null", "log:\n  level:", "log.level"},
		{"number for text", "access:\n  bootstrap_admin_key: 12345678901234567890123456789012", "quotes"},
		{"number in a list", "kafka:\n  brokers: [9092]", "quotes"},
		{"number for a list", "kafka:\n  brokers: 9092", "kafka.brokers"},
		{"list for a number", "live:\n  queue: [1]", "live.queue"},
		{"number for a duration", "shutdown:\n  timeout: 15", "shutdown.timeout"},
		{"fraction", "live:\n  queue: 1.5", "live.queue"},
		{"key that is no text", "http:\n  1: 2", "http"},
		{"time", "log:\n  level: 2026-01-01", "log.level"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := writeFile(t, tt.text)
			_, err := Load([]string{"--config", path}, nil)
			requireOneLine(t, err, tt.want, path)
		})
	}
	t.Run("too large", func(t *testing.T) {
		_, err := Load([]string{"--config", writeFile(t, strings.Repeat("#\n", maxFileBytes))}, nil)
		requireOneLine(t, err, "larger than")
	})
	t.Run("empty admin key file", func(t *testing.T) {
		_, err := Load(nil, []string{"BOOTSTRAP_ADMIN_KEY_FILE=" + writeFile(t, "\n")})
		requireOneLine(t, err, "access.bootstrap_admin_key_file", "32")
	})
}

// FuzzLoad loads an arbitrary file and environment: the result is a valid configuration
// or a one-line error that doesn't reveal the secret.
func FuzzLoad(f *testing.F) {
	f.Add("http:\n  addr: 127.0.0.1:1", "OT_LIVE__QUEUE=3", "LOG_LEVEL=info", "a")
	f.Add("estimate: {speeds: {car: .inf}}", "DATABASE_URL=sqlite://x", "KAFKA_BROKERS=,", "%")
	f.Add("? [a]\n: b", "OT_=", "HTTP_ADDR=:1", "/")
	f.Add("a: &a [*a]", "OT_ESTIMATE__SPEEDS=1", "GRPC_ADDR=[::1%eth0]:1", "#:")
	f.Fuzz(func(t *testing.T, file, env1, env2, password string) {
		for _, source := range []string{file, env1, env2} {
			if strings.Contains(source, "KEY_FILE") || strings.Contains(source, "key_file") {
				t.Skip("reads files")
			}
		}
		c, err := loadText(file, []string{env1, env2, "DATABASE_URL=postgres://u:" + password + hush + "@h/d"})
		if err != nil {
			requireOneLine(t, err)
			return
		}
		require.NoError(t, c.validate())
		require.Equal(t, loopback(c.HTTP.Addr) && loopback(c.GRPC.Addr), c.CheckKeyless() == nil)
		require.NotContains(t, c.Redacted().Database.URL, ":"+password+hush+"@")
	})
}

// loadText is Load with the text of the file in place of its name.
func loadText(file string, environ []string) (*Config, error) {
	fromDefaults, err := yamlLayer(originDefault, defaults)
	if err != nil {
		return nil, err
	}
	fromFile, err := yamlLayer("file x", []byte(file))
	if err != nil {
		return nil, err
	}
	fromEnv, err := envLayer(environ)
	if err != nil {
		return nil, err
	}
	c, err := merge(fromDefaults, fromFile, fromEnv)
	if err != nil {
		return nil, err
	}
	return c, c.validate()
}

func TestOnlyLoopbackWithoutKeys(t *testing.T) {
	for env, key := range map[string]string{
		"HTTP_ADDR=:8080": "http.addr", "HTTP_ADDR=myhost:8080": "http.addr", "GRPC_ADDR=0.0.0.0:9090": "grpc.addr", "GRPC_ADDR=[::]:9090": "grpc.addr",
	} {
		c, err := Load(nil, []string{env})
		require.NoError(t, err, "there may be a key in the database")
		name, _, _ := strings.Cut(env, "=")
		requireOneLine(t, c.CheckKeyless(), key, name, "BOOTSTRAP_ADMIN_KEY", "127.0.0.1")
	}
	c, err := Load(nil, []string{"HTTP_ADDR=localhost:8080", "GRPC_ADDR=[::1]:9090"})
	require.NoError(t, err)
	require.NoError(t, c.CheckKeyless())
}
