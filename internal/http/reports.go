package httpserver

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/orders"
)

// ReportFormat chooses the form of a report.
type ReportFormat struct {
	Format string `query:"format" enum:"json,csv" doc:"csv: one group a row; default json, unless the header Accept asks for text/csv"`
	Excel  bool   `query:"excel" doc:"CSV for spreadsheets, whatever the format, as of GET /orders/export"`
	Accept string `header:"Accept" doc:"text/csv for CSV"`
}

type estimateReportIn struct {
	By         domain.ReportBy `query:"by" enum:"merchant,carrier,zone,week" default:"merchant" doc:"what the orders are grouped by; weeks begin on Monday"`
	MerchantID string          `query:"merchant_id" maxLength:"128" doc:"of this merchant only"`
	From       Moment          `query:"from" doc:"delivered at or after this time (RFC 3339); default 30 days before to"`
	To         Moment          `query:"to" doc:"delivered before this time (RFC 3339); default now"`
	Limit      optional[int]   `query:"limit" minimum:"1" maximum:"500" doc:"maximum number of groups; default 50"`
	ReportFormat
}

type deliveryReportIn struct {
	By         domain.ReportBy `query:"by" enum:"day,week,merchant,zone,carrier,courier,reason,duration" default:"day" doc:"what is grouped by: duration is the minutes from hand-over to the door, reason why offers were declined; weeks begin on Monday"`
	MerchantID string          `query:"merchant_id" maxLength:"128" doc:"of this merchant only"`
	From       Date            `query:"from" doc:"the first day; default 29 days before to" example:"2026-05-04"`
	To         Date            `query:"to" doc:"the last day; default today, of all merchants wherever it is latest" example:"2026-06-02"`
	Limit      optional[int]   `query:"limit" minimum:"1" maximum:"500" doc:"maximum number of groups; default 500"`
	ReportFormat
}

// Date is a day in a query parameter.
type Date struct{ time.Time }

// UnmarshalText reads a date such as 2026-05-04.
func (d *Date) UnmarshalText(text []byte) (err error) {
	d.Time, err = time.Parse(time.DateOnly, string(text))
	return err
}

// Schema is that of a date.
func (Date) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date"}
}

// reportRoutes registers the reports.
func (s *Server) reportRoutes() {
	report(s, "reportEstimates", func(ctx context.Context, in *estimateReportIn) (*orders.EstimateReport, ReportFormat, error) {
		out, err := s.Orders.EstimateReport(ctx, orders.ReportRequest{
			By: in.By, MerchantID: in.MerchantID, From: in.From.Time, To: in.To.Time, Limit: in.Limit.or(50),
		})
		return &out, in.ReportFormat, err
	}, func(r *orders.EstimateReport) any { return r.Groups })
	report(s, "reportDeliveries", func(ctx context.Context, in *deliveryReportIn) (*orders.DeliveryReport, ReportFormat, error) {
		out, err := s.Orders.DeliveryReport(ctx, orders.DeliveryRequest{
			By: in.By, MerchantID: in.MerchantID, From: in.From.Time, To: in.To.Time, Limit: in.Limit.or(domain.MaxPageSize),
		})
		return &out, in.ReportFormat, err
	}, func(r *orders.DeliveryReport) any { return r.Groups })
}

// report serves a report as JSON, and its groups as CSV.
func report[I, R any](s *Server, id string, read func(context.Context, *I) (*R, ReportFormat, error), groups func(*R) any) {
	path := operations()[id].path
	handle(s, id, func(ctx context.Context, in *I) (*huma.StreamResponse, error) {
		out, as, err := read(ctx, in)
		if err == nil && as.Format != "" && as.Format != "json" && as.Format != "csv" {
			err = domain.Invalid("/format", "unknown_format", "must be json or csv")
		}
		if err != nil {
			return nil, err
		}
		var buf bytes.Buffer
		kind := jsonType
		if as.Excel || as.Format == "csv" || as.Format == "" && strings.HasPrefix(as.Accept, csvType) {
			kind = csvType + "; charset=utf-8"
			err = writeGroups(&buf, groups(out), as.Excel)
		} else {
			err = json.NewEncoder(&buf).Encode(out)
		}
		if err != nil {
			return nil, err
		}
		return &huma.StreamResponse{Body: func(hc huma.Context) {
			c := humagin.Unwrap(hc)
			c.Header("Content-Type", kind)
			c.Header("Vary", "Accept")
			if kind != jsonType {
				c.Header("Content-Disposition", `attachment; filename="`+strings.TrimPrefix(path, "/reports/")+`.csv"`)
			}
			c.Status(http.StatusOK)
			_, _ = c.Writer.Write(buf.Bytes()) // a client that disconnected needs no response
		}}, nil
	})
	s.api.OpenAPI().Paths[path].Get.Responses["200"].Content[jsonType].Schema = s.schemas().Schema(reflect.TypeFor[R](), true, "")
}

// writeGroups writes a slice of structs as CSV, a column a member.
func writeGroups(buf *bytes.Buffer, groups any, excel bool) error {
	if excel {
		buf.WriteString(byteOrderMark)
	}
	rows := reflect.ValueOf(groups)
	fields := reflect.VisibleFields(rows.Type().Elem())
	cells := make([]string, len(fields))
	for i, f := range fields {
		cells[i], _, _ = strings.Cut(f.Tag.Get("json"), ",")
	}
	w := csv.NewWriter(buf)
	_ = w.Write(cells) // writing to a buffer never fails
	for i := range rows.Len() {
		for j, f := range fields {
			v := reflect.Indirect(rows.Index(i).FieldByIndex(f.Index))
			if cells[j] = ""; v.IsValid() {
				cells[j] = escapeCell(fmt.Sprint(v.Interface()), excel && v.Kind() == reflect.String)
			}
		}
		_ = w.Write(cells)
	}
	w.Flush()
	return w.Error()
}
