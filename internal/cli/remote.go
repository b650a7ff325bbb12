package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/order-tracking/order-tracking/config"
	"github.com/order-tracking/order-tracking/pkg/client"
)

// Environment variables of commands that call a server. They are not configuration
// keys: the configuration is the server's.
const (
	envServer = "OT_SERVER"
	envKey    = "OT_KEY"
)

// printer prints results as JSON or for people.
type printer struct {
	*env
	json bool
}

// remote holds the client and output of a command that calls a server.
type remote struct {
	printer
	server, key string
	patience    time.Duration // how long to retry an unreachable server
}

// remoteFlags adds the flags shared by such commands.
func (e *env) remoteFlags(cmd *cobra.Command) *remote {
	r := &remote{printer: printer{env: e}, patience: 2 * time.Second}
	f := cmd.PersistentFlags()
	f.StringVar(&r.server, "server", "", "the server's `URL`; default "+envServer+", then the local server of the configuration")
	f.StringVar(&r.key, "key", "", "the `key` to send; default "+envKey)
	f.BoolVar(&r.json, "json", false, "print JSON, lists as one object per line; errors as JSON, too")
	return r
}

// connect creates the client. Without --server it uses the server that the local
// configuration would start, and its administrator's key.
func (r *remote) connect() (*client.Client, error) {
	server, key := cmp.Or(r.server, r.remoteServer), cmp.Or(r.key, r.remoteKey)
	if server == "" {
		cfg, err := config.Load(nil, r.environ)
		if err != nil {
			return nil, usagef("which server? %w; or name one by --server", err)
		}
		if server, err = localURL(cfg.HTTP.Addr); err != nil {
			return nil, err
		}
		key = cmp.Or(key, cfg.Access.BootstrapAdminKey)
	}
	return client.New(server, client.WithKey(key), client.WithUserAgent("order-tracking-cli/"+r.build.Version),
		client.WithRetryFor(r.patience))
}

// localURL returns the URL of a local server that listens on addr.
func localURL(addr string) (string, error) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	if port == "0" {
		return "", usagef("http.addr has port 0: name the server by --server")
	}
	return "http://" + reachable(addr), nil
}

// finder resolves a name to an id.
type finder func(ctx context.Context, c *client.Client, name string) (id string, err error)

// on builds a command that calls the server with the id that its first argument
// resolves to; without an id when find is nil.
func (r *remote) on(
	cmd *cobra.Command, find finder, run func(ctx context.Context, c *client.Client, args []string) error,
) *cobra.Command {
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := r.connect()
		if err == nil && find != nil {
			args[0], err = find(cmd.Context(), c, args[0])
		}
		if err != nil {
			return err
		}
		return run(cmd.Context(), c, args)
	}
	return cmd
}

// ask builds such a command that prints one result.
func ask[T any](
	r *remote, cmd *cobra.Command, find finder, get func(ctx context.Context, c *client.Client, args []string) (T, error),
	human func(w io.Writer, got T),
) *cobra.Command {
	return r.on(cmd, find, func(ctx context.Context, c *client.Client, args []string) error {
		got, err := get(ctx, c, args)
		if err != nil {
			return err
		}
		return r.show(got, func(w io.Writer) { human(w, got) })
	})
}

// explain formats an error in one line, with the allowed steps of a rejected transition.
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
	var call *url.Error
	if errors.As(err, &call) && errors.Is(err, syscall.ECONNREFUSED) {
		text += "; is the server running? --server or " + envServer + " names another"
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

// terminal reports whether w is a terminal.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// printJSON prints a value as one line.
func (r printer) printJSON(v any) error {
	enc := json.NewEncoder(r.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// show prints a value as JSON or for people.
func (r printer) show(v any, human func(w io.Writer)) error {
	if r.json {
		return r.printJSON(v)
	}
	w := tabwriter.NewWriter(r.stdout, 0, 4, 2, ' ', 0)
	human(w)
	return w.Flush()
}

// atLeastOne is a flag for a positive number.
type atLeastOne int

func (n *atLeastOne) String() string { return strconv.Itoa(int(*n)) }
func (n *atLeastOne) Type() string   { return "int" }

func (n *atLeastOne) Set(text string) error {
	v, err := strconv.Atoi(text)
	if err != nil || v < 1 {
		return errors.New("must be a whole number, 1 or more")
	}
	*n = atLeastOne(v)
	return nil
}

// choices completes a flag or an argument.
func choices[T ~string](values ...T) cobra.CompletionFunc {
	return cobra.FixedCompletions(stringsOf(values), cobra.ShellCompDirectiveNoFileComp)
}

// completeFlag makes the shell complete a flag of the command.
func completeFlag[T ~string](cmd *cobra.Command, flag string, values ...T) {
	if err := cmd.RegisterFlagCompletionFunc(flag, choices(values...)); err != nil {
		panic(err) // no such flag: a bug in this package
	}
}

// listing limits the entries shown of a list; the zero value shows all.
type listing struct {
	limit atLeastOne
	all   bool
}

func (l *listing) flags(cmd *cobra.Command) {
	l.limit = 20
	cmd.Flags().Var(&l.limit, "limit", "`maximum` number")
	cmd.Flags().BoolVar(&l.all, "all", false, "all of them")
}

// page returns the page size to request: one more than is shown, to see whether
// there are more.
func (l *listing) page() int {
	if l.all || l.limit <= 0 {
		return 500
	}
	return min(int(l.limit)+1, 500)
}

// list prints entries, for people as a table whose last line tells when there are
// more.
func list[T any](r *remote, entries iter.Seq2[T, error], l listing, header string, row func(T) string) error {
	w := tabwriter.NewWriter(r.stdout, 0, 4, 2, ' ', 0)
	n := 0
	for v, err := range entries {
		if err != nil {
			return err
		}
		if !l.all && l.limit > 0 && n == int(l.limit) {
			if !r.json {
				_, _ = fmt.Fprintf(w, "… the first %d; --all shows all\n", l.limit)
			}
			break
		}
		if r.json {
			if err := r.printJSON(v); err != nil {
				return err
			}
		} else {
			if n == 0 {
				_, _ = fmt.Fprintln(w, header) // a tabwriter reports errors on Flush
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

// each iterates over a complete list.
func each[T any](values []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range values {
			if !yield(v, nil) {
				return
			}
		}
	}
}

// orderID finds an order by its id, external id or number.
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
	return "", &client.Problem{
		Status: http.StatusNotFound, Code: client.CodeOrderNotFound, Detail: fmt.Sprintf("no order has the id, external id or number %q", name),
	}
}

// courierID finds a courier by id or name.
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
			return "", usagef("several couriers are called %q: say which by its id", name)
		default:
			found = courier.ID
		}
	}
	if found == "" {
		return "", &client.Problem{
			Status: http.StatusNotFound, Code: client.CodeCourierNotFound, Detail: fmt.Sprintf("no courier has the id or name %q", name),
		}
	}
	return found, nil
}

// momentVar adds a flag for a time: RFC 3339 or relative to now, such as 45m or -2h.
func momentVar(fs *pflag.FlagSet, into **time.Time, name, usage string) {
	fs.Func(name, usage, func(text string) error {
		if t, err := time.Parse(time.RFC3339, text); err == nil {
			*into = &t
			return nil
		}
		d, err := time.ParseDuration(text)
		if err != nil {
			return errors.New("must be a time such as 2026-05-04T12:30:00Z, or one from now such as 45m")
		}
		*into = client.Ptr(time.Now().Add(d).UTC())
		return nil
	})
}
