package carrier

import (
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Meaning is our interpretation of a company's code.
type Meaning struct {
	Code      string // its first spelling
	Rank      int    // progress, breaks ties between equal times
	Status    domain.Status
	Detail    string
	Exception string
	Text      string // the company's wording
}

// Meanings is a table of codes.
type Meanings map[string]Meaning

// Rank returns how far a code's parcel has progressed; -1 for a code not in the table.
func (m Meanings) Rank(code string) int {
	if found, known := m[code]; known {
		return found.Rank
	}
	return -1
}

// Between reports whether an event that is not retracted has a rank from one code's up to,
// but excluding, another's.
func (m Meanings) Between(events []domain.CarrierEvent, from, before string) bool {
	return slices.ContainsFunc(events, func(ev domain.CarrierEvent) bool {
		rank := m.Rank(ev.Code)
		return ev.Kind == domain.CarrierScan && !ev.Retracted && rank >= m.Rank(from) && rank < m.Rank(before)
	})
}

// LoadMeanings reads a table with the columns: rank | order status | detail | exception |
// spellings of the code | text.
func LoadMeanings(files fs.FS, name string) Meanings {
	m := Meanings{}
	for _, r := range Table(files, name) {
		codes := strings.Fields(r[4])
		for _, code := range codes {
			m[code] = Meaning{codes[0], Number(r[0]), domain.Status(r[1]), r[2], r[3], r[5]}
		}
	}
	return m
}

// LoadWords reads a table with the columns: meaning | words for it.
func LoadWords(files fs.FS, name string) map[string]string {
	m := map[string]string{}
	for _, r := range Table(files, name) {
		for _, word := range strings.Fields(r[1]) {
			m[word] = r[0]
		}
	}
	return m
}

// LoadPairs reads a table with the columns: our word | the company's.
func LoadPairs(files fs.FS, name string) map[string]string {
	m := map[string]string{}
	for _, r := range Table(files, name) {
		m[r[0]] = r[1]
	}
	return m
}

// Table reads a data table: one row per line, fields separated by bars, # for comments, a
// dash for an empty field. The files are embedded: a missing one panics.
func Table(files fs.FS, name string) [][]string {
	data, err := fs.ReadFile(files, name)
	if err != nil {
		panic(err)
	}
	var out [][]string
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(line, "|")
		for i, f := range fields {
			if fields[i] = strings.TrimSpace(f); fields[i] == "-" {
				fields[i] = ""
			}
		}
		out = append(out, fields)
	}
	return out
}

// Number reads a whole number; 0 for anything else.
func Number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}
