package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/knadh/koanf/parsers/yaml"
)

// CarrierAccount is a contract with a delivery company and its sender.
type CarrierAccount struct {
	Carrier string `koanf:"-" json:"carrier"`
	// Name is our name for it; "" for the account in the company's section.
	Name string `koanf:"-" json:"name"`
	// Merchants are the merchants who use it; empty means all.
	Merchants   []string `koanf:"-" json:"merchants"`
	Account     string   `koanf:"account" json:"account"`
	Secret      string   `koanf:"secret" json:"secret" secret:"all"`
	BaseURL     string   `koanf:"base_url" json:"base_url"`
	Freight     bool     `koanf:"freight" json:"freight"`
	SenderName  string   `koanf:"sender_name" json:"sender_name"`
	SenderPhone string   `koanf:"sender_phone" json:"sender_phone"`
	FromCity    string   `koanf:"from_city" json:"from_city"`
	FromAddress string   `koanf:"from_address" json:"from_address"`
	FromPoint   string   `koanf:"from_point" json:"from_point"`
	PerSecond   int      `koanf:"per_second" json:"per_second" min:"1" max:"1000"`
}

// All returns every account: the one in the cdek section, if configured, and those of the file.
func (c Carriers) All() []CarrierAccount {
	var out []CarrierAccount
	if c.CDEK.Account != "" || c.Emulated() {
		own := c.CDEK
		own.Carrier = "cdek"
		out = append(out, own)
	}
	return append(out, c.Accounts...)
}

// readCarrierAccounts reads the accounts file, if one is configured.
func (c *Config) readCarrierAccounts() error {
	const key = "carriers.accounts_file"
	if c.Carriers.AccountsFile == "" {
		return nil
	}
	text, err := readFile(c.Carriers.AccountsFile, maxFileBytes)
	if err == nil {
		c.Carriers.Accounts, err = parseCarrierAccounts(text, c.Carriers.CDEK.PerSecond)
	}
	if err != nil {
		return c.fault(key, err)
	}
	return nil
}

// parseCarrierAccounts parses a list of accounts. Its errors contain no secrets.
func parseCarrierAccounts(text []byte, perSecond int) ([]CarrierAccount, error) {
	tree, err := yaml.Parser().Unmarshal(text)
	if err != nil {
		return nil, errors.New("names a file that is not valid YAML")
	}
	plain, err := json.Marshal(tree)
	if err != nil {
		return nil, errors.New("names a file whose keys are not all texts")
	}
	var file struct {
		Accounts []CarrierAccount `json:"accounts"`
	}
	dec := json.NewDecoder(bytes.NewReader(plain))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&file); err != nil {
		return nil, fmt.Errorf("names a file whose accounts can't be read: %w", err)
	}
	seen := map[string]bool{}
	for i := range file.Accounts {
		a := &file.Accounts[i]
		at := fmt.Sprintf("names a file whose account %d ", i+1)
		if a.BaseURL == "" {
			a.BaseURL = CarrierProduction
		}
		if a.PerSecond == 0 {
			a.PerSecond = perSecond
		}
		switch {
		case a.Carrier == "" || a.Name == "" || a.Account == "" || a.Secret == "":
			return nil, errors.New(at + "lacks carrier, name, account or secret")
		case seen[a.Carrier+"/"+a.Name]:
			return nil, fmt.Errorf(at+"has the name %q, which another one has", a.Name)
		case a.PerSecond < 1 || a.PerSecond > 1000:
			return nil, errors.New(at + "has a per_second that is not between 1 and 1000")
		}
		if err := checkCarrierURL(a.BaseURL); err != nil {
			return nil, fmt.Errorf(at+"has a base_url that %w", err)
		}
		seen[a.Carrier+"/"+a.Name] = true
	}
	return file.Accounts, nil
}

// Webhooks configures the webhooks that merchants register.
type Webhooks struct {
	Allow []string `koanf:"allow"`
	// Tries are the pauses before the second and later tries; see Pauses.
	Tries        []string      `koanf:"tries"`
	Timeout      time.Duration `koanf:"timeout" min:"1s" max:"1m"`
	AtOnce       int           `koanf:"at_once" min:"1" max:"64"`
	DisableAfter time.Duration `koanf:"disable_after" min:"1m"`
	Keep         time.Duration `koanf:"keep" min:"1h"`
}

// Notify configures the channels to customers.
type Notify struct {
	SMTP     SMTP `koanf:"smtp"`
	Telegram Bot  `koanf:"telegram"`
	Max      Bot  `koanf:"max"`
	SMS      SMS  `koanf:"sms"`
	// Webpush is the contact that push services demand; empty means off.
	Webpush string `koanf:"webpush"`
}

// Bot is a bot of a messenger.
type Bot struct {
	Name  string `koanf:"name"`
	Token string `koanf:"token" secret:"all"`
	API   string `koanf:"api"`
}

// SMS is the HTTP interface of a provider.
type SMS struct {
	URL         string `koanf:"url" secret:"url"`
	Method      string `koanf:"method"`
	ContentType string `koanf:"content_type"`
	Body        string `koanf:"body" secret:"all"`
	Header      string `koanf:"header" secret:"all"`
	Accepted    string `koanf:"accepted"`
}

// SMTP is the mail server for messages to customers.
type SMTP struct {
	Host     string `koanf:"host"`
	Port     int    `koanf:"port" min:"1" max:"65535"`
	Security string `koanf:"security"`
	User     string `koanf:"user"`
	Password string `koanf:"password" secret:"all"`
	From     string `koanf:"from"`
}

// Pauses returns webhooks.tries.
func (w Webhooks) Pauses() ([]time.Duration, error) {
	out := make([]time.Duration, len(w.Tries))
	for i, text := range w.Tries {
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 || d > 30*24*time.Hour {
			return nil, fmt.Errorf("must hold durations such as 5s or 2h and has one that is not: %q", text)
		}
		out[i] = d
	}
	if len(out) > 50 {
		return nil, fmt.Errorf("must hold at most 50 durations")
	}
	return out, nil
}

// AllowedNetworks returns webhooks.allow, which Load has checked.
func (w Webhooks) AllowedNetworks() []netip.Prefix {
	out := make([]netip.Prefix, 0, len(w.Allow))
	for _, text := range w.Allow {
		if p, err := netip.ParsePrefix(text); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// OIDC configures the OpenID Connect provider whose tokens are accepted.
type OIDC struct {
	Issuer       string   `koanf:"issuer"`
	ClientID     string   `koanf:"client_id"`
	ClientSecret string   `koanf:"client_secret" secret:"all"`
	Scopes       []string `koanf:"scopes"`
	Audience     []string `koanf:"audience"`
	RoleClaim    string   `koanf:"role_claim"`
	// Roles maps values of the role claim to roles, as value=role.
	Roles         []string      `koanf:"roles"`
	MerchantClaim string        `koanf:"merchant_claim"`
	CourierClaim  string        `koanf:"courier_claim"`
	Algorithms    []string      `koanf:"algorithms"`
	Leeway        time.Duration `koanf:"leeway" min:"0s" max:"10m"`
	SessionFor    time.Duration `koanf:"session_for" min:"1m" max:"12h"`
}

// tokenRoles are the roles that a token may give.
var tokenRoles = []string{"admin", "dispatcher", "merchant", "courier", "partner", "monitor"}

// signatures are the algorithms that need no shared secret.
var signatures = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// RoleMappings returns the values of the role claim and their roles, in order.
func (o OIDC) RoleMappings() [][2]string {
	var out [][2]string
	for _, text := range o.Roles {
		if i := strings.LastIndexByte(text, '='); i > 0 {
			out = append(out, [2]string{text[:i], text[i+1:]})
		}
	}
	return out
}

// checkOIDC returns the first broken rule and its key. Nothing else is checked without an issuer.
func (c *Config) checkOIDC() error {
	o := c.OIDC
	if o.Issuer == "" {
		return nil
	}
	for _, rule := range []struct {
		key string
		err error
	}{
		{"oidc.issuer", checkIssuer(o.Issuer)},
		{"oidc.client_id", ifEmpty(o.Audience, needs(o.Issuer, o.ClientID, "oidc.client_id or oidc.audience"))},
		{"oidc.role_claim", plainText(o.RoleClaim, 255)},
		{"oidc.merchant_claim", plainText(o.MerchantClaim, 255)},
		{"oidc.courier_claim", plainText(o.CourierClaim, 255)},
		{"oidc.roles", checkRoles(o)},
		{"oidc.scopes", contains(o.Scopes, "openid")},
		{"oidc.algorithms", checkAlgorithms(o.Algorithms)},
	} {
		if rule.err != nil {
			return c.fault(rule.key, rule.err)
		}
	}
	return nil
}

func checkIssuer(issuer string) error {
	u, ok := webAddress(issuer)
	if err := checkBase(issuer); err != nil {
		return err
	}
	if ok && u.Scheme == "http" && !loopback(net.JoinHostPort(u.Hostname(), "0")) {
		return fmt.Errorf("must be an https:// address, as keys that come unencrypted could be anybody's, and is %q", issuer)
	}
	return nil
}

func checkRoles(o OIDC) error {
	mapped := o.RoleMappings()
	if len(mapped) == 0 || len(mapped) != len(o.Roles) {
		return fmt.Errorf("must say which values of the claim %s give which roles, such as ot-admins=admin,ot-desk=dispatcher", o.RoleClaim)
	}
	for _, m := range mapped {
		if err := oneOf(m[1], tokenRoles...); err != nil {
			return fmt.Errorf("has %q, whose role %w", m[0]+"="+m[1], err)
		}
	}
	return nil
}

func checkAlgorithms(algorithms []string) error {
	if len(algorithms) == 0 {
		return errors.New("must name at least one algorithm")
	}
	for _, a := range algorithms {
		if err := oneOf(a, signatures...); err != nil {
			return err
		}
	}
	return nil
}

// ifEmpty drops the fault if the list is not empty.
func ifEmpty(list []string, fault error) error {
	if len(list) > 0 {
		return nil
	}
	return fault
}

func contains(list []string, want string) error {
	if slices.Contains(list, want) {
		return nil
	}
	return fmt.Errorf("must contain %s", want)
}
