package cli

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCarrierCommands(t *testing.T) {
	for name, tt := range map[string]struct {
		args      []string
		code      int
		out, fail string
	}{
		"prices":            {[]string{"quote", "--sandbox-carriers", "--to-city", "270", "--weight", "1500"}, 0, "139     495.00 RUB", ""},
		"prices as JSON":    {[]string{"quote", "--sandbox-carriers", "--to-city", "270", "--json"}, 0, `"tariff":"231"`, ""},
		"to nowhere":        {[]string{"quote", "--sandbox-carriers"}, 1, "", "location is not recognized"},
		"offices":           {[]string{"points", "Москва", "--sandbox-carriers"}, 0, "MSK900", ""},
		"an unknown parcel": {[]string{"track", "1", "--sandbox-carriers"}, 1, "", "v2_order_not_found"},
		"no account":        {[]string{"track", "1"}, 1, "", "carriers.cdek.account is not set"},
		"no such company":   {[]string{"track", "1", "--carrier", "pigeon"}, 1, "", "there is cdek"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, fail bytes.Buffer
			code := Main(Build{}, append([]string{"carrier"}, tt.args...), nil, &out, &fail)
			require.Equal(t, tt.code, code, fail.String())
			require.Contains(t, out.String(), tt.out)
			require.Contains(t, fail.String(), tt.fail)
		})
	}
}
