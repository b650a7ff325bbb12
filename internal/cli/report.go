package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/order-tracking/order-tracking/pkg/client"
)

func reportCommand(e *env) *cobra.Command {
	cmd := group("report", "Tell how deliveries went")
	cmd.AddCommand(reportEstimates(e.remoteFlags(cmd)))
	return cmd
}

func reportEstimates(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "eta", Short: "Show how well delivery times were estimated, the worst groups first"}
	fs := cmd.Flags()
	f := client.ReportFilter{}
	fs.StringVar(&f.By, "by", "merchant", "`what` to group by: merchant, carrier, zone or week")
	fs.StringVar(&f.MerchantID, "merchant", "", "only of this `merchant`")
	days := fs.Int("days", 30, "of the last `days`")
	var limit atLeastOne
	fs.Var(&limit, "limit", "`maximum` number of groups; default: the server's")
	completeFlag(cmd, "by", "merchant", "carrier", "zone", "week")
	return ask(r, cmd, nil, func(ctx context.Context, c *client.Client, _ []string) (*client.EstimateReport, error) {
		if *days < 1 || *days > 3660 {
			return nil, usagef("--days must be 1 to 3660")
		}
		f.From, f.Limit = time.Now().AddDate(0, 0, -*days), int(limit)
		return c.EstimateReport(ctx, f)
	}, describeReport)
}

func describeReport(w io.Writer, report *client.EstimateReport) {
	if report.All == nil {
		field(w, "Delivered", "nothing in this time")
		return
	}
	row := func(name string, g client.EstimateGroup) {
		_, _ = fmt.Fprintf(w, "%s\t%d\t%.1f min\t%+.1f min\t%.0f %%\t%.0f %%\n", dash(name), g.Orders, g.MAE, g.Bias, 100*g.Coverage, 100*g.LateShare)
	}
	_, _ = fmt.Fprintln(w, "GROUP\tORDERS\tERROR\tBIAS\tIN WINDOW\tLATER") // a tabwriter reports errors on Flush
	row("all", *report.All)
	for _, g := range report.Groups {
		row(g.Group, g)
	}
}
