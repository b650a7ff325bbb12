// Package yandex sends orders by courier with Yandex Delivery (express claims, API v2).
//
// A claim is made under our reference, which Yandex answers with the same claim for ever,
// is estimated, and costs nothing until it is accepted. The conversions are pure; the
// meanings of codes are in tables/.
package yandex

import (
	"context"
	"embed"
	"errors"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/order-tracking/order-tracking/internal/carrier"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// Code is the carrier's name in requests.
const Code = "yandex"

// The service's base URLs. That of the test service is not in Yandex's own documentation.
const (
	ProductionURL = "https://b2b.taxi.yandex.net/b2b/cargo/integration/v2"
	TestURL       = "https://b2b.taxi.tst.yandex.net/b2b/cargo/integration/v2"
)

// Company registers Yandex Delivery with the product. The account's secret is the OAuth
// token; its id is any name.
var Company = carrier.Company{
	Code: Code, URLs: map[string]string{"production": ProductionURL, "test": TestURL},
	Open: func(a carrier.Account) domain.Carrier { return New(a, nil) },
}

//go:embed tables/*.txt
var files embed.FS

var (
	statuses = carrier.LoadMeanings(files, "tables/statuses.txt")
	classes  = carrier.LoadWords(files, "tables/errors.txt")
)

// Carrier is the adapter: quotes, bookings, tracking, the journal and webhooks.
type Carrier struct {
	account carrier.Account
	client  *carrier.Client
	hook    atomic.Pointer[string] // where claims report to
}

// New returns an adapter without calling the service; h is http.DefaultClient when nil.
func New(a carrier.Account, h *http.Client) *Carrier {
	c := carrier.NewClient(Code, a.BaseURL, h, carrier.NewResilient(Code, a.Limits, a.Hooks), fault)
	headers := carrier.Bearer(a.Secret)
	headers.Set("Accept-Language", "ru") // required
	c.Auth = carrier.Fixed(headers)
	return &Carrier{account: a, client: c}
}

// Account identifies the contract.
func (c *Carrier) Account() domain.CarrierAccount {
	return domain.CarrierAccount{Carrier: Code, Name: c.account.Name}
}

// Traits returns Yandex's traits: deliveries take an hour, and a claim is never made twice.
func (c *Carrier) Traits() domain.CarrierTraits {
	return domain.CarrierTraits{Zone: carrier.Moscow, KeepsReference: true, Idempotent: true, Pace: domain.Pace{
		Pending: time.Second, PendingMax: 10 * time.Second, Fresh: 30 * time.Second, Transit: 30 * time.Second, Near: 30 * time.Second,
		Delivering: 15 * time.Second, Ended: time.Hour, EndedFor: 24 * time.Hour,
	}}
}

func fault(n carrier.Node) *domain.CarrierError {
	code := n.Text("code")
	return &domain.CarrierError{Code: code, Message: n.Text("message"), Class: domain.ErrorClass(classes[code])}
}

// post is a call about a claim; all of them are POSTs that may be repeated: changes name
// the claim's version.
func post(op, path, claim string, body any) carrier.Call {
	call := carrier.Call{Op: op, Method: http.MethodPost, Path: path, Body: body, Safe: true}
	if claim != "" {
		call.Query = url.Values{"claim_id": {claim}}
	}
	return call
}

// claim makes a call that answers with a claim.
func (c *Carrier) claim(ctx context.Context, call carrier.Call) (carrier.Node, error) {
	n, err := c.client.JSON(ctx, call)
	if err == nil && n.Text("id") == "" {
		e := fault(n)
		e.Carrier, e.Class = Code, domain.ClassRetryable
		if e.Message == "" {
			e.Message = "its answer names no claim"
		}
		err = e
	}
	return n, err
}

// Quote asks for offers of a courier.
func (c *Carrier) Quote(ctx context.Context, q domain.QuoteRequest) ([]domain.Quote, error) {
	from := c.filled(domain.ShipmentRequest{From: q.From}).From
	n, err := c.client.JSON(ctx, post("quote", "/offers/calculate", "", encodeOffers(from, q.To, q.Packages, q.Tariff)))
	if err != nil {
		return nil, err
	}
	return decodeOffers(n, q.Tariff)
}

// CheckShipment validates a booking without calling Yandex.
func (c *Carrier) CheckShipment(r domain.ShipmentRequest) error {
	r = c.filled(r)
	var f domain.Faults
	unsupported(&f, r)
	_, err := encodeClaim(r, "")
	f.Include("", err)
	return f.Err()
}

// CreateShipment makes a claim, or returns the one that our reference has already.
func (c *Carrier) CreateShipment(ctx context.Context, r domain.ShipmentRequest) (domain.ShipmentSnapshot, error) {
	r = c.filled(r)
	hook := ""
	if at := c.hook.Load(); at != nil {
		hook = *at
	}
	if err := c.CheckShipment(r); err != nil {
		return domain.ShipmentSnapshot{}, c.refused(err)
	}
	body, err := encodeClaim(r, hook)
	if err != nil {
		return domain.ShipmentSnapshot{}, c.refused(err)
	}
	call := post("create", "/claims/create", "", body)
	call.Query = url.Values{"request_id": {r.ClientRef}}
	n, err := c.claim(ctx, call)
	if err != nil {
		return domain.ShipmentSnapshot{}, err
	}
	snap := decodeClaim(n)
	snap.Ref.ClientRef, snap.Tariff = r.ClientRef, r.Tariff
	return snap, nil
}

// filled fills in the default sender and origin.
func (c *Carrier) filled(r domain.ShipmentRequest) domain.ShipmentRequest {
	if r.From.Address == "" && r.From.Location == nil {
		r.From = c.account.From
	}
	if r.Sender == nil || r.Sender.Name == "" {
		r.Sender = &c.account.Sender
	}
	return r
}

// refused wraps a validation error of a booking.
func (c *Carrier) refused(err error) error {
	if _, ok := errors.AsType[*domain.Error](err); !ok {
		return err
	}
	return &domain.CarrierError{Carrier: Code, Class: domain.ClassValidation, Message: err.Error(), Unsent: true, Refused: true}
}

// FindShipment finds nothing: a claim is found by making it again under its reference.
func (c *Carrier) FindShipment(context.Context, domain.ShipmentRef) (domain.ShipmentSnapshot, error) {
	return domain.ShipmentSnapshot{}, c.client.Fail(domain.ClassNotFound, "it can't be asked for a reference")
}

// TrackShipment returns a claim. One that was made for ref and is estimated is accepted:
// from then on it costs money, as was asked for with the booking. Claims of others are only
// looked at.
func (c *Carrier) TrackShipment(ctx context.Context, ref domain.ShipmentRef) (domain.ShipmentSnapshot, error) {
	id := ref.ID
	if id == "" {
		id = ref.TrackingNumber
	}
	n, err := c.claim(ctx, post("claim", "/claims/info", id, nil))
	if err != nil {
		return domain.ShipmentSnapshot{}, err
	}
	if n.Text("status") == "ready_for_approval" && ref.ClientRef != "" && reference(n) == ref.ClientRef {
		_, err := c.claim(ctx, post("accept", "/claims/accept", id, carrier.Body{"version": number(n.Text("version"))}))
		if err != nil && domain.ClassOf(err) != domain.ClassConflict { // it has moved on meanwhile: the next look shows it
			return domain.ShipmentSnapshot{}, err
		}
	}
	snap := decodeClaim(n)
	c.client.CountUnknown(snap.Events...)
	return snap, nil
}

// PerformerPosition returns where the courier is; Yandex says so from when he is found until the end.
func (c *Carrier) PerformerPosition(ctx context.Context, ref domain.ShipmentRef) (*domain.Position, error) {
	n, err := c.client.JSON(ctx, carrier.Get("position", "/claims/performer-position", url.Values{"claim_id": {ref.ID}}))
	if class := domain.ClassOf(err); class == domain.ClassNotFound || class == domain.ClassConflict {
		return nil, nil
	}
	return decodePosition(n.At("position")), err
}

// CancelTerms asks what cancelling costs.
func (c *Carrier) CancelTerms(ctx context.Context, ref domain.ShipmentRef) (domain.CancelTerms, error) {
	n, err := c.claim(ctx, post("claim", "/claims/info", ref.ID, nil))
	if err != nil {
		return domain.CancelTerms{}, err
	}
	if snap := decodeClaim(n); !snap.Ref.Phase.Live() {
		return domain.CancelTerms{Kind: domain.CancelEnded, Detail: "there is nothing to deliver: " + snap.Text}, nil
	}
	n, err = c.client.JSON(ctx, post("cancel_terms", "/claims/cancel-info", ref.ID, nil))
	if err != nil {
		return domain.CancelTerms{}, err
	}
	return decodeTerms(n), nil
}

// CancelShipment cancels a claim on the agreed terms. Yandex itself checks them again.
func (c *Carrier) CancelShipment(ctx context.Context, ref domain.ShipmentRef, agreed domain.CancelTerms) (domain.CancelOutcome, error) {
	now, err := c.CancelTerms(ctx, ref)
	switch {
	case err != nil:
		return domain.CancelOutcome{}, err
	case now.Kind == domain.CancelEnded:
		return domain.CancelOutcome{Result: domain.CancelDone, Detail: now.Detail}, nil
	case now.Kind != agreed.Kind || now.Price != nil && (agreed.Price == nil || *agreed.Price != *now.Price):
		return domain.CancelOutcome{}, c.client.Fail(domain.ClassConflict, "the terms have changed: "+now.Detail)
	}
	n, err := c.claim(ctx, post("claim", "/claims/info", ref.ID, nil))
	if err != nil {
		return domain.CancelOutcome{}, err
	}
	n, err = c.claim(ctx, post("cancel", "/claims/cancel", ref.ID, carrier.Body{
		"version": number(n.Text("version")), "cancel_state": string(agreed.Kind),
	}))
	if err != nil {
		return domain.CancelOutcome{}, err
	}
	if decodeClaim(n).Ref.Phase == domain.PhaseCancelled {
		return domain.CancelOutcome{Result: domain.CancelDone}, nil
	}
	return domain.CancelOutcome{Result: domain.CancelPending}, nil
}

// Journal returns the claims with news since a cursor. A cursor that Yandex no longer
// takes starts again from the beginning.
func (c *Carrier) Journal(ctx context.Context, cursor string) (refs []domain.ShipmentRef, next string, more bool, err error) {
	n, err := c.client.JSON(ctx, post("journal", "/claims/journal", "", carrier.Body{"cursor": cursor}))
	if e, ok := errors.AsType[*domain.CarrierError](err); ok && cursor != "" && e.Class == domain.ClassValidation {
		return nil, "", true, nil
	}
	if err != nil {
		return nil, cursor, false, err
	}
	refs, next = decodeJournal(n)
	if next == "" {
		return nil, cursor, false, c.client.Fail(domain.ClassRetryable, "its journal has no cursor")
	}
	// A cursor that stays where it was has nothing more, whatever comes with it.
	return refs, next, len(refs) > 0 && next != cursor, nil
}

// EnsureHooks keeps the address: each claim names it.
func (c *Carrier) EnsureHooks(_ context.Context, target string) ([]string, error) {
	target += "?" // Yandex appends the parameters as they are
	c.hook.Store(&target)
	return []string{"claim"}, nil
}

// VerifyHook accepts everything: webhooks are not signed, and only trigger a poll.
func (c *Carrier) VerifyHook(domain.HookMessage) error { return nil }

// ParseHook reads the claim's id from the address: the body says nothing.
func (c *Carrier) ParseHook(h domain.HookMessage) ([]domain.CarrierHook, error) {
	q, err := url.ParseQuery(h.Query)
	if err != nil || q.Get("claim_id") == "" {
		return nil, &domain.CarrierError{Carrier: Code, Class: domain.ClassPermanent, Message: "the hint names no claim", Cause: err}
	}
	at, _ := carrier.ParseTime(q.Get("updated_ts"))
	return []domain.CarrierHook{{
		Event:     domain.CarrierEvent{ID: carrier.EventID(q.Get("claim_id"), "hint", at, ""), Kind: domain.CarrierOther, Code: "hint", OccurredAt: at},
		Shipments: []domain.ShipmentRef{{ID: q.Get("claim_id")}},
	}}, nil
}

// Affected returns the claim of a hint.
func (c *Carrier) Affected(_ context.Context, h domain.CarrierHook) ([]domain.ShipmentRef, error) {
	return h.Shipments, nil
}
