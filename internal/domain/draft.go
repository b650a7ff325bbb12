package domain

import (
	"strings"
	"time"
)

// Draft is a client's request to create an order.
type Draft struct {
	ExternalID    string            `json:"external_id,omitempty" maxLength:"128" doc:"the shop's own number; unique per merchant"`
	MerchantID    string            `json:"merchant_id,omitempty" maxLength:"128"`
	Customer      Customer          `json:"customer"`
	Pickup        *Place            `json:"pickup,omitempty"`
	Dropoff       *Place            `json:"dropoff,omitempty"`
	Items         []Item            `json:"items,omitempty" maxItems:"500"`
	Total         *Money            `json:"total,omitempty"`
	Payment       *Payment          `json:"payment,omitempty" doc:"what the recipient pays on delivery"`
	Notes         string            `json:"notes,omitempty" maxLength:"2000" example:"ring twice"`
	Metadata      map[string]string `json:"metadata,omitempty" maxProperties:"50" example:"{\"channel\":\"web\"}"`
	ReadyAt       *time.Time        `json:"ready_at,omitempty" doc:"when it can be picked up"`
	PromisedAt    *time.Time        `json:"promised_at,omitempty" doc:"time promised to the customer"`
	DeliverAfter  *time.Time        `json:"deliver_after,omitempty" doc:"not delivered before this time"`
	DeliverBefore *time.Time        `json:"deliver_before,omitempty" doc:"to be delivered by this time"`
	Timezone      string            `json:"timezone,omitempty" format:"timezone" doc:"the customer's (IANA)" example:"Europe/Moscow"`
	Priority      int               `json:"priority,omitempty" minimum:"0" maximum:"9" doc:"higher is first"`
	Requirements  *Requirements     `json:"requirements,omitempty"`
	ProofRequired []string          `json:"proof_required,omitzero" enum:"photo,signature,pin" nullable:"false" maxItems:"3" uniqueItems:"true" doc:"what the courier must bring to deliver it; absent: what the merchant requires; [] for none"`
}

// Normalize returns the draft with its phone number in E.164 and its times in the stores'
// precision, or all its faults. region is the country of phone numbers without a country code.
func (d Draft) Normalize(region string) (Draft, error) {
	var f Faults
	f.Check("", &d)
	f.dropoff(d.Dropoff)
	f.phone("/customer/phone", &d.Customer.Phone, region)
	d.Payment.rules(&f)
	f.Listed("/proof_required", "proof", d.ProofRequired, ProofKinds())
	f.window(d.DeliverAfter, d.DeliverBefore)
	for _, t := range []**time.Time{&d.ReadyAt, &d.PromisedAt, &d.DeliverAfter, &d.DeliverBefore} {
		*t = timestamp(*t)
	}
	d.Requirements = d.Requirements.orNone()
	return d, f.Err()
}

// dropoff checks a place that has to be found by a courier.
func (f *Faults) dropoff(p *Place) {
	if p == nil || (strings.TrimSpace(p.Address) == "" && p.Location == nil) {
		f.Add("/dropoff", "required", "needs an address or a location")
	}
}

// given adds the non-empty strings to an event's data.
func given(data map[string]any, texts map[string]string) map[string]any {
	for k, v := range texts {
		if v != "" {
			data[k] = v
		}
	}
	return data
}
