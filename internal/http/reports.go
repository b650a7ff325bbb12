package httpserver

import (
	"context"
	"net/http"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/orders"
)

type estimateReportIn struct {
	By         domain.EstimateReportBy `query:"by" enum:"merchant,carrier,zone,week" default:"merchant" doc:"what the orders are grouped by; weeks begin on Monday"`
	MerchantID string                  `query:"merchant_id" maxLength:"128" doc:"of this merchant only"`
	From       Moment                  `query:"from" doc:"delivered at or after this time (RFC 3339); default 30 days before to"`
	To         Moment                  `query:"to" doc:"delivered before this time (RFC 3339); default now"`
	Limit      optional[int]           `query:"limit" minimum:"1" maximum:"500" doc:"maximum number of groups; default 50"`
}

// reportRoutes registers the reports.
func (s *Server) reportRoutes() {
	handle(s, operation{
		method: http.MethodGet, path: "/reports/eta", id: "reportEstimates", tag: tagOrders,
		summary: "How well delivery times were estimated",
		about:   "Compares the first estimate of each delivered order with what happened. An 80 % window should hold for `coverage` 0.8 of the orders of every group; the worst groups come first.",
	}, s.reportEstimates)
}

func (s *Server) reportEstimates(ctx context.Context, in *estimateReportIn) (*bodyOnly[orders.EstimateReport], error) {
	limit := 50
	if in.Limit.Set {
		limit = in.Limit.Value
	}
	return bodyOf(s.Orders.EstimateReport(ctx, orders.ReportRequest{
		By: in.By, MerchantID: in.MerchantID, From: in.From.Time, To: in.To.Time, Limit: limit,
	}))
}
