package domain

import "strings"

// MaxAmount is the largest amount of money accepted, in minor units.
const MaxAmount = 1_000_000_000_000_000

// Money is an amount in integer minor units (kopecks, cents) of an ISO 4217 currency.
type Money struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

func (m *Money) validate(f *Faults, pointer string) {
	if m == nil {
		return
	}
	if m.Amount < 0 || m.Amount > MaxAmount {
		f.Add(pointer+"/amount", "out_of_range", "must be between 0 and %d minor units", int64(MaxAmount))
	}
	if len(m.Currency) != 3 || !strings.Contains(currencies, m.Currency+" ") {
		f.Add(pointer+"/currency", "invalid_currency", "must be an ISO 4217 code such as RUB or EUR")
	}
}

// currencies lists the active codes of ISO 4217 (funds codes and metals left out).
const currencies = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD " +
	"CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD " +
	"HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD " +
	"MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG " +
	"QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD " +
	"TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG "
