package cli

import (
	"context"
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

func describeCourier(w io.Writer, c *client.Courier) {
	field(w, "Courier", c.Name)
	field(w, "Id", c.ID)
	field(w, "Phone", c.Phone)
	field(w, "Vehicle", c.Vehicle)
	field(w, "On duty", yes(c.OnDuty))
	field(w, "Orders", fmt.Sprintf("%d of %d", c.ActiveOrders, c.Capacity))
	fieldPosition(w, c.Position)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// courierEditFlags adds the flags for a courier's fields and returns a function that
// reads them after parsing.
func courierEditFlags(cmd *cobra.Command) func() client.CourierEdit {
	fs := cmd.Flags()
	name := fs.String("name", "", "the courier's `name`")
	phone := fs.String("phone", "", "the phone `number`")
	vehicle := fs.String("vehicle", "", "`vehicle`: foot, bicycle, motorbike, car or van")
	capacity := fs.Int("capacity", 0, "`maximum` number of active orders")
	onDuty := fs.Bool("on-duty", true, "whether the courier takes orders")
	metadata := fs.StringToString("meta", nil, "metadata, `key=value`; may be repeated")
	completeFlag(cmd, "vehicle", "foot", "bicycle", "motorbike", "car", "van")
	return func() client.CourierEdit {
		return client.CourierEdit{
			Name: given(fs, "name", name), Phone: given(fs, "phone", phone), Vehicle: given(fs, "vehicle", vehicle),
			Capacity: given(fs, "capacity", capacity), OnDuty: given(fs, "on-duty", onDuty), Metadata: *metadata,
		}
	}
}

func courierCreate(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "create", Short: "Create a courier"}
	edit := courierEditFlags(cmd)
	return ask(r, cmd, nil, func(ctx context.Context, c *client.Client, _ []string) (*client.Courier, error) {
		return c.CreateCourier(ctx, edit())
	}, describeCourier)
}

func courierEdit(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "edit COURIER", Short: "Change a courier"}
	edit := courierEditFlags(cmd)
	return ask(r, cmd, courierID, func(ctx context.Context, c *client.Client, args []string) (*client.Courier, error) {
		return c.EditCourier(ctx, args[0], edit())
	}, describeCourier)
}

func courierGet(r *remote) *cobra.Command {
	return ask(r, &cobra.Command{Use: "get COURIER", Short: "Show a courier"}, courierID,
		func(ctx context.Context, c *client.Client, args []string) (*client.Courier, error) {
			return c.Courier(ctx, args[0])
		}, describeCourier)
}

const courierHeader = "NAME\tON DUTY\tVEHICLE\tORDERS\tPOSITION\tID"

func courierRow(c *client.Courier) string {
	position := "-"
	if p := c.Position; p != nil {
		position = coordinates(p.Lat, p.Lon)
	}
	return strings.Join([]string{
		dash(c.Name), yes(c.OnDuty), c.Vehicle, fmt.Sprintf("%d of %d", c.ActiveOrders, c.Capacity), position, c.ID,
	}, "\t")
}

func courierList(r *remote) *cobra.Command {
	var f client.CourierFilter
	var l listing
	cmd := &cobra.Command{Use: "list", Short: "List couriers, newest first"}
	fs := cmd.Flags()
	onDuty := fs.Bool("on-duty", false, "only those on duty; --on-duty=false: only the others")
	fs.StringVarP(&f.Search, "search", "q", "", "only with this `text` in the name or phone number")
	l.flags(cmd)
	return r.on(cmd, nil, func(ctx context.Context, c *client.Client, _ []string) error {
		f.OnDuty, f.PageSize = given(fs, "on-duty", onDuty), l.page()
		return list(r, c.Couriers(ctx, f), l, courierHeader, courierRow)
	})
}

func courierNear(r *remote) *cobra.Command {
	var limit atLeastOne
	cmd := &cobra.Command{Use: "near LAT,LON", Short: "List the couriers on duty nearest to a place"}
	cmd.Flags().Var(&limit, "limit", "`maximum` number; default: the server's")
	return r.on(cmd, nil, func(ctx context.Context, c *client.Client, args []string) error {
		at, err := point(args[0])
		if err != nil {
			return usagef("the place %q %w", args[0], err)
		}
		near, err := c.NearCouriers(ctx, *at, int(limit))
		if err != nil {
			return err
		}
		return list(r, each(near), listing{}, "DISTANCE\t"+courierHeader, func(n client.Nearby) string {
			return fmt.Sprintf("%.2f km\t%s", n.DistanceM/1000, courierRow(&n.Courier))
		})
	})
}

func courierLocate(r *remote) *cobra.Command {
	var at *client.Point
	cmd := r.on(&cobra.Command{
		Use: "locate COURIER", Short: "Show a courier's position, or report it with --at",
	}, courierID, func(ctx context.Context, c *client.Client, args []string) error {
		if at != nil {
			got, err := c.ReportPositions(ctx, args[0], []client.Position{{Lat: at.Lat, Lon: at.Lon}})
			if err != nil {
				return err
			}
			return r.show(got, func(w io.Writer) { fieldReceived(w, got) })
		}
		p, err := c.CourierLocation(ctx, args[0])
		if err != nil {
			return err
		}
		return r.show(p, func(w io.Writer) {
			field(w, "Position", coordinates(p.Lat, p.Lon))
			age := time.Duration(p.AgeSeconds * float64(time.Second)).Round(time.Second)
			stale := ""
			if p.Stale {
				stale = ", stale"
			}
			field(w, "Recorded", fmt.Sprintf("%s (%s ago%s)", clock(p.RecordedAt), age, stale))
		})
	})
	pointVar(cmd.Flags(), &at, "at", "report that the courier is at `LAT,LON` now")
	return cmd
}

func fieldReceived(w io.Writer, got client.Received) {
	field(w, "Accepted", strconv.Itoa(got.Accepted))
	field(w, "Dropped", strconv.Itoa(got.Dropped))
}

func courierOrders(r *remote) *cobra.Command {
	var l listing
	cmd := &cobra.Command{Use: "orders COURIER", Short: "List a courier's orders, active ones first"}
	l.flags(cmd)
	return r.on(cmd, courierID, func(ctx context.Context, c *client.Client, args []string) error {
		return list(r, c.CourierOrders(ctx, args[0], l.page()), l, orderHeader, orderRow)
	})
}
