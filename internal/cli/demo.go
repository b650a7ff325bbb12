package cli

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/order-tracking/order-tracking/config"
	"github.com/order-tracking/order-tracking/internal/app"
	"github.com/order-tracking/order-tracking/internal/demo"
	"github.com/order-tracking/order-tracking/pkg/client"
	"github.com/order-tracking/order-tracking/pkg/logger"
)

// demonstration is a separate server with a simulated city.
type demonstration struct {
	*env
	addr       string
	speed      float64
	seed       uint64
	couriers   int
	keep, open bool
}

func demoCommand(e *env) *cobra.Command {
	d := &demonstration{env: e}
	cmd := &cobra.Command{
		Use: "demo", Short: "Show a day in Helsinki on a server of its own, with couriers delivering along real streets",
		Example: `  order-tracking demo
  order-tracking demo --speed 1 --seed 7`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !(d.speed >= 0.1 && d.speed <= 10) || d.couriers < 1 || d.couriers > 500 {
				return usagef("--speed must be from 0.1 to 10, --couriers from 1 to 500")
			}
			if d.addr == "" {
				d.addr = freeAddr(cmd.Context(), "127.0.0.1:8080")
			}
			if d.seed == 0 {
				d.seed = 1 + rand.Uint64N(9999) //nolint:gosec // a game
			}
			return d.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringVar(&d.addr, "http-addr", "", "address of the pages, `host:port` (default 127.0.0.1:8080, or a free port)")
	f.Float64Var(&d.speed, "speed", 2, "speed-up `factor`, 0.1 to 10")
	f.Uint64Var(&d.seed, "seed", 0, "the same `number` gives the same day; 0: a different one each time")
	f.IntVar(&d.couriers, "couriers", 30, "number of couriers")
	f.BoolVar(&d.keep, "keep", false, "keep the data folder after the demo")
	f.BoolVar(&d.open, "open", terminal(e.stdout), "open the pages of an order: its customer's, its courier's and the board")
	return cmd
}

func (d *demonstration) run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "order-tracking-demo-")
	if err != nil {
		return err
	}
	defer func() {
		if d.keep {
			_, err2 := fmt.Fprintf(d.stdout, "The demo's data are in %s\n", dir)
			err = errors.Join(err, err2)
			return
		}
		err = errors.Join(err, os.RemoveAll(dir))
	}()
	if err := os.WriteFile(filepath.Join(dir, "map.pmtiles"), demo.Map, 0o600); err != nil {
		return err
	}
	cfg, err := config.Load(d.flags(dir), nil)
	if err != nil {
		return err
	}
	log, err := logger.New(cfg.Log.Level, cfg.Log.Format, d.stderr)
	if err != nil {
		return err
	}
	server, err := app.New(ctx, cfg, log, d.build.Version)
	if err != nil {
		return err
	}
	base := "http://" + reachable(server.HTTPAddr())
	c, err := client.New(base, client.WithUserAgent("order-tracking-demo/"+d.build.Version))
	if err != nil {
		return errors.Join(err, server.Close())
	}
	// The couriers stop first, so that the stopping server gets no requests.
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g, driving := errgroup.WithContext(ctx)
	g.Go(func() error { return server.Run(serving) })
	g.Go(func() error {
		defer stop()
		return d.drive(driving, c, base)
	})
	return g.Wait()
}

// flags configures the server; the environment is ignored, as it may point to real data.
func (d *demonstration) flags(dir string) []string {
	path := func(name string) string { return filepath.ToSlash(filepath.Join(dir, name)) }
	flags := []string{
		"--http-addr=" + d.addr, "--grpc-addr=127.0.0.1:0", "--kafka-listen=127.0.0.1:0", "--sandbox-carriers", "--log-level=error",
	}
	// Speeds in this city, for estimates.
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', 3, 64) }
	shorter := func(t time.Duration) string { return time.Duration(float64(t) / d.speed).String() }
	for key, value := range map[string]string{
		"database.url": "sqlite://" + path("orders.db"), "kafka.dir": path("kafka"), "http.access_log": "false", "arrival.near": "150",
		"map.pmtiles": path("map.pmtiles"), "brand.name": "Helsinki Kitchens",
		"estimate.speeds.foot": number(1.3 * d.speed), "estimate.speeds.bicycle": number(4 * d.speed), "estimate.speeds.motorbike": number(6.5 * d.speed),
		"estimate.handover": shorter(time.Minute), "estimate.dispatch": shorter(7 * time.Minute), "estimate.default": shorter(15 * time.Minute),
	} {
		flags = append(flags, "--set="+key+"="+value)
	}
	return flags
}

func (d *demonstration) drive(ctx context.Context, c *client.Client, base string) error {
	say := func(at time.Time, text string) {
		_, _ = fmt.Fprintf(d.stdout, "%s  %s\n", at.Local().Format(time.TimeOnly), text) // output errors are ignored
	}
	_, err := fmt.Fprintf(d.stdout, `
A day in Helsinki: %d couriers, 12 kitchens, %g times as fast as life; --seed %d repeats it. Ctrl-C ends it.

  the dispatcher's board  %s/
  the API                 %s/docs

Map and streets: © OpenStreetMap contributors.

`, d.couriers, d.speed, d.seed, base, base)
	if err != nil {
		return err
	}
	opened := false
	return demo.Run(ctx, demo.Options{
		Client: c, Seed: d.seed, Couriers: d.couriers, Speed: d.speed, Every: time.Second, Say: say,
		Watch: func(o *client.Order, page string) {
			app := base + "/courier-app#courier=" + o.CourierID
			say(time.Now(), "Follow "+o.Number+": "+page)
			say(time.Now(), "As its courier sees it: "+app)
			if d.open && !opened {
				opened = true
				for _, address := range []string{base + "/", app, page} {
					browse(ctx, address)
				}
			}
		},
	})
}

// freeAddr returns the address if it is free, otherwise one with any free port.
func freeAddr(ctx context.Context, addr string) string {
	var l net.ListenConfig
	probe, err := l.Listen(ctx, "tcp", addr)
	if err != nil {
		return "127.0.0.1:0"
	}
	_ = probe.Close() // only a probe
	return addr
}

// browse opens a page in the local user's browser, if there is one.
func browse(ctx context.Context, page string) {
	command, args := "xdg-open", []string{page}
	switch runtime.GOOS {
	case "darwin":
		command = "open"
	case "windows":
		command, args = "rundll32", []string{"url.dll,FileProtocolHandler", page}
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), command, args...) //nolint:gosec // a page of our own
	if cmd.Start() == nil {
		go func() { _ = cmd.Wait() }() // the browser's exit status doesn't matter
	}
}
