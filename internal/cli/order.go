package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/order-tracking/order-tracking/pkg/client"
)

func orderCommand(e *env) *cobra.Command {
	cmd := group("order", "Create, find and change orders; ORDER is an id, an external id or a number")
	r := e.remoteFlags(cmd)
	cmd.AddCommand(orderCreate(r), orderGet(r), orderList(r), orderStatus(r), orderEdit(r), orderCancel(r),
		orderAssign(r), orderTrack(r), orderEvents(r), orderNotify(r))
	return cmd
}

func orderGet(r *remote) *cobra.Command {
	return ask(r, &cobra.Command{Use: "get ORDER", Short: "Show an order"}, orderID,
		func(ctx context.Context, c *client.Client, args []string) (*client.Order, error) {
			return c.Order(ctx, args[0])
		}, describeOrder)
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
	fieldTime(w, "Promised", o.PromisedAt)
	if o.ETA != nil && o.DeliveredAt == nil {
		field(w, "Expected", expected(o.ETA))
	}
	fieldTime(w, "Created", &o.CreatedAt)
	fieldTime(w, "Changed", &o.UpdatedAt)
	fieldTime(w, "Delivered", o.DeliveredAt)
}

func expected(e *client.Estimate) string {
	return fmt.Sprintf("%s (%s to %s, by %s)", clock(e.ETA), e.Earliest.Local().Format("15:04"), e.Latest.Local().Format("15:04"), e.Method)
}

func orderList(r *remote) *cobra.Command {
	var l listing
	cmd := &cobra.Command{Use: "list", Short: "List orders, newest first"}
	filter := orderFilter(cmd)
	l.flags(cmd)
	return r.on(cmd, nil, func(ctx context.Context, c *client.Client, _ []string) error {
		f := filter()
		f.PageSize = l.page()
		return list(r, c.Orders(ctx, f), l, orderHeader, orderRow)
	})
}

const orderHeader = "NUMBER\tSTATUS\tCUSTOMER\tDROP-OFF\tCREATED\tEXTERNAL ID\tID"

func orderRow(o *client.Order) string {
	return strings.Join([]string{
		o.Number, string(o.Status), dash(o.Customer.Name), where(&o.Dropoff), clock(o.CreatedAt), dash(o.ExternalID), o.ID,
	}, "\t")
}

// orderFilter adds the filter flags of lists and exports and returns a function that
// reads them after parsing.
func orderFilter(cmd *cobra.Command) func() client.OrderFilter {
	var f client.OrderFilter
	var from, to *time.Time
	fs := cmd.Flags()
	statuses := fs.StringSlice("status", nil, "only of these `statuses`")
	fs.StringVar(&f.CourierID, "courier", "", "only of the courier with this `id`")
	fs.StringVar(&f.MerchantID, "merchant", "", "only of this `merchant`")
	fs.StringVar(&f.ExternalID, "external-id", "", "only with this external `id`")
	fs.StringVar(&f.CustomerPhone, "phone", "", "only of the customer with this phone `number`")
	fs.StringVarP(&f.Search, "search", "q", "", "only with these `words` in the number, external id, name, phone or address")
	momentVar(fs, &from, "from", "only created at this `time` or later: RFC 3339, or -24h")
	momentVar(fs, &to, "to", "only created before this `time`")
	completeFlag(cmd, "status", client.Statuses()...)
	fs.StringVar(&f.Exception, "exception", "", "only with an exception of this `code`; true: with any")
	late := fs.Bool("late", false, "only unfinished orders whose promise has passed or may well be broken; --late=false: only others")
	incident := fs.Bool("incident", false, "only with an open incident; --incident=false: only others")
	active := fs.Bool("active", false, "only unfinished orders; --active=false: only finished ones")
	return func() client.OrderFilter {
		for _, s := range *statuses {
			f.Statuses = append(f.Statuses, client.Status(s))
		}
		f.Active, f.Late, f.Incident = given(fs, "active", active), given(fs, "late", late), given(fs, "incident", incident)
		if from != nil {
			f.CreatedFrom = *from
		}
		if to != nil {
			f.CreatedTo = *to
		}
		return f
	}
}

func orderStatus(r *remote) *cobra.Command {
	var in client.StatusChange
	cmd := r.on(&cobra.Command{
		Use: "status ORDER [STATUS]", Short: "Show or change an order's status",
	}, orderID, func(ctx context.Context, c *client.Client, args []string) error {
		if len(args) == 1 {
			s, err := c.Status(ctx, args[0])
			if err != nil {
				return err
			}
			return r.show(s, func(w io.Writer) {
				field(w, "Status", fmt.Sprintf("%s (version %d) since %s", s.Status, s.Version, clock(s.UpdatedAt)))
				field(w, "Next", strings.Join(stringsOf(s.AllowedTransitions), ", "))
			})
		}
		in.Status = client.Status(args[1])
		o, err := c.UpdateStatus(ctx, args[0], in)
		if err != nil {
			return err
		}
		return r.show(o, func(w io.Writer) { describeOrder(w, o) })
	})
	fs := cmd.Flags()
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		if len(args) != 1 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return choices(client.Statuses()...)(cmd, args, toComplete)
	}
	fs.StringVar(&in.Reason, "reason", "", "`why`")
	momentVar(fs, &in.OccurredAt, "at", "when it happened, a `time`: RFC 3339, or -10m")
	pointVar(fs, &in.Location, "location", "where it happened, `LAT,LON`")
	return cmd
}

func orderCancel(r *remote) *cobra.Command {
	var reason string
	cmd := ask(r, &cobra.Command{Use: "cancel ORDER", Short: "Cancel an order before a courier has picked it up"}, orderID,
		func(ctx context.Context, c *client.Client, args []string) (*client.Order, error) {
			return c.CancelOrder(ctx, args[0], reason)
		}, describeOrder)
	cmd.Flags().StringVar(&reason, "reason", "", "`why`")
	return cmd
}

func orderAssign(r *remote) *cobra.Command {
	var nearest bool
	cmd := ask(r, &cobra.Command{
		Use: "assign ORDER [COURIER]", Short: "Assign an order to a courier, by id or name, or to the nearest",
	}, orderID, func(ctx context.Context, c *client.Client, args []string) (*client.Order, error) {
		switch {
		case nearest == (len(args) == 2):
			return nil, usagef("COURIER is missing: name a courier, or say --nearest (not both)")
		case nearest:
			return c.AssignNearest(ctx, args[0])
		}
		courier, err := courierID(ctx, c, args[1])
		if err != nil {
			return nil, err
		}
		return c.AssignCourier(ctx, args[0], courier)
	}, describeOrder)
	cmd.Flags().BoolVar(&nearest, "nearest", false, "to the nearest courier on duty with free capacity")
	return cmd
}

func orderTrack(r *remote) *cobra.Command {
	return ask(r, &cobra.Command{Use: "track ORDER", Short: "Track an order: position, timeline, estimate"}, orderID,
		func(ctx context.Context, c *client.Client, args []string) (*client.Track, error) {
			return c.Track(ctx, args[0])
		}, func(w io.Writer, t *client.Track) {
			field(w, "Status", string(t.Status))
			if t.Courier != nil {
				field(w, "Courier", strings.Join([]string{t.Courier.Name, t.Courier.Phone, "(" + t.Courier.Vehicle + ")"}, " "))
			}
			fieldPosition(w, t.Position)
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
}

func orderEvents(r *remote) *cobra.Command {
	return r.on(&cobra.Command{Use: "events ORDER", Short: "Show an order's complete history"}, orderID,
		func(ctx context.Context, c *client.Client, args []string) error {
			events, err := c.Events(ctx, args[0])
			if err != nil {
				return err
			}
			return list(r, each(events), listing{}, "HAPPENED\tWHAT\tBY\tWHY", eventRow)
		})
}

// eventRow formats an event: time, change, actor and reason.
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
	cmd := ask(r, &cobra.Command{
		Use: "notify ORDER", Short: "Send the customer a message; by default about the order's status",
	}, orderID, func(ctx context.Context, c *client.Client, args []string) (*client.Notified, error) {
		return c.Notify(ctx, args[0], in)
	}, func(w io.Writer, n *client.Notified) {
		for _, d := range n.Deliveries {
			field(w, d.Channel, d.Status)
		}
	})
	fs := cmd.Flags()
	fs.StringVar(&in.Text, "text", "", "the `message`")
	fs.StringVar(&in.Template, "template", "", "the `template` of the message")
	fs.StringVar(&in.Channel, "channel", "", "only over this `channel`")
	return cmd
}
