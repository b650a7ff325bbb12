package carrier

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// What is assumed of a parcel of which nothing is known: a shoe box.
const (
	usualWeightG  = 1000
	usualLengthCm = 30
	usualWidthCm  = 20
	usualHeightCm = 12
)

// Boxes fills in what is not known of packages; there is always at least one.
func Boxes(in []domain.Package) []domain.Package {
	if len(in) == 0 {
		in = make([]domain.Package, 1)
	}
	out := slices.Clone(in)
	for i, p := range out {
		out[i] = domain.Package{
			WeightG: cmp.Or(p.WeightG, usualWeightG), LengthCm: cmp.Or(p.LengthCm, usualLengthCm),
			WidthCm: cmp.Or(p.WidthCm, usualWidthCm), HeightCm: cmp.Or(p.HeightCm, usualHeightCm), Items: p.Items,
		}
	}
	return out
}

// PackLimits are what a company takes of goods, and its words.
type PackLimits struct {
	Rows, Pieces int    // rows of a package, pieces of a row
	SKU          int    // characters
	Currency     string // of values
	Unnamed      string // goods of which nothing is known
	Part         string // a format: the name of goods that need several packages, and which of them it is
}

// Pack lists what each package holds: what it says itself, and in the first that says
// nothing everything else. A package for which nothing is left holds a part of the last
// item. Rows of too many pieces are split. What is not known is filled in: equal shares
// of the package's weight, no value. It fails with validation_failed when something would
// have to be left out.
func Pack(packages []domain.Package, items []domain.Item, l PackLimits) ([][]domain.Item, error) {
	boxes := Boxes(packages)
	if len(items) == 0 {
		items = []domain.Item{{Name: l.Unnamed, Quantity: 1}}
	}
	var f domain.Faults
	for i, it := range items {
		at := "/items/" + strconv.Itoa(i)
		f.Text(at+"/sku", it.SKU, l.SKU)
		if it.Price != nil && it.Price.Currency != l.Currency {
			f.Add(at+"/price", "wrong_currency", "the carrier takes values in %s", l.Currency)
		}
	}
	held := domain.PackItems(&f, boxes, items)
	if err := f.Err(); err != nil {
		return nil, err
	}
	out := make([][]domain.Item, len(boxes))
	for i, goods := range held {
		if len(goods) == 0 {
			last := items[len(items)-1]
			goods = []domain.PackedItem{{Item: len(items) - 1, Quantity: 1}}
			items = append(slices.Clone(items), domain.Item{Name: fmt.Sprintf(l.Part, last.Name, i+1), SKU: last.SKU, Quantity: 1})
			goods[0].Item = len(items) - 1
		}
		out[i] = list(goods, items, boxes[i].WeightG, l)
		if len(out[i]) > l.Rows {
			f.Add("/packages/"+strconv.Itoa(i), "too_many", "holds %d rows of goods; the carrier takes %d in a package: use more packages", len(out[i]), l.Rows)
		}
	}
	return out, f.Err()
}

// list writes the rows of one package.
func list(goods []domain.PackedItem, items []domain.Item, weightG int, l PackLimits) []domain.Item {
	pieces := 0
	for _, g := range goods {
		pieces += g.Quantity
	}
	var out []domain.Item
	for _, g := range goods {
		it := items[g.Item]
		it.SKU, it.WeightG = cmp.Or(it.SKU, strconv.Itoa(g.Item+1)), cmp.Or(it.WeightG, max(weightG/pieces, 1))
		if it.Price == nil {
			it.Price = &domain.Money{Currency: l.Currency}
		}
		for left := g.Quantity; left > 0; left -= l.Pieces {
			it.Quantity = min(left, l.Pieces)
			out = append(out, it)
		}
	}
	return out
}

// Contents names goods in a few words.
func Contents(items []domain.Item) string {
	var names []string
	for _, it := range items {
		names = append(names, it.Name)
	}
	return Clip(strings.Join(names, ", "), 255)
}

// Join writes the texts that are not empty one after the other.
func Join(separator string, texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(s string) bool { return s == "" }), separator)
}
