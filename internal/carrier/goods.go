package carrier

import (
	"cmp"
	"context"
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
			WidthCm: cmp.Or(p.WidthCm, usualWidthCm), HeightCm: cmp.Or(p.HeightCm, usualHeightCm),
		}
	}
	return out
}

// Goods fills in what is not known of a parcel's content: equal shares of its weight,
// no value where none is known in the currency. There is always at least one row, and
// never more than limit.
func Goods(in []domain.Item, weightG int, currency string, limit int) []domain.Item {
	if len(in) == 0 {
		in = []domain.Item{{Name: "Товар"}}
	}
	pieces := 0
	for _, it := range in {
		pieces += max(it.Quantity, 1)
	}
	out := slices.Clone(in[:min(len(in), limit)])
	for i, it := range out {
		if it.Price == nil || it.Price.Currency != currency {
			it.Price = &domain.Money{Currency: currency}
		}
		it.Name, it.SKU = Clip(it.Name, 255), Clip(cmp.Or(it.SKU, strconv.Itoa(i+1)), 50)
		it.WeightG, it.Quantity = cmp.Or(it.WeightG, max(weightG/pieces, 1)), min(max(it.Quantity, 1), 999)
		out[i] = it
	}
	return out
}

// Contents names goods in a few words.
func Contents(items []domain.Item) string {
	var names []string
	for _, it := range items {
		names = append(names, it.Name)
	}
	return Clip(cmp.Or(strings.Join(names, ", "), "Товар"), 255)
}

// Cities finds a company's codes of cities and remembers them.
type Cities struct {
	// Ask returns the code of the city that has the name, the office or the place,
	// whichever is set; 0 when the company has no such city.
	Ask func(ctx context.Context, name, office string, at *domain.Point) (int, error)

	memo Memo[int]
}

// Find returns the code of a stop's city: by its office, name, location or address.
func (c *Cities) Find(ctx context.Context, s domain.Stop) (code int, err error) {
	switch {
	case Number(s.City) > 0:
		return Number(s.City), nil
	case s.City != "":
		return c.ask(ctx, s.City, "", nil)
	case s.Point != "":
		return c.ask(ctx, "", s.Point, nil)
	case s.Location != nil:
		return c.ask(ctx, "", "", &domain.Point{Lat: round(s.Location.Lat), Lon: round(s.Location.Lon)})
	}
	for _, name := range CityNames(s.Address) {
		if code, err := c.ask(ctx, name, "", nil); err != nil || code > 0 {
			return code, err
		}
	}
	return 0, nil
}

// ask remembers what the company said, also that it knows no such city.
func (c *Cities) ask(ctx context.Context, name, office string, at *domain.Point) (int, error) {
	key := fmt.Sprintf("%q %q %v", name, office, at)
	if code, known := c.memo.Get(key); known {
		return code, nil
	}
	code, err := c.Ask(ctx, name, office, at)
	if class := domain.ClassOf(err); err != nil && class != domain.ClassNotFound && class != domain.ClassValidation {
		return 0, err
	}
	c.memo.Put(key, code)
	return code, nil
}

// Ends returns the codes of both ends' cities; zero leaves one to the company, which
// then reads the address.
func (c *Cities) Ends(ctx context.Context, from, to domain.Stop) (a, b int, err error) {
	if a, err = c.Find(ctx, from); err == nil {
		b, err = c.Find(ctx, to)
	}
	return a, b, err
}

// round brings degrees to about a kilometre, which is near enough for a city.
func round(degrees float64) float64 { return float64(int(degrees*100)) / 100 }
