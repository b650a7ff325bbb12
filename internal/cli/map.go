package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/order-tracking/order-tracking/pkg/pmtiles"
)

func mapCommand(e *env) *cobra.Command {
	cmd := group("map", "Work with the file of the base map")
	cmd.AddCommand(&cobra.Command{
		Use: "check FILE", Short: "Check a PMTiles file: what it covers, and whether every tile is readable",
		RunE: func(_ *cobra.Command, args []string) error {
			a, err := pmtiles.Open(args[0])
			if err != nil {
				return fmt.Errorf("%s %w", args[0], err)
			}
			defer func() { _ = a.Close() }()
			return describeMap(e.stdout, a)
		},
	})
	return cmd
}

func describeMap(out io.Writer, a *pmtiles.Archive) error {
	levels, err := a.Check()
	if err != nil {
		return fmt.Errorf("the file is damaged: %w", err)
	}
	var b strings.Builder
	if a.Name != "" {
		fmt.Fprintf(&b, "name        %s\n", a.Name)
	}
	fmt.Fprintf(&b, "covers      %.4f to %.4f degrees north, %.4f to %.4f degrees east\n", a.MinLat, a.MaxLat, a.MinLon, a.MaxLon)
	fmt.Fprintf(&b, "size        %s\n", sizeText(uint64(a.Size()))) //nolint:gosec // a size is not negative
	fmt.Fprintf(&b, "layers      %s\n", strings.Join(a.Layers, ", "))
	for _, z := range slices.Sorted(maps.Keys(levels)) {
		fmt.Fprintf(&b, "zoom %-2d     %d tiles, %s\n", z, levels[z].Tiles, sizeText(levels[z].Bytes))
	}
	b.WriteString("every tile can be read\n")
	_, err = io.WriteString(out, b.String())
	return err
}

func sizeText(bytes uint64) string {
	switch {
	case bytes >= 1<<20:
		return fmt.Sprintf("%.1f MB", float64(bytes)/(1<<20))
	case bytes >= 1<<10:
		return fmt.Sprintf("%d KB", bytes>>10)
	}
	return fmt.Sprintf("%d bytes", bytes)
}
