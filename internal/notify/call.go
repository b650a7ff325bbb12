package notify

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

const (
	// maxBody is the largest body that Standard Webhooks recommends.
	maxBody = 20 << 10
	// maxAnswer is how much of an answer is read, to use the connection again.
	maxAnswer = 64 << 10
	// maxError limits what is kept of a failure.
	maxError = 300
	// maxRetryAfter limits for how long a receiver may ask to be left alone.
	maxRetryAfter = 24 * time.Hour
)

// Outcome is the result of a try.
type Outcome struct {
	// Err is nil when the receiver took it.
	Err  error
	code int
	// gone means that there is nobody any more, final that another try would fail too, and skip
	// that it was not to be sent any more.
	gone, final, skip bool
	// after is the pause that the receiver asked for.
	after time.Duration
	// until is when it may be sent; zero if it was tried.
	until time.Time
}

// again reports whether it is to be tried once more.
func (o Outcome) again() bool { return o.Err != nil && !o.final && !o.skip }

// payload is the body of a webhook.
type payload struct {
	Type      string      `json:"type"`
	Timestamp time.Time   `json:"timestamp"`
	Data      payloadData `json:"data"`
}

type payloadData struct {
	Event     json.RawMessage `json:"event,omitempty"`
	Order     json.RawMessage `json:"order,omitempty"`
	Truncated bool            `json:"truncated,omitempty"`
	// WebhookID is in tests only.
	WebhookID string `json:"webhook_id,omitempty"`
}

// body is what a webhook is told: the event as its merchant sees it, without places, and the
// order as it stood. What is too large goes without the order, then without the event's data.
func body(c domain.DeliveryContent) ([]byte, error) {
	ev, _ := c.Event.For(domain.ViewMerchant)
	ev.Location = nil
	p := payload{Type: string(ev.Type), Timestamp: ev.OccurredAt, Data: payloadData{Event: ev.AppendJSON(nil), Order: c.Order}}
	text, err := json.Marshal(p)
	if err == nil && len(text) > maxBody {
		p.Data.Order, p.Data.Truncated = nil, true
		text, err = json.Marshal(p)
	}
	if err == nil && len(text) > maxBody {
		ev.Data = nil
		p.Data.Event = ev.AppendJSON(nil)
		text, err = json.Marshal(p)
	}
	return text, err
}

// post sends a signed body to a webhook.
func (s *Service) post(ctx context.Context, e *endpoint, id string, body []byte) Outcome {
	ctx, cancel := context.WithTimeout(ctx, s.Config.Timeout)
	defer cancel()
	now := s.Clock.Now()
	secrets, err := e.secrets(s.seals, now)
	if err != nil {
		return Outcome{Err: err}
	}
	signature, err := sign(secrets, id, now, body)
	if err != nil {
		return Outcome{Err: err}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, bytes.NewReader(body))
	if err != nil {
		return Outcome{Err: errors.New("the address is invalid"), final: true}
	}
	req.Header = http.Header{
		"Content-Type": {"application/json"}, "User-Agent": {"order-tracking"},
		"Webhook-Id": {id}, "Webhook-Timestamp": {strconv.FormatInt(now.Unix(), 10)}, "Webhook-Signature": {signature},
	}
	resp, err := s.Client.Do(req)
	if err != nil {
		return Outcome{Err: reason(err)}
	}
	defer func() { _ = resp.Body.Close() }()
	_, readErr := io.CopyN(io.Discard, resp.Body, maxAnswer)
	out := Outcome{code: resp.StatusCode, gone: resp.StatusCode == http.StatusGone}
	switch resp.StatusCode / 100 {
	case 2: // taken, even if the connection broke afterwards
	case 3:
		out.Err = fmt.Errorf("answered %d; redirects are not followed", resp.StatusCode)
	default:
		out.Err = fmt.Errorf("answered %d", resp.StatusCode)
		if readErr != nil && !errors.Is(readErr, io.EOF) {
			out.Err = fmt.Errorf("answered %d and closed early", resp.StatusCode)
		}
	}
	out.after = retryAfter(resp.Header.Get("Retry-After"), now)
	return out
}

// retryAfter reads the header, in seconds or as a date.
func retryAfter(text string, now time.Time) time.Duration {
	if text == "" {
		return 0
	}
	d := time.Duration(0)
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		d = time.Duration(n) * time.Second //nolint:gosec // 31 bits
	} else if at, err := http.ParseTime(text); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), maxRetryAfter)
}

// reason describes a failed call without its address, which may hold a secret.
func reason(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var dns *net.DNSError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	switch {
	case errors.Is(err, context.DeadlineExceeded) || timedOut(err):
		return errors.New("no answer in time")
	case errors.As(err, &dns):
		return errors.New("the host name can't be resolved")
	case errors.As(err, &unknown), errors.As(err, &host), errors.As(err, &invalid):
		return fmt.Errorf("the certificate is not valid: %w", err)
	case errors.As(err, &record):
		return errors.New("the answer is not TLS")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the connection was closed without an answer")
	}
	return err
}

// timedOut reports whether a network operation timed out.
func timedOut(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// brief shortens a failure for the log.
func brief(err error) string {
	if err == nil {
		return ""
	}
	r := []rune(err.Error())
	return string(r[:min(len(r), maxError)])
}

// WebhookTest is the result of a test.
type WebhookTest struct {
	Delivered  bool   `json:"delivered"`
	Code       int    `json:"code,omitempty" doc:"the HTTP status of the answer" example:"204"`
	Error      string `json:"error,omitempty"`
	DurationMS int64  `json:"duration_ms" example:"120"`
}

// typeTest is the type of the body of a test.
const typeTest = "webhook.test"

// Test calls a webhook once, with a body of the type webhook.test, and waits for the answer.
func (s *Service) Test(ctx context.Context, id string) (*WebhookTest, error) {
	e, err := s.find(ctx, id, 0)
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	text, err := json.Marshal(payload{Type: typeTest, Timestamp: domain.Timestamp(s.Clock.Now()), Data: payloadData{WebhookID: e.id}})
	if err != nil {
		return nil, err
	}
	out := s.post(ctx, e, domain.NewID(), text)
	return &WebhookTest{
		Delivered: out.Err == nil, Code: out.code, Error: brief(out.Err),
		DurationMS: cmp.Or(time.Since(begun).Milliseconds(), 1),
	}, nil
}

// Final reports whether another try would fail too, and After is the pause that the receiver asked for.
func (o Outcome) Final() bool          { return o.final }
func (o Outcome) After() time.Duration { return o.after } //nolint:revive // described above
