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

// rules are those of keys that depend on others, and of what checks can't say.
func (c *Config) rules() []rule {
	_, _, databaseErr := c.Database.ParseURL()
	_, pausesErr := c.Webhooks.Pauses()
	return []rule{
		{"database.url", databaseErr},
		{"redis.url", c.Redis.check()},
		{"kafka.tls.cert_file", together(c.Kafka.TLS.CertFile, c.Kafka.TLS.KeyFile, "kafka.tls.key_file")},
		{"tls.cert_file", together(c.TLS.CertFile, c.TLS.KeyFile, "tls.key_file")},
		{"tls.acme.host", c.TLS.checkACME()},
		{"kafka.sasl.user", together(c.Kafka.SASL.Mechanism, c.Kafka.SASL.User, "kafka.sasl.mechanism")},
		{"carriers.cdek.account", together(c.Carriers.CDEK.Account, c.Carriers.CDEK.Secret, "carriers.cdek.secret")},
		{"webhooks.tries", pausesErr},
		{"notify.telegram.name", together(c.Notify.Telegram.Name, c.Notify.Telegram.Token, "notify.telegram.token")},
		{"notify.max.name", together(c.Notify.Max.Name, c.Notify.Max.Token, "notify.max.token")},
		{"notify.smtp.from", needs(c.Notify.SMTP.Host, c.Notify.SMTP.From, "notify.smtp.from")},
		{"map.tiles", needs(c.Map.Tiles, c.Map.Attribution, "map.attribution")},
	}
}

// checks are what rules of fields can demand of a text.
var checks = map[string]func(string) error{
	"address": func(addr string) error { return checkAddr(addr, 0) }, "base": checkBase, "broker": checkBroker,
	"call": checkCall, "carrier": checkCarrierURL, "color": checkColor, "currency": checkCurrency,
	"hook": func(base string) error { return checkOrigin(strings.TrimSuffix(base, "/")) }, "key": checkAdminKey,
	"network": checkNetwork, "origin": checkOrigin, "pattern": checkPattern, "region": checkRegion,
	"show_courier": checkShowCourier, "tiles": checkTiles,
}

// check checks a text against the key's rule.
func (s keySpec) check(text string) error {
	name, argument, _ := strings.Cut(s.rule, " ")
	switch {
	case name == "" || s.optional && text == "":
		return nil
	case name == "oneof":
		return oneOf(text, strings.Fields(argument)...)
	case name == "text":
		limit, _ := strconv.Atoi(argument) // a test checks every rule
		return plainText(text, limit)
	}
	return checks[name](text)
}

// validate returns the first broken rule: a value of the right type can still be unusable.
func (c *Config) validate() error {
	values := reflect.ValueOf(c).Elem()
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		v := valueAt(values, key)
		err := keys[key].limits(v)
		texts, isList := v.Interface().([]string)
		if !isList {
			texts = []string{v.String()}
		}
		for _, text := range texts {
			err = cmp.Or(err, keys[key].check(text))
		}
		if err != nil {
			return c.fault(key, err)
		}
	}
	for _, r := range slices.Concat(c.rules(), c.oidcRules()) {
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

func checkBroker(broker string) error {
	if err := checkAddr(broker, 1); err != nil || strings.HasPrefix(broker, ":") {
		return fmt.Errorf("must be host:port,host:port,... and has %q", broker)
	}
	return nil
}

// checkNetwork requires a network whose address is the first of it: 10.0.0.1/8 is probably a typo.
func checkNetwork(text string) error {
	if p, err := netip.ParsePrefix(text); err != nil || p != p.Masked() || p.Addr().Is4In6() {
		return fmt.Errorf("must hold networks such as 10.20.0.0/16 or fd00::/8 and has one that is not: %q", text)
	}
	return nil
}

// webAddress parses an http:// or https:// URL with a host.
func webAddress(text string) (*url.URL, bool) {
	u, err := url.Parse(text)
	return u, err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != ""
}

func checkOrigin(origin string) error {
	if u, ok := webAddress(origin); !ok || u.Scheme+"://"+u.Host != origin {
		return fmt.Errorf("must hold origins such as https://shop.example and has one that is not: %q", origin)
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
