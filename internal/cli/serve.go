package cli

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/config"
	"github.com/order-tracking/order-tracking/internal/app"
	"github.com/order-tracking/order-tracking/pkg/logger"
)

// collectAt is how much the heap grows between collections, in percent of what is in
// use. Little is: collecting half as often as Go does by itself costs a few megabytes
// under load and spares a twentieth of the processor.
const collectAt = 200

// serveCommand serves until told to stop. The configuration parses the flags, since
// it knows every key.
func serveCommand(e *env) *cobra.Command {
	return &cobra.Command{
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.HasParent() || !slices.Contains(args, "--version") {
				return e.serve(cmd, args)
			}
			return versionCommand(e).RunE(cmd, nil)
		},
	}
}

func (e *env) serve(cmd *cobra.Command, args []string) error {
	started := time.Now()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
	cfg, err := e.load(args)
	if errors.Is(err, pflag.ErrHelp) {
		return e.help(cmd)
	}
	if err != nil {
		return err
	}
	log, err := logger.New(cfg.Log.Level, cfg.Log.Format, e.stderr)
	if err != nil {
		return err
	}
	defer func() { _ = log.Sync() }() // a terminal can't be synced
	a, err := app.New(cmd.Context(), cfg, log, e.build.Version)
	if err != nil {
		return err
	}
	if err := e.greet(cfg, a, time.Since(started)); err != nil {
		log.Debug("greeting not printed", zap.Error(err))
	}
	return a.Run(cmd.Context())
}

func (e *env) help(cmd *cobra.Command) error {
	var b strings.Builder
	b.WriteString(config.Usage())
	if root := cmd.Root(); root.HasAvailableSubCommands() {
		b.WriteString("\nCommands:\n")
		for _, c := range root.Commands() {
			if c.IsAvailableCommand() {
				fmt.Fprintf(&b, "  %-14s %s\n", c.Name(), c.Short)
			}
		}
	}
	_, err := io.WriteString(e.stdout, b.String())
	return err
}

// greet tells a person where everything is.
func (e *env) greet(cfg *config.Config, a *app.App, took time.Duration) error {
	kafka := strings.Join(a.Brokers(), ",")
	if cfg.Kafka.Embedded() {
		kafka += "    in this process"
	}
	withKey := ""
	if cfg.Access.BootstrapAdminKey != "" {
		withKey = "\n  export KEY=...   # the administrator's key; add -H \"Authorization: Bearer $KEY\""
	}
	// Not a template: text/template would keep the linker from leaving unused methods out.
	_, err := fmt.Fprintf(e.stdout, `
order-tracking %[1]s is up, after %[2]s.

  REST, WebSocket, SSE   http://%[3]s    reference: http://%[3]s/docs
  gRPC                   %[4]s    with reflection
  Kafka                  %[5]s
  orders                 %[6]s

Try, in another terminal:%[7]s
  curl http://%[3]s/order -H 'Content-Type: application/json' \
    -d '{"customer":{"name":"Anna"},"dropoff":{"address":"Main St 1"}}'
  curl http://%[3]s/orders
  grpcurl -plaintext %[4]s list
  kcat -b %[8]s -C -t order_created

`, e.build.Version, took.Round(time.Millisecond), reachable(a.HTTPAddr()), reachable(a.GRPCAddr()), kafka,
		cfg.Redacted().Database.URL, withKey, a.Brokers()[0])
	return err
}

// reachable is an address as somebody on this machine would write it.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err == nil && (host == "" || net.ParseIP(host).IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return addr
}
