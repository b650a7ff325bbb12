package httpserver

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/transport"
)

const (
	// loginCookie holds a sign-in that is under way. It is Lax, as the provider's page sends the browser back.
	loginCookie = "__Host-login"
	loginFor    = 10 * time.Minute
	loginPath   = "/login/callback"
)

// login is the cookie's content.
type login struct {
	domain.Login
	Next string // the page to return to
}

func (s *Server) redirectURL(r *http.Request) string {
	return s.publicURL(addressOf(r.TLS != nil, r.Header.Get("X-Forwarded-Proto"), r.Host)) + loginPath
}

func (s *Server) beginLogin(ctx context.Context, c *gin.Context) error {
	next := c.DefaultQuery("next", "/")
	if !localPath(next) {
		return domain.Invalid("/next", "not_allowed", "must be a path on this server")
	}
	if !secure(c.Request) {
		return errHTTPS
	}
	l, page, err := s.Sessions.BeginLogin(ctx, s.redirectURL(c.Request))
	if err != nil {
		return err
	}
	kept, err := json.Marshal(login{l, next})
	if err != nil {
		return err
	}
	setLogin(c, base64.RawURLEncoding.EncodeToString(kept), loginFor)
	c.Redirect(http.StatusSeeOther, page)
	return nil
}

// localPath reports whether a browser that follows the text stays on this server.
func localPath(next string) bool {
	u, err := url.Parse(next)
	return err == nil && u.Scheme == "" && u.Host == "" && strings.HasPrefix(next, "/") && !strings.HasPrefix(next, "//") &&
		!strings.ContainsFunc(next, func(r rune) bool { return r == '\\' || r <= ' ' || r == 0x7f }) && len(next) <= 2000
}

func (s *Server) finishLogin(ctx context.Context, c *gin.Context) error {
	l, err := s.loginOf(c)
	setLogin(c, "", -time.Second) // it works once
	if err != nil {
		return s.Guard.Failed(transport.AddressOnly(c.Request.RemoteAddr), err)
	}
	if c.Query("error") != "" { // such as access_denied: somebody changed their mind
		return domain.Errorf(domain.CodeForbidden, "the identity provider signed nobody in")
	}
	session, err := s.Sessions.FinishLogin(ctx, l.Login, c.Query("code"))
	if err != nil {
		return s.Guard.Failed(transport.AddressOnly(c.Request.RemoteAddr), err)
	}
	setSession(c, session.Secret, session.ExpiresAt)
	c.Redirect(http.StatusSeeOther, l.Next)
	return nil
}

// loginOf returns the sign-in that this browser began and the provider answers.
func (s *Server) loginOf(c *gin.Context) (l login, err error) {
	stale := domain.Errorf(domain.CodeUnauthenticated, "this browser did not begin the sign-in, or more than ten minutes ago; please begin again")
	cookie, err := c.Request.Cookie(loginCookie)
	if err != nil {
		return l, stale
	}
	kept, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil || json.Unmarshal(kept, &l) != nil || l.State == "" || !localPath(l.Next) ||
		subtle.ConstantTimeCompare([]byte(l.State), []byte(c.Query("state"))) != 1 {
		return l, stale
	}
	return l, nil
}

// setLogin sets the cookie; a negative time deletes it.
func setLogin(c *gin.Context, value string, last time.Duration) {
	http.SetCookie(c.Writer, &http.Cookie{
		Name: loginCookie, Value: value, Path: "/", MaxAge: int(last.Seconds()), Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	c.Header("Cache-Control", "no-store")
	c.Header("Referrer-Policy", "no-referrer")
}
