// Command city generates the demo's data from an OpenStreetMap extract: a base map
// (map.pmtiles), and streets, restaurants and addresses (city.json.gz).
//
//	go -C tools/city run . -name Helsinki -timezone Europe/Helsinki -out ../../internal/demo/helsinki Helsinki.osm.pbf
//
// The extract may be cut anywhere: shapes cut by the box are closed along its edges.
// The output is derived from OpenStreetMap and therefore under the ODbL.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/paulmach/orb"
)

func main() {
	name := flag.String("name", "City", "what the city is called")
	zone := flag.String("timezone", "UTC", "its time zone, IANA")
	box := flag.String("box", "", "`west,south,east,north` in degrees; by default what the extract says of itself")
	out := flag.String("out", ".", "the folder for map.pmtiles and city.json.gz")
	kitchens := flag.Int("kitchens", 12, "how many kitchens")
	homes := flag.Int("homes", 300, "how many homes at most")
	flag.Parse()
	if err := run(*name, *zone, *box, *out, *kitchens, *homes, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "city:", err)
		os.Exit(1)
	}
}

func run(name, zone, box, out string, kitchens, homes int, args []string) error {
	if len(args) != 1 {
		return errors.New("name one extract, a file.osm.pbf")
	}
	bound, err := parseBox(box)
	if err != nil {
		return err
	}
	f, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read
	x, err := read(context.Background(), f, bound)
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}

	tiles, err := cut(features(x), x.box)
	if err != nil {
		return err
	}
	archive, err := pack(tiles, name, x.box)
	if err != nil {
		return err
	}
	streets := newStreets(x)
	town := city{Name: name, Timezone: zone, Attribution: attribution, Bounds: [4]float64{x.box.Left(), x.box.Bottom(), x.box.Right(), x.box.Top()}}
	town.Kitchens = streets.kitchens(x, kitchens)
	town.Homes = streets.homes(x, homes)
	streets.into(&town)
	packed, err := town.encode()
	if err != nil {
		return err
	}
	fmt.Printf("%d tiles in %d bytes; %d crossings and bends, %d pieces of street, %d kitchens, %d homes in %d bytes\n",
		len(tiles), len(archive), len(town.Nodes)/2, len(town.Edges)/edgeFields, len(town.Kitchens), len(town.Homes), len(packed))
	return errors.Join(
		os.WriteFile(filepath.Join(out, "map.pmtiles"), archive, 0o644), //nolint:gosec // for everybody to read
		os.WriteFile(filepath.Join(out, "city.json.gz"), packed, 0o644)) //nolint:gosec // for everybody to read
}

// parseBox reads "west,south,east,north"; nothing is an empty box.
func parseBox(text string) (orb.Bound, error) {
	if text == "" {
		return orb.Bound{}, nil
	}
	var v [4]float64
	parts := strings.Split(text, ",")
	if len(parts) != len(v) {
		return orb.Bound{}, errors.New("-box must be west,south,east,north")
	}
	for i, part := range parts {
		var err error
		if v[i], err = strconv.ParseFloat(strings.TrimSpace(part), 64); err != nil {
			return orb.Bound{}, fmt.Errorf("-box: %w", err)
		}
	}
	b := orb.Bound{Min: orb.Point{v[0], v[1]}, Max: orb.Point{v[2], v[3]}}
	if !(b.Left() < b.Right() && b.Bottom() < b.Top()) {
		return orb.Bound{}, errors.New("-box must be west,south,east,north: it is empty")
	}
	return b, nil
}
