package access

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Brand is how pages and messages show a merchant, or the installation.
type Brand struct {
	Name   *string `json:"name,omitempty" maxLength:"60" example:"Corner Shop"`
	Accent *string `json:"accent,omitempty" maxLength:"7" doc:"the colour of buttons and moving things; \"\" for the standard one" example:"#1a4f9c"`
	Logo   *string `json:"logo,omitempty" maxLength:"44000" doc:"a PNG, WebP or SVG image of at most 32 KB as a data: URL; \"\" for none"`
}

// maxLogo is the largest logo in bytes.
const maxLogo = 32 << 10

// Privacy is a merchant's visibility rules.
type Privacy struct {
	// ShowCourier defines when customers see the courier's position.
	ShowCourier *string `json:"show_courier,omitempty" doc:"custody, out_for_delivery, metres:<number>, minutes:<number> or stops_before:<number> of the courier's stops before the order's" example:"metres:3000"`
}

// Dispatch is how couriers are chosen for orders, as far as it may change at run time.
type Dispatch struct {
	Mode        *string `json:"mode,omitempty" enum:"manual,suggest,assign,offer"`
	Bundle      *int    `json:"bundle,omitempty" minimum:"1" maximum:"20" doc:"orders of one pick-up that a courier takes together"`
	OfferForS   *int    `json:"offer_for_s,omitempty" minimum:"1" maximum:"86400" doc:"how long an offer is open"`
	OfferTotalS *int    `json:"offer_total_s,omitempty" minimum:"1" maximum:"604800" doc:"how long an order is offered"`
	OfferAtOnce *int    `json:"offer_at_once,omitempty" minimum:"1" maximum:"50" doc:"how many couriers are asked at once"`
	OnNoTaker   *string `json:"on_no_taker,omitempty" enum:"widen,assign,alert" doc:"what happens when nobody takes it"`
}

// Retention is how long personal data is kept.
type Retention struct {
	PositionsDays *int `json:"positions_days,omitempty" minimum:"1" maximum:"36500" doc:"the history of couriers' positions"`
	PersonalDays  *int `json:"personal_days,omitempty" minimum:"0" maximum:"36500" doc:"customers' data, counted from the end of the order; 0 is for ever"`
}

// MerchantEdit is a partial update of a merchant; nil fields are unchanged.
type MerchantEdit struct {
	Name              *string                   `json:"name,omitempty" maxLength:"200"`
	Email             *string                   `json:"email,omitempty" maxLength:"254" doc:"where the merchant itself is told, as of a webhook that was disabled; \"\" for nowhere" example:"it@shop.example"`
	Brand             *Brand                    `json:"brand,omitempty"`
	Locale            *string                   `json:"locale,omitempty" format:"locale" maxLength:"35" example:"ru"`
	Timezone          *string                   `json:"timezone,omitempty" format:"timezone" maxLength:"64" example:"Europe/Moscow"`
	Privacy           *Privacy                  `json:"privacy,omitempty"`
	ProofRequired     []string                  `json:"proof_required,omitzero" enum:"photo,signature,pin" nullable:"false" maxItems:"3" uniqueItems:"true" doc:"[] for none"`
	Promise           *string                   `json:"promise,omitempty" enum:"none,p90" doc:"which estimate becomes promised_at"`
	CarrierAccounts   []string                  `json:"carrier_accounts,omitzero" nullable:"false" maxItems:"50" doc:"the delivery companies' accounts that its parcels go with, the preferred one first, as carrier or carrier/name; set by administrators; [] for those of the configuration" example:"[\"cdek\"]"`
	NotificationRules []domain.NotificationRule `json:"notification_rules,omitzero" nullable:"false" maxItems:"100" doc:"[] for no messages"`
}

// Merchant is a sender of orders.
type Merchant struct {
	ID string `json:"id" maxLength:"128" example:"shop"`
	MerchantEdit
	Version   int64     `json:"version"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`
}

// SettingsEdit is a partial update of the settings; nil fields are unchanged.
type SettingsEdit struct {
	Brand     *Brand     `json:"brand,omitempty"`
	Privacy   *Privacy   `json:"privacy,omitempty"`
	Dispatch  *Dispatch  `json:"dispatch,omitempty"`
	Retention *Retention `json:"retention,omitempty"`
}

// Settings can be changed at run time and override the configuration.
type Settings struct {
	SettingsEdit
	Version   int64     `json:"version"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`
}

// Check validates an edit of a merchant and returns all faults.
func (e MerchantEdit) Check() error {
	var f domain.Faults
	f.Check("", &e)
	f.Listed("/proof_required", "proof", e.ProofRequired, domain.ProofKinds())
	if e.Email != nil && *e.Email != "" {
		f.Check("", &struct {
			Email string `json:"email" format:"email"`
		}{*e.Email})
	}
	for i := range e.NotificationRules {
		e.NotificationRules[i].Check(&f, "/notification_rules/"+strconv.Itoa(i))
	}
	e.Brand.check(&f)
	e.Privacy.check(&f)
	return f.Err()
}

// Check validates an edit of the settings and returns all faults.
func (e SettingsEdit) Check() error {
	var f domain.Faults
	f.Check("", &e)
	e.Brand.check(&f)
	e.Privacy.check(&f)
	return f.Err()
}

var accent = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)

func (b *Brand) check(f *domain.Faults) {
	if b == nil {
		return
	}
	if a := b.Accent; a != nil && *a != "" && !accent.MatchString(*a) {
		f.Add("/brand/accent", "invalid_color", "must be a colour such as #1a4f9c")
	}
	if b.Logo != nil && *b.Logo != "" && !isLogo(*b.Logo) {
		f.Add("/brand/logo", "invalid_image", "must be a PNG, WebP or SVG image of at most 32 KB as a data: URL such as data:image/png;base64,…")
	}
}

// isLogo reports whether a data: URL is an image of the type that it names.
func isLogo(url string) bool {
	kind, encoded, _ := strings.Cut(url, ";base64,")
	image, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(image) > maxLogo {
		return false
	}
	switch kind {
	case "data:image/png":
		return bytes.HasPrefix(image, []byte("\x89PNG\r\n\x1a\n"))
	case "data:image/webp":
		return len(image) > 12 && string(image[:4]) == "RIFF" && string(image[8:12]) == "WEBP"
	case "data:image/svg+xml": // pages show it as an image, which runs no scripts
		return bytes.Contains(image, []byte("<svg"))
	}
	return false
}

func (p *Privacy) check(f *domain.Faults) {
	if p == nil || p.ShowCourier == nil {
		return
	}
	_, err := domain.ParseShowCourier(*p.ShowCourier)
	f.Include("", err)
}

func (p *Privacy) rule() (domain.ShowCourier, bool) {
	if p == nil || p.ShowCourier == nil {
		return domain.ShowCourier{}, false
	}
	r, err := domain.ParseShowCourier(*p.ShowCourier)
	return r, err == nil
}

// merge sets the members of e that from sets. Lists are replaced as a whole: decoding one over another would mix their entries.
func (e *MerchantEdit) merge(from MerchantEdit) {
	lists := *e
	*e = over(*e, from)
	e.ProofRequired, e.CarrierAccounts, e.NotificationRules = lists.ProofRequired, lists.CarrierAccounts, lists.NotificationRules
	replace(&e.ProofRequired, from.ProofRequired)
	replace(&e.CarrierAccounts, from.CarrierAccounts)
	replace(&e.NotificationRules, from.NotificationRules)
}

// profile returns what the merchant set up, completed from base.
func (e MerchantEdit) profile(base domain.Profile) domain.Profile {
	p := base
	for _, text := range []struct{ from, to *string }{
		{e.Name, &p.Name}, {e.Email, &p.Email}, {e.Locale, &p.Locale}, {e.Timezone, &p.Timezone}, {e.Promise, &p.Promise},
	} {
		if text.from != nil {
			*text.to = *text.from
		}
	}
	if rule, ok := e.Privacy.rule(); ok {
		p.ShowCourier = rule
	}
	p.ProofRequired, p.CarrierAccounts, p.NotificationRules = e.ProofRequired, e.CarrierAccounts, e.NotificationRules
	return p
}

// replace overwrites a list unless from is nil; an empty list is a value.
func replace[T any](into *[]T, from []T) {
	if from != nil {
		*into = from
	}
}

// over returns base with the members that from sets. It shares nothing with either.
func over[T any](base, from T) (out T) {
	for _, v := range []T{base, from} {
		b, err := json.Marshal(v)
		if err == nil {
			err = json.Unmarshal(b, &out)
		}
		if err != nil { // texts and numbers always encode
			panic(err)
		}
	}
	return out
}
