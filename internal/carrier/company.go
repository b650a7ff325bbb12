package carrier

import "github.com/order-tracking/order-tracking/internal/domain"

// Company registers an adapter with the product.
type Company struct {
	Code string
	// URLs maps names such as production to the company's base URLs.
	URLs map[string]string
	// Open returns an account with the company without calling it.
	Open func(Account) domain.Carrier
}

// Account is the configuration of a contract with a company.
type Account struct {
	Name       string // our name for it; "" for the default one
	ID, Secret string
	BaseURL    string
	Freight    bool   // an ordinary contract, not an online shop's
	Currency   string // of the contract: of goods' values and prices; RUB when empty
	// Sender and From are the default sender and origin of orders.
	Sender domain.Customer
	From   domain.Stop
	Limits Limits
	Hooks  Hooks
}
