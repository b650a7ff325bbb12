package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/config"
	"github.com/order-tracking/order-tracking/internal/app"
	"github.com/order-tracking/order-tracking/pkg/logger"
)

// collectAt is the GC percent. The live heap is small: collecting half as often as by
// default costs a few megabytes under load and saves 5 % of CPU.
const collectAt = 200

// serveCommand serves until it is interrupted. The configuration parses the flags,
// since it knows every key.
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
	level, err := zap.ParseAtomicLevel(cfg.Log.Level)
	if err != nil {
		return err
	}
	log, err := logger.NewAt(level, cfg.Log.Format, e.stderr)
	if err != nil {
		return err
	}
	defer func() { _ = log.Sync() }() // a terminal can't be synced
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGHUP) // before the start, which may take a while: unhandled, it would end the process
	defer signal.Stop(asked)
	a, err := app.New(cmd.Context(), cfg, log, e.build.Version)
	if err != nil {
		return err
	}
	defer e.reloading(asked, args, level, log, a.Reload)()
	if cfg.Log.Format != "json" { // JSON is for machines
		greet(e.stderr, cfg, a, e.build.Version, time.Since(started))
	}
	return a.Run(cmd.Context())
}

// reloading reloads the configuration on SIGHUP and applies the log level, the only key
// that can change at run time, and the server's certificate. (Certificates for Kafka are
// read for each connection.) What is invalid changes nothing.
func (e *env) reloading(asked chan os.Signal, args []string, level zap.AtomicLevel, log *zap.Logger, reload func(context.Context) error) (stop func()) {
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(done)
		for range asked {
			_ = reload(ctx) // logs its errors
			cfg, err := e.load(args)
			if err == nil {
				err = level.UnmarshalText([]byte(cfg.Log.Level))
			}
			if err != nil {
				log.Error("SIGHUP: the configuration can't be read; nothing changed", zap.Error(err))
				continue
			}
			log.Info("SIGHUP: read the configuration again; other keys than log.level need a restart", zap.Stringer("log.level", level))
		}
	}()
	return func() {
		cancel()
		signal.Stop(asked)
		close(asked)
		<-done
	}
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

// greet prints the server's addresses for people, on stderr like the log: stdout is for
// output that programs read.
func greet(w io.Writer, cfg *config.Config, a *app.App, version string, took time.Duration) {
	kafka := strings.Join(a.Brokers(), ",")
	if cfg.Kafka.Embedded() {
		kafka += "    in this process"
	}
	http, grpc := a.HTTPAddr(), a.GRPCAddr()
	// Not a template: text/template would keep the linker from removing unused methods.
	const places = `
order-tracking %s is up, after %s.

  board                  %s
  REST, WebSocket, SSE   %s
  gRPC                   %s
  Kafka                  %s
  orders                 %s

`
	shown := func(base, rpc string) {
		_, _ = fmt.Fprintf(w, places, version, took.Round(time.Millisecond), base+"/", base+"    reference: "+base+"/docs",
			rpc, kafka, cfg.Redacted().Database.URL)
	}
	if !strings.HasPrefix(http, "127.") && !strings.HasPrefix(http, "[::1]") {
		// The outside address, and a container's published port, are known only to the operator.
		_, httpPort, _ := net.SplitHostPort(http) //nolint:errcheck // a listener's
		_, grpcPort, _ := net.SplitHostPort(grpc) //nolint:errcheck // a listener's
		shown(cmp.Or(strings.TrimSuffix(cfg.HTTP.PublicURL, "/"), "http://<this host or container>:"+httpPort), "port "+grpcPort)
		return
	}
	scheme, plain := "http", " -plaintext"
	if cfg.TLS.Enabled() {
		scheme, plain = "https", ""
	}
	shown(scheme+"://"+http, grpc+"    with reflection")
	export, header, metadata := "", "", ""
	if cfg.Access.BootstrapAdminKey != "" {
		export = "\n  export KEY=...   # the administrator's key"
		header, metadata = ` -H "Authorization: Bearer $KEY"`, ` -H "authorization: Bearer $KEY"`
	}
	_, _ = fmt.Fprintf(w, `Try, in another terminal:%[1]s
  curl %[7]s://%[4]s/order%[2]s -H 'Content-Type: application/json' \
    -d '{"customer":{"name":"Anna"},"dropoff":{"address":"Main St 1"}}'
  curl %[7]s://%[4]s/orders%[2]s
  grpcurl%[3]s%[8]s %[5]s list
  kcat -b %[6]s -C -t order_created

`, export, header, metadata, http, grpc, a.Brokers()[0], scheme, plain)
}

// reachable is an address as somebody on this machine would write it.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err == nil && (host == "" || net.ParseIP(host).IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return addr
}
