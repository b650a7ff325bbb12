package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/order-tracking/order-tracking/config"
)

func configCommand(e *env) *cobra.Command {
	cmd := group("config", "Show, check and document the server's configuration")
	cmd.AddCommand(
		e.configured("print", "Print the effective configuration, with secrets hidden",
			func(_ context.Context, cfg *config.Config) error {
				text, err := cfg.YAML()
				if err != nil {
					return err
				}
				_, err = io.WriteString(e.stdout, text)
				return err
			}),
		e.configured("check", "Check the configuration",
			func(context.Context, *config.Config) error {
				_, err := fmt.Fprintln(e.stdout, "the configuration is fine")
				return err
			}),
		configReference(e),
	)
	return cmd
}

// configured builds a command with the flags of serve.
func (e *env) configured(name, short string, run func(context.Context, *config.Config) error) *cobra.Command {
	return &cobra.Command{
		Use: name + " [flags of serve]", Short: short, DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := e.load(args)
			switch {
			case errors.Is(err, pflag.ErrHelp):
				_, err := fmt.Fprintf(e.stdout, "%s.\n\n%s", short, config.Usage())
				return err
			case err != nil:
				return err
			}
			return run(cmd.Context(), cfg)
		},
	}
}

// configuredFile builds a command that takes a file and the flags of serve. It opens no
// listener, so it needs no administrator's key for any address.
func (e *env) configuredFile(name, short string, run func(ctx context.Context, cfg *config.Config, file string) error) *cobra.Command {
	file := ""
	cmd := e.configured(name+" FILE", short, func(ctx context.Context, cfg *config.Config) error { return run(ctx, cfg, file) })
	withFlags := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == 0 || strings.HasPrefix(args[0], "-") && args[0] != "--help" && args[0] != "-h":
			return usagef("FILE is missing; usage: %s", cmd.UseLine())
		case args[0][0] != '-':
			file, args = args[0], args[1:]
		}
		return withFlags(cmd, append(args, "--http-addr=127.0.0.1:0", "--grpc-addr=127.0.0.1:0"))
	}
	return cmd
}

// load reads the configuration of the server.
func (e *env) load(flags []string) (*config.Config, error) {
	cfg, err := config.Load(flags, e.environ)
	if err != nil && !errors.Is(err, pflag.ErrHelp) {
		err = exitError{err, exitUsage}
	}
	return cfg, err
}

func configReference(e *env) *cobra.Command {
	output := "-"
	cmd := &cobra.Command{
		Use: "reference", Short: "Print a reference of every key as Markdown",
		RunE: func(*cobra.Command, []string) error {
			text, err := config.Reference()
			if err != nil {
				return err
			}
			write := func(w io.Writer) error {
				_, err := io.WriteString(w, text)
				return err
			}
			if output == "-" {
				return write(e.stdout)
			}
			return writeWhole(output, write)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "-", "`FILE` to write, - for the standard output")
	return cmd
}
