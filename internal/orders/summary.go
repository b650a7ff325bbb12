package orders

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/eta"
)

const (
	sumEvery = time.Second
	sumBatch = 100 // orders in a transaction, few enough not to delay writers
)

// Summarize keeps the summary of days that reports are read from, until the context ends.
func (s *Service) Summarize(ctx context.Context) {
	background.Loop(ctx, nil, sumEvery, func() time.Duration {
		for ctx.Err() == nil {
			more, err := s.Store.SumOrders(ctx, sumBatch, func(o *domain.Order, history []domain.Event, before []domain.ReportShare) []domain.ReportShare {
				return o.Shares(history, eta.Zone(o.Dropoff.Location), s.zone(o.MerchantID), before)
			})
			if err != nil && ctx.Err() == nil {
				s.Log.Debug("orders not added to reports", zap.Error(err))
			}
			if err != nil || !more {
				break
			}
		}
		return sumEvery
	})
}

// zone is the time zone of a merchant's days, UTC if unknown.
func (s *Service) zone(merchantID string) *time.Location {
	if zone, err := time.LoadLocation(s.profile(merchantID).Timezone); err == nil {
		return zone
	}
	return time.UTC
}

// DeliveryGroup is how the deliveries and offers of a group went. Shares are 0 to 1, and
// absent, as means are, where there is nothing to divide by.
type DeliveryGroup struct {
	Group string `json:"group" doc:"the date, the Monday of the week, the merchant's id, the zone, the carrier (empty for own couriers), the courier's id, the reason, or the most minutes; empty where unknown"`
	Name  string `json:"name,omitempty" doc:"the courier's"`

	Delivered int64 `json:"delivered"`
	Failed    int64 `json:"failed"`
	Returned  int64 `json:"returned"`
	Cancelled int64 `json:"cancelled"`

	Promised    int64    `json:"promised" doc:"delivered orders that were promised for a time"`
	OnTime      int64    `json:"on_time" doc:"those of them that were delivered by it"`
	OnTimeShare *float64 `json:"on_time_share,omitempty" minimum:"0" maximum:"1"`
	FirstTry    int64    `json:"first_try" doc:"delivered at the first attempt"`

	DoorMinutes  *float64 `json:"door_minutes,omitempty" doc:"mean time from hand-over to the door"`
	TotalMinutes *float64 `json:"total_minutes,omitempty" doc:"mean time from the order to the door"`

	Windows  int64    `json:"windows" doc:"delivered orders that had an estimate"`
	Coverage *float64 `json:"coverage,omitempty" minimum:"0" maximum:"1" doc:"share of them that came within its first 80 % window"`
	MAE      *float64 `json:"mae_minutes,omitempty" doc:"mean absolute error of the first estimate"`

	Ratings int64    `json:"ratings"`
	Stars   *float64 `json:"stars,omitempty" doc:"mean of the ratings" minimum:"1" maximum:"5"`

	Parcels  int64    `json:"carrier_promises" doc:"parcels delivered by a company that had named a period"`
	Kept     int64    `json:"carrier_kept" doc:"those that came by its end"`
	KeptRate *float64 `json:"carrier_kept_share,omitempty" minimum:"0" maximum:"1"`

	Offers     int64    `json:"offers" doc:"offers made to couriers on these days"`
	Accepted   int64    `json:"accepted"`
	Declined   int64    `json:"declined"`
	Expired    int64    `json:"expired"`
	Withdrawn  int64    `json:"withdrawn"`
	Acceptance *float64 `json:"acceptance,omitempty" minimum:"0" maximum:"1" doc:"accepted of those accepted, declined or expired"`

	Hours *float64 `json:"hours_on_duty,omitempty" doc:"of the couriers, as far as it is known; only by courier, and only for staff"`
}

// DeliveryReport is how deliveries went, day by day or by another grouping.
type DeliveryReport struct {
	From string          `json:"from" format:"date" example:"2026-05-04"`
	To   string          `json:"to" format:"date" example:"2026-06-02" doc:"included"`
	By   domain.ReportBy `json:"by"`
	// All is of all orders of the days.
	All    DeliveryGroup   `json:"all"`
	Groups []DeliveryGroup `json:"groups" doc:"days, weeks and durations in their order, others with most deliveries first"`
}

// DeliveryRequest selects days of a report, the last thirty by default.
type DeliveryRequest struct {
	By         domain.ReportBy
	MerchantID string
	From, To   time.Time // dates
	Limit      int
}

// farthestEast is where a day begins first: some merchants may be in tomorrow already.
var farthestEast = time.FixedZone("", 14*60*60)

// maxReportDays limits the days of a report.
const maxReportDays = 366

// DeliveryReport tells how deliveries went, for the caller's orders. It fails with
// validation_failed, or forbidden where a merchant asks for couriers.
func (s *Service) DeliveryReport(ctx context.Context, in DeliveryRequest) (out DeliveryReport, err error) {
	caller, err := domain.CallerFrom(ctx)
	if err != nil {
		return out, err
	}
	if !caller.Staff() && (in.By == domain.ByCourier || in.By == domain.ByReason) {
		return out, domain.Errorf(domain.CodeForbidden, "only staff may ask for couriers")
	}
	scope := domain.OrderFilter{MerchantID: in.MerchantID}
	mine := caller.Narrow(&scope)
	zone := s.zone(scope.MerchantID)
	f := domain.ReportFilter{By: in.By, MerchantID: scope.MerchantID, Limit: in.Limit, To: domain.DayOf(s.Clock.Now(), zone)}
	if !in.To.IsZero() {
		f.To = domain.DayOf(in.To, time.UTC)
	}
	f.From = f.To - reportDays + 1
	if !in.From.IsZero() {
		f.From = domain.DayOf(in.From, time.UTC)
	}
	if err := checkReport(in, f); err != nil {
		return out, err
	}
	out = DeliveryReport{From: f.From.String(), To: f.To.String(), By: in.By, Groups: []DeliveryGroup{}}
	if in.To.IsZero() && f.MerchantID == "" {
		f.To = domain.DayOf(s.Clock.Now(), farthestEast)
	}
	if !mine {
		return out, nil
	}
	all := f
	all.By, all.Limit = domain.ByAll, 1
	rows, err := s.Store.Report(ctx, all)
	if err == nil && len(rows) > 0 {
		out.All = deliveryGroup(rows[0])
		if rows[0].Name = f.MerchantID; f.By != domain.ByMerchant || f.MerchantID == "" { // else it is the only group
			rows, err = s.Store.Report(ctx, f)
		}
		out.Groups = domain.Each(rows, deliveryGroup)
	}
	if err == nil {
		err = s.finishReport(ctx, &out, f, zone)
	}
	return out, err
}

func checkReport(in DeliveryRequest, days domain.ReportFilter) error {
	var f domain.Faults
	f.Text("/merchant_id", in.MerchantID, domain.MaxKey)
	if !slices.Contains(domain.ReportGroupings(), in.By) {
		f.Add("/by", "unknown", "must be one of %v", domain.ReportGroupings())
	}
	domain.Within(&f, "/limit", in.Limit, 1, domain.MaxPageSize)
	if days.From > days.To || days.To-days.From >= maxReportDays {
		f.Add("/from", "out_of_range", "must be at most %d days before to, and not after it", maxReportDays-1)
	}
	return f.Err()
}

// finishReport names the groups, and adds what is not of orders.
func (s *Service) finishReport(ctx context.Context, out *DeliveryReport, f domain.ReportFilter, zone *time.Location) error {
	switch f.By {
	case domain.ByDay, domain.ByWeek:
		for i := range out.Groups {
			day, _ := strconv.ParseInt(out.Groups[i].Group, 10, 64) // a number by the query
			out.Groups[i].Group = domain.ReportDay(day).String()
			out.To = max(out.To, out.Groups[i].Group)
		}
	case domain.ByDuration:
		minutes := func(g DeliveryGroup) int { n, _ := strconv.Atoi(g.Group); return n }
		slices.SortFunc(out.Groups, func(a, b DeliveryGroup) int { return cmp.Compare(minutes(a), minutes(b)) })
	case domain.ByCourier:
		return s.addCouriers(ctx, out, f, zone)
	}
	return nil
}

// addCouriers adds the couriers' names and, of all merchants together, hours.
func (s *Service) addCouriers(ctx context.Context, out *DeliveryReport, f domain.ReportFilter, zone *time.Location) error {
	if f.MerchantID == "" {
		midnight := func(d domain.ReportDay) time.Time { return time.Date(1970, 1, 1+int(d), 0, 0, 0, 0, zone) }
		duties, err := s.Store.HoursOnDuty(ctx, midnight(f.From), domain.Earlier(midnight(f.To+1), s.Clock.Now()))
		if err != nil {
			return err
		}
		var all float64
		for _, d := range duties {
			hours := d.For.Hours()
			all += hours
			i := slices.IndexFunc(out.Groups, func(g DeliveryGroup) bool { return g.Group == d.CourierID })
			if i < 0 && len(out.Groups) < f.Limit {
				i = len(out.Groups)
				out.Groups = append(out.Groups, DeliveryGroup{Group: d.CourierID})
			}
			if i >= 0 {
				out.Groups[i].Hours = &hours
			}
		}
		out.All.Hours = &all
	}
	couriers, err := s.Store.CouriersByID(ctx, domain.Each(out.Groups, func(g DeliveryGroup) string { return g.Group }))
	for i := range out.Groups {
		if c := couriers[out.Groups[i].Group]; c != nil {
			out.Groups[i].Name = c.Name
		}
	}
	return err
}

// deliveryGroup divides the sums of a group.
func deliveryGroup(r domain.ReportRow) DeliveryGroup {
	s := r.Sums
	over := func(a, b int64, unit float64) *float64 {
		if b == 0 {
			return nil
		}
		return new(float64(a) / float64(b) / unit)
	}
	return DeliveryGroup{
		Group: r.Name, Delivered: s[domain.SumDelivered], Failed: s[domain.SumFailed], Returned: s[domain.SumReturned], Cancelled: s[domain.SumCancelled],
		Promised: s[domain.SumPromised], OnTime: s[domain.SumOnTime], OnTimeShare: over(s[domain.SumOnTime], s[domain.SumPromised], 1),
		FirstTry: s[domain.SumFirstTry], DoorMinutes: over(s[domain.SumCarrying], s[domain.SumCarried], 60),
		TotalMinutes: over(s[domain.SumWaiting], s[domain.SumDelivered], 60),
		Windows:      s[domain.SumWindows], Coverage: over(s[domain.SumHeld], s[domain.SumWindows], 1), MAE: over(s[domain.SumOff], s[domain.SumWindows], 60),
		Ratings: s[domain.SumRatings], Stars: over(s[domain.SumStars], s[domain.SumRatings], 1),
		Parcels: s[domain.SumParcels], Kept: s[domain.SumKept], KeptRate: over(s[domain.SumKept], s[domain.SumParcels], 1),
		Offers: s[domain.SumOffers], Accepted: s[domain.SumAccepted], Declined: s[domain.SumDeclined], Expired: s[domain.SumExpired], Withdrawn: s[domain.SumWithdrawn],
		Acceptance: over(s[domain.SumAccepted], s[domain.SumAccepted]+s[domain.SumDeclined]+s[domain.SumExpired], 1),
	}
}

// EstimateReport is how well the first estimates of delivered orders held.
type EstimateReport struct {
	From time.Time       `json:"from"`
	To   time.Time       `json:"to"`
	By   domain.ReportBy `json:"by"`
	// All is of all orders of the time, and absent when there were none.
	All    *domain.EstimateGroup  `json:"all,omitempty"`
	Groups []domain.EstimateGroup `json:"groups" doc:"those whose 80 % windows held least first; a few orders count for little"`
}

// ReportRequest selects orders by when they were delivered, in [From, To); the default is the last thirty days.
type ReportRequest struct {
	By         domain.ReportBy
	MerchantID string
	From, To   time.Time
	Limit      int
}

// reportDays is the default length of a report.
const reportDays = 30

// EstimateReport tells how far off first estimates were, for the caller's orders. It fails with validation_failed.
func (s *Service) EstimateReport(ctx context.Context, in ReportRequest) (out EstimateReport, err error) {
	caller, err := domain.CallerFrom(ctx)
	if err != nil {
		return out, err
	}
	if in.To.IsZero() {
		in.To = s.Clock.Now()
	}
	if in.From.IsZero() {
		in.From = in.To.AddDate(0, 0, -reportDays)
	}
	var f domain.Faults
	f.Text("/merchant_id", in.MerchantID, domain.MaxKey)
	switch in.By {
	case domain.ByMerchant, domain.ByCarrier, domain.ByZone, domain.ByWeek:
	default:
		f.Add("/by", "unknown", "must be merchant, carrier, zone or week")
	}
	if in.Limit < 1 || in.Limit > domain.MaxPageSize {
		f.Add("/limit", "out_of_range", "must be from 1 to 500")
	}
	if !in.From.Before(in.To) {
		f.Add("/from", "out_of_range", "must be before to")
	}
	if err := f.Err(); err != nil {
		return out, err
	}
	out = EstimateReport{From: domain.Timestamp(in.From), To: domain.Timestamp(in.To), By: in.By, Groups: []domain.EstimateGroup{}}
	scope := domain.OrderFilter{MerchantID: in.MerchantID}
	if !caller.Narrow(&scope) {
		return out, nil
	}
	all, err := s.Store.EstimateReport(ctx, domain.ByAll, scope.MerchantID, in.From, in.To, 1)
	if err != nil || len(all) == 0 {
		return out, err
	}
	out.All = &all[0]
	out.Groups, err = s.Store.EstimateReport(ctx, in.By, scope.MerchantID, in.From, in.To, in.Limit)
	return out, err
}
