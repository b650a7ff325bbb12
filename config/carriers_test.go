package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAccountsOfAFile(t *testing.T) {
	load := func(text string) (*Config, error) {
		name := filepath.Join(t.TempDir(), "accounts.yaml")
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
		return Load([]string{"--set", "carriers.accounts_file=" + name, "--set", "carriers.cdek.account=a", "--set", "carriers.cdek.secret=b"}, nil)
	}
	c, err := load("accounts:\n  - {carrier: cdek, name: tea, merchants: [m1, m2], account: id, secret: s3cret, from_point: MSK5}\n")
	require.NoError(t, err)
	all := c.Carriers.All()
	require.Len(t, all, 2)
	require.Equal(t, CarrierAccount{Carrier: "cdek", Account: "a", Secret: "b", BaseURL: CarrierProduction, Currency: "RUB", PerSecond: 10}, all[0])
	require.Equal(t, CarrierAccount{
		Carrier: "cdek", Name: "tea", Merchants: []string{"m1", "m2"}, Account: "id", Secret: "s3cret", BaseURL: CarrierProduction, FromPoint: "MSK5", Currency: "RUB", PerSecond: 10,
	}, all[1])
	for want, text := range map[string]string{
		"lacks carrier, name":    "accounts:\n  - {carrier: cdek, account: id, secret: s3cret}\n",
		"another one has":        "accounts:\n  - {carrier: cdek, name: a, account: id, secret: s3cret}\n  - {carrier: cdek, name: a, account: id, secret: s3cret}\n",
		"base_url":               "accounts:\n  - {carrier: cdek, name: a, account: id, secret: s3cret, base_url: 'http://far.example'}\n",
		`unknown field "acount"`: "accounts:\n  - {carrier: cdek, name: a, acount: id, secret: s3cret}\n",
		"not valid YAML":         "accounts: [s3cret",
		"currency":               "accounts:\n  - {carrier: cdek, name: a, account: id, secret: s3cret, currency: tenge}\n",
		"per_second":             "accounts:\n  - {carrier: cdek, name: a, account: id, secret: s3cret, per_second: 5000}\n",
	} {
		_, err := load(text)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "carriers.accounts_file")
		require.NotContains(t, err.Error(), "s3cret")
	}
}
