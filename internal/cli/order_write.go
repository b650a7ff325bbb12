package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/order-tracking/order-tracking/pkg/client"
)

// particulars holds the flags for an order's fields.
type particulars struct {
	flags           *pflag.FlagSet
	customer        client.Customer
	pickup, dropoff placeFlags
	edit            client.Edit // fields that don't depend on the current order
	notes           string
}

// placeFlags holds the flags of a place.
type placeFlags struct {
	client.Place
	name string
}

func (p *placeFlags) add(fs *pflag.FlagSet, name, what string) {
	p.name = name
	fs.StringVar(&p.Address, name, "", what+": `address`")
	pointVar(fs, &p.Location, name+"-at", what+": `LAT,LON`")
	fs.StringVar(&p.Notes, name+"-notes", "", what+": `notes`")
}

// change returns the place with the given flags applied; nil when none was given.
func (p *placeFlags) change(fs *pflag.FlagSet, place *client.Place) *client.Place {
	address, notes := fs.Changed(p.name), fs.Changed(p.name+"-notes")
	if !address && !notes && p.Location == nil {
		return nil
	}
	var changed client.Place
	if place != nil {
		changed = *place
	}
	if address && changed.Address != p.Address {
		changed.Address, changed.Location = p.Address, nil // the location belonged to the old address
	}
	if notes {
		changed.Notes = p.Notes
	}
	changed.Location = cmp.Or(p.Location, changed.Location)
	return &changed
}

// add adds the flags that creating and editing share.
func (p *particulars) add(fs *pflag.FlagSet) {
	p.flags = fs
	fs.StringVar(&p.customer.Name, "name", "", "the customer's `name`")
	fs.StringVar(&p.customer.Phone, "phone", "", "the customer's phone `number`")
	fs.StringVar(&p.customer.Email, "email", "", "the customer's e-mail `address`")
	fs.StringVar(&p.customer.Locale, "locale", "", "the customer's `language`, such as ru or en-GB")
	p.dropoff.add(fs, "dropoff", "drop-off")
	p.pickup.add(fs, "pickup", "pick-up")
	fs.StringVar(&p.notes, "notes", "", "`notes`")
	momentVar(fs, &p.edit.ReadyAt, "ready", "ready for pick-up at this `time`: RFC 3339, or 20m")
	momentVar(fs, &p.edit.PromisedAt, "promised", "promised `time`: RFC 3339, or 45m")
	fs.StringToStringVar(&p.edit.Metadata, "meta", nil, "metadata, `key=value`; may be repeated")
}

// change returns the edit that the flags make to an order with this customer and these places.
func (p *particulars) change(customer client.Customer, pickup, dropoff *client.Place) client.Edit {
	e := p.edit
	for name, pair := range map[string][2]*string{
		"name": {&p.customer.Name, &customer.Name}, "phone": {&p.customer.Phone, &customer.Phone},
		"email": {&p.customer.Email, &customer.Email}, "locale": {&p.customer.Locale, &customer.Locale},
	} {
		if p.flags.Changed(name) {
			*pair[1], e.Customer = *pair[0], &customer
		}
	}
	e.Pickup, e.Dropoff = p.pickup.change(p.flags, pickup), p.dropoff.change(p.flags, dropoff)
	e.Notes = given(p.flags, "notes", &p.notes)
	return e
}

func orderCreate(r *remote) *cobra.Command {
	var p particulars
	cmd := &cobra.Command{
		Use: "create", Short: "Create an order from flags or JSON",
		Example: `  order-tracking order create --name Anna --dropoff "Main St 1"
  order-tracking order create --file order.json`,
	}
	fs := cmd.Flags()
	p.add(fs)
	externalID := fs.String("external-id", "", "the shop's own `number`")
	merchantID := fs.String("merchant", "", "the `merchant`")
	items := fs.StringArray("item", nil, "an item, `NAME` or \"3 x NAME\"; may be repeated")
	file := fs.StringP("file", "f", "", "`FILE` with the order as JSON, - for the standard input")
	return ask(r, cmd, nil, func(ctx context.Context, c *client.Client, _ []string) (*client.Order, error) {
		d, err := readDraft(r.stdin, *file)
		if err != nil {
			return nil, err
		}
		d.ExternalID, d.MerchantID = cmp.Or(*externalID, d.ExternalID), cmp.Or(*merchantID, d.MerchantID)
		for _, text := range *items {
			d.Items = append(d.Items, item(text))
		}
		return c.CreateOrder(ctx, p.into(d))
	}, describeOrder)
}

// into applies the flags to a draft.
func (p *particulars) into(d client.Draft) client.Draft {
	e := p.change(d.Customer, d.Pickup, d.Dropoff)
	d.Customer = *cmp.Or(e.Customer, &d.Customer)
	d.Pickup, d.Dropoff = cmp.Or(e.Pickup, d.Pickup), cmp.Or(e.Dropoff, d.Dropoff)
	d.ReadyAt, d.PromisedAt = cmp.Or(e.ReadyAt, d.ReadyAt), cmp.Or(e.PromisedAt, d.PromisedAt)
	d.Notes = cmp.Or(p.notes, d.Notes)
	if d.Metadata == nil {
		d.Metadata = map[string]string{}
	}
	maps.Copy(d.Metadata, e.Metadata)
	return d
}

// maxDraft is the server's limit of an order's body in bytes.
const maxDraft = 1 << 20

// readDraft reads an order from a file, - for standard input; without a file it is empty.
func readDraft(stdin io.Reader, file string) (d client.Draft, err error) {
	var text []byte
	switch file {
	case "":
		return d, nil
	case "-":
		text, err = io.ReadAll(io.LimitReader(stdin, maxDraft))
	default:
		text, err = os.ReadFile(file) //nolint:gosec // the caller names the file
	}
	if err != nil {
		return d, err
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return d, fmt.Errorf("%s: %w", file, err)
	}
	return d, nil
}

// item reads "tea" or "3 x tea".
func item(text string) client.Item {
	count, name, ok := strings.Cut(text, " x ")
	if n, err := strconv.Atoi(strings.TrimSpace(count)); ok && err == nil {
		return client.Item{Name: strings.TrimSpace(name), Quantity: n}
	}
	return client.Item{Name: text, Quantity: 1}
}

func orderEdit(r *remote) *cobra.Command {
	var p particulars
	var exception client.Exception
	cmd := &cobra.Command{Use: "edit ORDER", Short: "Edit an order"}
	fs := cmd.Flags()
	p.add(fs)
	fs.StringVar(&exception.Code, "exception", "", "raise an exception with this `code`, such as wrong_address")
	fs.StringVar(&exception.Detail, "exception-detail", "", "the exception in `words`")
	fs.StringSliceVar(&p.edit.Clear, "clear", nil, "`fields` to remove: pickup, notes, ready_at, promised_at, exception, metadata")
	return ask(r, cmd, orderID, func(ctx context.Context, c *client.Client, args []string) (*client.Order, error) {
		o, err := c.Order(ctx, args[0])
		if err != nil {
			return nil, err
		}
		e := p.change(o.Customer, o.Pickup, &o.Dropoff)
		if exception.Code != "" {
			e.Exception = &exception
		}
		if reflect.ValueOf(e).IsZero() {
			return nil, usagef("nothing to change: %s --help lists the flags", cmd.CommandPath())
		}
		// The edit contains parts of the customer or a place from this version.
		return c.EditOrder(ctx, args[0], e, client.IfMatch(o.Version))
	}, describeOrder)
}
