package domain

// Role decides what an actor may do.
type Role string

// The roles.
const (
	RoleAdmin      Role = "admin"
	RoleDispatcher Role = "dispatcher"
	RoleMerchant   Role = "merchant"
	RoleCourier    Role = "courier"
	// RolePartner reads one merchant's data, without phone numbers and e-mail addresses.
	RolePartner Role = "partner"
	// RoleMonitor reads metrics.
	RoleMonitor Role = "monitor"
	// RoleCustomer sees one order, through a share link.
	RoleCustomer Role = "customer"
	// RoleSystem is the product itself: inbound messages, timers, fences.
	RoleSystem Role = "system"
)

// Roles lists every role: those that callers may have, then the product's own.
func Roles() []Role {
	return []Role{RoleAdmin, RoleDispatcher, RoleMerchant, RoleCourier, RolePartner, RoleMonitor, RoleCustomer, RoleSystem}
}

// Actor identifies the author of a change.
type Actor struct {
	Kind Role   `json:"kind" doc:"a role" example:"dispatcher"`
	ID   string `json:"id,omitempty"`
}
