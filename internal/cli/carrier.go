package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/order-tracking/order-tracking/config"
	"github.com/order-tracking/order-tracking/internal/app"
)

// desk is what the carrier commands share: they ask a delivery company itself, with
// the account of the configuration, and need no server.
type desk struct {
	*env
	carrier, file string
	sets          []string
	sandbox, json bool
}

func carrierCommand(e *env) *cobra.Command {
	d := &desk{env: e}
	cmd := &cobra.Command{
		Use: "carrier", Short: "Ask a delivery company: prices, parcels, offices",
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f := cmd.PersistentFlags()
	f.StringVar(&d.carrier, "carrier", "cdek", "the delivery company's `code`")
	f.StringVar(&d.file, "config", "", "YAML `file` with the account")
	f.StringArrayVar(&d.sets, "set", nil, "any key of the configuration, `section.key=value`; may be repeated")
	f.BoolVar(&d.sandbox, "sandbox-carriers", false, "ask an emulated company")
	f.BoolVar(&d.json, "json", false, "print JSON")
	cmd.AddCommand(d.quote(), d.track(), d.points())
	return cmd
}

// ask opens the company, and prints what was got: as JSON, or for people.
func (d *desk) ask(ctx context.Context, get func(context.Context, *app.Desk) (any, error), human func(w io.Writer, got any)) (err error) {
	var args []string
	if d.file != "" {
		args = append(args, "--config", d.file)
	}
	if d.sandbox {
		args = append(args, "--sandbox-carriers")
	}
	for _, s := range d.sets {
		args = append(args, "--set", s)
	}
	cfg, err := config.Load(args, d.environ)
	if err != nil {
		return err
	}
	open, err := app.OpenDesk(ctx, cfg, d.carrier)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, open.Close()) }()
	got, err := get(ctx, open)
	if err != nil {
		return err
	}
	if d.json {
		enc := json.NewEncoder(d.stdout)
		enc.SetEscapeHTML(false)
		return enc.Encode(got)
	}
	w := tabwriter.NewWriter(d.stdout, 0, 4, 2, ' ', 0)
	human(w, got)
	return w.Flush()
}

// row writes a line of a table; a tabwriter fails when it is flushed.
func row(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }

func (d *desk) quote() *cobra.Command {
	var p app.Parcel
	cmd := &cobra.Command{
		Use: "quote", Short: "What sending costs and how long it takes", Args: cobra.NoArgs,
		Example: "  order-tracking carrier quote --sandbox-carriers --to-city Новосибирск --weight 1500",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return d.ask(cmd.Context(), func(ctx context.Context, open *app.Desk) (any, error) {
				quotes, err := open.Quote(ctx, p)
				return quotes, err
			}, func(w io.Writer, got any) { printQuotes(w, got) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&p.ToCity, "to-city", "", "a `city`, or the company's code of it")
	f.StringVar(&p.ToAddress, "to-address", "", "an `address`")
	f.StringVar(&p.ToPoint, "to-point", "", "the `code` of an office or locker")
	f.StringVar(&p.FromCity, "from-city", "", "a `city`; else where the configuration says")
	f.StringVar(&p.FromPoint, "from-point", "", "the `code` of an office")
	f.IntVar(&p.WeightG, "weight", 0, "`grams`")
	f.IntVar(&p.LengthCm, "length", 0, "`centimetres`")
	f.IntVar(&p.WidthCm, "width", 0, "`centimetres`")
	f.IntVar(&p.HeightCm, "height", 0, "`centimetres`")
	f.StringVar(&p.Tariff, "tariff", "", "this tariff only, by its `code`")
	return cmd
}

func (d *desk) track() *cobra.Command {
	return &cobra.Command{
		Use: "track NUMBER", Short: "Where a parcel is, by its tracking number", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return d.ask(cmd.Context(), func(ctx context.Context, open *app.Desk) (any, error) {
				parcel, err := open.Track(ctx, args[0])
				return parcel, err
			}, func(w io.Writer, got any) { printParcel(w, got) })
		},
	}
}

func (d *desk) points() *cobra.Command {
	limit := 0
	cmd := &cobra.Command{
		Use: "points CITY", Short: "Offices and parcel lockers of a city", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return d.ask(cmd.Context(), func(ctx context.Context, open *app.Desk) (any, error) {
				points, err := open.Points(ctx, args[0], limit)
				return points, err
			}, func(w io.Writer, got any) { printPoints(w, got) })
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 50, "how `many` at most")
	return cmd
}

// Answers are printed from their JSON: the command line knows no types of the domain.
func as[T any](got any) (out T) {
	if b, err := json.Marshal(got); err == nil {
		_ = json.Unmarshal(b, &out) // made of the same values a line above
	}
	return out
}

func printQuotes(w io.Writer, got any) {
	row(w, "TARIFF\tPRICE\tDAYS\tWAY\tNAME")
	for _, q := range as[[]struct {
		Tariff, Name, Mode string
		Price              struct {
			Amount   int64
			Currency string
		}
		DaysMin int `json:"days_min"`
		DaysMax int `json:"days_max"`
	}](got) {
		row(w, "%s\t%.2f %s\t%d-%d\t%s\t%s", q.Tariff, float64(q.Price.Amount)/100, q.Price.Currency, q.DaysMin, q.DaysMax, q.Mode, q.Name)
	}
}

func printParcel(w io.Writer, got any) {
	p := as[struct {
		Ref struct {
			TrackingNumber string `json:"tracking_number"`
			Phase          string
		}
		Status string `json:"carrier_status"`
		Text   string `json:"carrier_status_text"`
		Events []struct {
			Code, Text, City, Status string
			OccurredAt               time.Time `json:"occurred_at"`
		}
	}](got)
	row(w, "%s\t%s\t%s\t%s", p.Ref.TrackingNumber, p.Ref.Phase, p.Status, p.Text)
	for _, ev := range p.Events {
		row(w, "%s\t%s\t%s\t%s\t%s", ev.OccurredAt.Format(time.RFC3339), ev.Code, ev.Status, ev.City, ev.Text)
	}
}

func printPoints(w io.Writer, got any) {
	row(w, "CODE\tKIND\tHOURS\tADDRESS")
	for _, p := range as[[]struct{ Code, Kind, Hours, Address string }](got) {
		row(w, "%s\t%s\t%s\t%s", p.Code, p.Kind, p.Hours, p.Address)
	}
}
