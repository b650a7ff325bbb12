package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// EstimateGroup is how well first estimates held for a group of delivered orders. Errors
// are in minutes, expected minus actual; the shares are 0 to 1.
type EstimateGroup struct {
	Group     string  `json:"group"` // empty where unknown
	Orders    int64   `json:"orders"`
	MAE       float64 `json:"mae_minutes"`
	Bias      float64 `json:"bias_minutes"`
	Coverage  float64 `json:"coverage"`   // came within the first 80 % window
	LateShare float64 `json:"late_share"` // came after it
}

// EstimateReport is how well first estimates held, the worst groups first.
type EstimateReport struct {
	From   time.Time       `json:"from"`
	To     time.Time       `json:"to"`
	By     string          `json:"by"`
	All    *EstimateGroup  `json:"all"` // nil when nothing was delivered
	Groups []EstimateGroup `json:"groups"`
}

// ReportFilter selects the orders of a report; zero fields are the server's defaults.
type ReportFilter struct {
	By         string // merchant, carrier, zone or week
	MerchantID string
	From, To   time.Time
	Limit      int
}

// EstimateReport tells how well delivery times were estimated. Errors: validation_failed.
func (c *Client) EstimateReport(ctx context.Context, f ReportFilter, opts ...CallOption) (*EstimateReport, error) {
	q := url.Values{}
	for name, text := range map[string]string{"by": f.By, "merchant_id": f.MerchantID} {
		if text != "" {
			q.Set(name, text)
		}
	}
	for name, at := range map[string]time.Time{"from": f.From, "to": f.To} {
		if !at.IsZero() {
			q.Set(name, formatTime(at))
		}
	}
	if f.Limit != 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	return do[*EstimateReport](ctx, c, http.MethodGet, "/reports/eta", nil, append(opts, withQuery(q))...)
}
