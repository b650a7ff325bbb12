package shipping

import (
	"cmp"
	"errors"
	"maps"
	"slices"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Carriers are the configured accounts with delivery companies.
type Carriers struct {
	ByAccount map[domain.CarrierAccount]domain.Carrier
	// Merchants are the merchants an account belongs to; an account without any is shared.
	Merchants map[domain.CarrierAccount][]string
	// Chosen returns the accounts that a merchant's parcels must go with, as CarrierAccount.String writes them, the
	// preferred one first; empty for any that is open to it. It may be nil.
	Chosen func(merchantID string) []string
	// HookTokens are the secret ends of the webhook URLs, by account.
	HookTokens map[domain.CarrierAccount]string
	// HookBase is our public base URL for webhooks, such as https://track.shop.example; "" if carriers cannot reach us.
	HookBase string
	// Detect returns the companies whose tracking number it may be, likeliest first.
	Detect func(number string) []domain.NumberGuess
	// Count counts events for operators: unreadable webhooks, failed polls.
	Count func(carrier, what string)
}

// Accounts returns the accounts, a company's default one first.
func (c Carriers) Accounts() []domain.CarrierAccount {
	return slices.SortedFunc(maps.Keys(c.ByAccount), func(a, b domain.CarrierAccount) int {
		return cmp.Or(cmp.Compare(a.Carrier, b.Carrier), cmp.Compare(a.Name, b.Name))
	})
}

// choose returns the account for a merchant's parcel: the named one, else the merchant's
// own, else the default. The carrier may be omitted if there is only one.
func (c Carriers) choose(carrier, name, merchantID string) (domain.Carrier, error) {
	var open []domain.CarrierAccount
	var chosen []string
	if c.Chosen != nil {
		chosen = c.Chosen(merchantID)
	}
	for _, a := range c.Accounts() {
		owners := c.Merchants[a]
		mayUse := len(owners) == 0 || slices.Contains(owners, merchantID)
		if len(chosen) > 0 {
			mayUse = slices.Contains(chosen, a.String())
		}
		if (carrier == "" || a.Carrier == carrier) && (name == "" || a.Name == name) && mayUse {
			open = append(open, a)
		}
	}
	if carrier == "" && len(c.companies()) > 1 {
		return nil, domain.Invalid("/carrier", "required", "is required where there are several delivery companies")
	}
	if len(open) == 0 {
		return nil, domain.Errorf(domain.CodeCarrierNotFound, "delivery company %q is not configured; see the section carriers of the configuration",
			domain.CarrierAccount{Carrier: carrier, Name: name})
	}
	// The merchant's own accounts go before shared ones; of those the default is first.
	slices.SortStableFunc(open, func(a, b domain.CarrierAccount) int {
		if len(chosen) > 0 {
			return cmp.Compare(slices.Index(chosen, a.String()), slices.Index(chosen, b.String()))
		}
		return cmp.Compare(len(c.Merchants[b]), len(c.Merchants[a]))
	})
	return c.ByAccount[open[0]], nil
}

// detect returns the account that follows a number booked elsewhere, with the number in its company's form. It is chosen
// only when the number is certain; otherwise the candidates are in the error, and the caller names the carrier.
func (c Carriers) detect(number, name, merchantID string) (domain.Carrier, domain.ShipmentRef, error) {
	ref := domain.ShipmentRef{TrackingNumber: number}
	var guesses []domain.NumberGuess
	if c.Detect != nil {
		guesses = c.Detect(number)
	}
	f := domain.Faults{}
	for _, g := range guesses {
		for _, company := range c.companies() {
			car, err := c.choose(company, name, merchantID)
			if err != nil {
				continue
			}
			sub, follows := car.Traits().Follows[g.Company]
			switch {
			case company != g.Company && !follows:
				continue
			case g.Certain:
				ref.TrackingNumber, ref.Sub = g.Number, sub
				return car, ref, nil
			case follows:
				f.Add("/carrier", "candidate", "%s: a number of %s", company, g.Company)
			default:
				f.Add("/carrier", "candidate", "%s", company)
			}
		}
	}
	if only := c.companies(); len(only) == 1 && (len(guesses) == 0 || !guesses[0].Certain) {
		car, err := c.choose(only[0], name, merchantID) // nobody else could be meant
		return car, ref, err
	}
	if len(guesses) > 0 && guesses[0].Certain {
		f.Add("/carrier", "required", "it is a number of %s, whose parcels no company that is set up follows", guesses[0].Company)
	} else {
		f.Add("/carrier", "required", "whose number it is can't be told for certain: name the carrier")
	}
	return nil, ref, f.Err()
}

// companies returns the codes of the configured companies.
func (c Carriers) companies() []string {
	return slices.Compact(domain.Each(c.Accounts(), func(a domain.CarrierAccount) string { return a.Carrier }))
}

// failure converts a carrier's error for the caller: faults of the request in the carrier's words, anything else as unavailable.
func failure(err error) error {
	if err == nil {
		return nil
	}
	if own, ok := errors.AsType[*domain.Error](err); ok {
		return own
	}
	e, ok := errors.AsType[*domain.CarrierError](err)
	if !ok {
		return domain.Unavailable("the delivery company", err)
	}
	switch {
	case e.Refused || e.Class == domain.ClassUnsupported || e.Class == domain.ClassValidation && e.Code != "":
		out := domain.Errorf(domain.CodeValidationFailed, "%s", e.Error())
		out.Faults = []domain.Fault{{Pointer: "", Code: cmp.Or(e.Code, string(e.Class)), Detail: cmp.Or(e.Message, "refused")}}
		for _, c := range e.Candidates {
			out.Faults = append(out.Faults, domain.Fault{Pointer: "", Code: "candidate", Detail: c})
		}
		return out
	case e.Class == domain.ClassNotFound:
		return domain.Errorf(domain.CodeShipmentNotFound, "%s", e.Error())
	}
	out := domain.Unavailable("the delivery company "+e.Carrier, err)
	out.RetryAfter = max(out.RetryAfter, e.RetryAfter)
	return out
}
