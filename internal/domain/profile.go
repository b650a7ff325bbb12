package domain

import (
	"slices"
	"strings"
	"time"
)

// Profile is what a merchant has set up, completed from the installation's settings. The zero Profile has no requirements.
type Profile struct {
	Name, Email, Locale, Timezone string
	// ShowCourier is the rule for showing the courier to customers.
	ShowCourier ShowCourier
	// ProofRequired is what couriers must bring: photo, signature, pin.
	ProofRequired []string
	// Promise says which estimate becomes promised_at; PromiseNone or "" for none.
	Promise string
	// CarrierAccounts are the accounts that the merchant's parcels go with, as CarrierAccount.String writes them, the
	// preferred one first; empty for those of the configuration.
	CarrierAccounts []string
	// NotificationRules is nil for the built-in rules.
	NotificationRules []NotificationRule
}

// What a merchant promises its customers.
const (
	PromiseNone = "none"
	PromiseP90  = "p90" // the time by which nine of ten orders are delivered
)

// The kinds of proof of delivery.
const (
	ProofPhoto     = "photo"
	ProofSignature = "signature"
	ProofPIN       = "pin"
)

// ProofKinds lists the kinds of proof.
func ProofKinds() []string { return []string{ProofPhoto, ProofSignature, ProofPIN} }

// NotificationChannels lists the channels of notifications.
func NotificationChannels() []string {
	return []string{"live", "email", "telegram", "max", "webpush", "sms", "webhook"}
}

// NotificationRule says what customers are sent when something happens to their order.
type NotificationRule struct {
	Event    EventType `json:"event" example:"order.status_changed"`
	Status   Status    `json:"status,omitempty" example:"out_for_delivery" doc:"only events with this status"`
	Channels []string  `json:"channels" maxItems:"7" doc:"of live, email, telegram, max, webpush, sms and webhook, in the order of preference; [] for none"`
	Template string    `json:"template,omitempty" maxLength:"2000" doc:"absent: the built-in text"`
	DelayS   int       `json:"delay_s,omitempty" minimum:"0" maximum:"604800" doc:"seconds after the event"`
	Quiet    string    `json:"quiet,omitempty" maxLength:"11" doc:"not between these times of the order's time zone; put off to their end" example:"22:00-08:00"`
	Again    bool      `json:"again,omitempty" doc:"every time that it happens; otherwise once per order"`
}

// Check records what is wrong with the rule beyond its tags.
func (r *NotificationRule) Check(f *Faults, at string) {
	if !slices.Contains(EventTypes(), r.Event) {
		f.Add(at+"/event", "unknown_event", "must be a type of event such as order.status_changed")
	}
	f.Listed(at+"/channels", "channel", r.Channels, NotificationChannels())
	if _, _, ok := ParseQuiet(r.Quiet); !ok {
		f.Add(at+"/quiet", "invalid_time", "must be two times such as 22:00-08:00")
	}
}

// ParseQuiet reads quiet hours, in minutes since midnight; both are zero for none.
func ParseQuiet(s string) (from, to int, ok bool) {
	if s == "" {
		return 0, 0, true
	}
	a, b, _ := strings.Cut(s, "-")
	begin, err := time.Parse("15:04", a)
	end, err2 := time.Parse("15:04", b)
	return begin.Hour()*60 + begin.Minute(), end.Hour()*60 + end.Minute(), err == nil && err2 == nil && a != b
}
