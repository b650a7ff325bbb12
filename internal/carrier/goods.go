package carrier

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Defaults for a parcel without dimensions: a shoe box.
const (
	usualWeightG  = 1000
	usualLengthCm = 30
	usualWidthCm  = 20
	usualHeightCm = 12
)

// Boxes fills in missing dimensions of packages and returns at least one package.
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

// PackLimits are a company's limits and wording for goods.
type PackLimits struct {
	Rows, Pieces int    // rows of a package, pieces of a row
	SKU          int    // characters
	Currency     string // of values
	Unnamed      string // name for unspecified goods
	Part         string // format for goods split over packages: name and part number
}

// Pack lists the contents of each package: its own declared contents; the first package
// without any gets all remaining goods. A package left without goods holds a part of the
// last item. Rows with too many pieces are split. Missing values are filled in: equal
// shares of the package's weight, no value. It fails with validation_failed if something
// would have to be omitted.
func Pack(packages []domain.Package, items []domain.Item, l PackLimits) ([][]Row, error) {
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
	out := make([][]Row, len(boxes))
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
func list(goods []domain.PackedItem, items []domain.Item, weightG int, l PackLimits) []Row {
	pieces := 0
	for _, g := range goods {
		pieces += g.Quantity
	}
	var out []Row
	for _, g := range goods {
		it := items[g.Item]
		it.SKU, it.WeightG = cmp.Or(it.SKU, strconv.Itoa(g.Item+1)), cmp.Or(it.WeightG, max(weightG/pieces, 1))
		if it.Price == nil {
			it.Price = &domain.Money{Currency: l.Currency}
		}
		for _, mark := range g.Marks { // each marked piece gets its own row
			it.Quantity = 1
			out = append(out, Row{Item: it, Mark: mark})
		}
		for left := g.Quantity - len(g.Marks); left > 0; left -= l.Pieces {
			it.Quantity = min(left, l.Pieces)
			out = append(out, Row{Item: it})
		}
	}
	return out
}

// Row is one kind of goods in a package.
type Row struct {
	domain.Item
	Mark string // the marking code of its one piece
}

// Priced is a row with the amount the recipient pays per piece.
type Priced struct {
	Row
	Due int64
}

// Share spreads an amount over goods by price, or by piece count if they have no prices;
// pieces that cannot have equal shares become two rows. The shares add up to the amount
// exactly.
func Share(packages [][]Row, amount int64) [][]Priced {
	worth, pieces := big.NewInt(0), int64(0)
	weigh := func(r Row, priced bool) *big.Int {
		n := big.NewInt(int64(r.Quantity))
		if priced {
			n.Mul(n, big.NewInt(r.Price.Amount))
		}
		return n
	}
	for _, goods := range packages {
		for _, r := range goods {
			worth.Add(worth, weigh(r, true))
			pieces += int64(r.Quantity)
		}
	}
	priced := worth.Sign() > 0
	if !priced {
		worth.SetInt64(pieces)
	}
	out := make([][]Priced, len(packages))
	so, given := big.NewInt(0), int64(0) // running totals including this row
	for i, goods := range packages {
		for _, r := range goods {
			so.Add(so, weigh(r, priced))
			due := new(big.Int).Mul(so, big.NewInt(amount))
			share := due.Quo(due, worth).Int64() - given
			given += share
			each, rest := share/int64(r.Quantity), share%int64(r.Quantity)
			if rest > 0 {
				more := r
				more.Quantity = int(rest)
				r.Quantity -= int(rest)
				out[i] = append(out[i], Priced{more, each + 1})
			}
			out[i] = append(out[i], Priced{r, each})
		}
	}
	return out
}

// Contents summarises goods in a few words.
func Contents(items []Row) string {
	var names []string
	for _, it := range items {
		names = append(names, it.Name)
	}
	return Clip(strings.Join(names, ", "), 255)
}

// Join joins the non-empty texts.
func Join(separator string, texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(s string) bool { return s == "" }), separator)
}
