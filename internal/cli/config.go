package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/order-tracking/order-tracking/config"
)

func configCommand(e *env) *cobra.Command {
	cmd := group("config", "Show, check and document the configuration of the server")
	cmd.AddCommand(
		&cobra.Command{
			Use: "print [flags of serve]", Short: "Print the configuration that serve would use, secrets hidden",
			DisableFlagParsing: true,
			RunE: func(cmd *cobra.Command, args []string) error {
				cfg, err := e.loadConfig(cmd, args)
				if cfg == nil {
					return err
				}
				text, err := cfg.YAML()
				if err != nil {
					return err
				}
				_, err = io.WriteString(e.stdout, text)
				return err
			},
		},
		&cobra.Command{
			Use: "check [flags of serve]", Short: "Say whether serve would accept the configuration",
			DisableFlagParsing: true,
			RunE: func(cmd *cobra.Command, args []string) error {
				cfg, err := e.loadConfig(cmd, args)
				if cfg == nil {
					return err
				}
				_, err = fmt.Fprintln(e.stdout, "the configuration is fine")
				return err
			},
		},
		configReference(e),
	)
	return cmd
}

// loadConfig reads the configuration by the flags of serve; nil when help was asked for.
func (e *env) loadConfig(cmd *cobra.Command, args []string) (*config.Config, error) {
	cfg, err := config.Load(args, e.environ)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		_, err := fmt.Fprintf(e.stdout, "%s.\n\n%s", cmd.Short, config.Usage())
		return nil, err
	case err != nil:
		return nil, err
	}
	return cfg, nil
}

func configReference(e *env) *cobra.Command {
	output := "-"
	cmd := &cobra.Command{
		Use: "reference", Short: "Print a reference of every key as Markdown", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			text, err := config.Reference()
			if err != nil {
				return err
			}
			if output == "-" {
				_, err := io.WriteString(e.stdout, text)
				return err
			}
			return writeWhole(output, func(w io.Writer) error {
				_, err := io.WriteString(w, text)
				return err
			})
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "-", "`FILE` to write, - for the standard output")
	return cmd
}
