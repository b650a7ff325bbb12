package config

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/knadh/koanf/parsers/yaml"
	"golang.org/x/text/currency"
)

// CarrierAccount is a contract with a delivery company and its sender.
type CarrierAccount struct {
	Carrier string `koanf:"-" json:"carrier"`
	// Name is our name for it; "" for the account in the company's section.
	Name string `koanf:"-" json:"name"`
	// Merchants are the merchants who use it; empty means all.
	Merchants   []string `koanf:"-" json:"merchants"`
	Account     string   `koanf:"account" json:"account"`
	Secret      string   `koanf:"secret" json:"secret" secret:"all"`
	BaseURL     string   `koanf:"base_url" json:"base_url" rule:"carrier"`
	Freight     bool     `koanf:"freight" json:"freight"`
	Currency    string   `koanf:"currency" json:"currency" rule:"currency"`
	SenderName  string   `koanf:"sender_name" json:"sender_name"`
	SenderPhone string   `koanf:"sender_phone" json:"sender_phone"`
	FromCity    string   `koanf:"from_city" json:"from_city"`
	FromAddress string   `koanf:"from_address" json:"from_address"`
	FromPoint   string   `koanf:"from_point" json:"from_point"`
	PerSecond   int      `koanf:"per_second" json:"per_second" min:"1" max:"1000"`
}

// CarrierCurrency is the default currency of a contract.
const CarrierCurrency = "RUB"

func checkCurrency(s string) error {
	if unit, err := currency.ParseISO(s); err != nil || unit.String() != s {
		return errors.New("must be a currency as ISO 4217, such as KZT")
	}
	return nil
}

// All returns every account: the one in the cdek section, if configured, and those of the file.
func (c Carriers) All() []CarrierAccount {
	var out []CarrierAccount
	if c.CDEK.Account != "" || c.Emulated() {
		own := c.CDEK
		own.Carrier = "cdek"
		out = append(out, own)
	}
	return append(out, c.Accounts...)
}

// readCarrierAccounts reads the accounts file, if one is configured.
func (c *Config) readCarrierAccounts() error {
	const key = "carriers.accounts_file"
	if c.Carriers.AccountsFile == "" {
		return nil
	}
	text, err := readFile(c.Carriers.AccountsFile, maxFileBytes)
	if err == nil {
		c.Carriers.Accounts, err = parseCarrierAccounts(text, c.Carriers.CDEK.PerSecond)
	}
	if err != nil {
		return c.fault(key, err)
	}
	return nil
}

// parseCarrierAccounts parses a list of accounts. Its errors contain no secrets.
func parseCarrierAccounts(text []byte, perSecond int) ([]CarrierAccount, error) {
	tree, err := yaml.Parser().Unmarshal(text)
	if err != nil {
		return nil, errors.New("names a file that is not valid YAML")
	}
	plain, err := json.Marshal(tree)
	if err != nil {
		return nil, errors.New("names a file whose keys are not all texts")
	}
	var file struct {
		Accounts []CarrierAccount `json:"accounts"`
	}
	dec := json.NewDecoder(bytes.NewReader(plain))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&file); err != nil {
		return nil, fmt.Errorf("names a file whose accounts can't be read: %w", err)
	}
	seen := map[string]bool{}
	for i := range file.Accounts {
		a := &file.Accounts[i]
		at := fmt.Sprintf("names a file whose account %d ", i+1)
		if a.BaseURL == "" {
			a.BaseURL = CarrierProduction
		}
		a.Currency = cmp.Or(a.Currency, CarrierCurrency)
		if a.PerSecond == 0 {
			a.PerSecond = perSecond
		}
		switch {
		case a.Carrier == "" || a.Name == "" || a.Account == "" || a.Secret == "":
			return nil, errors.New(at + "lacks carrier, name, account or secret")
		case seen[a.Carrier+"/"+a.Name]:
			return nil, fmt.Errorf(at+"has the name %q, which another one has", a.Name)
		case a.PerSecond < 1 || a.PerSecond > 1000:
			return nil, errors.New(at + "has a per_second that is not between 1 and 1000")
		}
		if err := checkCarrierURL(a.BaseURL); err != nil {
			return nil, fmt.Errorf(at+"has a base_url that %w", err)
		}
		if err := checkCurrency(a.Currency); err != nil {
			return nil, fmt.Errorf(at+"has a currency that %w", err)
		}
		seen[a.Carrier+"/"+a.Name] = true
	}
	return file.Accounts, nil
}
