package orders

import (
	"context"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

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
