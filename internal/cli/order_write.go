package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/order-tracking/order-tracking/pkg/client"
)

// particulars are the flags for what an order is about.
type particulars struct {
	customer                 client.Customer
	pickup, dropoff          placeFlags
	notes, ready, promised   string
	metadata                 map[string]string
	flags                    *pflag.FlagSet
	externalID, merchantID   string
	items                    []string
	file, exception, details string
	clear                    []string
}

// placeFlags are those of a place.
type placeFlags struct{ address, at, notes string }

func (p *placeFlags) add(fs *pflag.FlagSet, name, what string) {
	fs.StringVar(&p.address, name, "", what+": `address`")
	fs.StringVar(&p.at, name+"-at", "", what+": `LAT,LON`")
	fs.StringVar(&p.notes, name+"-notes", "", what+": `notes`")
}

// into changes a place by the flags that were given; it returns nil when none was.
func (p *placeFlags) into(fs *pflag.FlagSet, name string, place *client.Place) (*client.Place, error) {
	if !fs.Changed(name) && !fs.Changed(name+"-at") && !fs.Changed(name+"-notes") {
		return nil, nil
	}
	changed := client.Place{}
	if place != nil {
		changed = *place
	}
	if fs.Changed(name) {
		changed.Address = p.address
		if place != nil && place.Address != p.address {
			changed.Location = nil // that of the old address
		}
	}
	if fs.Changed(name + "-at") {
		at, err := point(name+"-at", p.at)
		if err != nil {
			return nil, err
		}
		changed.Location = at
	}
	if fs.Changed(name + "-notes") {
		changed.Notes = p.notes
	}
	return &changed, nil
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
	fs.StringVar(&p.ready, "ready", "", "when it is ready at the pick-up, a `time`: RFC 3339, or 20m")
	fs.StringVar(&p.promised, "promised", "", "when it was promised, a `time`: RFC 3339, or 45m")
	fs.StringToStringVar(&p.metadata, "meta", nil, "metadata, `key=value`; may be repeated")
}

func orderCreate(r *remote) *cobra.Command {
	var p particulars
	cmd := &cobra.Command{
		Use: "create", Short: "Create an order of flags, or of JSON", Args: cobra.NoArgs,
		Example: `  order-tracking order create --name Anna --dropoff "Main St 1"
  order-tracking order create --file order.json`,
	}
	fs := cmd.Flags()
	p.add(fs)
	fs.StringVar(&p.externalID, "external-id", "", "the shop's own `number`")
	fs.StringVar(&p.merchantID, "merchant", "", "the `merchant`")
	fs.StringArrayVar(&p.items, "item", nil, "an item, `NAME` or \"3 x NAME\"; may be repeated")
	fs.StringVarP(&p.file, "file", "f", "", "`FILE` with the order as JSON, - for the standard input")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		d, err := p.draft(r.env)
		if err != nil {
			return err
		}
		c, err := r.connect()
		if err != nil {
			return err
		}
		o, err := c.CreateOrder(cmd.Context(), d)
		if err != nil {
			return err
		}
		return r.showOrder(o)
	}
	return cmd
}

// draft is the order of the file, if there is one, with what the flags say.
func (p *particulars) draft(e *env) (d client.Draft, err error) {
	if p.file != "" {
		if d, err = readDraft(e, p.file); err != nil {
			return d, err
		}
	}
	p.intoCustomer(&d.Customer)
	d.ExternalID, d.MerchantID = first(p.externalID, d.ExternalID), first(p.merchantID, d.MerchantID)
	d.Notes = first(p.notes, d.Notes)
	for _, place := range []struct {
		name  string
		flags *placeFlags
		into  **client.Place
	}{{"pickup", &p.pickup, &d.Pickup}, {"dropoff", &p.dropoff, &d.Dropoff}} {
		changed, err := place.flags.into(p.flags, place.name, *place.into)
		if err != nil {
			return d, err
		}
		if changed != nil {
			*place.into = changed
		}
	}
	for _, text := range p.items {
		d.Items = append(d.Items, item(text))
	}
	for k, v := range p.metadata {
		if d.Metadata == nil {
			d.Metadata = map[string]string{}
		}
		d.Metadata[k] = v
	}
	if at, err := moment("ready", p.ready); err != nil || at != nil {
		d.ReadyAt = at
		if err != nil {
			return d, err
		}
	}
	if at, err := moment("promised", p.promised); err != nil || at != nil {
		d.PromisedAt = at
		return d, err
	}
	return d, nil
}

// maxDraft bounds an order's file in bytes; the server takes no more.
const maxDraft = 1 << 20

func readDraft(e *env, file string) (d client.Draft, err error) {
	var text []byte
	if file == "-" {
		text, err = io.ReadAll(io.LimitReader(e.stdin, maxDraft))
	} else {
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

func (p *particulars) intoCustomer(c *client.Customer) (changed bool) {
	for name, pair := range map[string][2]*string{
		"name": {&p.customer.Name, &c.Name}, "phone": {&p.customer.Phone, &c.Phone},
		"email": {&p.customer.Email, &c.Email}, "locale": {&p.customer.Locale, &c.Locale},
	} {
		if p.flags.Changed(name) {
			*pair[1], changed = *pair[0], true
		}
	}
	return changed
}

func orderEdit(r *remote) *cobra.Command {
	var p particulars
	cmd := r.onOrder(&cobra.Command{Use: "edit ORDER", Short: "Change an order's particulars", Args: cobra.ExactArgs(1)},
		func(ctx context.Context, c *client.Client, id string, _ []string) error {
			o, err := c.Order(ctx, id)
			if err != nil {
				return err
			}
			edit, err := p.edit(o)
			if err != nil {
				return err
			}
			// Parts of a customer or place were taken from this version.
			if o, err = c.EditOrder(ctx, id, edit, client.IfMatch(o.Version)); err != nil {
				return err
			}
			return r.showOrder(o)
		})
	fs := cmd.Flags()
	p.add(fs)
	fs.StringVar(&p.exception, "exception", "", "raise an exception with this `code`, such as wrong_address")
	fs.StringVar(&p.details, "exception-detail", "", "the exception in `words`")
	fs.StringSliceVar(&p.clear, "clear", nil, "`fields` to remove: pickup, notes, ready_at, promised_at, exception, metadata")
	return cmd
}

// edit is what the flags change of the order.
func (p *particulars) edit(o *client.Order) (e client.Edit, err error) {
	customer := o.Customer
	if p.intoCustomer(&customer) {
		e.Customer = &customer
	}
	if e.Pickup, err = p.pickup.into(p.flags, "pickup", o.Pickup); err != nil {
		return e, err
	}
	if e.Dropoff, err = p.dropoff.into(p.flags, "dropoff", &o.Dropoff); err != nil {
		return e, err
	}
	if p.flags.Changed("notes") {
		e.Notes = &p.notes
	}
	if e.ReadyAt, err = moment("ready", p.ready); err != nil {
		return e, err
	}
	if e.PromisedAt, err = moment("promised", p.promised); err != nil {
		return e, err
	}
	if p.exception != "" {
		e.Exception = &client.Exception{Code: p.exception, Detail: p.details}
	}
	e.Metadata, e.Clear = p.metadata, p.clear
	if e.Customer == nil && e.Pickup == nil && e.Dropoff == nil && e.Notes == nil && e.ReadyAt == nil && e.PromisedAt == nil &&
		e.Exception == nil && len(e.Metadata) == 0 && len(e.Clear) == 0 {
		return e, errors.New("nothing to change: see --help")
	}
	return e, nil
}
