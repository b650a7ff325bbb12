package domain

import "strings"

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
