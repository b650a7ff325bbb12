package notify

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// SMSConfig is the form of a provider's HTTP interface. URL and Body may contain {{to}}
// (E.164), {{phone}} (the same without +), {{text}} and {{id}} (the same on every try),
// which are escaped as the place demands.
type SMSConfig struct {
	URL, Method, ContentType, Body string
	// Header is "Name: value", if there is one.
	Header string
	// Accepted must match the answer when a message was taken: some providers answer 200 to everything.
	Accepted *regexp.Regexp
	Client   *http.Client
}

// SMS sends by any provider with an HTTP interface.
func SMS(c SMSConfig) *Channel {
	return &Channel{
		Name: "sms", Paid: true,
		Address: func(o *domain.Order) string { return o.Customer.Phone },
		Send: func(ctx context.Context, m Message) Outcome {
			values := map[string]string{"to": m.To, "phone": strings.TrimPrefix(m.To, "+"), "text": m.Text, "id": m.ID}
			header := http.Header{"Content-Type": {c.ContentType}}
			if name, value, ok := strings.Cut(c.Header, ":"); ok {
				header.Set(name, strings.TrimSpace(value))
			}
			inBody := url.QueryEscape
			if strings.Contains(c.ContentType, "json") {
				inBody = quoted
			}
			answer, out := ask(ctx, c.Client, c.Method, insert(c.URL, values, url.QueryEscape), header, insert(c.Body, values, inBody))
			if out.Err == nil && !c.Accepted.Match(answer) { // sending again could cost twice
				out.Err, out.final = errors.New("the provider did not take it: "+string(answer[:min(len(answer), 100)])), true
			}
			return out
		},
	}
}

// insert replaces variables by escaped values.
func insert(text string, values map[string]string, escape func(string) string) string {
	return placeholder.ReplaceAllStringFunc(text, func(p string) string { return escape(values[placeholder.FindStringSubmatch(p)[1]]) })
}

// quoted escapes for the inside of a JSON string.
func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return ""
	}
	return string(b[1 : len(b)-1])
}
