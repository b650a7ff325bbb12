package shipping

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

type company struct{ account domain.CarrierAccount }

func (c company) Account() domain.CarrierAccount { return c.account }
func (c company) Traits() domain.CarrierTraits   { return domain.CarrierTraits{} }

func TestWhichAccountABookingGoesWith(t *testing.T) {
	c := Carriers{ByAccount: map[domain.CarrierAccount]domain.Carrier{}, Merchants: map[domain.CarrierAccount][]string{}}
	for name, merchants := range map[string][]string{"acme/": nil, "acme/tea": {"tea"}, "acme/spare": nil, "other/coffee": {"coffee"}} {
		carrier, account, _ := strings.Cut(name, "/")
		a := domain.CarrierAccount{Carrier: carrier, Name: account}
		c.ByAccount[a], c.Merchants[a] = company{a}, merchants
	}
	c.Chosen = func(merchant string) []string {
		return map[string][]string{"wine": {"acme/tea", "acme"}, "books": {}}[merchant]
	}
	for name, tc := range map[string]struct{ carrier, account, merchant, want string }{
		"the usual one":              {"acme", "", "books", "acme"},
		"one's own":                  {"acme", "", "tea", "acme/tea"},
		"a named one":                {"acme", "spare", "tea", "acme/spare"},
		"another's is not there":     {"acme", "tea", "books", ""},
		"a company only for another": {"other", "", "tea", ""},
		"a company only for oneself": {"other", "", "coffee", "other/coffee"},
		"those chosen for it":        {"acme", "", "wine", "acme/tea"},
		"one not chosen for it":      {"acme", "spare", "wine", ""},
		"no company":                 {"none", "", "tea", ""},
		"which company must be said": {"", "", "tea", ""},
	} {
		got, err := c.choose(tc.carrier, tc.account, tc.merchant)
		if tc.want == "" {
			require.Error(t, err, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, tc.want, got.Account().String(), name)
	}
}
