package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/order-tracking/order-tracking/pkg/client"
)

func customerCommand(e *env) *cobra.Command {
	cmd := group("customer", "Erase and export customers' data; PHONE is a number, however it is written")
	r := e.remoteFlags(cmd)
	cmd.AddCommand(customerErase(r), customerExport(r))
	return cmd
}

func customerErase(r *remote) *cobra.Command {
	cmd := &cobra.Command{
		Use: "erase PHONE", Short: "Erase a customer's data for good",
		Long: "Erases names, numbers, addresses, places and texts from every order with the phone number. Sums, statuses and times stay. " +
			"Active orders follow at their end. What Kafka and backups already hold is not reached.",
	}
	sure := cmd.Flags().Bool("yes", false, "do it; it can't be undone")
	return ask(r, cmd, nil, func(ctx context.Context, c *client.Client, args []string) (*client.ErasedCustomer, error) {
		if !*sure {
			return nil, usagef("this can't be undone: add --yes")
		}
		return c.EraseCustomer(ctx, args[0])
	}, func(w io.Writer, got *client.ErasedCustomer) {
		field(w, "Erased", strconv.Itoa(got.Orders)+" orders")
		field(w, "At their end", strconv.Itoa(got.AtTheEnd)+" orders")
	})
}

func customerExport(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "export PHONE", Short: "Print everything that is held about a customer, as JSON"}
	return ask(r, cmd, nil, func(ctx context.Context, c *client.Client, args []string) (json.RawMessage, error) {
		return c.ExportCustomer(ctx, args[0])
	}, func(w io.Writer, got json.RawMessage) {
		var out bytes.Buffer
		_ = json.Indent(&out, got, "", "  ") // the client has decoded it
		_, _ = out.WriteTo(w)
	})
}
