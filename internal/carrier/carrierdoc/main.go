// Command carrierdoc writes what every code of every delivery company becomes into
// docs/carriers.md, from the companies' tables.
package main

//go:generate go run . .. ../../../docs/carriers.md

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/order-tracking/order-tracking/internal/carrier"
)

// marker starts the generated part of the page.
const marker = "<!-- Generated from internal/carrier/*/tables: go generate ./internal/carrier/carrierdoc -->\n"

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "carrierdoc: which folder of companies, and which page?")
		os.Exit(2)
	}
	page, err := os.ReadFile(os.Args[2])
	if err == nil {
		page, err = written(page, os.Args[1])
	}
	if err == nil {
		err = os.WriteFile(os.Args[2], page, 0o644) //nolint:gosec // a document
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "carrierdoc:", err)
		os.Exit(1)
	}
}

// titles are the tables of meanings, in the order in which a page shows them.
var titles = []struct{ file, title string }{
	{"statuses.txt", "statuses"}, {"reasons.txt", "reasons for not handing a parcel over"}, {"problems.txt", "obstacles that couriers report"},
}

// written returns the page with its generated part from the companies' tables.
func written(page []byte, companies string) ([]byte, error) {
	head, _, found := bytes.Cut(page, []byte(marker))
	if !found {
		return nil, fmt.Errorf("the page has no line %q", strings.TrimSpace(marker))
	}
	folders, err := filepath.Glob(filepath.Join(companies, "*", "tables"))
	if err != nil {
		return nil, err
	}
	slices.Sort(folders)
	out := bytes.NewBuffer(append(slices.Clone(head), marker...))
	for _, folder := range folders {
		company := filepath.Base(filepath.Dir(folder))
		for _, t := range titles {
			if _, err := os.Stat(filepath.Join(folder, t.file)); err != nil {
				continue
			}
			fmt.Fprintf(out, "\n### %s: %s\n\n| code | becomes | detail | exception | in the company's words |\n| --- | --- | --- | --- | --- |\n", company, t.title)
			for _, row := range carrier.Table(os.DirFS(folder), t.file) {
				codes := "`" + strings.Join(strings.Fields(row[4]), "` `") + "`"
				fmt.Fprintf(out, "| %s | %s | %s | %s | %s |\n", codes, cmp.Or(row[1], "–"), row[2], row[3], row[5])
			}
		}
	}
	return out.Bytes(), nil
}
