package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/order-tracking/order-tracking/internal/app"
)

// desk is shared by the carrier commands, which call a delivery company directly with
// the configured account and need no server.
type desk struct {
	printer
	carrier, file string
	sets          []string
	sandbox       bool
}

func carrierCommand(e *env) *cobra.Command {
	d := &desk{printer: printer{env: e}}
	cmd := group("carrier", "Query a delivery company: prices, parcels, pick-up points")
	f := cmd.PersistentFlags()
	f.StringVar(&d.carrier, "carrier", "cdek", "the delivery company's `code`")
	f.StringVar(&d.file, "config", "", "YAML `file` with the account")
	f.StringArrayVar(&d.sets, "set", nil, "any key of the configuration, `section.key=value`; may be repeated")
	f.BoolVar(&d.sandbox, "sandbox-carriers", false, "use an emulated company")
	f.BoolVar(&d.json, "json", false, "print JSON")
	cmd.AddCommand(d.quote(), d.track(), d.points())
	return cmd
}

// ask builds a command that calls the company.
func (d *desk) ask(cmd *cobra.Command, run func(ctx context.Context, car app.Carrier, args []string) error) *cobra.Command {
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		var flags []string
		if d.file != "" {
			flags = append(flags, "--config", d.file)
		}
		if d.sandbox {
			flags = append(flags, "--sandbox-carriers")
		}
		for _, s := range d.sets {
			flags = append(flags, "--set", s)
		}
		cfg, err := d.load(flags)
		if err != nil {
			return err
		}
		car, end, err := app.OpenCarrier(cmd.Context(), cfg, d.carrier)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, end()) }()
		return run(cmd.Context(), car, args)
	}
	return cmd
}

// row writes a line of a table; a tabwriter reports errors on Flush.
func row(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }

func (d *desk) quote() *cobra.Command {
	r := app.QuoteRequest{Packages: make([]app.Package, 1)} // missing addresses and sizes get defaults
	cmd := d.ask(&cobra.Command{
		Use: "quote", Short: "Get shipping prices and times",
		Example: "  order-tracking carrier quote --sandbox-carriers --to-city Новосибирск --weight 1500",
	}, func(ctx context.Context, car app.Carrier, _ []string) error {
		quoter, err := app.Ability[app.CarrierQuoter](car, "quoting prices")
		if err != nil {
			return err
		}
		quotes, err := quoter.Quote(ctx, r)
		if err != nil {
			return err
		}
		return d.show(quotes, func(w io.Writer) {
			row(w, "TARIFF\tPRICE\tDAYS\tWAY\tNAME")
			for _, q := range quotes {
				row(w, "%s\t%.2f %s\t%d-%d\t%s\t%s", q.Tariff, float64(q.Price.Amount)/100, q.Price.Currency, q.DaysMin, q.DaysMax, q.Mode, q.Name)
			}
		})
	})
	f := cmd.Flags()
	f.StringVar(&r.To.City, "to-city", "", "a `city`, or the company's code of it")
	f.StringVar(&r.To.Address, "to-address", "", "an `address`")
	f.StringVar(&r.To.Point, "to-point", "", "the `code` of an office or locker")
	f.StringVar(&r.From.City, "from-city", "", "a `city`; default: from the configuration")
	f.StringVar(&r.From.Point, "from-point", "", "the `code` of an office")
	f.IntVar(&r.Packages[0].WeightG, "weight", 0, "`grams`")
	f.IntVar(&r.Packages[0].LengthCm, "length", 0, "`centimetres`")
	f.IntVar(&r.Packages[0].WidthCm, "width", 0, "`centimetres`")
	f.IntVar(&r.Packages[0].HeightCm, "height", 0, "`centimetres`")
	f.StringVar(&r.Tariff, "tariff", "", "only this tariff, by its `code`")
	return cmd
}

func (d *desk) track() *cobra.Command {
	return d.ask(&cobra.Command{
		Use: "track NUMBER", Short: "Track a parcel by its tracking number",
	}, func(ctx context.Context, car app.Carrier, args []string) error {
		tracker, err := app.Ability[app.CarrierTracker](car, "tracking")
		if err != nil {
			return err
		}
		p, err := tracker.TrackShipment(ctx, app.ShipmentRef{TrackingNumber: args[0]})
		if err != nil {
			return err
		}
		return d.show(p, func(w io.Writer) {
			row(w, "%s\t%s\t%s\t%s", p.Ref.TrackingNumber, p.Ref.Phase, p.Status, p.Text)
			for _, e := range p.Events {
				row(w, "%s\t%s\t%s\t%s\t%s", e.OccurredAt.Format(time.RFC3339), e.Code, e.Status, e.City, e.Text)
			}
		})
	})
}

func (d *desk) points() *cobra.Command {
	limit := atLeastOne(50)
	cmd := d.ask(&cobra.Command{
		Use: "points CITY", Short: "Offices and parcel lockers of a city",
	}, func(ctx context.Context, car app.Carrier, args []string) error {
		finder, err := app.Ability[app.CarrierPoints](car, "handing out at offices")
		if err != nil {
			return err
		}
		points, err := finder.Points(ctx, app.PointQuery{City: args[0], Limit: int(limit)})
		if err != nil {
			return err
		}
		return d.show(points, func(w io.Writer) {
			row(w, "CODE\tKIND\tHOURS\tADDRESS")
			for _, p := range points {
				row(w, "%s\t%s\t%s\t%s", p.Code, p.Kind, p.Hours, p.Address)
			}
		})
	})
	cmd.Flags().Var(&limit, "limit", "`maximum` number")
	return cmd
}
