package domain

import (
	"strconv"
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

// Normalize returns the draft with its phone number in E.164, or every fault of
// it. region is the country of phone numbers without a country code.
func (d Draft) Normalize(region string) (Draft, error) {
	var f Faults
	f.Text("/external_id", d.ExternalID, MaxKey)
	f.Text("/merchant_id", d.MerchantID, MaxKey)
	f.required("/customer/name", d.Customer.Name, MaxName)
	f.phone("/customer/phone", &d.Customer.Phone, region)
	f.email("/customer/email", d.Customer.Email)
	f.locale("/customer/locale", d.Customer.Locale)
	f.place("/pickup", d.Pickup)
	f.dropoff(d.Dropoff)
	f.items(d.Items)
	d.Total.validate(&f, "/total")
	f.Text("/notes", d.Notes, MaxText)
	f.metadata("/metadata", d.Metadata)
	f.optionalTime("/ready_at", d.ReadyAt)
	f.optionalTime("/promised_at", d.PromisedAt)
	return d, f.Err()
}

func (f *Faults) place(pointer string, p *Place) {
	if p == nil {
		return
	}
	f.Text(pointer+"/address", p.Address, MaxAddress)
	f.Text(pointer+"/notes", p.Notes, MaxText)
	f.point(pointer+"/location", p.Location)
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
	for i, it := range items {
		at := "/items/" + strconv.Itoa(i)
		f.required(at+"/name", it.Name, MaxName)
		f.Text(at+"/sku", it.SKU, MaxKey)
		if it.Quantity < 1 || it.Quantity > MaxQuantity {
			f.Add(at+"/quantity", "out_of_range", "must be between 1 and %d", MaxQuantity)
		}
		if it.WeightG < 0 || it.WeightG > MaxWeightG {
			f.Add(at+"/weight_g", "out_of_range", "must be between 0 and %d grams", MaxWeightG)
		}
		it.Price.validate(f, at+"/price")
	}
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
	fields := map[string]any{}
	for k, v := range map[string]string{
		"recipient": p.Recipient, "code": p.Code, "note": p.Note,
		"photo_url": p.PhotoURL, "signature_url": p.SignatureURL,
	} {
		if v != "" {
			fields[k] = v
		}
	}
	return map[string]any{"proof": fields}
}
