package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/order-tracking/order-tracking/pkg/client"
)

// listed is how many entries a list shows unless told otherwise.
const listed = 20

// onOrder makes a command about the order that its first argument names.
func (r *remote) onOrder(
	cmd *cobra.Command, run func(ctx context.Context, c *client.Client, id string, rest []string) error,
) *cobra.Command {
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := r.connect()
		if err != nil {
			return err
		}
		id, err := orderID(cmd.Context(), c, args[0])
		if err != nil {
			return err
		}
		return run(cmd.Context(), c, id, args[1:])
	}
	return cmd
}

func orderCommand(e *env) *cobra.Command {
	cmd := group("order", "Create, find and change orders; ORDER is an id, an external id or a number")
	r := e.remoteFlags(cmd)
	cmd.AddCommand(orderCreate(r), orderGet(r), orderList(r), orderStatus(r), orderEdit(r), orderCancel(r),
		orderAssign(r), orderTrack(r), orderEvents(r), orderNotify(r))
	return cmd
}

// group is a command that only holds others.
func group(name, short string) *cobra.Command {
	return &cobra.Command{
		Use: name, Short: short, Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
}

func orderGet(r *remote) *cobra.Command {
	return r.onOrder(&cobra.Command{Use: "get ORDER", Short: "Show an order", Args: cobra.ExactArgs(1)},
		func(ctx context.Context, c *client.Client, id string, _ []string) error {
			o, err := c.Order(ctx, id)
			if err != nil {
				return err
			}
			return r.showOrder(o)
		})
}

func (r *remote) showOrder(o *client.Order) error {
	return r.show(o, func(w io.Writer) { describeOrder(w, o) })
}

func describeOrder(w io.Writer, o *client.Order) {
	field(w, "Order", o.Number)
	field(w, "Id", o.ID)
	field(w, "External id", o.ExternalID)
	field(w, "Merchant", o.MerchantID)
	field(w, "Status", fmt.Sprintf("%s (version %d)", o.Status, o.Version))
	if x := o.Exception; x != nil {
		field(w, "Exception", strings.TrimSpace(x.Code+" "+x.Detail))
	}
	field(w, "Customer", strings.Join([]string{o.Customer.Name, o.Customer.Phone, o.Customer.Email}, " "))
	field(w, "Pick-up", where(o.Pickup))
	field(w, "Drop-off", where(&o.Dropoff))
	for _, item := range o.Items {
		field(w, "Item", fmt.Sprintf("%d × %s", item.Quantity, item.Name))
	}
	if o.Total != nil {
		field(w, "Total", fmt.Sprintf("%d %s (minor units)", o.Total.Amount, o.Total.Currency))
	}
	field(w, "Notes", o.Notes)
	field(w, "Courier", o.CourierID)
	if o.PromisedAt != nil {
		field(w, "Promised", clock(*o.PromisedAt))
	}
	if o.ETA != nil && o.DeliveredAt == nil {
		field(w, "Expected", expected(o.ETA))
	}
	field(w, "Created", clock(o.CreatedAt))
	field(w, "Changed", clock(o.UpdatedAt))
	if o.DeliveredAt != nil {
		field(w, "Delivered", clock(*o.DeliveredAt))
	}
}

func expected(e *client.Estimate) string {
	return fmt.Sprintf("%s (%s to %s, by %s)", clock(e.ETA), e.Earliest.Local().Format("15:04"), e.Latest.Local().Format("15:04"), e.Method)
}

func orderList(r *remote) *cobra.Command {
	var f orderFilter
	var all bool
	limit := listed
	cmd := &cobra.Command{Use: "list", Short: "List orders, newest first", Args: cobra.NoArgs}
	f.flags(cmd)
	cmd.Flags().IntVar(&limit, "limit", listed, "how many at `most`")
	cmd.Flags().BoolVar(&all, "all", false, "all of them")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		filter, err := f.filter(cmd)
		if err != nil {
			return err
		}
		c, err := r.connect()
		if err != nil {
			return err
		}
		if all {
			limit, filter.PageSize = 0, 500
		} else {
			filter.PageSize = max(1, min(limit+1, 500))
		}
		return list(r, c.Orders(cmd.Context(), filter), limit, orderHeader, orderRow)
	}
	return cmd
}

const orderHeader = "NUMBER\tSTATUS\tCUSTOMER\tDROP-OFF\tCREATED\tEXTERNAL ID\tID"

func orderRow(o *client.Order) string {
	return strings.Join([]string{
		o.Number, string(o.Status), dash(o.Customer.Name), where(&o.Dropoff), clock(o.CreatedAt), dash(o.ExternalID), o.ID,
	}, "\t")
}

// orderFilter is the flags that narrow lists and exports.
type orderFilter struct {
	client.OrderFilter
	statuses []string
	from, to string
	active   bool
}

func (f *orderFilter) flags(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringSliceVar(&f.statuses, "status", nil, "only of these `statuses`")
	fs.StringVar(&f.CourierID, "courier", "", "only of the courier with this `id`")
	fs.StringVar(&f.MerchantID, "merchant", "", "only of this `merchant`")
	fs.StringVar(&f.ExternalID, "external-id", "", "only with this external `id`")
	fs.StringVar(&f.CustomerPhone, "phone", "", "only of the customer with this phone `number`")
	fs.StringVarP(&f.Search, "search", "q", "", "only with this `text` in the number, external id, name or address")
	fs.StringVar(&f.from, "from", "", "only created at this `time` or later: RFC 3339, or -24h")
	fs.StringVar(&f.to, "to", "", "only created before this `time`")
	fs.BoolVar(&f.active, "active", false, "only those still on their way; --active=false: only finished ones")
}

func (f *orderFilter) filter(cmd *cobra.Command) (client.OrderFilter, error) {
	out := f.OrderFilter
	for _, s := range f.statuses {
		out.Statuses = append(out.Statuses, client.Status(s))
	}
	if cmd.Flags().Changed("active") {
		out.Active = &f.active
	}
	for _, t := range []struct {
		name, text string
		into       *time.Time
	}{{"from", f.from, &out.CreatedFrom}, {"to", f.to, &out.CreatedTo}} {
		at, err := moment(t.name, t.text)
		if err != nil {
			return out, err
		}
		if at != nil {
			*t.into = *at
		}
	}
	return out, nil
}

func orderStatus(r *remote) *cobra.Command {
	var in client.StatusChange
	var at, location string
	cmd := r.onOrder(&cobra.Command{
		Use: "status ORDER [STATUS]", Short: "Show where an order stands, or take it one step further", Args: cobra.RangeArgs(1, 2),
	}, func(ctx context.Context, c *client.Client, id string, rest []string) (err error) {
		if len(rest) == 0 {
			s, err := c.Status(ctx, id)
			if err != nil {
				return err
			}
			return r.show(s, func(w io.Writer) {
				field(w, "Status", fmt.Sprintf("%s (version %d) since %s", s.Status, s.Version, clock(s.UpdatedAt)))
				field(w, "Next", strings.Join(stringsOf(s.AllowedTransitions), ", "))
			})
		}
		in.Status = client.Status(rest[0])
		if in.OccurredAt, err = moment("at", at); err != nil {
			return err
		}
		if in.Location, err = point("location", location); err != nil {
			return err
		}
		o, err := c.UpdateStatus(ctx, id, in)
		if err != nil {
			return err
		}
		return r.showOrder(o)
	})
	fs := cmd.Flags()
	fs.StringVar(&in.Reason, "reason", "", "`why`")
	fs.StringVar(&at, "at", "", "when it happened, a `time`: RFC 3339, or -10m")
	fs.StringVar(&location, "location", "", "where it happened, `LAT,LON`")
	return cmd
}

func orderCancel(r *remote) *cobra.Command {
	var reason string
	cmd := r.onOrder(&cobra.Command{Use: "cancel ORDER", Short: "Cancel an order before it is handed over", Args: cobra.ExactArgs(1)},
		func(ctx context.Context, c *client.Client, id string, _ []string) error {
			o, err := c.CancelOrder(ctx, id, reason)
			if err != nil {
				return err
			}
			return r.showOrder(o)
		})
	cmd.Flags().StringVar(&reason, "reason", "", "`why`")
	return cmd
}

func orderAssign(r *remote) *cobra.Command {
	var nearest bool
	cmd := r.onOrder(&cobra.Command{
		Use: "assign ORDER [COURIER]", Short: "Give an order to a courier, by id or name, or to the nearest", Args: cobra.RangeArgs(1, 2),
	}, func(ctx context.Context, c *client.Client, id string, rest []string) error {
		if nearest == (len(rest) == 1) {
			return errors.New("name a courier or say --nearest")
		}
		assign := func() (*client.Order, error) { return c.AssignNearest(ctx, id) }
		if !nearest {
			courier, err := courierID(ctx, c, rest[0])
			if err != nil {
				return err
			}
			assign = func() (*client.Order, error) { return c.AssignCourier(ctx, id, courier) }
		}
		o, err := assign()
		if err != nil {
			return err
		}
		return r.showOrder(o)
	})
	cmd.Flags().BoolVar(&nearest, "nearest", false, "to the nearest courier on duty that has room")
	return cmd
}

func orderTrack(r *remote) *cobra.Command {
	return r.onOrder(&cobra.Command{Use: "track ORDER", Short: "Show where an order is and how it came there", Args: cobra.ExactArgs(1)},
		func(ctx context.Context, c *client.Client, id string, _ []string) error {
			t, err := c.Track(ctx, id)
			if err != nil {
				return err
			}
			return r.show(t, func(w io.Writer) {
				field(w, "Status", string(t.Status))
				if t.Courier != nil {
					field(w, "Courier", strings.Join([]string{t.Courier.Name, t.Courier.Phone, "(" + t.Courier.Vehicle + ")"}, " "))
				}
				if p := t.Position; p != nil {
					field(w, "Position", coordinates(client.Point{Lat: p.Lat, Lon: p.Lon})+" at "+clock(p.RecordedAt))
				}
				if len(t.Trail) > 0 {
					field(w, "Trail", fmt.Sprintf("%d positions", len(t.Trail)))
				}
				if t.ETA != nil {
					field(w, "Expected", expected(t.ETA))
				}
				for _, e := range t.Timeline {
					_, _ = fmt.Fprintln(w, eventRow(e))
				}
			})
		})
}

func orderEvents(r *remote) *cobra.Command {
	return r.onOrder(&cobra.Command{Use: "events ORDER", Short: "Show the whole history of an order", Args: cobra.ExactArgs(1)},
		func(ctx context.Context, c *client.Client, id string, _ []string) error {
			events, err := c.Events(ctx, id)
			if err != nil {
				return err
			}
			all := func(yield func(client.Event, error) bool) {
				for _, e := range events {
					if !yield(e, nil) {
						return
					}
				}
			}
			return list(r, all, 0, "HAPPENED\tWHAT\tBY\tWHY", eventRow)
		})
}

// eventRow tells an event: when, what, by whom and why.
func eventRow(e client.Event) string {
	what := e.Type
	if e.Type == "order.status_changed" {
		what = string(e.Status)
	}
	return strings.Join([]string{clock(e.OccurredAt), what, by(e), dash(e.Reason)}, "\t")
}

func by(e client.Event) string {
	who := e.Actor.Kind
	if e.Source != "" && e.Source != "api" {
		who += " (" + e.Source + ")"
	}
	return who
}

func orderNotify(r *remote) *cobra.Command {
	var in client.Notice
	cmd := r.onOrder(&cobra.Command{
		Use: "notify ORDER", Short: "Send the customer a message; without one, where the order stands", Args: cobra.ExactArgs(1),
	}, func(ctx context.Context, c *client.Client, id string, _ []string) error {
		n, err := c.Notify(ctx, id, in)
		if err != nil {
			return err
		}
		return r.show(n, func(w io.Writer) {
			for _, d := range n.Deliveries {
				field(w, d.Channel, d.Status)
			}
		})
	})
	fs := cmd.Flags()
	fs.StringVar(&in.Text, "text", "", "the `message`")
	fs.StringVar(&in.Template, "template", "", "the `template` of the message")
	fs.StringVar(&in.Channel, "channel", "", "only over this `channel`")
	return cmd
}
