package httpserver

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/order-tracking/order-tracking/internal/access"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/transport"
)

// sessionCookie holds a page's session. The prefix makes browsers reject it from other hosts and over plain HTTP.
const sessionCookie = "__Host-session"

// sessionRoutes sign pages in and out: by a key or a code, or at the identity provider, by its authorization code flow with PKCE.
func (s *Server) sessionRoutes() {
	plain[Sent[access.SignIn], struct{}](s, "createSession", s.answering(s.createSession))
	plain[struct{}, struct{}](s, "deleteSession", s.answering(s.deleteSession))
	plain[struct{}, struct{}](s, "beginLogin", s.answering(s.beginLogin))
	plain[struct{}, struct{}](s, "finishLogin", s.answering(s.finishLogin))
}

// answering is guarded without authorization.
func (s *Server) answering(h func(ctx context.Context, c *gin.Context) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := h(c.Request.Context(), c); err != nil {
			fail(c, err)
		}
	}
}

func (s *Server) createSession(ctx context.Context, c *gin.Context) error {
	if err := cmp.Or(s.sameSite(c), onlyQuery(c.Request.URL)); err != nil {
		return err
	}
	body, err := readJSON(c)
	if err != nil {
		return err
	}
	in, err := request(body, nil, access.SignIn.Check)
	if err != nil {
		return err
	}
	if !secure(c.Request) {
		return errHTTPS
	}
	session, err := s.Sessions.Open(ctx, in)
	if err != nil {
		return s.Guard.Failed(transport.AddressOnly(c.Request.RemoteAddr), err)
	}
	setSession(c, session.Secret, session.ExpiresAt)
	c.Status(http.StatusNoContent)
	return nil
}

func (s *Server) deleteSession(ctx context.Context, c *gin.Context) error {
	if err := cmp.Or(s.sameSite(c), onlyQuery(c.Request.URL)); err != nil {
		return err
	}
	if cookie, err := c.Request.Cookie(sessionCookie); err == nil {
		if err := s.Sessions.Close(ctx, cookie.Value); err != nil {
			return err
		}
	}
	setSession(c, "", time.Unix(1, 0))
	c.Status(http.StatusNoContent)
	return nil
}

var errHTTPS = domain.Errorf(domain.CodeHTTPSRequired, "sessions need HTTPS, or a browser on this machine that asks for localhost")

// setSession sets the cookie; a time in the past deletes it.
func setSession(c *gin.Context, secret string, until time.Time) {
	http.SetCookie(c.Writer, &http.Cookie{
		Name: sessionCookie, Value: secret, Path: "/", Expires: until, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
	c.Header("Cache-Control", "no-store")
}

// secure reports whether a cookie set in the response stays between the server and the browser.
func secure(r *http.Request) bool {
	return r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" ||
		transport.Loopback(r.RemoteAddr) && access.LoopbackHost(r.Host)
}

// sameSite rejects changes requested by pages of other sites on the user's behalf.
func (s *Server) sameSite(c *gin.Context) error {
	if origin := c.Request.Header.Get("Origin"); s.origins[origin] {
		return nil
	}
	if err := s.crossSite.Check(c.Request); err != nil {
		return domain.Errorf(domain.CodeForbidden, "pages of other sites may not do this")
	}
	return nil
}
