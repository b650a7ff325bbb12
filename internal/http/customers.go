package httpserver

import (
	"strings"
)

// CustomerPhone names a customer.
type CustomerPhone struct {
	Phone string `query:"phone" required:"true" maxLength:"40" doc:"the customer's phone number, however it is written" example:"+79161234567"`
}

// named returns the phone number. A plus sign that was not escaped arrives as a space.
func (p CustomerPhone) named() (string, error) { //nolint:unparam // as keyed demands
	if rest, ok := strings.CutPrefix(p.Phone, " "); ok {
		return "+" + rest, nil
	}
	return p.Phone, nil
}

type eraseIn struct {
	CustomerPhone
	Idempotent
}
