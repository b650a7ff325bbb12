package domain

import (
	"context"
	"time"
)

// Caller is the authenticated caller and its scope. It travels in the context from the
// transport to the event. The zero Caller is anonymous.
type Caller struct {
	Actor
	Name string `json:"name,omitempty"`
	// MerchantID is the merchant of the role merchant or partner, CourierID the courier of
	// the role courier, OrderID the order of the role customer. No other role has one.
	MerchantID string `json:"merchant_id,omitempty"`
	CourierID  string `json:"courier_id,omitempty"`
	OrderID    string `json:"order_id,omitempty"`
	// Credential is the id of the stored credential that was presented; empty for the
	// bootstrap key, local calls and JWTs, which can't be revoked here.
	Credential string `json:"credential,omitempty"`
	// ExpiresAt is when the credential expires; zero for never.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// Remote is the address that the call came from, without its port.
	Remote string `json:"-"`
}

type callerKey struct{}

// WithCaller puts the caller into the context.
func WithCaller(ctx context.Context, c *Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// WithActor is WithCaller for a role without a scope: staff and the product itself.
func WithActor(ctx context.Context, a Actor) context.Context {
	return WithCaller(ctx, &Caller{Actor: a})
}

// CallerFrom returns the caller of the context, or unauthenticated when there is none.
func CallerFrom(ctx context.Context) (*Caller, error) {
	if c, ok := ctx.Value(callerKey{}).(*Caller); ok && c.Kind != "" {
		return c, nil
	}
	return nil, Errorf(CodeUnauthenticated, "credentials are required")
}

// ActorFrom is the actor of CallerFrom.
func ActorFrom(ctx context.Context) (Actor, error) {
	c, err := CallerFrom(ctx)
	return Or(c, Caller{}).Actor, err
}

type clockKey struct{}

// WithClockOff puts into the context how far the caller's clock is behind ours.
func WithClockOff(ctx context.Context, off time.Duration) context.Context {
	return context.WithValue(ctx, clockKey{}, off)
}

// ClockOff returns how far the caller's clock is behind ours; zero unless the caller said.
func ClockOff(ctx context.Context) time.Duration {
	off, _ := ctx.Value(clockKey{}).(time.Duration)
	return off
}

// Staff reports whether the caller has access to everything.
func (c *Caller) Staff() bool {
	return c.Kind == RoleAdmin || c.Kind == RoleDispatcher || c.Kind == RoleSystem
}

// Reaches reports whether the caller may access the order: the ownership rule of every operation on orders.
func (c *Caller) Reaches(o *Order) bool {
	switch c.Kind {
	case RoleAdmin, RoleDispatcher, RoleSystem:
		return true
	case RoleMerchant, RolePartner:
		return c.MerchantID != "" && o.MerchantID == c.MerchantID
	case RoleCourier:
		return c.CourierID != "" && o.CourierID == c.CourierID
	case RoleCustomer:
		return c.OrderID != "" && o.ID == c.OrderID
	}
	return false
}

// ReachesCourier reports whether the caller may see the courier and act for it.
func (c *Caller) ReachesCourier(id string) bool {
	return c.Staff() || c.Kind == RoleCourier && c.CourierID != "" && c.CourierID == id
}

// ReachesMerchant reports whether the caller may see everything that belongs to the merchant.
func (c *Caller) ReachesMerchant(id string) bool {
	return c.Staff() || c.Kind == RoleMerchant && c.MerchantID != "" && c.MerchantID == id
}

// Narrow restricts a filter to the caller's scope. It returns false when nothing is left.
func (c *Caller) Narrow(f *OrderFilter) bool {
	own := func(field *string, id string) bool {
		if id == "" || *field != "" && *field != id {
			return false
		}
		*field = id
		return true
	}
	switch c.Kind {
	case RoleAdmin, RoleDispatcher, RoleSystem:
		return true
	case RolePartner:
		return f.Incident == nil && own(&f.MerchantID, c.MerchantID) // partners see no incidents
	case RoleMerchant:
		return own(&f.MerchantID, c.MerchantID)
	case RoleCourier:
		return own(&f.CourierID, c.CourierID)
	}
	return false
}

// ShareAfterEnd is how long a share link without its own expiry stays valid after its order ended.
const ShareAfterEnd = 24 * time.Hour

// Expired reports whether a share link to the order has expired.
func (c *Caller) Expired(o *Order, now time.Time) bool {
	return c.Kind == RoleCustomer && c.ExpiresAt.IsZero() && !o.Active() && now.After(o.EndedAt().Add(ShareAfterEnd))
}

// Own assigns a new order to the caller's merchant, or rejects an order of another merchant.
func (c *Caller) Own(d *Draft) error {
	if c.Staff() {
		return nil
	}
	if c.MerchantID == "" || d.MerchantID != "" && d.MerchantID != c.MerchantID {
		return Invalid("/merchant_id", "not_yours", "must be absent or the merchant of your key")
	}
	d.MerchantID = c.MerchantID
	return nil
}

// MayMove reports whether a role may make a transition: merchants confirm new orders and
// cancel, couriers do everything but cancel; otherwise forbidden.
func (r Role) MayMove(from, to Status) error {
	switch {
	case from == to:
	case r == RoleMerchant && to != StatusCancelled && (to != StatusConfirmed || from != StatusCreated),
		r == RoleCourier && to == StatusCancelled:
		return Errorf(CodeForbidden, "your role may not take this step")
	}
	return nil
}

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
