package domain

import (
	"slices"
	"strconv"
	"time"
)

// What reports add up, the positions of ReportSums. Times are seconds.
const (
	SumDelivered = iota
	SumFailed
	SumReturned
	SumCancelled
	SumPromised // delivered ones that were promised for a time
	SumOnTime   // those that kept it
	SumFirstTry // delivered at the first attempt
	SumCarried  // delivered ones whose hand-over is known
	SumCarrying // from there to the door
	SumWaiting  // from the creation to the door, of all delivered ones
	SumWindows  // delivered ones that had an estimate
	SumHeld     // those that came within its first window
	SumOff      // how far they were off its time, either way
	SumRatings
	SumStars
	SumParcels // delivered by a company that had named a period
	SumKept    // those that came by its end
	SumOffers
	SumAccepted
	SumDeclined
	SumExpired
	SumWithdrawn
	reportSums
)

// ReportColumns names the sums, by position.
func ReportColumns() []string {
	return []string{
		"delivered", "failed", "returned", "cancelled", "promised", "on_time", "first_try", "carried", "carrying", "waiting", "windows",
		"held", "off", "ratings", "stars", "parcels", "kept", "offers", "accepted", "declined", "expired", "withdrawn",
	}
}

// ReportSums is what a day, or a part of it, adds up to.
type ReportSums [reportSums]int64

// AddTo adds the sums, so many times, to a row of the summary.
func (s ReportSums) AddTo(rows map[ReportKey]ReportSums, key ReportKey, times int64) {
	all := rows[key]
	for n, v := range s {
		all[n] += times * v
	}
	rows[key] = all
}

// ReportBy says what a report is grouped by.
type ReportBy string

// The groupings of reports. Days and weeks are numbers, see ReportDay.
const (
	ByAll      ReportBy = "all"
	ByDay      ReportBy = "day"
	ByWeek     ReportBy = "week"
	ByMerchant ReportBy = "merchant"
	ByZone     ReportBy = "zone"
	ByCarrier  ReportBy = "carrier"
	ByCourier  ReportBy = "courier"
	ByReason   ReportBy = "reason"   // why offers were declined
	ByDuration ReportBy = "duration" // minutes from hand-over to door
)

// ReportGroupings lists the groupings that clients may ask for.
func ReportGroupings() []ReportBy {
	return []ReportBy{ByDay, ByWeek, ByMerchant, ByZone, ByCarrier, ByCourier, ByReason, ByDuration}
}

// ReportDay is a day, counted from 1 January 1970.
type ReportDay int64

// DayOf is the day of a time, in a time zone.
func DayOf(at time.Time, zone *time.Location) ReportDay {
	y, m, d := at.In(zone).Date()
	return ReportDay(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// String is the date.
func (d ReportDay) String() string { return time.Unix(int64(d)*86400, 0).UTC().Format(time.DateOnly) }

// ReportKey is a row of the summary. Its scope is a merchant, or "" for all.
type ReportKey struct {
	Scope string
	By    ReportBy
	Day   ReportDay
	Name  string
}

// ReportShare is what an order adds to a day: its end, or one offer of it. Nothing in it
// but the reason, which a courier wrote, could be about a customer.
type ReportShare struct {
	Day      ReportDay  `json:"d"`
	Merchant string     `json:"m,omitempty"`
	Zone     string     `json:"z,omitempty"`
	Carrier  string     `json:"c,omitempty"`
	Courier  string     `json:"k,omitempty"`
	Reason   string     `json:"r,omitempty"`
	Sums     ReportSums `json:"s"`
}

// Keys lists the rows that the share is added to. What changes here needs a migration that
// makes the summary anew, as shares that were added are taken away by the same rows.
func (s *ReportShare) Keys() (keys []ReportKey) {
	scopes := []string{""}
	if s.Merchant != "" {
		scopes = append(scopes, s.Merchant)
	}
	for _, scope := range scopes {
		add := func(by ReportBy, name string) { keys = append(keys, ReportKey{scope, by, s.Day, name}) }
		add(ByAll, "")
		add(ByZone, s.Zone)
		if s.Sums[SumOffers] == 0 {
			add(ByCarrier, s.Carrier)
		}
		if s.Courier != "" {
			add(ByCourier, s.Courier)
		}
		if s.Sums[SumDeclined] > 0 {
			add(ByReason, s.Reason)
		}
		if s.Sums[SumCarried] > 0 {
			add(ByDuration, strconv.FormatInt(durationStep(s.Sums[SumCarrying]), 10))
		}
	}
	return append(keys, ReportKey{"", ByMerchant, s.Day, s.Merchant})
}

// durationSteps are the ends of the groups of ByDuration, in minutes.
var durationSteps = []int64{5, 10, 15, 20, 25, 30, 40, 50, 60, 75, 90, 120, 180, 240, 480, 1440, 2880, 4320, 7200, 10080}

func durationStep(seconds int64) int64 {
	i, _ := slices.BinarySearch(durationSteps, (seconds+59)/60)
	return durationSteps[min(i, len(durationSteps)-1)]
}

// AddShares adds what orders add to the rows of the summary.
func AddShares(rows map[ReportKey]ReportSums, shares []ReportShare, sign int64) {
	for i := range shares {
		for _, key := range shares[i].Keys() {
			shares[i].Sums.AddTo(rows, key, sign)
		}
	}
}

// ReportFilter selects rows of the summary: of a merchant, unless empty, in [From, To].
type ReportFilter struct {
	By         ReportBy
	MerchantID string
	From, To   ReportDay
	Limit      int
}

// ReportRow is the sums of a group.
type ReportRow struct {
	Name string
	Sums ReportSums
}

// OnDuty is how long a courier was on duty.
type OnDuty struct {
	CourierID string
	For       time.Duration
}

// Shares returns what the order adds to the reports, given its history, the place's zone
// and the merchant's time zone. What it added before tells what was erased since.
func (o *Order) Shares(history []Event, placeZone string, zone *time.Location, before []ReportShare) []ReportShare {
	base := ReportShare{Merchant: o.MerchantID, Zone: placeZone}
	if o.Erased() && len(before) > 0 {
		base.Zone = before[0].Zone
	}
	var out []ReportShare
	if !o.Active() {
		end := base
		end.Day, end.Courier = DayOf(o.EndedAt(), zone), o.CourierID
		if o.Shipment != nil {
			end.Carrier = o.Shipment.Carrier
		}
		o.sumEnd(&end.Sums)
		out = append(out, end)
	}
	for i := range history {
		f, ok := OfferIn(&history[i])
		if !ok || f.Status != OfferOpen {
			continue
		}
		stored := o.stored(f.ID)
		if stored == nil {
			continue
		}
		f = *stored
		made := base
		made.Day, made.Courier, made.Reason = DayOf(history[i].OccurredAt, zone), f.CourierID, shortened(f.Reason)
		made.Sums[SumOffers] = 1
		if n, ok := offerSums[f.Status]; ok {
			made.Sums[n] = 1
		}
		out = append(out, made)
	}
	return out
}

var offerSums = map[OfferStatus]int{
	OfferAccepted: SumAccepted, OfferDeclined: SumDeclined, OfferExpired: SumExpired, OfferWithdrawn: SumWithdrawn,
}

// shortened is a text that groups can be named by.
func shortened(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most])
	}
	return s
}

// sumEnd adds up the end of a final order.
func (o *Order) sumEnd(s *ReportSums) {
	ends := map[Status]int{StatusDelivered: SumDelivered, StatusFailed: SumFailed, StatusReturned: SumReturned, StatusCancelled: SumCancelled}
	s[ends[o.Status]] = 1
	if o.Rating != nil {
		s[SumRatings], s[SumStars] = 1, int64(o.Rating.Stars)
	}
	if o.Status != StatusDelivered || o.DeliveredAt == nil {
		return
	}
	at := *o.DeliveredAt
	flag := func(n int, yes bool) {
		if yes {
			s[n] = 1
		}
	}
	flag(SumFirstTry, o.Attempts <= 1)
	s[SumWaiting] = seconds(at.Sub(o.CreatedAt))
	if o.PromisedAt != nil {
		s[SumPromised] = 1
		flag(SumOnTime, !at.After(*o.PromisedAt))
	}
	if from := o.Bookkeeping.CustodyAt; from != nil {
		s[SumCarried], s[SumCarrying] = 1, seconds(at.Sub(*from))
	}
	if first := o.Bookkeeping.First; first != nil {
		s[SumWindows], s[SumOff] = 1, seconds(first.ETA.Sub(at).Abs())
		flag(SumHeld, !at.Before(first.Earliest) && !at.After(first.Latest))
	}
	if o.Shipment != nil && o.Shipment.Expected != nil {
		s[SumParcels] = 1
		flag(SumKept, !at.After(o.Shipment.Expected.Latest))
	}
}

func seconds(d time.Duration) int64 { return int64(max(0, d) / time.Second) }

// LessonRef is a lesson that is to be worked out: of the parcel that was booked for an order, or of the order's end.
type LessonRef struct {
	OrderID string
	Ended   bool
}

// Lesson is what an order teaches the estimates, and how far off its first estimate was.
type Lesson struct {
	LessonRef
	// Place is its position among all lessons, from 1; the store assigns it.
	Place int64
	At    time.Time
	// Data is JSON; it names no person and no place.
	Data []byte
	// The groups of reports; empty ones are unknown.
	MerchantID, Carrier, Zone string
	// Error is the first estimate minus the actual time, nil where there was no estimate.
	Error *time.Duration
	// Early and Late tell that the order came before or after the first window.
	Early, Late bool
}

// EstimateGroup is how well the first estimates of the orders of one group held.
type EstimateGroup struct {
	Group  string `json:"group" doc:"the merchant's id, the carrier, the zone or the first day of the week; empty where unknown"`
	Orders int64  `json:"orders"`
	// MAE and Bias are minutes.
	MAE  float64 `json:"mae_minutes" doc:"mean absolute error of the first estimate"`
	Bias float64 `json:"bias_minutes" doc:"mean of expected minus actual: negative when orders come later than expected"`
	// Coverage and LateShare are shares of the orders, 0 to 1.
	Coverage  float64 `json:"coverage" minimum:"0" maximum:"1" doc:"share that came within the first 80 % window"`
	LateShare float64 `json:"late_share" minimum:"0" maximum:"1" doc:"share that came after it"`
}
