// Package cdek books and tracks shipments with CDEK (СДЭК) over its API v2.
//
// The conversions between its JSON and the domain are pure; the meanings of its codes are
// in tables/. A parcel's status depends only on its entity's statuses, never on the state
// of a request about it.
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

// The service's base URLs.
const (
	ProductionURL = "https://api.cdek.ru/v2"
	TestURL       = "https://api.edu.cdek.ru/v2"
)

// Config configures a CDEK contract; Account and Secret come from the contract.
type Config struct {
	Name    string // our name for the contract; "" for the default one
	BaseURL string // ProductionURL when empty
	Account string
	Secret  string
	// Freight marks an ordinary contract (CDEK's type 2), not an online shop's.
	Freight bool
	// Currency is the contract's: CDEK declares goods and names prices in it; RUB when empty.
	Currency string
	// Sender and From are the default sender and hand-over address of orders. From.Point is
	// an office that accepts parcels.
	Sender domain.Customer
	From   domain.Stop
	Limits carrier.Limits
	Hooks  carrier.Hooks
	HTTP   *http.Client     // http.DefaultClient when nil
	Now    func() time.Time // time.Now when nil
}

// Carrier is the CDEK adapter: quotes, bookings, tracking, webhooks, labels and offices.
type Carrier struct {
	cfg    Config
	client *carrier.Client
	cities *carrier.Cities
	// points caches lists of offices and lockers, by filter and day.
	points carrier.Memo[[]domain.DeliveryPoint]
}

// New returns a CDEK adapter without calling the service.
func New(cfg Config) *Carrier {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Currency = cmp.Or(cfg.Currency, "RUB")
	open := carrier.NewClient(Code, cmp.Or(cfg.BaseURL, ProductionURL), cfg.HTTP, carrier.NewResilient(Code, cfg.Limits, cfg.Hooks), fault)
	c := &Carrier{cfg: cfg, client: open.Signed(carrier.ClientCredentials(open, "/oauth/token", cfg.Account, cfg.Secret))}
	c.points.Max = 256 // a large city has a thousand
	c.cities = &carrier.Cities{Ask: c.city}
	return c
}

// Company registers CDEK with the product.
var Company = carrier.Company{
	Code: Code, URLs: map[string]string{"production": ProductionURL, "test": TestURL},
	Open: func(a carrier.Account) domain.Carrier {
		return New(Config{
			Name: a.Name, BaseURL: a.BaseURL, Account: a.ID, Secret: a.Secret, Freight: a.Freight, Currency: a.Currency,
			Sender: a.Sender, From: a.From, Limits: a.Limits, Hooks: a.Hooks,
		})
	},
}

// Account identifies the contract.
func (c *Carrier) Account() domain.CarrierAccount {
	return domain.CarrierAccount{Carrier: Code, Name: c.cfg.Name}
}

// Traits returns CDEK's traits: Moscow time; shop orders keep our names.
func (c *Carrier) Traits() domain.CarrierTraits {
	return domain.CarrierTraits{Zone: carrier.Moscow, Pace: domain.UsualPace, KeepsReference: !c.cfg.Freight}
}

// Resilient returns the resilient client that calls CDEK.
func (c *Carrier) Resilient() *carrier.Resilient { return c.client.Resilient }

//go:embed tables/*.txt
var files embed.FS

// The meanings of CDEK's codes.
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

// fault finds the error in an answer, in any of CDEK's formats.
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

// refusal converts a CDEK message to an error.
func refusal(m carrier.Node) *domain.CarrierError {
	code := m.Text("code")
	return &domain.CarrierError{Carrier: Code, Class: classOf(code), Code: code, Message: m.Text("message")}
}

// classOf is the class of an error code, empty for an unknown one. CDEK's services differ
// in letter case and in a v2_ prefix.
func classOf(code string) domain.ErrorClass {
	return domain.ErrorClass(classes[strings.TrimPrefix(strings.ToLower(code), "v2_")])
}
