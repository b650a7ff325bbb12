package config

import (
	"fmt"
	"net/netip"
	"time"
)

// Webhooks configures the webhooks that merchants register.
type Webhooks struct {
	Allow []string `koanf:"allow" rule:"network"`
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
	API   string `koanf:"api" rule:"base"`
}

// SMS is the HTTP interface of a provider.
type SMS struct {
	URL         string `koanf:"url" secret:"url"`
	Method      string `koanf:"method" rule:"oneof GET POST"`
	ContentType string `koanf:"content_type"`
	Body        string `koanf:"body" secret:"all"`
	Header      string `koanf:"header" secret:"all"`
	Accepted    string `koanf:"accepted" rule:"pattern"`
}

// SMTP is the mail server for messages to customers.
type SMTP struct {
	Host     string `koanf:"host"`
	Port     int    `koanf:"port" min:"1" max:"65535"`
	Security string `koanf:"security" rule:"oneof starttls tls none"`
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
