package cli

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/order-tracking/order-tracking/config"
)

// healthcheckCommand checks that the configured server is ready: exit code 0 when it
// is. Containers run it.
func healthcheckCommand(e *env) *cobra.Command {
	return e.configured("healthcheck", "Check whether the local server is ready", func(ctx context.Context, cfg *config.Config) error {
		server, err := localURL(cfg.HTTP.Addr)
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, server+"/readyz", nil)
		if err != nil {
			return err
		}
		client := http.Client{Timeout: 3 * time.Second}
		resp, err := client.Do(req)
		if err != nil {
			return exitError{err, exitFailed} // Docker knows 0 and 1
		}
		defer func() { _ = resp.Body.Close() }() // only its status is read
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("not ready: %s", resp.Status)
		}
		return nil
	})
}
