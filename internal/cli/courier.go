package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/order-tracking/order-tracking/pkg/client"
)

func courierCommand(e *env) *cobra.Command {
	cmd := group("courier", "Create and find couriers; COURIER is an id or a name")
	r := e.remoteFlags(cmd)
	cmd.AddCommand(courierCreate(r), courierEdit(r), courierGet(r), courierList(r), courierNear(r), courierLocate(r), courierOrders(r))
	return cmd
}

// onCourier makes a command about the courier that its first argument names.
func (r *remote) onCourier(
	cmd *cobra.Command, run func(ctx context.Context, c *client.Client, id string, rest []string) error,
) *cobra.Command {
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := r.connect()
		if err != nil {
			return err
		}
		id, err := courierID(cmd.Context(), c, args[0])
		if err != nil {
			return err
		}
		return run(cmd.Context(), c, id, args[1:])
	}
	return cmd
}

func (r *remote) showCourier(c *client.Courier) error {
	return r.show(c, func(w io.Writer) {
		field(w, "Courier", c.Name)
		field(w, "Id", c.ID)
		field(w, "Phone", c.Phone)
		field(w, "Vehicle", c.Vehicle)
		field(w, "On duty", yes(c.OnDuty))
		field(w, "Orders", fmt.Sprintf("%d of %d", c.ActiveOrders, c.Capacity))
		if p := c.Position; p != nil {
			field(w, "Position", coordinates(client.Point{Lat: p.Lat, Lon: p.Lon})+" at "+clock(p.RecordedAt))
		}
	})
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// courierFlags are what a courier is.
type courierFlags struct {
	name, phone, vehicle string
	capacity             int
	onDuty               bool
	metadata             map[string]string
}

func (f *courierFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.name, "name", "", "the courier's `name`")
	fs.StringVar(&f.phone, "phone", "", "the phone `number`")
	fs.StringVar(&f.vehicle, "vehicle", "", "foot, bicycle, motorbike, car or van: the `vehicle`")
	fs.IntVar(&f.capacity, "capacity", 0, "how many active orders at `most`")
	fs.BoolVar(&f.onDuty, "on-duty", true, "whether the courier takes orders")
	fs.StringToStringVar(&f.metadata, "meta", nil, "metadata, `key=value`; may be repeated")
}

func (f *courierFlags) edit(cmd *cobra.Command) client.CourierEdit {
	e := client.CourierEdit{Metadata: f.metadata}
	changed := cmd.Flags().Changed
	if changed("name") {
		e.Name = &f.name
	}
	if changed("phone") {
		e.Phone = &f.phone
	}
	if changed("vehicle") {
		e.Vehicle = &f.vehicle
	}
	if changed("capacity") {
		e.Capacity = &f.capacity
	}
	if changed("on-duty") {
		e.OnDuty = &f.onDuty
	}
	return e
}

func courierCreate(r *remote) *cobra.Command {
	var f courierFlags
	cmd := &cobra.Command{Use: "create", Short: "Create a courier", Args: cobra.NoArgs}
	f.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := r.connect()
		if err != nil {
			return err
		}
		courier, err := c.CreateCourier(cmd.Context(), f.edit(cmd))
		if err != nil {
			return err
		}
		return r.showCourier(courier)
	}
	return cmd
}

func courierEdit(r *remote) *cobra.Command {
	var f courierFlags
	cmd := &cobra.Command{Use: "edit COURIER", Short: "Change a courier", Args: cobra.ExactArgs(1)}
	f.add(cmd)
	return r.onCourier(cmd, func(ctx context.Context, c *client.Client, id string, _ []string) error {
		courier, err := c.EditCourier(ctx, id, f.edit(cmd))
		if err != nil {
			return err
		}
		return r.showCourier(courier)
	})
}

func courierGet(r *remote) *cobra.Command {
	return r.onCourier(&cobra.Command{Use: "get COURIER", Short: "Show a courier", Args: cobra.ExactArgs(1)},
		func(ctx context.Context, c *client.Client, id string, _ []string) error {
			courier, err := c.Courier(ctx, id)
			if err != nil {
				return err
			}
			return r.showCourier(courier)
		})
}

const courierHeader = "NAME\tON DUTY\tVEHICLE\tORDERS\tPOSITION\tID"

func courierRow(c *client.Courier) string {
	position := "-"
	if p := c.Position; p != nil {
		position = coordinates(client.Point{Lat: p.Lat, Lon: p.Lon})
	}
	return strings.Join([]string{
		dash(c.Name), yes(c.OnDuty), c.Vehicle, fmt.Sprintf("%d of %d", c.ActiveOrders, c.Capacity), position, c.ID,
	}, "\t")
}

func courierList(r *remote) *cobra.Command {
	var f client.CourierFilter
	var onDuty, all bool
	limit := listed
	cmd := &cobra.Command{Use: "list", Short: "List couriers, newest first", Args: cobra.NoArgs}
	fs := cmd.Flags()
	fs.BoolVar(&onDuty, "on-duty", false, "only those on duty; --on-duty=false: only the others")
	fs.StringVarP(&f.Search, "search", "q", "", "only with this `text` in the name or phone number")
	fs.IntVar(&limit, "limit", listed, "how many at `most`")
	fs.BoolVar(&all, "all", false, "all of them")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if fs.Changed("on-duty") {
			f.OnDuty = &onDuty
		}
		c, err := r.connect()
		if err != nil {
			return err
		}
		if all {
			limit, f.PageSize = 0, 500
		}
		return list(r, c.Couriers(cmd.Context(), f), limit, courierHeader, courierRow)
	}
	return cmd
}

func courierNear(r *remote) *cobra.Command {
	limit := 0
	cmd := &cobra.Command{Use: "near LAT,LON", Short: "List the couriers on duty nearest to a place", Args: cobra.ExactArgs(1)}
	cmd.Flags().IntVar(&limit, "limit", 0, "how many at `most`")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		at, err := point("near", args[0])
		if err != nil || at == nil {
			return errors.New("the place must be LAT,LON in degrees, such as 55.7512,37.6184")
		}
		c, err := r.connect()
		if err != nil {
			return err
		}
		near, err := c.NearCouriers(cmd.Context(), *at, limit)
		if err != nil {
			return err
		}
		all := func(yield func(client.Nearby, error) bool) {
			for _, n := range near {
				if !yield(n, nil) {
					return
				}
			}
		}
		return list(r, all, 0, "DISTANCE\t"+courierHeader, func(n client.Nearby) string {
			return strconv.FormatFloat(n.DistanceM/1000, 'f', 2, 64) + " km\t" + courierRow(&n.Courier)
		})
	}
	return cmd
}

func courierLocate(r *remote) *cobra.Command {
	var at string
	cmd := r.onCourier(&cobra.Command{
		Use: "locate COURIER", Short: "Show where a courier is, or with --at report it", Args: cobra.ExactArgs(1),
	}, func(ctx context.Context, c *client.Client, id string, _ []string) error {
		if at != "" {
			p, err := point("at", at)
			if err != nil {
				return err
			}
			got, err := c.ReportPositions(ctx, id, []client.Position{{Lat: p.Lat, Lon: p.Lon}})
			if err != nil {
				return err
			}
			return r.show(got, func(w io.Writer) {
				field(w, "Accepted", strconv.Itoa(got.Accepted))
				field(w, "Dropped", strconv.Itoa(got.Dropped))
			})
		}
		p, err := c.CourierLocation(ctx, id)
		if err != nil {
			return err
		}
		return r.show(p, func(w io.Writer) {
			field(w, "Position", coordinates(client.Point{Lat: p.Lat, Lon: p.Lon}))
			age := time.Duration(p.AgeSeconds * float64(time.Second)).Round(time.Second)
			stale := ""
			if p.Stale {
				stale = ", stale"
			}
			field(w, "Recorded", fmt.Sprintf("%s (%s ago%s)", clock(p.RecordedAt), age, stale))
		})
	})
	cmd.Flags().StringVar(&at, "at", "", "report that the courier is at `LAT,LON` now")
	return cmd
}

func courierOrders(r *remote) *cobra.Command {
	all := false
	cmd := r.onCourier(&cobra.Command{Use: "orders COURIER", Short: "List a courier's orders, active ones first", Args: cobra.ExactArgs(1)},
		func(ctx context.Context, c *client.Client, id string, _ []string) error {
			limit := listed
			if all {
				limit = 0
			}
			return list(r, c.CourierOrders(ctx, id, 0), limit, orderHeader, orderRow)
		})
	cmd.Flags().BoolVar(&all, "all", false, "all of them")
	return cmd
}
