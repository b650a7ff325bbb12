package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/order-tracking/order-tracking/config"
	"github.com/order-tracking/order-tracking/internal/app"
)

func migrateCommand(e *env) *cobra.Command {
	cmd := group("migrate", "Bring the database's schema up or down; serve brings it up by itself")
	for _, step := range [][2]string{
		{"up", "Bring the schema to this program's version"},
		{"down", "Take the newest migration back; its tables are lost"},
		{"status", "Show which migrations the database has"},
	} {
		cmd.AddCommand(e.configured(step[0], step[1], func(ctx context.Context, cfg *config.Config) error {
			done, err := app.Migrate(ctx, cfg, app.Direction(step[0]))
			if len(done) > 0 {
				_, printErr := fmt.Fprintln(e.stdout, strings.Join(done, "\n"))
				err = cmp.Or(err, printErr)
			}
			return err
		}))
	}
	return cmd
}
