package domain

import "context"

// Role says what an actor may do.
type Role string

// The roles.
const (
	RoleAdmin      Role = "admin"
	RoleDispatcher Role = "dispatcher"
	RoleMerchant   Role = "merchant"
	RoleCourier    Role = "courier"
	RoleCustomer   Role = "customer"
	// RoleSystem is the product itself: inbound messages, timers, fences.
	RoleSystem Role = "system"
)

// Roles lists every role.
func Roles() []Role {
	return []Role{RoleAdmin, RoleDispatcher, RoleMerchant, RoleCourier, RoleCustomer, RoleSystem}
}

// Actor is who asks. It travels in the context from the door to the event.
type Actor struct {
	Kind Role   `json:"kind"`
	ID   string `json:"id,omitempty"`
}

type actorKey struct{}

// WithActor puts the actor into the context.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorFrom returns the actor of the context, or unauthenticated when a door let
// nobody in.
func ActorFrom(ctx context.Context) (Actor, error) {
	if a, ok := ctx.Value(actorKey{}).(Actor); ok && a.Kind != "" {
		return a, nil
	}
	return Actor{}, Errorf(CodeUnauthenticated, "credentials are required")
}
