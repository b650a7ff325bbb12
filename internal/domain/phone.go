package domain

import (
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// NormalizePhone returns the number in E.164 (+79161234567). A number without a
// country code is read as one of region (ISO 3166-1 alpha-2); ok is false when no
// such number can exist. Numbers that no operator has handed out pass: a tracker
// must not refuse an order because a numbering plan changed.
func NormalizePhone(s, region string) (e164 string, ok bool) {
	if s = strings.TrimSpace(s); s == "" {
		return "", true
	}
	if isE164(s) {
		return s, true
	}
	n, err := phonenumbers.Parse(s, region)
	if err != nil || !phonenumbers.IsPossibleNumber(n) {
		return "", false
	}
	return phonenumbers.Format(n, phonenumbers.E164), true
}

var (
	callingCodes = phonenumbers.GetSupportedCallingCodes()
	// mended are the countries where a number of the right length may still have a prefix
	// too many, or one too few, that parsing mends.
	mended = map[int32]bool{55: true, 86: true, 261: true, 352: true, 375: true, 378: true, 672: true}
)

// isE164 says whether parsing would leave s as it is: a country's code and a possible
// number without a trunk prefix, as other systems send them. Parsing is slow enough to be
// a tenth of what a new order costs; false is no statement about s.
func isE164(s string) bool {
	if len(s) < 8 || len(s) > 16 || s[0] != '+' || strings.Trim(s[1:], "0123456789") != "" {
		return false
	}
	for n := range 3 { // no country's code begins another's
		code, _ := strconv.Atoi(s[1 : n+2]) // digits
		if !callingCodes[code] {
			continue
		}
		national, _ := strconv.ParseUint(s[n+2:], 10, 64) // at most 14 digits
		country := int32(code)                            //nolint:gosec // at most three digits
		return s[n+2] != '0' && !mended[country] &&
			phonenumbers.IsPossibleNumber(&phonenumbers.PhoneNumber{CountryCode: &country, NationalNumber: &national})
	}
	return false
}

// phone normalises in place and records a fault when it can't.
func (f *Faults) phone(pointer string, s *string, region string) {
	f.Text(pointer, *s, MaxPhone)
	e164, ok := NormalizePhone(*s, region)
	if !ok {
		f.Add(pointer, "invalid_phone", "must be a phone number with its country code, such as +79161234567")
		return
	}
	*s = e164
}
