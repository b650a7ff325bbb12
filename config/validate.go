package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// DevelopmentKey is the public administrator's key of docker-compose.yml; the server warns about it at startup.
const DevelopmentKey = "development-key-known-to-everybody"

// MinAdminKey is the minimum length of an administrator's key.
const MinAdminKey = 32

// maxAdminKey is a length that fits safely into a header.
const maxAdminKey = 512

// readAdminKey reads the key file, if one is configured.
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

// fault prefixes an error with the key and the source of its value.
func (c *Config) fault(key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s (%s) %w", key, c.Origin(key), err)
}

// rule is what was found of a key's value.
type rule struct {
	key string
	err error
}

// outwardRules are those of what others see or are asked: messages, maps, geocoding.
func (c *Config) outwardRules() []rule {
	_, pausesErr := c.Webhooks.Pauses()
	return []rule{
		{"webhooks.allow", checkNetworks(c.Webhooks.Allow)},
		{"webhooks.tries", pausesErr},
		{"notify.telegram.name", together(c.Notify.Telegram.Name, c.Notify.Telegram.Token, "notify.telegram.token")},
		{"notify.telegram.api", checkBase(c.Notify.Telegram.API)},
		{"notify.max.name", together(c.Notify.Max.Name, c.Notify.Max.Token, "notify.max.token")},
		{"notify.max.api", checkBase(c.Notify.Max.API)},
		{"notify.sms.method", oneOf(c.Notify.SMS.Method, "GET", "POST")},
		{"notify.sms.accepted", checkPattern(c.Notify.SMS.Accepted)},
		{"notify.smtp.security", oneOf(c.Notify.SMTP.Security, "starttls", "tls", "none")},
		{"notify.smtp.from", needs(c.Notify.SMTP.Host, c.Notify.SMTP.From, "notify.smtp.from")},
		{"geocoding.url", ifSet(c.Geocoding.URL, checkBase)},
		{"geocoding.api", oneOf(c.Geocoding.API, "nominatim", "photon")},
		{"geocoding.user_agent", ifSet(c.Geocoding.UserAgent, func(text string) error { return plainText(text, 200) })},
		{"geocoding.language", ifSet(c.Geocoding.Language, func(text string) error { return plainText(text, 35) })},
		{"geocoding.countries", checkRegions(c.Geocoding.Countries)},
		{"map.tiles", ifSet(c.Map.Tiles, checkTiles)},
		{"map.attribution", ifSet(c.Map.Attribution, func(text string) error { return plainText(text, 200) })},
		{"map.tiles", needs(c.Map.Tiles, c.Map.Attribution, "map.attribution")},
		{"brand.name", ifSet(c.Brand.Name, func(text string) error { return plainText(text, 60) })},
		{"brand.accent", ifSet(c.Brand.Accent, checkColor)},
		{"call.url", ifSet(c.Call.URL, checkCall)},
	}
}

// validate returns the first broken rule: a value of the right type can still be unusable.
func (c *Config) validate() error {
	values := reflect.ValueOf(c).Elem()
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if err := keys[key].limits(valueAt(values, key)); err != nil {
			return c.fault(key, err)
		}
	}
	_, _, databaseErr := c.Database.ParseURL()
	for _, r := range slices.Concat([]rule{
		{"database.url", databaseErr},
		{"redis.url", c.Redis.check()},
		{"redis.prefix", plainText(c.Redis.Prefix, 64)},
		{"kafka.brokers", checkBrokers(c.Kafka.Brokers)},
		{"kafka.listen", checkAddr(c.Kafka.Listen, 0)},
		{"kafka.dir", plainText(c.Kafka.Dir, 4096)},
		{"kafka.group", plainText(c.Kafka.Group, 255)},
		{"kafka.tls.cert_file", together(c.Kafka.TLS.CertFile, c.Kafka.TLS.KeyFile, "kafka.tls.key_file")},
		{"tls.cert_file", together(c.TLS.CertFile, c.TLS.KeyFile, "tls.key_file")},
		{"tls.acme.host", c.TLS.checkACME()},
		{"kafka.sasl.mechanism", oneOf(c.Kafka.SASL.Mechanism, "", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")},
		{"kafka.sasl.user", together(c.Kafka.SASL.Mechanism, c.Kafka.SASL.User, "kafka.sasl.mechanism")},
		{"kafka.compression", oneOf(c.Kafka.Compression, "none", "gzip", "snappy", "lz4", "zstd")},
		{"http.addr", checkAddr(c.HTTP.Addr, 0)},
		{"http.allowed_origins", checkOrigins(c.HTTP.AllowedOrigins...)},
		{"http.public_url", ifSet(c.HTTP.PublicURL, checkBase)},
		{"spool.dir", plainText(c.Spool.Dir, 4096)},
		{"grpc.addr", checkAddr(c.GRPC.Addr, 0)},
		{"log.level", oneOf(c.Log.Level, "debug", "info", "warn", "error")},
		{"dispatch.mode", oneOf(c.Dispatch.Mode, "manual", "suggest", "assign", "offer")},
		{"dispatch.on_no_taker", oneOf(c.Dispatch.OnNoTaker, "widen", "assign", "alert")},
		{"log.format", oneOf(c.Log.Format, "auto", "console", "json")},
		{"access.bootstrap_admin_key", ifSet(c.Access.BootstrapAdminKey, checkAdminKey)},
		{"access.secret_key", ifSet(c.Access.SecretKey, checkAdminKey)},
		{"proof.offline", oneOf(c.Proof.Offline, "photo", "refuse")},
		{"privacy.show_courier", checkShowCourier(c.Privacy.ShowCourier)},
		{"orders.phone_region", ifSet(c.Orders.PhoneRegion, checkRegion)},
		{"routing.url", ifSet(c.Routing.URL, checkBase)},
		{"carriers.hook_url", ifSet(c.Carriers.HookURL, func(base string) error { return checkOrigins(strings.TrimSuffix(base, "/")) })},
		{"carriers.cdek.account", together(c.Carriers.CDEK.Account, c.Carriers.CDEK.Secret, "carriers.cdek.secret")},
		{"carriers.cdek.base_url", checkCarrierURL(c.Carriers.CDEK.BaseURL)},
		{"carriers.cdek.currency", checkCurrency(c.Carriers.CDEK.Currency)},
	}, c.outwardRules(), c.oidcRules()) {
		if r.err != nil {
			return c.fault(r.key, r.err)
		}
	}
	return c.checkListeners()
}

// checkListeners checks the addresses together: no duplicates, and the embedded broker, which
// opens before the database, only on loopback without a key.
func (c *Config) checkListeners() error {
	listeners := [][2]string{{"http.addr", c.HTTP.Addr}, {"grpc.addr", c.GRPC.Addr}}
	if c.Kafka.Embedded() {
		listeners = append(listeners, [2]string{"kafka.listen", c.Kafka.Listen})
	}
	taken := map[string]string{}
	for _, l := range listeners {
		key, addr := l[0], l[1]
		if other, twice := taken[addr]; twice && !strings.HasSuffix(addr, ":0") {
			return c.fault(key, fmt.Errorf("is the address of %s too: %q", other, addr))
		}
		taken[addr] = key
	}
	if c.Kafka.Embedded() && c.Access.BootstrapAdminKey == "" && c.OIDC.Issuer == "" {
		return c.onlyLoopback("kafka.listen", c.Kafka.Listen)
	}
	return nil
}

// CheckKeyless fails if others could reach a server that has no keys. Whether there are keys is known once the database is open.
func (c *Config) CheckKeyless() error {
	return cmp.Or(c.onlyLoopback("http.addr", c.HTTP.Addr), c.onlyLoopback("grpc.addr", c.GRPC.Addr))
}

func (c *Config) onlyLoopback(key, addr string) error {
	if loopback(addr) {
		return nil
	}
	return c.fault(key, fmt.Errorf("is %q, which others can reach, and there is no administrator's key: "+
		"set BOOTSTRAP_ADMIN_KEY (%d characters or more), or %s to a loopback address such as 127.0.0.1",
		addr, MinAdminKey, strings.ToUpper(strings.ReplaceAll(key, ".", "_"))))
}

// loopback reports whether only this machine can reach an address. Names other than
// localhost don't count, as they may resolve differently later.
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

// checkAddr requires host:port with a port of at least minPort; the host may be empty.
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

// checkNetworks requires networks whose address is the first of them: 10.0.0.1/8 is probably a typo.
func checkNetworks(networks []string) error {
	for _, text := range networks {
		if p, err := netip.ParsePrefix(text); err != nil || p != p.Masked() || p.Addr().Is4In6() {
			return fmt.Errorf("must hold networks such as 10.20.0.0/16 or fd00::/8 and has one that is not: %q", text)
		}
	}
	return nil
}

// webAddress parses an http:// or https:// URL with a host.
func webAddress(text string) (*url.URL, bool) {
	u, err := url.Parse(text)
	return u, err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != ""
}

func checkOrigins(origins ...string) error {
	for _, o := range origins {
		if u, ok := webAddress(o); !ok || u.Scheme+"://"+u.Host != o {
			return fmt.Errorf("must hold origins such as https://shop.example and has one that is not: %q", o)
		}
	}
	return nil
}

// checkCarrierURL requires a known name or a URL that doesn't send the secret unencrypted beyond this machine.
func checkCarrierURL(text string) error {
	if slices.Contains([]string{CarrierProduction, CarrierTest, CarrierEmulator}, text) {
		return nil
	}
	if u, ok := webAddress(text); !ok || u.Scheme == "http" && !loopback(net.JoinHostPort(u.Hostname(), "0")) {
		return fmt.Errorf("must be %s, %s, %s or an https:// URL", CarrierProduction, CarrierTest, CarrierEmulator)
	}
	return nil
}

// checkBase requires a URL that paths can be appended to.
func checkBase(base string) error {
	if u, ok := webAddress(base); !ok || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("must be an address such as https://track.example and is %q", base)
	}
	return nil
}

// ifSet makes a rule accept an empty value.
func ifSet(text string, check func(string) error) error {
	if text == "" {
		return nil
	}
	return check(text)
}

// checkAdminKey requires characters that an Authorization header can carry unescaped.
func checkAdminKey(key string) error {
	if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("may hold ASCII letters, digits and signs only, no spaces")
	}
	if len(key) < MinAdminKey || len(key) > maxAdminKey {
		return fmt.Errorf("must have between %d and %d characters", MinAdminKey, maxAdminKey)
	}
	return nil
}

func checkShowCourier(rule string) error {
	if name, number, ok := strings.Cut(rule, ":"); ok && (name == "metres" || name == "minutes") {
		if n, err := strconv.ParseFloat(number, 64); err == nil && n > 0 && n <= 1e6 {
			return nil
		}
	} else if stops, ok := strings.CutPrefix(rule, "stops_before:"); ok {
		if n, err := strconv.Atoi(stops); err == nil && n >= 0 && n <= 1000 {
			return nil
		}
	} else if rule == "custody" || rule == "out_for_delivery" {
		return nil
	}
	return fmt.Errorf("must be custody, out_for_delivery, metres:<number>, minutes:<number> or stops_before:<number>, and is %q", rule)
}

func checkRegion(region string) error {
	if !phonenumbers.GetSupportedRegions()[region] {
		return fmt.Errorf("must be a country as ISO 3166-1 alpha-2, such as KE, and is %q", region)
	}
	return nil
}

func checkRegions(regions []string) error {
	for _, region := range regions {
		if err := checkRegion(region); err != nil {
			return err
		}
	}
	return nil
}

func oneOf(v string, allowed ...string) error {
	if slices.Contains(allowed, v) {
		return nil
	}
	return fmt.Errorf("must be one of %s and is %q", strings.Join(allowed, ", "), v)
}

// checkTiles requires a tile URL template.
func checkTiles(template string) error {
	if _, ok := webAddress(template); !ok || !strings.Contains(template, "{z}") || !strings.Contains(template, "{x}") || !strings.Contains(template, "{y}") {
		return fmt.Errorf("must be an address with {z}, {x} and {y}, such as https://tiles.example/{z}/{x}/{y}.png, and is %q", template)
	}
	return nil
}

var color = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)

func checkColor(text string) error {
	if !color.MatchString(text) {
		return fmt.Errorf("must be a colour such as #1a4f9c and is %q", text)
	}
	return nil
}

// needs requires the second value if the first is set.
func needs(a, b, otherKey string) error {
	if a != "" && b == "" {
		return fmt.Errorf("needs %s, which is empty", otherKey)
	}
	return nil
}

// together requires both values or neither.
func together(a, b, otherKey string) error {
	if (a == "") != (b == "") {
		return fmt.Errorf("and %s go together: set both or neither", otherKey)
	}
	return nil
}

// checkCall accepts a link that pages may show: one that names the order and runs nothing.
func checkCall(link string) error {
	u, err := url.Parse(strings.NewReplacer("{order_id}", "1", "{number}", "1", "{from}", "customer").Replace(link))
	switch {
	case err != nil || !slices.Contains([]string{"https", "http", "tel", "sip", "sips"}, u.Scheme):
		return errors.New("must be a link of https, http, tel or sip")
	case !strings.Contains(link, "{order_id}") && !strings.Contains(link, "{number}"):
		return errors.New("must contain {order_id} or {number}")
	}
	return nil
}

// checkACME checks the settings of ACME, if it is used.
func (t TLS) checkACME() error {
	if t.ACME.Host == "" {
		return nil
	}
	u, err := url.Parse(t.ACME.Directory)
	switch {
	case t.CertFile != "":
		return errors.New("and tls.cert_file exclude each other")
	case net.ParseIP(t.ACME.Host) != nil || strings.ContainsAny(t.ACME.Host, "/:* ") || !strings.Contains(t.ACME.Host, "."):
		return errors.New("must be a public name such as track.example.com")
	case err != nil || u.Scheme != "https" || u.Host == "":
		return errors.New("needs the https URL of an ACME directory in tls.acme.directory")
	}
	return plainText(t.ACME.Dir, 4096)
}

// plainText requires printable text of 1 to limit bytes.
func plainText(s string, limit int) error {
	if s == "" || len(s) > limit || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("must be text of 1 to %d characters", limit)
	}
	return nil
}

func checkPattern(text string) error {
	if _, err := regexp.Compile(text); err != nil {
		return fmt.Errorf("must be a regular expression: %w", err)
	}
	return nil
}
