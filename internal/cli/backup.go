package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/order-tracking/order-tracking/config"
	"github.com/order-tracking/order-tracking/internal/app"
)

func backupCommand(e *env) *cobra.Command {
	return e.configuredFile("backup", "Copy the SQLite database to FILE, also while the server runs",
		func(ctx context.Context, cfg *config.Config, file string) error {
			if err := app.Backup(ctx, cfg, file); err != nil {
				return err
			}
			_, err := fmt.Fprintf(e.stdout, "the database is backed up to %s\n", file)
			return err
		})
}

func restoreCommand(e *env) *cobra.Command {
	return e.configuredFile("restore", "Replace the SQLite database by the backup FILE; stop the server first",
		func(ctx context.Context, cfg *config.Config, file string) error {
			kept, err := app.Restore(ctx, cfg, file)
			if err != nil {
				return err
			}
			text := "the database is restored from " + file
			if kept != "" {
				text += "; the one before is kept as " + kept
			}
			_, err = fmt.Fprintln(e.stdout, text)
			return err
		})
}
