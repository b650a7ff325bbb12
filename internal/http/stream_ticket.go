package httpserver

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/lxzan/gws"

	"github.com/order-tracking/order-tracking/internal/access"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/transport"
)

type ticketOut struct {
	CacheControl string `header:"Cache-Control"`
	Body         *access.IssuedTicket
}

// streaming wraps a stream's handler in enter. A WebSocket with an invalid ticket is accepted and closed with a close code.
func (s *Server) streaming(up *gws.Upgrader, h func(context.Context, *gin.Context, *gws.Upgrader) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		ctx, err := s.enterStream(c)
		if err == nil {
			err = h(ctx, c, up)
		} else if up != nil && c.Query("ticket") != "" && domain.CodeOf(err) == domain.CodeUnauthenticated && s.upgradable(c) == nil {
			c.Status(http.StatusSwitchingProtocols)
			if conn, err := up.Upgrade(c.Writer, c.Request); err == nil {
				_ = conn.WriteClose(transport.CloseUnauthorized, []byte("the ticket is unknown, used or expired")) // the client may be gone
			}
			return
		}
		if err != nil {
			fail(c, err)
		}
	}
}

// enterStream is enter for callers that may use a ticket instead of a key.
func (s *Server) enterStream(c *gin.Context) (context.Context, error) {
	ctx, ticket := c.Request.Context(), c.Query("ticket")
	if ticket == "" || !s.Guard.Protected() { // in keyless mode a ticket does not admit remote callers either
		local, err := s.enter(c)
		if ticket == "" || err != nil {
			return local, err
		}
	}
	caller, err := s.Tickets.Redeem(ctx, ticket)
	if err == nil {
		err = access.Permit(caller, s.operationOf(c))
	}
	return domain.WithCaller(ctx, caller), err
}
