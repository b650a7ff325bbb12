package notify_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/notify"
)

// smtpServer is a mail server with STARTTLS or TLS and a say in what it takes.
type smtpServer struct {
	net.Listener
	tls  *tls.Config
	pool *tls.Config // what a client trusts
	// rcpt answers RCPT TO; empty takes it.
	rcpt func(address string) string

	mu    sync.Mutex
	mails []string
	plain bool // somebody sent mail without TLS
}

func newSMTP(t testing.TB, fromTheStart bool, rcpt func(string) string) *smtpServer {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	web := httptest.NewUnstartedServer(nil) // for its certificate
	web.StartTLS()
	t.Cleanup(web.Close)
	s := &smtpServer{Listener: l, rcpt: rcpt, tls: &tls.Config{Certificates: web.TLS.Certificates, MinVersion: tls.VersionTLS12}}
	s.pool = web.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	s.pool.ServerName = "example.com"
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if fromTheStart {
				conn = tls.Server(conn, s.tls)
			}
			go s.talk(conn, fromTheStart)
		}
	}()
	return s
}

func (s *smtpServer) talk(conn net.Conn, secure bool) {
	defer func() { _ = conn.Close() }()
	r := bufio.NewReader(conn)
	say := func(text string) { _, _ = fmt.Fprintf(conn, "%s\r\n", text) }
	say("220 mail.test ESMTP")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch strings.ToUpper(verb) {
		case "EHLO":
			say("250-mail.test")
			if !secure {
				say("250-STARTTLS")
			}
			say("250 AUTH PLAIN LOGIN")
		case "STARTTLS":
			say("220 go on")
			conn = tls.Server(conn, s.tls)
			r, secure = bufio.NewReader(conn), true
		case "AUTH":
			if !strings.HasSuffix(rest, "AHVzZXIAcGFzcw==") { // \0user\0pass
				say("535 wrong password")
				continue
			}
			say("235 welcome")
		case "RCPT":
			if no := s.rcpt(strings.Trim(strings.TrimPrefix(rest, "TO:"), "<>")); no != "" {
				say(no)
				continue
			}
			say("250 ok")
		case "DATA":
			say("354 go on")
			var text strings.Builder
			for {
				l, err := r.ReadString('\n')
				if err != nil || l == ".\r\n" {
					break
				}
				text.WriteString(l)
			}
			s.mu.Lock()
			s.mails, s.plain = append(s.mails, text.String()), s.plain || !secure
			s.mu.Unlock()
			say("250 queued")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func (s *smtpServer) got() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.mails...)
}

// channel is e-mail through the server.
func (s *smtpServer) channel(t testing.TB, security string) *notify.Channel {
	c, err := notify.Email(notify.SMTP{
		Host: "127.0.0.1", Port: s.Addr().(*net.TCPAddr).Port, Security: security, User: "user", Password: "pass",
		From: "Corner Shop <orders@shop.example>", TLS: s.pool,
	})
	require.NoError(t, err)
	return c
}
