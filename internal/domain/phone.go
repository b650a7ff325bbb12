package domain

import (
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
	n, err := phonenumbers.Parse(s, region)
	if err != nil || !phonenumbers.IsPossibleNumber(n) {
		return "", false
	}
	return phonenumbers.Format(n, phonenumbers.E164), true
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
