package httpserver

import (
	"context"
	"net/http"
	"strings"

	"github.com/order-tracking/order-tracking/internal/privacy"
)

// CustomerPhone names a customer.
type CustomerPhone struct {
	Phone string `query:"phone" required:"true" maxLength:"40" doc:"the customer's phone number, however it is written" example:"+79161234567"`
}

// number returns the phone number. A plus sign that was not escaped arrives as a space.
func (p CustomerPhone) number() string {
	if rest, ok := strings.CutPrefix(p.Phone, " "); ok {
		return "+" + rest
	}
	return p.Phone
}

type eraseIn struct {
	CustomerPhone
	Idempotent
}

// customerDataRoutes erase and export customers' data.
func (s *Server) customerDataRoutes() {
	handle(s, operation{
		method: http.MethodDelete, path: "/customers", id: "eraseCustomer", tag: tagAccess,
	}, func(ctx context.Context, in *eraseIn) (*repeatable[*privacy.Erased], error) {
		return repeated(once(ctx, in.Idempotent, func(ctx context.Context) (*privacy.Erased, error) { return s.Privacy.Erase(ctx, in.number()) }))
	})
	handle(s, operation{
		method: http.MethodGet, path: "/customers/export", id: "exportCustomer", tag: tagAccess,
	}, func(ctx context.Context, in *CustomerPhone) (*noStore[*privacy.Export], error) {
		return secretOf(s.Privacy.Export(ctx, in.number()))
	})
}
