package cli

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/order-tracking/order-tracking/pkg/client"
)

func exportCommand(e *env) *cobra.Command {
	var f orderFilter
	var format, output string
	cmd := &cobra.Command{
		Use: "export", Short: "Write orders with their histories, and couriers, to a file", Args: cobra.NoArgs,
		Example: `  order-tracking export --output orders.ndjson
  order-tracking export --format csv --status delivered --from -720h > orders.csv`,
	}
	r := e.remoteFlags(cmd)
	f.flags(cmd)
	cmd.Flags().StringVar(&format, "format", "", "ndjson, which has everything, or csv: the `format`; else by the file's name")
	cmd.Flags().StringVarP(&output, "output", "o", "-", "`FILE` to write, - for the standard output")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		filter, err := f.filter(cmd)
		if err != nil {
			return err
		}
		c, err := r.connect()
		if err != nil {
			return err
		}
		kind := formatOf(format, output)
		if output == "-" {
			return c.Export(cmd.Context(), kind, filter, e.stdout)
		}
		return writeWhole(output, func(w io.Writer) error {
			bar := r.progress(-1, "exporting")
			defer bar.close()
			return c.Export(cmd.Context(), kind, filter, io.MultiWriter(w, bar))
		})
	}
	return cmd
}

func formatOf(format, file string) client.Format {
	if format == "" && strings.EqualFold(filepath.Ext(file), ".csv") {
		return client.CSV
	}
	return client.Format(first(format, string(client.NDJSON)))
}

// writeWhole writes a file that is there only once it is complete.
func writeWhole(file string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	err = write(w)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // half of it is of no use
	}
	return err
}
