// Package easypost follows parcels of many companies through EasyPost's trackers (API v2).
// It books nothing.
//
// The conversions are pure; the meanings of statuses are in tables/.
package easypost

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/order-tracking/order-tracking/internal/carrier"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// Code is the carrier's name in requests.
const Code = "easypost"

// ProductionURL is the service's base URL; whether a tracker is a test follows from the key.
const ProductionURL = "https://api.easypost.com/v2"

// Company registers EasyPost with the product. The account's secret is the API key; its id
// is any name.
var Company = carrier.Company{
	Code: Code, URLs: map[string]string{"production": ProductionURL, "test": ProductionURL},
	Open: func(a carrier.Account) domain.Carrier { return New(a, nil) },
}

//go:embed tables/*.txt
var files embed.FS

var (
	statuses  = carrier.LoadMeanings(files, "tables/statuses.txt")
	companies = carrier.LoadPairs(files, "tables/carriers.txt")
)

// Carrier is the adapter: tracking and webhooks.
type Carrier struct {
	name       string
	client     *carrier.Client
	hookSecret string
}

// New returns an adapter without calling the service; h is http.DefaultClient when nil.
func New(a carrier.Account, h *http.Client) *Carrier {
	c := carrier.NewClient(Code, a.BaseURL, h, carrier.NewResilient(Code, a.Limits, a.Hooks), fault)
	c.Auth = carrier.Fixed(carrier.Basic(a.Secret, ""))
	mac := hmac.New(sha256.New, []byte(a.Secret))
	mac.Write([]byte("webhooks of " + a.ID))
	return &Carrier{name: a.Name, client: c, hookSecret: hex.EncodeToString(mac.Sum(nil))}
}

// Account identifies the key.
func (c *Carrier) Account() domain.CarrierAccount {
	return domain.CarrierAccount{Carrier: Code, Name: c.name}
}

// Traits returns EasyPost's traits: it follows the parcels of many companies.
func (c *Carrier) Traits() domain.CarrierTraits {
	return domain.CarrierTraits{Zone: time.UTC, Pace: domain.UsualPace, Follows: companies}
}

// fault finds the error in an answer; its message is a text, a list or an object.
func fault(n carrier.Node) *domain.CarrierError {
	e := n.At("error")
	out := &domain.CarrierError{Code: e.Text("code"), Message: e.Text("message")}
	for _, one := range e.At("errors").List() {
		out.Message = carrier.Join("; ", out.Message, one.Text(), carrier.Join(" ", one.Text("field"), one.Text("message")))
	}
	if strings.HasPrefix(out.Code, "APIKEY.") {
		out.Class = domain.ClassAuth
	}
	return out
}

// TrackShipment returns everything that EasyPost knows. A parcel without an id gets a
// tracker by its number: within three months the same one, whoever asks how often.
func (c *Carrier) TrackShipment(ctx context.Context, ref domain.ShipmentRef) (domain.ShipmentSnapshot, error) {
	call := carrier.Get("tracker", "/trackers/"+url.PathEscape(ref.ID), nil)
	switch {
	case ref.ID == "" && ref.TrackingNumber == "":
		return domain.ShipmentSnapshot{}, c.client.Fail(domain.ClassValidation, "a parcel without a number can't be followed")
	case ref.ID == "":
		tracker := carrier.Body{"tracking_code": ref.TrackingNumber, "carrier": ref.Sub}
		call = carrier.Call{Op: "track", Method: http.MethodPost, Path: "/trackers", Body: carrier.Body{"tracker": tracker}, Safe: true}
	}
	n, err := c.client.JSON(ctx, call)
	if err == nil && n.Text("id") == "" {
		err = c.client.Fail(domain.ClassRetryable, "its answer names no tracker")
	}
	if err != nil {
		return domain.ShipmentSnapshot{}, err
	}
	snap := decodeTracker(n)
	c.client.CountUnknown(snap.Events...)
	return snap, nil
}

// signatureHeader holds the signature of a webhook.
const signatureHeader = "X-Hmac-Signature"

// VerifyHook compares the signature over the raw body.
func (c *Carrier) VerifyHook(h domain.HookMessage) error {
	given, ok := strings.CutPrefix(http.Header(h.Header).Get(signatureHeader), "hmac-sha256-hex=")
	mac := hmac.New(sha256.New, []byte(c.hookSecret)) // ASCII: EasyPost's normalisation leaves it as it is
	mac.Write(h.Body)
	if !ok || !hmac.Equal([]byte(strings.ToLower(given)), []byte(hex.EncodeToString(mac.Sum(nil)))) {
		return c.client.Fail(domain.ClassAuth, "the webhook is not signed with our secret")
	}
	return nil
}

// ParseHook decodes an event.
func (c *Carrier) ParseHook(h domain.HookMessage) ([]domain.CarrierHook, error) {
	return c.client.ParseHooks(h.Body, decodeHook)
}

// Affected returns the tracker of an event.
func (c *Carrier) Affected(_ context.Context, h domain.CarrierHook) ([]domain.ShipmentRef, error) {
	return h.Shipments, nil
}

// EnsureHooks subscribes to all events, enables a webhook that was switched off, and
// removes those of our former addresses.
func (c *Carrier) EnsureHooks(ctx context.Context, target string) ([]string, error) {
	n, err := c.client.JSON(ctx, carrier.Get("hooks", "/webhooks", nil))
	if err != nil {
		return nil, err
	}
	call := carrier.Post("subscribe", "/webhooks", carrier.Body{"webhook": carrier.Body{"url": target, "webhook_secret": c.hookSecret}})
	for _, w := range n.At("webhooks").List() {
		path := "/webhooks/" + url.PathEscape(w.Text("id"))
		switch {
		case w.Text("url") == target && w.Text("disabled_at") == "":
			return []string{"tracker"}, nil
		case w.Text("url") == target:
			call = carrier.Call{Op: "resubscribe", Method: http.MethodPatch, Path: path, Body: carrier.Body{"webhook_secret": c.hookSecret}, Safe: true}
		case carrier.SameHook(w.Text("url"), target):
			if _, err := c.client.Do(ctx, carrier.Call{Op: "unsubscribe", Method: http.MethodDelete, Path: path, Safe: true}); err != nil && domain.ClassOf(err) != domain.ClassNotFound {
				return nil, err
			}
		}
	}
	_, err = c.client.Do(ctx, call)
	return []string{"tracker"}, err
}
