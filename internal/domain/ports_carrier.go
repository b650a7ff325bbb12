package domain

import (
	"context"
	"time"
)

// Carrier is an account with a delivery company. Besides this core it implements any of the interfaces below: see
// Ability. All of them fail with *CarrierError. Its Class tells when to retry and
// never that a parcel has ended: only a snapshot's phase does.
type Carrier interface {
	// Account identifies the company and the contract with it.
	Account() CarrierAccount
	// Traits describes how the company's API behaves.
	Traits() CarrierTraits
}

// CarrierQuoter quotes prices.
type CarrierQuoter interface {
	// Quote returns an offer per tariff that serves the route; validation when none does.
	Quote(ctx context.Context, r QuoteRequest) ([]Quote, error)
}

// CarrierShipper books shipments.
type CarrierShipper interface {
	// CreateShipment submits a booking once and does not wait for the carrier's decision: the result is usually pending. After an
	// Unsent failure no parcel exists, and after a Refused one it never will; after any other failure the parcel may exist.
	CreateShipment(ctx context.Context, r ShipmentRequest) (ShipmentSnapshot, error)
	// CheckShipment returns the errors of a booking that can be found without asking the
	// carrier, as validation_failed; no part of a booking is ever dropped silently.
	CheckShipment(r ShipmentRequest) error
	// FindShipment looks a shipment up by our name (ref.ClientRef); not_found while the carrier shows none.
	FindShipment(ctx context.Context, ref ShipmentRef) (ShipmentSnapshot, error)
	// CancelTerms returns the conditions of cancelling a shipment, and changes nothing.
	CancelTerms(ctx context.Context, ref ShipmentRef) (CancelTerms, error)
	// CancelShipment cancels on the agreed terms: on free ones nothing that costs. It
	// fails with conflict when the terms no longer hold.
	CancelShipment(ctx context.Context, ref ShipmentRef, agreed CancelTerms) (CancelOutcome, error)
}

// CarrierTracker tracks shipments, also those booked elsewhere.
type CarrierTracker interface {
	TrackShipment(ctx context.Context, ref ShipmentRef) (ShipmentSnapshot, error)
}

// CarrierPerformer locates the courier who carries a shipment.
type CarrierPerformer interface {
	// PerformerPosition returns the courier's position, or nil while there is none.
	PerformerPosition(ctx context.Context, ref ShipmentRef) (*Position, error)
}

// CarrierWebhooks handles a carrier's webhooks.
type CarrierWebhooks interface {
	// VerifyHook reports whether the webhook is authentic, as far as can be told without
	// asking; nil for companies that sign nothing.
	VerifyHook(h HookMessage) error
	// ParseHook decodes a webhook.
	ParseHook(h HookMessage) ([]CarrierHook, error)
	// Affected returns the shipments that a hint is about.
	Affected(ctx context.Context, h CarrierHook) ([]ShipmentRef, error)
	// EnsureHooks subscribes the URL to webhooks and removes our former addresses with the
	// same ending; it returns the subscribed kinds.
	EnsureHooks(ctx context.Context, url string) ([]string, error)
}

// CarrierJournal tells what happened to all of an account's shipments.
type CarrierJournal interface {
	// Journal returns the shipments with news since the cursor, "" being the beginning, the next cursor, and whether there is
	// more now. A cursor that the company no longer takes starts again from the beginning. Like a webhook it only triggers polls.
	Journal(ctx context.Context, cursor string) (refs []ShipmentRef, next string, more bool, err error)
}

// CarrierLabeler prints documents.
type CarrierLabeler interface {
	// RequestLabel starts printing a document of several shipments.
	RequestLabel(ctx context.Context, refs []ShipmentRef, p Paper) (id string, err error)
	// FetchLabel returns the PDF, or nil while it is not ready; not_found when the carrier
	// no longer has it, so that it must be printed again.
	FetchLabel(ctx context.Context, id string, p Paper) ([]byte, error)
}

// CarrierIntakes orders couriers who collect parcels.
type CarrierIntakes interface {
	// BookIntake requests a courier; repeated for the same shipment it returns the open intake.
	BookIntake(ctx context.Context, ref ShipmentRef, r IntakeRequest) (Intake, error)
	// TrackIntake returns the current data of an intake.
	TrackIntake(ctx context.Context, id string) (Intake, error)
	CancelIntake(ctx context.Context, id string) error
}

// CarrierEditor changes booked parcels while that is possible: conflict afterwards.
type CarrierEditor interface {
	EditShipment(ctx context.Context, ref ShipmentRef, e ShipmentEdit) error
}

// CarrierReturns takes delivered goods back from customers.
type CarrierReturns interface {
	// ReturnShipment books the way back of a delivered parcel and returns the number of the parcel that brings it, "" while
	// the carrier has not given it one. conflict when it was not delivered.
	ReturnShipment(ctx context.Context, ref ShipmentRef, tariff string) (number string, err error)
}

// CarrierAgreements agrees with the recipient on when a parcel is delivered.
type CarrierAgreements interface {
	// Intervals returns when the parcel can be delivered.
	Intervals(ctx context.Context, ref ShipmentRef) ([]DeliveryInterval, error)
	// AgreeDelivery asks for a delivery in the interval; a snapshot shows what became of it.
	AgreeDelivery(ctx context.Context, ref ShipmentRef, a DeliveryAgreement) error
}

// CarrierCollector collects cash on delivery.
type CarrierCollector interface {
	// Handovers returns the carrier's remittances of a day.
	Handovers(ctx context.Context, day time.Time) ([]Handover, error)
}

// CarrierPoints lists delivery points.
type CarrierPoints interface {
	Points(ctx context.Context, q PointQuery) ([]DeliveryPoint, error)
}
