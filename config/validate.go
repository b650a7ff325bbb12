package config

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nyaruka/phonenumbers"
)

// DevelopmentKey is the administrator's key of docker-compose.yml, which everybody can
// read there; the start warns about it.
const DevelopmentKey = "development-key-known-to-everybody"

// MinAdminKey is the least number of characters of an administrator's key.
const MinAdminKey = 32

// maxAdminKey is what fits into a header without trouble.
const maxAdminKey = 512

// readAdminKey takes the key from its file when one is named.
func (c *Config) readAdminKey() error {
	const key = "access.bootstrap_admin_key_file"
	path := c.Access.BootstrapAdminKeyFile
	if path == "" {
		return nil
	}
	if c.Access.BootstrapAdminKey != "" {
		return c.fault(key, errors.New("and access.bootstrap_admin_key are both set; set one"))
	}
	text, err := readFile(path, maxFileBytes)
	if err != nil {
		return c.fault(key, err)
	}
	c.Access.BootstrapAdminKey = strings.TrimRight(string(text), "\r\n")
	// The length is checked here, where an empty file must not mean "no key".
	if err := checkAdminKey(c.Access.BootstrapAdminKey); err != nil {
		return c.fault(key, fmt.Errorf("names a file whose content %w", err))
	}
	return nil
}

// fault names the key, and where its value came from, before what is wrong with it.
func (c *Config) fault(key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s (%s) %w", key, c.Origin(key), err)
}

// check is a rule for one key.
type check struct {
	key string
	err error
}

// validate returns the first broken rule. A value of the right type can still be
// one that the product can't work with.
func (c *Config) validate() error {
	_, _, databaseErr := c.Database.ParseURL()
	rules := []check{
		{"database.url", databaseErr},
		{"database.max_group", within(c.Database.MaxGroup, 1, 64)},
		{"database.idempotency_for", lasting(c.Database.IdempotencyFor, time.Minute)},
		{"database.inbound_for", lasting(c.Database.InboundFor, time.Minute)},
		{"database.purge_every", lasting(c.Database.PurgeEvery, time.Second)},
		{"redis.url", c.Redis.check()},
		{"redis.prefix", plainText(c.Redis.Prefix, 64)},
		{"http.addr", checkAddr(c.HTTP.Addr, 0)},
		{"http.read_header_timeout", lasting(c.HTTP.ReadHeaderTimeout, time.Millisecond)},
		{"http.read_timeout", lasting(c.HTTP.ReadTimeout, time.Millisecond)},
		{"http.idle_timeout", lasting(c.HTTP.IdleTimeout, time.Millisecond)},
		{"http.max_body_bytes", within(c.HTTP.MaxBodyBytes, 1<<10, 1<<30)},
		{"http.max_import_bytes", within(c.HTTP.MaxImportBytes, 1<<20, 1<<50)},
		{"http.allowed_origins", checkOrigins(c.HTTP.AllowedOrigins)},
		{"http.public_url", checkBase(c.HTTP.PublicURL)},
		{"grpc.addr", checkAddr(c.GRPC.Addr, 0)},
		{"grpc.max_message_bytes", within(int64(c.GRPC.MaxMessageBytes), 1<<10, 1<<30)},
		{"log.level", oneOf(c.Log.Level, "debug", "info", "warn", "error")},
		{"log.format", oneOf(c.Log.Format, "auto", "console", "json")},
		{"access.bootstrap_admin_key", c.checkKey()},
		{"orders.phone_region", checkRegion(c.Orders.PhoneRegion)},
		{"tracking.stale_after", lasting(c.Tracking.StaleAfter, time.Second)},
		{"tracking.history_for", lasting(c.Tracking.HistoryFor, time.Minute)},
		{"tracking.max_speed", between(c.Tracking.MaxSpeed, 1, 1e4)},
		{"tracking.max_accuracy", between(c.Tracking.MaxAccuracy, 1, 1e7)},
		{"arrival.pickup_radius", between(c.Arrival.PickupRadius, 1, 1e5)},
		{"arrival.dropoff_radius", between(c.Arrival.DropoffRadius, 1, 1e5)},
		{"arrival.dwell", lasting(c.Arrival.Dwell, 0)},
		{"arrival.near", between(c.Arrival.Near, 1, 1e6)},
		{"arrival.silent_after", lasting(c.Arrival.SilentAfter, time.Second)},
		{"routing.url", checkBase(c.Routing.URL)},
		{"routing.timeout", lasting(c.Routing.Timeout, time.Millisecond)},
		{"estimate.speeds.foot", checkSpeed(c.Estimate.Speeds.Foot)},
		{"estimate.speeds.bicycle", checkSpeed(c.Estimate.Speeds.Bicycle)},
		{"estimate.speeds.motorbike", checkSpeed(c.Estimate.Speeds.Motorbike)},
		{"estimate.speeds.car", checkSpeed(c.Estimate.Speeds.Car)},
		{"estimate.speeds.van", checkSpeed(c.Estimate.Speeds.Van)},
		{"estimate.detour", between(c.Estimate.Detour, 1, 10)},
		{"estimate.handover", lasting(c.Estimate.Handover, 0)},
		{"estimate.dispatch", lasting(c.Estimate.Dispatch, 0)},
		{"estimate.default", lasting(c.Estimate.Default, time.Second)},
		{"estimate.fresh_for", lasting(c.Estimate.FreshFor, time.Second)},
		{"live.queue", within(c.Live.Queue, 1, 1<<20)},
		{"live.max_streams", within(c.Live.MaxStreams, 0, 1<<24)},
		{"live.fleet_tick", lasting(c.Live.FleetTick, time.Millisecond)},
		{"live.ping_every", lasting(c.Live.PingEvery, time.Second)},
		{"carriers.hook_url", checkHookURL(c.Carriers.HookURL)},
		{"carriers.cdek.account", c.Carriers.CDEK.check()},
		{"carriers.cdek.base_url", checkCarrierURL(c.Carriers.CDEK.BaseURL)},
		{"carriers.cdek.per_second", within(c.Carriers.CDEK.PerSecond, 1, 1000)},
		{"shutdown.timeout", lasting(c.Shutdown.Timeout, time.Second)},
	}
	for _, r := range slices.Concat(rules, c.Kafka.rules()) {
		if r.err != nil {
			return c.fault(r.key, r.err)
		}
	}
	return c.checkListeners()
}

func (k Kafka) rules() []check {
	return []check{
		{"kafka.brokers", checkBrokers(k.Brokers)},
		{"kafka.listen", checkAddr(k.Listen, 0)},
		{"kafka.dir", plainText(k.Dir, 4096)},
		{"kafka.group", plainText(k.Group, 255)},
		{"kafka.partitions", within(k.Partitions, 1, 1000)},
		{"kafka.replication", within(k.Replication, 1, 100)},
		{"kafka.delivery_timeout", lasting(k.DeliveryTimeout, time.Second)},
		{"kafka.tls.cert_file", together(k.TLS.CertFile, k.TLS.KeyFile, "kafka.tls.key_file")},
		{"kafka.sasl.mechanism", oneOf(k.SASL.Mechanism, "", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")},
		{"kafka.sasl.user", together(k.SASL.Mechanism, k.SASL.User, "kafka.sasl.mechanism")},
	}
}

// checkListeners looks at the addresses together: no two alike, and on loopback
// only as long as there is no key.
func (c *Config) checkListeners() error {
	listeners := []struct{ key, env, addr string }{
		{"http.addr", "HTTP_ADDR", c.HTTP.Addr},
		{"grpc.addr", "GRPC_ADDR", c.GRPC.Addr},
	}
	if c.Kafka.Embedded() {
		listeners = append(listeners, struct{ key, env, addr string }{"kafka.listen", "KAFKA_LISTEN", c.Kafka.Listen})
	}
	taken := map[string]string{}
	for _, l := range listeners {
		if other, twice := taken[l.addr]; twice && !strings.HasSuffix(l.addr, ":0") {
			return c.fault(l.key, fmt.Errorf("is the address of %s too: %q", other, l.addr))
		}
		taken[l.addr] = l.key
		if c.Access.BootstrapAdminKey == "" && !loopback(l.addr) {
			return c.fault(l.key, fmt.Errorf("is %q, which others can reach, and there is no administrator's key: "+
				"set BOOTSTRAP_ADMIN_KEY (%d characters or more), or %s to a loopback address such as 127.0.0.1",
				l.addr, MinAdminKey, l.env))
		}
	}
	return nil
}

// loopback is whether only this machine can reach an address. Names other than
// localhost don't count: what they stand for can change.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// checkAddr wants host:port with a port of at least minPort; the host may be empty.
func checkAddr(addr string, minPort int) error {
	wrong := fmt.Errorf("must be host:port, such as 127.0.0.1:8080, and is %q", addr)
	host, port, err := net.SplitHostPort(addr)
	if err != nil || strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`/\@?#"'`, r) }) {
		return wrong
	}
	n, err := strconv.Atoi(port)
	if err != nil || strconv.Itoa(n) != port || n < minPort || n > 65535 {
		return wrong
	}
	return nil
}

func checkBrokers(brokers []string) error {
	for _, b := range brokers {
		if err := checkAddr(b, 1); err != nil || strings.HasPrefix(b, ":") {
			return fmt.Errorf("must be host:port,host:port,... and has %q", b)
		}
	}
	return nil
}

func checkOrigins(origins []string) error {
	for _, o := range origins {
		u, err := url.Parse(o)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Scheme+"://"+u.Host != o {
			return fmt.Errorf("must hold origins such as https://shop.example and has one that is not: %q", o)
		}
	}
	return nil
}

// check wants a whole account or none.
func (c CDEK) check() error {
	if (c.Account == "") != (c.Secret == "") {
		return errors.New("and carriers.cdek.secret go together; set both or none")
	}
	return nil
}

// checkHookURL wants an address without a path, as carriers reach it.
func checkHookURL(text string) error {
	if text == "" {
		return nil
	}
	return checkOrigins([]string{strings.TrimSuffix(text, "/")})
}

// checkCarrierURL wants a name or an address; the secret must not travel in the clear
// beyond this machine.
func checkCarrierURL(text string) error {
	if slices.Contains([]string{CarrierProduction, CarrierTest, CarrierEmulator}, text) {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !loopback(net.JoinHostPort(u.Hostname(), "0"))) {
		return fmt.Errorf("must be %s, %s, %s or an https:// URL", CarrierProduction, CarrierTest, CarrierEmulator)
	}
	return nil
}

// checkBase wants an address that paths can be added to, or nothing.
func checkBase(base string) error {
	if base == "" {
		return nil
	}
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("must be an address such as https://track.example and is %q", base)
	}
	return nil
}

func (c *Config) checkKey() error {
	if c.Access.BootstrapAdminKey == "" {
		return nil
	}
	return checkAdminKey(c.Access.BootstrapAdminKey)
}

// checkAdminKey wants what can travel in an Authorization header as it stands.
func checkAdminKey(key string) error {
	if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("may hold ASCII letters, digits and signs only, no spaces")
	}
	if len(key) < MinAdminKey || len(key) > maxAdminKey {
		return fmt.Errorf("must have between %d and %d characters", MinAdminKey, maxAdminKey)
	}
	return nil
}

func checkRegion(region string) error {
	if region != "" && !phonenumbers.GetSupportedRegions()[region] {
		return fmt.Errorf("must be a country as ISO 3166-1 alpha-2, such as KE, and is %q", region)
	}
	return nil
}

// checkSpeed allows up to 100 m/s, which is no vehicle of ours.
func checkSpeed(v float64) error { return between(v, 0.1, 100) }

func between(v, least, most float64) error {
	if math.IsNaN(v) || v < least || v > most {
		return fmt.Errorf("must be between %v and %v and is %v", least, most, v)
	}
	return nil
}

func within[N int | int64](v, least, most N) error {
	if v < least || v > most {
		return fmt.Errorf("must be between %d and %d and is %d", least, most, v)
	}
	return nil
}

// lasting wants a duration of at least least and at most ten years, so that sums of
// durations and times can't overflow.
func lasting(d, least time.Duration) error {
	const most = 10 * 365 * 24 * time.Hour
	if d < least || d > most {
		return fmt.Errorf("must be between %v and %v and is %v", least, most, d)
	}
	return nil
}

func oneOf(v string, allowed ...string) error {
	for _, a := range allowed {
		if v == a {
			return nil
		}
	}
	return fmt.Errorf("must be one of %s and is %q", strings.Join(allowed, ", "), v)
}

// together wants both values or neither.
func together(a, b, otherKey string) error {
	if (a == "") != (b == "") {
		return fmt.Errorf("and %s go together: set both or neither", otherKey)
	}
	return nil
}

// plainText wants printable text of 1 to limit bytes.
func plainText(s string, limit int) error {
	if s == "" || len(s) > limit || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("must be text of 1 to %d characters", limit)
	}
	return nil
}
