package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/order-tracking/order-tracking/config"
	"github.com/order-tracking/order-tracking/pkg/client"
)

// The environment of commands that talk to a server. They are no keys of the
// configuration, which is the server's.
const (
	envServer = "OT_SERVER"
	envKey    = "OT_KEY"
)

// remote is what a command that talks to a server works with.
type remote struct {
	*env
	server, key string
	json        bool
	patience    time.Duration // how long a server that does not answer is waited for
}

// remoteFlags adds the flags that such commands share.
func (e *env) remoteFlags(cmd *cobra.Command) *remote {
	r := &remote{env: e, patience: 2 * time.Second}
	f := cmd.PersistentFlags()
	f.StringVar(&r.server, "server", "", "the server's `URL`; else "+envServer+", else the local server of the configuration")
	f.StringVar(&r.key, "key", "", "the `key` to show it; else "+envKey)
	f.BoolVar(&r.json, "json", false, "print JSON, of lists one object a line")
	return r
}

// connect makes the client. Without a name it is the server that the same
// configuration would start here, and its administrator's key.
func (r *remote) connect() (*client.Client, error) {
	server, key := first(r.server, r.remoteServer), first(r.key, r.remoteKey)
	if server == "" {
		cfg, err := config.Load(nil, r.environ)
		if err != nil {
			return nil, fmt.Errorf("which server? %w; or name one by --server", err)
		}
		if server, err = localURL(cfg.HTTP.Addr); err != nil {
			return nil, err
		}
		key = first(key, cfg.Access.BootstrapAdminKey)
	}
	return client.New(server, client.WithKey(key), client.WithUserAgent("order-tracking-cli/"+r.build.Version),
		client.WithRetryFor(r.patience))
}

func first(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}

// localURL is where a server of this machine that listens at addr is found.
func localURL(addr string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	if port == "0" {
		return "", errors.New("http.addr has port 0: name the server by --server")
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port), nil
}

// explain is an error in one line: with what a refused order may do instead.
func explain(err error) string {
	text := err.Error()
	var p *client.Problem
	if errors.As(err, &p) && p.AllowedTransitions != nil {
		allowed := "nothing"
		if len(p.AllowedTransitions) > 0 {
			allowed = strings.Join(stringsOf(p.AllowedTransitions), ", ")
		}
		text += "; allowed: " + allowed
	}
	return strings.Join(strings.Fields(text), " ")
}

func stringsOf[T ~string](values []T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}

// terminal says whether somebody looks at w.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// printJSON prints a value on a line.
func (r *remote) printJSON(v any) error {
	enc := json.NewEncoder(r.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// show prints a value: as JSON, or for people.
func (r *remote) show(v any, human func(w io.Writer)) error {
	if r.json {
		return r.printJSON(v)
	}
	w := tabwriter.NewWriter(r.stdout, 0, 4, 2, ' ', 0)
	human(w)
	return w.Flush()
}

// list prints at most limit entries, all when it is 0. For people it is a table; a
// line at its end says when there is more.
func list[T any](r *remote, entries iter.Seq2[T, error], limit int, header string, row func(T) string) error {
	w := tabwriter.NewWriter(r.stdout, 0, 4, 2, ' ', 0)
	n := 0
	for v, err := range entries {
		if err != nil {
			return err
		}
		if limit > 0 && n == limit {
			if !r.json {
				_, _ = fmt.Fprintf(w, "… the first %d; --all shows all\n", limit)
			}
			break
		}
		if r.json {
			if err := r.printJSON(v); err != nil {
				return err
			}
		} else {
			if n == 0 {
				_, _ = fmt.Fprintln(w, header) // a tabwriter tells when it is flushed
			}
			_, _ = fmt.Fprintln(w, row(v))
		}
		n++
	}
	if n == 0 && !r.json {
		_, _ = fmt.Fprintln(r.stderr, "none")
	}
	return w.Flush()
}

// orderID finds the order that somebody means by its id, its external id or the
// number that is for people.
func orderID(ctx context.Context, c *client.Client, name string) (string, error) {
	if uuid.Validate(name) == nil {
		return name, nil
	}
	for o, err := range c.Orders(ctx, client.OrderFilter{ExternalID: name, PageSize: 2}) {
		if err != nil {
			return "", err
		}
		return o.ID, nil
	}
	for o, err := range c.Orders(ctx, client.OrderFilter{Search: name, PageSize: 50}) {
		if err != nil {
			return "", err
		}
		if strings.EqualFold(o.Number, name) {
			return o.ID, nil
		}
	}
	return "", fmt.Errorf("no order has the id, external id or number %q", name)
}

// courierID finds the courier that somebody means by id or name.
func courierID(ctx context.Context, c *client.Client, name string) (string, error) {
	if uuid.Validate(name) == nil {
		return name, nil
	}
	found := ""
	for courier, err := range c.Couriers(ctx, client.CourierFilter{Search: name}) {
		switch {
		case err != nil:
			return "", err
		case !strings.EqualFold(courier.Name, name):
		case found != "":
			return "", fmt.Errorf("several couriers are called %q: say which by its id", name)
		default:
			found = courier.ID
		}
	}
	if found == "" {
		return "", fmt.Errorf("no courier has the id or name %q", name)
	}
	return found, nil
}

// moment reads a time: RFC 3339, or how long from now, such as 45m or -2h.
func moment(flag, text string) (*time.Time, error) {
	if text == "" {
		return nil, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return &t, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return nil, fmt.Errorf("--%s must be a time such as 2026-05-04T12:30:00Z, or one from now such as 45m, and is %q", flag, text)
	}
	t := time.Now().Add(d).UTC()
	return &t, nil
}

// point reads "LAT,LON".
func point(flag, text string) (*client.Point, error) {
	if text == "" {
		return nil, nil
	}
	lat, lon, ok := strings.Cut(text, ",")
	la, err1 := strconv.ParseFloat(strings.TrimSpace(lat), 64)
	lo, err2 := strconv.ParseFloat(strings.TrimSpace(lon), 64)
	if !ok || err1 != nil || err2 != nil {
		return nil, fmt.Errorf("--%s must be LAT,LON in degrees, such as 55.7512,37.6184, and is %q", flag, text)
	}
	return &client.Point{Lat: la, Lon: lo}, nil
}

// The looks of values in tables.

func clock(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return strings.Join(strings.Fields(s), " ")
}

func coordinates(p client.Point) string {
	return strconv.FormatFloat(p.Lat, 'f', 6, 64) + "," + strconv.FormatFloat(p.Lon, 'f', 6, 64)
}

func where(p *client.Place) string {
	switch {
	case p == nil:
		return "-"
	case p.Address != "":
		return dash(p.Address)
	case p.Location != nil:
		return coordinates(*p.Location)
	}
	return "-"
}

// field prints a line of a description; empty values are left out.
func field(w io.Writer, name, value string) {
	if value = dash(value); value != "-" {
		_, _ = fmt.Fprintf(w, "%s\t%s\n", name, value) // a tabwriter tells when it is flushed
	}
}
