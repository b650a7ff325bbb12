package carrier

import "github.com/order-tracking/order-tracking/internal/domain"

// Company is an adapter as the product sets it up.
type Company struct {
	Code string
	// URLs are the names that stand for addresses of the company's, such as production.
	URLs map[string]string
	// Open returns an account with the company, without calling it.
	Open func(Account) domain.Carrier
}

// Account is a contract with a company, as it is configured.
type Account struct {
	Name       string // ours for it; "" for the usual one
	ID, Secret string
	BaseURL    string
	Freight    bool // the contract is an ordinary one and not an online shop's
	// Sender and From are who sends and from where, when an order does not say.
	Sender domain.Customer
	From   domain.Stop
	Limits Limits
	Hooks  Hooks
}
