package domain

// Profile is what a merchant has set up, completed from the installation's settings. The
// zero Profile has no requirements.
type Profile struct {
	Name, Locale, Timezone string
	// ShowCourier is the rule for showing the courier to customers.
	ShowCourier ShowCourier
	// ProofRequired is what couriers must bring: photo, signature, pin.
	ProofRequired []string
	// Promise says which estimate becomes promised_at; PromiseNone or "" for none.
	Promise string
	// CarrierAccounts are the accounts that the merchant's parcels go with, as
	// CarrierAccount.String writes them, the preferred one first; empty for those of the
	// configuration.
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
}
