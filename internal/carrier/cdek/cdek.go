// Package cdek books and tracks shipments with CDEK (СДЭК) over its API v2.
//
// The conversions between its JSON and the domain are pure; what its codes mean
// stands in tables/. Where a parcel is follows from the statuses of its entity alone,
// never from the state of a request about it.
package cdek

import (
	"cmp"
	"embed"
	"net/http"
	"strings"
	"time"

	"github.com/order-tracking/order-tracking/internal/carrier"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// Code is the carrier's name in requests.
const Code = "cdek"

// The addresses of the service.
const (
	ProductionURL = "https://api.cdek.ru/v2"
	TestURL       = "https://api.edu.cdek.ru/v2"
)

// Config is how to work with CDEK; Account and Secret come from the contract with it.
type Config struct {
	Name    string // ours for the contract; "" for the usual one
	BaseURL string // ProductionURL when empty
	Account string
	Secret  string
	// Freight says that the contract is an ordinary one (CDEK's type 2), not an online shop's.
	Freight bool
	// Sender and From are who sends and where the parcels are handed over, when an
	// order does not say. From.Point is an office that takes them in.
	Sender domain.Customer
	From   domain.Stop
	Limits carrier.Limits
	Hooks  carrier.Hooks
	HTTP   *http.Client     // http.DefaultClient when nil
	Now    func() time.Time // time.Now when nil
}

// Carrier is CDEK. It quotes, ships, tracks, tells by webhooks, prints, and has offices.
type Carrier struct {
	cfg    Config
	client *carrier.Client
	cities *carrier.Cities
	// offices are those that parcels go to, by code and day.
	offices carrier.Memo[domain.DeliveryPoint]
}

// New returns CDEK, without calling it.
func New(cfg Config) *Carrier {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	open := carrier.NewClient(Code, cmp.Or(cfg.BaseURL, ProductionURL), cfg.HTTP, carrier.NewGuard(Code, cfg.Limits, cfg.Hooks), fault)
	c := &Carrier{cfg: cfg, client: open.Signed(carrier.ClientCredentials(open, "/oauth/token", cfg.Account, cfg.Secret))}
	c.cities = &carrier.Cities{Ask: c.city}
	return c
}

// Company is CDEK as the product sets it up.
var Company = carrier.Company{
	Code: Code, URLs: map[string]string{"production": ProductionURL, "test": TestURL},
	Open: func(a carrier.Account) domain.Carrier {
		return New(Config{
			Name: a.Name, BaseURL: a.BaseURL, Account: a.ID, Secret: a.Secret, Freight: a.Freight,
			Sender: a.Sender, From: a.From, Limits: a.Limits, Hooks: a.Hooks,
		})
	},
}

// Account names the contract.
func (c *Carrier) Account() domain.CarrierAccount {
	return domain.CarrierAccount{Carrier: Code, Name: c.cfg.Name}
}

// Traits returns CDEK's: it counts in Moscow's time and keeps a shop's names for its orders.
func (c *Carrier) Traits() domain.CarrierTraits {
	return domain.CarrierTraits{Zone: carrier.Moscow, Pace: domain.UsualPace, KeepsReference: !c.cfg.Freight}
}

// Guard returns what stands between us and CDEK.
func (c *Carrier) Guard() *carrier.Guard { return c.client.Guard }

//go:embed tables/*.txt
var files embed.FS

// What CDEK's codes mean.
var (
	statuses = carrier.LoadMeanings(files, "tables/statuses.txt")
	reasons  = carrier.LoadMeanings(files, "tables/reasons.txt")
	problems = carrier.LoadMeanings(files, "tables/problems.txt")
	classes  = carrier.LoadWords(files, "tables/errors.txt")
	modes    = carrier.LoadWords(files, "tables/modes.txt")
	services = carrier.LoadPairs(files, "tables/services.txt")
	intakes  = carrier.LoadWords(files, "tables/intakes.txt")
	hooks    = carrier.Table(files, "tables/hooks.txt")
)

// fault finds what is wrong in an answer, in whichever of CDEK's shapes it is told.
func fault(n carrier.Node) *domain.CarrierError {
	told := n.At("errors").List()
	for _, q := range n.At("requests").List() {
		told = append(told, q.At("errors").List()...)
	}
	if len(told) > 0 {
		return refusal(told[0])
	}
	e := &domain.CarrierError{Message: cmp.Or(n.Text("error_description"), n.Text("message"))}
	if n.Text("error_description") != "" { // the token service
		e.Code = n.Text("error")
		e.Class = classOf(e.Code)
	}
	return e
}

// refusal is one of CDEK's messages as an error.
func refusal(m carrier.Node) *domain.CarrierError {
	code := m.Text("code")
	return &domain.CarrierError{Carrier: Code, Class: classOf(code), Code: code, Message: m.Text("message")}
}

// classOf is the class of an error code, empty for one that is in no table. CDEK's
// parts differ in the case of its letters and in v2_ before it.
func classOf(code string) domain.ErrorClass {
	return domain.ErrorClass(classes[strings.TrimPrefix(strings.ToLower(code), "v2_")])
}
