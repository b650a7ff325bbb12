package cli

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/order-tracking/order-tracking/config"
	"github.com/order-tracking/order-tracking/internal/app"
)

func migrateCommand(e *env) *cobra.Command {
	cmd := group("migrate", "Migrate the database schema; serve does this automatically")
	for _, step := range [][2]string{
		{"up", "Migrate the schema to this program's version"},
		{"down", "Revert the newest migration, with the loss of its tables; asks first, except with --yes"},
		{"status", "List the migrations and which are applied"},
	} {
		sure := step[0] != string(app.MigrateDown)
		one := e.configured(step[0], step[1], func(ctx context.Context, cfg *config.Config) error {
			if !sure {
				if err := e.confirmDown(ctx, cfg); err != nil {
					return err
				}
			}
			done, err := app.Migrate(ctx, cfg, app.Direction(step[0]))
			if len(done) > 0 {
				_, printErr := fmt.Fprintln(e.stdout, strings.Join(done, "\n"))
				err = cmp.Or(err, printErr)
			}
			return err
		})
		configured := one.RunE
		one.RunE = func(cmd *cobra.Command, args []string) error {
			n := len(args)
			args = slices.DeleteFunc(args, func(a string) bool { return !sure && a == "--yes" })
			sure = sure || len(args) < n
			return configured(cmd, args)
		}
		cmd.AddCommand(one)
	}
	return cmd
}

// confirmDown asks for confirmation before reverting the newest migration.
func (e *env) confirmDown(ctx context.Context, cfg *config.Config) error {
	steps, err := app.Migrate(ctx, cfg, app.MigrateStatus)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(e.stdout, "%s\nTaking the newest migration back deletes its tables and columns with all that they hold. Type yes to do it: \n",
		strings.Join(steps, "\n"))
	answer, _ := bufio.NewReader(e.stdin).ReadString('\n') //nolint:errcheck // no answer means no
	if strings.TrimSpace(answer) != "yes" {
		return usagef("nothing was changed; answer yes, or say --yes")
	}
	return nil
}
