package domain

import (
	"strings"
	"time"
)

// Draft is what a client sends to create an order.
type Draft struct {
	ExternalID string            `json:"external_id,omitempty"`
	MerchantID string            `json:"merchant_id,omitempty"`
	Customer   Customer          `json:"customer"`
	Pickup     *Place            `json:"pickup,omitempty"`
	Dropoff    *Place            `json:"dropoff,omitempty"`
	Items      []Item            `json:"items,omitempty"`
	Total      *Money            `json:"total,omitempty"`
	Notes      string            `json:"notes,omitempty"`
	Metadata   map[string]string `json:"metadata,omitempty"`
	ReadyAt    *time.Time        `json:"ready_at,omitempty"`
	PromisedAt *time.Time        `json:"promised_at,omitempty"`
}

// Normalize returns the draft with its phone number in E.164 and its times as stores
// keep them, or every fault of it. region is the country of phone numbers without a country code.
func (d Draft) Normalize(region string) (Draft, error) {
	var f Faults
	f.Text("/external_id", d.ExternalID, MaxKey)
	f.Text("/merchant_id", d.MerchantID, MaxKey)
	f.Required("/customer/name", d.Customer.Name, MaxName)
	f.phone("/customer/phone", &d.Customer.Phone, region)
	f.email("/customer/email", d.Customer.Email)
	f.locale("/customer/locale", d.Customer.Locale)
	f.place("/pickup", d.Pickup)
	f.dropoff(d.Dropoff)
	f.items(d.Items)
	d.Total.validate(&f, "/total")
	f.Text("/notes", d.Notes, MaxText)
	f.metadata("/metadata", d.Metadata)
	f.Time("/ready_at", d.ReadyAt)
	f.Time("/promised_at", d.PromisedAt)
	d.ReadyAt, d.PromisedAt = timestamp(d.ReadyAt), timestamp(d.PromisedAt)
	return d, f.Err()
}

func (f *Faults) place(pointer string, p *Place) {
	if p == nil {
		return
	}
	f.Text(pointer+"/address", p.Address, MaxAddress)
	f.Text(pointer+"/notes", p.Notes, MaxText)
	f.Point(pointer+"/location", p.Location)
}

// dropoff is a place that somebody must be able to find.
func (f *Faults) dropoff(p *Place) {
	if p == nil || (strings.TrimSpace(p.Address) == "" && p.Location == nil) {
		f.Add("/dropoff", "required", "needs an address or a location")
	}
	f.place("/dropoff", p)
}

func (f *Faults) items(items []Item) {
	if len(items) > MaxItems {
		f.Add("/items", "too_many", "must have at most %d entries", MaxItems)
		return
	}
	for i := range items {
		f.includeAt("/items", i, items[i].validate())
	}
}

func (i *Item) validate() error {
	var f Faults
	f.Required("/name", i.Name, MaxName)
	f.Text("/sku", i.SKU, MaxKey)
	Within(&f, "/quantity", i.Quantity, 1, MaxQuantity)
	Within(&f, "/weight_g", i.WeightG, 0, MaxWeightG)
	i.Price.validate(&f, "/price")
	return f.Err()
}

// Proof is what shows that goods changed hands.
type Proof struct {
	Recipient    string `json:"recipient,omitempty"` // who took them
	Code         string `json:"code,omitempty"`      // the code that they told
	Note         string `json:"note,omitempty"`
	PhotoURL     string `json:"photo_url,omitempty"`
	SignatureURL string `json:"signature_url,omitempty"`
}

func (p *Proof) validate(f *Faults) {
	if p == nil {
		return
	}
	f.Text("/proof/recipient", p.Recipient, MaxName)
	f.Text("/proof/code", p.Code, MaxKey)
	f.Text("/proof/note", p.Note, MaxText)
	f.Text("/proof/photo_url", p.PhotoURL, MaxText)
	f.Text("/proof/signature_url", p.SignatureURL, MaxText)
}

func (p *Proof) data() map[string]any {
	if p == nil || *p == (Proof{}) {
		return nil
	}
	return map[string]any{"proof": given(map[string]any{}, map[string]string{
		"recipient": p.Recipient, "code": p.Code, "note": p.Note, "photo_url": p.PhotoURL, "signature_url": p.SignatureURL,
	})}
}

// given adds to an event's data the texts that are there.
func given(data map[string]any, texts map[string]string) map[string]any {
	for k, v := range texts {
		if v != "" {
			data[k] = v
		}
	}
	return data
}
