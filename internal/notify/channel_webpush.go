package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/SherClockHolmes/webpush-go"
)

// VAPID identifies this installation to push services (RFC 8292).
type VAPID struct {
	Private string `json:"private"`
	Public  string `json:"public"`
}

// NewVAPID makes a key, to be stored once.
func NewVAPID() ([]byte, error) {
	private, public, err := webpush.GenerateVAPIDKeys()
	if err != nil {
		return nil, err
	}
	return json.Marshal(VAPID{private, public})
}

// pushTTL is how long a push service keeps a message for a browser that is off.
const pushTTL = 4 * time.Hour

// WebPush sends to browsers that subscribed on the customer's page, encrypted for them (RFC
// 8291), in the declarative form that needs no service worker where that is known. subject is
// whom push services contact: an address of mail or the web.
func WebPush(key VAPID, subject string, client *http.Client) *Channel {
	return &Channel{Name: "webpush", Address: contact("webpush"), Send: func(ctx context.Context, m Message) Outcome {
		var to webpush.Subscription
		if err := json.Unmarshal([]byte(m.To), &to); err != nil {
			return Outcome{Err: err, final: true}
		}
		text, err := json.Marshal(map[string]any{"web_push": 8030, "notification": map[string]string{
			"title": m.Subject, "body": m.Text, "navigate": m.Link, "lang": m.Lang, "tag": m.OrderID,
		}})
		if err != nil {
			return Outcome{Err: err, final: true}
		}
		resp, err := webpush.SendNotificationWithContext(ctx, text, &to, &webpush.Options{
			HTTPClient: client, Subscriber: subject, VAPIDPublicKey: key.Public, VAPIDPrivateKey: key.Private,
			TTL: int(pushTTL.Seconds()), Urgency: webpush.UrgencyHigh,
		})
		if err != nil {
			return Outcome{Err: reason(err)}
		}
		defer func() { _ = resp.Body.Close() }()
		_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer)
		out := Outcome{code: resp.StatusCode, after: retryAfter(resp.Header.Get("Retry-After"), time.Now())}
		if resp.StatusCode/100 != 2 {
			out.Err = fmt.Errorf("answered %d", resp.StatusCode)
			out.gone = resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusGone // the subscription ended
			out.final = resp.StatusCode/100 == 4 && resp.StatusCode != http.StatusTooManyRequests
		}
		return out
	}}
}
