package shipping

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
)

const (
	// labelWithin is how long a caller waits for a label.
	labelWithin = 10 * time.Second
	// printWithin is when an unfinished print job is restarted.
	printWithin = 15 * time.Minute
	// MaxLabels is the maximum number of orders in one file.
	MaxLabels = 100
)

// Label returns the labels of orders' shipments as one PDF. It is printed on first request and cached; requests during
// printing share the print job. It fails with shipment_not_found, validation_failed if the orders use different accounts,
// and unavailable while the carrier prints.
func (sv *Service) Label(ctx context.Context, ids []string, p domain.Paper) ([]byte, error) {
	if err := checkPaper(ids, p); err != nil {
		return nil, err
	}
	account, refs, err := sv.printable(ctx, ids)
	if err != nil {
		return nil, err
	}
	l := domain.Label{Key: labelKey(refs, p)}
	switch kept, err := sv.Store.Label(ctx, l.Key); {
	case err != nil:
		return nil, err
	case kept != nil && bytes.HasPrefix(kept.PDF, []byte("%PDF")):
		return kept.PDF, nil
	case kept != nil && sv.Clock.Now().Sub(kept.Since) < printWithin:
		l = *kept
	}
	car := sv.ByAccount[account]
	if car == nil {
		return nil, domain.Errorf(domain.CodeCarrierNotFound, "the delivery company %s is no longer configured", account)
	}
	printer, err := domain.Ability[domain.CarrierLabeler](car, "printing")
	if err != nil {
		return nil, failure(err)
	}
	limited, cancel := context.WithTimeout(ctx, labelWithin)
	defer cancel()
	if err := sv.print(limited, printer, refs, p, &l); err != nil {
		return nil, failure(err)
	}
	if l.PDF == nil {
		return nil, &domain.Error{Code: domain.CodeUnavailable, Message: account.Carrier + " is still printing", RetryAfter: 5 * time.Second}
	}
	return l.PDF, sv.Store.KeepLabel(ctx, l)
}

func checkPaper(ids []string, p domain.Paper) error {
	var f domain.Faults
	if p.Kind != domain.LabelBarcode && p.Kind != domain.LabelWaybill {
		f.Add("/kind", "unknown_kind", "must be barcode or waybill")
	}
	if p.Format != "" && (p.Kind != domain.LabelBarcode || !slices.Contains(domain.PaperFormats, p.Format)) {
		f.Add("/format", "unknown_format", "must be one of %s, of barcodes only", strings.Join(domain.PaperFormats, ", "))
	}
	if len(ids) == 0 || len(ids) > MaxLabels {
		f.Add("/order_id", "out_of_range", "must be 1 to %d orders", MaxLabels)
	}
	return f.Err()
}

// printable returns the shipments of orders and their common account.
func (sv *Service) printable(ctx context.Context, ids []string) (account domain.CarrierAccount, refs []domain.ShipmentRef, err error) {
	for i, id := range ids {
		s, err := sv.Get(ctx, id)
		if err != nil {
			return account, nil, err
		}
		if s.LabelURL == "" {
			return account, nil, domain.Errorf(domain.CodeShipmentNotFound, "there is nothing to print: the shipment of %s is %s", id, s.Phase)
		}
		job, err := sv.Store.ShipmentJob(ctx, id)
		if err != nil {
			return account, nil, err
		}
		if job == nil {
			return account, nil, domain.Errorf(domain.CodeShipmentNotFound, "there is nothing to print")
		}
		if i > 0 && job.Account != account {
			return account, nil, domain.Invalid("/order_id/"+strconv.Itoa(i), "another_carrier", "goes with %s, the first order with %s", job.Account, account)
		}
		account = job.Account
		refs = append(refs, job.Ref)
	}
	return account, refs, nil
}

// labelKey is the cache key of shipments' labels.
func labelKey(refs []domain.ShipmentRef, p domain.Paper) string {
	names := domain.Each(refs, func(r domain.ShipmentRef) string { return r.ClientRef })
	return strings.Join(append(names, strings.TrimSuffix(string(p.Kind)+"/"+p.Format, "/")), "/")
}

// print starts a print job, unless one is running, and waits for it until the context ends.
func (sv *Service) print(ctx context.Context, printer domain.CarrierLabeler, refs []domain.ShipmentRef, p domain.Paper, l *domain.Label) error {
	for wait := 250 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		if l.Job == "" {
			id, err := printer.RequestLabel(ctx, refs, p)
			if err != nil {
				return err
			}
			l.Job, l.Since = id, domain.Timestamp(sv.Clock.Now())
			if err := sv.Store.KeepLabel(ctx, *l); err != nil {
				return err
			}
		}
		if !background.Sleep(ctx, wait) {
			return nil
		}
		pdf, err := printer.FetchLabel(ctx, l.Job, p)
		switch {
		case domain.ClassOf(err) == domain.ClassNotFound: // it has expired: print again
			l.Job = ""
		case err != nil && ctx.Err() == nil:
			return err
		case pdf != nil:
			l.PDF = pdf
			return nil
		}
	}
}

// formatMoney formats an amount for people.
func formatMoney(m domain.Money) string {
	return strconv.FormatFloat(float64(m.Amount)/100, 'f', 2, 64) + " " + m.Currency
}
