package domain

import "strings"

// Payment is the cash on delivery that is due and received.
type Payment struct {
	// Due is the total for the goods; absent or zero when they are paid for.
	Due     *Money `json:"due,omitempty" doc:"for the goods, in total"`
	Method  string `json:"method,omitempty" enum:"prepaid,cash,card" doc:"payment method; any if omitted" example:"cash"`
	VATRate string `json:"vat_rate,omitempty" enum:"none,0,5,7,10,16,22" doc:"percent that the amount contains" example:"22"`
	// Delivery is the delivery fee, in addition to the goods.
	Delivery        *Money `json:"delivery,omitempty" doc:"for the delivery, beside the goods"`
	DeliveryVATRate string `json:"delivery_vat_rate,omitempty" enum:"none,0,5,7,10,16,22" doc:"percent that it contains"`
	// Received is the amount collected by the carrier or courier, and Registry the carrier's number of the remittance document.
	Received *Money `json:"received,omitempty" readOnly:"true" doc:"amount received"`
	Registry string `json:"registry,omitempty" readOnly:"true" doc:"the company's number of the paper with which it was handed on"`
}

// PrepaidMethod means that nothing is due.
const PrepaidMethod = "prepaid"

// Collects reports whether money is to be collected.
func (p *Payment) Collects() bool {
	if p == nil || p.Method == PrepaidMethod {
		return false
	}
	return p.Due != nil && p.Due.Amount > 0 || p.Delivery != nil && p.Delivery.Amount > 0
}

// rules adds the faults that tags can't express.
func (p *Payment) rules(f *Faults) {
	if p == nil {
		return
	}
	if p.Due != nil && p.Delivery != nil && p.Due.Currency != p.Delivery.Currency {
		f.Add("/payment/delivery", "wrong_currency", "must be in %s, as what is due", p.Due.Currency)
	}
	if p.Method == PrepaidMethod && p.Due != nil && p.Due.Amount > 0 {
		f.Add("/payment/due", "prepaid", "nothing is due of what is paid for")
	}
}

// asked keeps the fields that a client may set: not the received amount.
func (p *Payment) asked() *Payment {
	if p == nil || p.Received == nil && p.Registry == "" {
		return p
	}
	out := *p
	out.Received, out.Registry = nil, ""
	return &out
}

// changed returns the payment after an edit to what is asked: what was received stays.
func (p *Payment) changed(asked *Payment) *Payment {
	asked = asked.asked()
	if p == nil || p.Received == nil && p.Registry == "" {
		return asked
	}
	next := Or(asked, Payment{})
	next.Received, next.Registry = p.Received, p.Registry
	return &next
}

// receive stores the amount the carrier collected, and reports whether it is more than, or differs from, what was known.
func (p *Payment) receive(received *Money, registry string) (next *Payment, news bool) {
	if received == nil && registry == "" {
		return p, false
	}
	out := Or(p, Payment{})
	if received != nil && (out.Received == nil || *out.Received != *received) {
		out.Received, news = received, true
	}
	if registry != "" && out.Registry != registry {
		out.Registry, news = registry, true
	}
	if !news {
		return p, false
	}
	return &out, true
}

// Collect stores the money that was collected with the step to a status, which must be delivered. Any earlier amount is replaced. It
// fails with validation_failed.
func (o *Order) Collect(to Status, received *Money, by By) ([]Event, error) {
	if received == nil {
		return nil, nil
	}
	var f Faults
	f.Check("/received", received)
	if to != StatusDelivered {
		f.Add("/received", "conflict", "comes with delivered only")
	}
	if p := o.Payment; p != nil && p.Due != nil && p.Due.Currency != received.Currency {
		f.Add("/received/currency", "wrong_currency", "must be %s, as what is due", p.Due.Currency)
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	return o.receive(received, "", by, map[string]any{}), nil
}

// receive stores what was collected, and adds it to what the event says, if it is news.
func (o *Order) receive(received *Money, registry string, by By, data map[string]any) []Event {
	next, news := o.Payment.receive(received, registry)
	if !news {
		return nil
	}
	o.Payment = next
	if next.Received != nil {
		data["received"] = *next.Received
	}
	return []Event{o.change(EventPaymentReceived, by, given(data, map[string]string{"registry": next.Registry}))}
}

// MaxAmount is the largest amount of money accepted, in minor units.
const MaxAmount = 1_000_000_000_000_000

// Money is an amount in integer minor units (kopecks, cents) of an ISO 4217 currency.
type Money struct {
	Amount   int64  `json:"amount" minimum:"0" maximum:"1000000000000000" doc:"in minor units: kopecks, cents" example:"129900"`
	Currency string `json:"currency" format:"currency" minLength:"3" maxLength:"3" doc:"ISO 4217" example:"RUB"`
}

func isCurrency(s string) bool { return len(s) == 3 && strings.Contains(currencies, s+" ") }

// currencies lists the active codes of ISO 4217 (funds codes and metals left out).
const currencies = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD " +
	"CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD " +
	"HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD " +
	"MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG " +
	"QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD " +
	"TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG "
