package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/order-tracking/order-tracking/config"
	"github.com/order-tracking/order-tracking/internal/app"
)

func auditCommand(e *env) *cobra.Command {
	cmd := group("audit", "Check who changed access, settings and personal data")
	cmd.AddCommand(e.configured("verify", "Check that no entry of the audit was changed or deleted since it was sealed",
		func(ctx context.Context, cfg *config.Config) error {
			v, err := app.VerifyAudit(ctx, cfg)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(e.stdout, "%d entries are as they were written, %d of them sealed in %d batches; the last seal is %s\n",
				v.Entries, v.Entries-v.Unsealed, v.Seals, dash(v.Head))
			return err
		}))
	return cmd
}
