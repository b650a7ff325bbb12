package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"html"
	"strings"

	"github.com/wneessen/go-mail"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// SMTP is a mail server.
type SMTP struct {
	Host string
	Port int
	// Security is starttls, tls or none.
	Security       string
	User, Password string
	// From is the sender, an address that may have a name before it.
	From string
	TLS  *tls.Config // nil for the machine's certificates
}

// Email sends mail, as text and HTML. Bounces that come later as mail are not read.
func Email(c SMTP) (*Channel, error) {
	options := []mail.Option{mail.WithPort(c.Port), mail.WithTLSPolicy(mail.TLSMandatory)}
	switch c.Security {
	case "tls":
		options = append(options, mail.WithSSL())
	case "none":
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	}
	if c.TLS != nil {
		options = append(options, mail.WithTLSConfig(c.TLS))
	}
	if c.User != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(c.User), mail.WithPassword(c.Password))
	}
	if _, err := mail.NewClient(c.Host, options...); err != nil {
		return nil, err
	}
	if err := mail.NewMsg().From(c.From); err != nil {
		return nil, err
	}
	return &Channel{
		Name:    channelEmail,
		Address: func(o *domain.Order) string { return o.Customer.Email },
		Send: func(ctx context.Context, m Message) Outcome {
			msg, err := compose(c.From, m)
			if err != nil {
				return Outcome{Err: errors.New("the address is not valid"), final: true}
			}
			client, err := mail.NewClient(c.Host, options...) // a client is not safe for concurrent use
			if err != nil {
				return Outcome{Err: err}
			}
			return mailed(client.DialAndSendWithContext(ctx, msg))
		},
	}, nil
}

func compose(from string, m Message) (*mail.Msg, error) {
	msg := mail.NewMsg()
	if err := errors.Join(msg.From(from), msg.To(m.To)); err != nil {
		return nil, err
	}
	msg.Subject(m.Subject)
	msg.SetDate()
	msg.SetMessageIDWithValue(m.ID + "@order-tracking")
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetGenHeader("Content-Language", m.Lang)
	if m.OptOut != "" {
		msg.SetGenHeader("List-Unsubscribe", "<"+m.OptOut+">")
		msg.SetGenHeader("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
	}
	text := m.Text + "\n"
	if m.OptOut != "" {
		text += "\n-- \n" + optOutTexts[m.Lang] + ": " + m.OptOut + "\n"
	}
	msg.SetBodyString(mail.TypeTextPlain, text)
	msg.AddAlternativeString(mail.TypeTextHTML, page(m))
	return msg, nil
}

// optOutTexts name the link that ends messages.
var optOutTexts = map[string]string{"en": "Unsubscribe from these messages", "ru": "Больше не получать такие письма"}

// page is the text as HTML: paragraphs, the link as one, and small below it the way out.
func page(m Message) string {
	body := html.EscapeString(m.Text)
	if m.Link != "" {
		link := html.EscapeString(m.Link)
		body = strings.ReplaceAll(body, link, `<a href="`+link+`">`+link+`</a>`)
	}
	out := ""
	if m.OptOut != "" {
		out = `<p style="font-size:13px;color:#666"><a style="color:#666" href="` + html.EscapeString(m.OptOut) + `">` + optOutTexts[m.Lang] + `</a></p>`
	}
	return `<!doctype html><html lang="` + m.Lang + `"><meta charset="utf-8"><body style="font:16px/1.5 sans-serif;max-width:36em"><p>` +
		strings.ReplaceAll(body, "\n", "</p><p>") + "</p>" + out + "</body></html>"
}

// mailed judges an answer: 5xx is final, 4xx and broken connections are not.
func mailed(err error) Outcome {
	out := Outcome{Err: err}
	var refused *mail.SendError
	if errors.As(err, &refused) {
		out.code = refused.ErrorCode()
		out.final = out.code >= 500
	}
	return out
}
