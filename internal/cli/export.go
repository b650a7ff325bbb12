package cli

import (
	"bufio"
	"cmp"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/order-tracking/order-tracking/pkg/client"
)

func exportCommand(e *env) *cobra.Command {
	var format, output string
	cmd := &cobra.Command{
		Use: "export", Short: "Export orders with their histories, and couriers, to a file",
		Example: `  order-tracking export --output orders.ndjson
  order-tracking export --format csv --status delivered --from -720h > orders.csv`,
	}
	r := e.remoteFlags(cmd)
	filter := orderFilter(cmd)
	cmd.Flags().StringVar(&format, "format", "", "`format`: ndjson (complete) or csv; default: by the file name")
	completeFlag(cmd, "format", "ndjson", "csv")
	cmd.Flags().StringVarP(&output, "output", "o", "-", "`FILE` to write, - for the standard output")
	return r.on(cmd, nil, func(ctx context.Context, c *client.Client, _ []string) error {
		kind := formatOf(format, output)
		if output == "-" {
			return c.Export(ctx, kind, filter(), e.stdout)
		}
		return writeWhole(output, func(w io.Writer) error {
			bar := r.progress(-1, "exporting")
			defer bar.Finish() //nolint:errcheck // a bar that can't be drawn stops nothing
			return c.Export(ctx, kind, filter(), io.MultiWriter(w, bar))
		})
	})
}

func formatOf(format, file string) client.Format {
	if format == "" && strings.EqualFold(filepath.Ext(file), ".csv") {
		return client.CSV
	}
	return cmp.Or(client.Format(format), client.NDJSON)
}

// writeWhole writes a file atomically.
func writeWhole(file string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	if err = cmp.Or(write(w), w.Flush(), f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // incomplete
	}
	return err
}
