package domain

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"github.com/nyaruka/phonenumbers"
)

// PhoneExtension stands between a number and its extension (RFC 3966): +74951234567;ext=12.
const PhoneExtension = ";ext="

// NormalizePhone returns the number in E.164 (+79161234567), followed by its extension if it has one. A number without a country
// code is read as one of region (ISO 3166-1 alpha-2); invisible characters are ignored. ok is false when no such number can
// exist. Numbers that no operator has handed out pass: a tracker must not refuse an order because a numbering plan changed.
func NormalizePhone(s, region string) (e164 string, ok bool) {
	if s = strings.TrimSpace(strings.Map(shown, s)); s == "" {
		return "", true
	}
	if isE164(s) {
		return s, true
	}
	n, err := phonenumbers.Parse(s, region)
	if err != nil || !phonenumbers.IsPossibleNumber(n) {
		return "", false
	}
	e164 = phonenumbers.Format(n, phonenumbers.E164)
	if ext := n.GetExtension(); ext != "" {
		e164 += PhoneExtension + ext
	}
	return e164, true
}

// shown drops invisible characters that come with numbers copied from pages and address
// books: directional marks, joiners, variation selectors.
func shown(r rune) rune {
	if unicode.In(r, unicode.Cf, unicode.Variation_Selector) {
		return -1
	}
	return r
}

// prefixes are the countries' calling codes with the prefixes allowed before national numbers; nil for none.
var prefixes = sync.OnceValue(func() map[int32]*regexp.Regexp {
	all, err := phonenumbers.MetadataCollection()
	if err != nil {
		return nil // every number is parsed then
	}
	out := map[int32]*regexp.Regexp{}
	for _, m := range all.GetMetadata() {
		code := m.GetCountryCode()
		if phonenumbers.GetRegionCodeForCountryCode(int(code)) != m.GetId() { // another region's rules apply
			continue
		}
		out[code] = nil
		if p := m.GetNationalPrefixForParsing(); p != "" {
			out[code] = regexp.MustCompile("^(?:" + p + ")")
		}
	}
	return out
})

// isE164 reports whether parsing would leave s unchanged, as it does with nearly all numbers sent by other systems: a
// country code and a possible number, without a prefix that parsing would remove. Parsing takes a tenth of the cost of a new
// order. False proves nothing about s.
func isE164(s string) bool {
	if len(s) < 8 || len(s) > 16 || s[0] != '+' || strings.Trim(s[1:], "0123456789") != "" {
		return false
	}
	for n := 2; n <= 4; n++ { // no country code is a prefix of another
		code, _ := strconv.ParseInt(s[1:n], 10, 32) // digits
		country := int32(code)                      //nolint:gosec // at most three digits
		prefix, known := prefixes()[country]
		if !known {
			continue
		}
		national, _ := strconv.ParseUint(s[n:], 10, 64) // at most 14 digits
		return s[n] != '0' && (prefix == nil || !prefix.MatchString(s[n:])) &&
			phonenumbers.IsPossibleNumber(&phonenumbers.PhoneNumber{CountryCode: &country, NationalNumber: &national})
	}
	return false
}

// Phone normalizes in place and records a fault when it can't.
func (f *Faults) Phone(pointer string, s *string, region string) {
	e164, ok := NormalizePhone(*s, region)
	if !ok {
		f.Add(pointer, "invalid_phone", "must be a phone number with its country code, such as +79161234567")
		return
	}
	*s = e164
}
