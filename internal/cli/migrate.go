package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/order-tracking/order-tracking/internal/app"
)

func migrateCommand(e *env) *cobra.Command {
	cmd := group("migrate", "Bring the database's schema up or down; serve brings it up by itself")
	for _, step := range []struct{ name, short string }{
		{"up", "Bring the schema to this program's version"},
		{"down", "Take the newest migration back; its tables are lost"},
		{"status", "Show which migrations the database has"},
	} {
		cmd.AddCommand(&cobra.Command{
			Use: step.name + " [flags of serve]", Short: step.short, DisableFlagParsing: true,
			RunE: func(cmd *cobra.Command, args []string) error {
				cfg, err := e.loadConfig(cmd, args)
				if cfg == nil {
					return err
				}
				done, err := app.Migrate(cmd.Context(), cfg, app.Direction(step.name))
				if len(done) > 0 {
					if _, err := fmt.Fprintln(e.stdout, strings.Join(done, "\n")); err != nil {
						return err
					}
				}
				return err
			},
		})
	}
	return cmd
}
