package domain

// Role says what an actor may do.
type Role string

// The roles.
const (
	RoleAdmin      Role = "admin"
	RoleDispatcher Role = "dispatcher"
	RoleMerchant   Role = "merchant"
	RoleCourier    Role = "courier"
	// RolePartner reads what one merchant has, without phone numbers and e-mail addresses.
	RolePartner Role = "partner"
	// RoleMonitor reads metrics.
	RoleMonitor Role = "monitor"
	// RoleCustomer sees one order, by a share link.
	RoleCustomer Role = "customer"
	// RoleSystem is the product itself: inbound messages, timers, fences.
	RoleSystem Role = "system"
)

// Roles lists every role, those that callers may have before the product's own.
func Roles() []Role {
	return []Role{RoleAdmin, RoleDispatcher, RoleMerchant, RoleCourier, RolePartner, RoleMonitor, RoleCustomer, RoleSystem}
}

// Actor is who did something.
type Actor struct {
	Kind Role   `json:"kind" doc:"a role" example:"dispatcher"`
	ID   string `json:"id,omitempty"`
}
