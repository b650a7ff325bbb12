package carrier

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// City is a town in a company's directory.
type City struct {
	Code                    int
	Name, Region, SubRegion string
}

// String distinguishes the town from others of the same name.
func (c City) String() string { return Join(", ", c.Name, c.SubRegion, c.Region) }

// CityQuery searches a directory for towns by the fields that are set.
type CityQuery struct {
	Name, Postcode, Country string
	Office                  string
	At                      *domain.Point
}

// Cities finds and caches a company's city codes. Misses are not cached: a town may be
// added tomorrow.
type Cities struct {
	// Ask returns the matching towns.
	Ask func(ctx context.Context, q CityQuery) ([]City, error)

	memo Memo[[]City]
}

// Find returns the code of a stop's city: from its own code, its office, or its name or
// address together with postcode and region. Zero means that it is unknown and the company
// reads the address; nothing is guessed. A city named by the stop that is ambiguous is an
// error listing the candidates.
func (c *Cities) Find(ctx context.Context, s domain.Stop) (int, error) {
	switch {
	case Number(s.City) > 0:
		return Number(s.City), nil
	case s.Point != "":
		return first(c.ask(ctx, CityQuery{Office: s.Point}))
	}
	postcode := s.Postcode
	if postcode == "" {
		postcode = postcodes.FindString(s.Address)
	}
	if name := CityName(s.City); name != "" {
		found, err := c.named(ctx, name, postcode, s)
		if len(found) > 1 {
			return 0, ambiguous(s.City, found)
		}
		return first(found, err)
	}
	for _, name := range CityNames(s.Address) {
		found, err := c.named(ctx, name, postcode, s)
		if err != nil || len(found) > 0 {
			if len(found) > 1 { // ambiguous: the company reads the address
				return 0, nil
			}
			return first(found, err)
		}
	}
	if postcode != "" {
		if found, err := c.ask(ctx, CityQuery{Postcode: postcode, Country: s.Country}); err != nil || len(found) == 1 {
			return first(found, err)
		}
	}
	if s.Location != nil {
		return first(c.around(ctx, *s.Location))
	}
	return 0, nil
}

// named returns the towns of a name that match the rest of the stop.
func (c *Cities) named(ctx context.Context, name, postcode string, s domain.Stop) ([]City, error) {
	found, err := c.ask(ctx, CityQuery{Name: name, Country: s.Country})
	if err != nil || len(found) < 2 {
		return found, err
	}
	if postcode != "" {
		there, err := c.ask(ctx, CityQuery{Postcode: postcode, Country: s.Country})
		if err != nil {
			return nil, err
		}
		if both := common(found, there); len(both) > 0 {
			found = both
		}
	}
	if region := narrowed(found, s.Region+" "+s.Address); len(region) > 0 {
		found = region
	}
	if len(found) > 1 && s.Location != nil {
		there, err := c.around(ctx, *s.Location)
		if err != nil {
			return nil, err
		}
		if both := common(found, there); len(both) > 0 {
			found = both
		}
	}
	return found, nil
}

// around returns the town at a location.
func (c *Cities) around(ctx context.Context, at domain.Point) ([]City, error) {
	return c.ask(ctx, CityQuery{At: &domain.Point{Lat: round(at.Lat), Lon: round(at.Lon)}})
}

// common returns the towns that are in both lists.
func common(a, b []City) []City {
	return slices.DeleteFunc(slices.Clone(a), func(c City) bool {
		return !slices.ContainsFunc(b, func(other City) bool { return other.Code == c.Code })
	})
}

// narrowed returns the towns whose region the text names; a region with the same name as
// the town is ignored.
func narrowed(found []City, text string) []City {
	return slices.DeleteFunc(slices.Clone(found), func(c City) bool {
		region := stem(c.Region)
		return region == "" || region == stem(c.Name) || !strings.Contains(fold(text), region)
	})
}

// Ends returns the city codes of both ends.
func (c *Cities) Ends(ctx context.Context, from, to domain.Stop) (a, b int, err error) {
	if a, err = c.Find(ctx, from); err == nil {
		b, err = c.Find(ctx, to)
	}
	return a, b, err
}

// ask queries the directory and caches non-empty results.
func (c *Cities) ask(ctx context.Context, q CityQuery) ([]City, error) {
	key := fmt.Sprintf("%q %q %q %q %v", fold(q.Name), q.Postcode, q.Country, q.Office, q.At)
	if found, known := c.memo.Get(key); known {
		return found, nil
	}
	found, err := c.Ask(ctx, q)
	if class := domain.ClassOf(err); class == domain.ClassNotFound || class == domain.ClassValidation {
		return nil, nil // no such town today, perhaps tomorrow
	}
	if err == nil && len(found) > 0 {
		c.memo.Put(key, found)
	}
	return found, err
}

func first(found []City, err error) (int, error) {
	if err != nil || len(found) == 0 {
		return 0, err
	}
	return found[0].Code, nil
}

// ambiguous returns an error that lists the candidate towns.
func ambiguous(name string, found []City) error {
	e := &domain.CarrierError{Class: domain.ClassValidation, Message: fmt.Sprintf("there are several towns %q: name the region or the postcode", name), Unsent: true, Refused: true}
	for _, c := range found {
		e.Candidates = append(e.Candidates, fmt.Sprintf("%d %s", c.Code, c))
	}
	return e
}

var (
	postcodes = regexp.MustCompile(`\b\d{6}\b`)
	// settlement matches a prefix of a town's name; notATown matches parts of an address
	// that are not towns.
	settlement = regexp.MustCompile(`(?i)^(?:г|гор|город|пос|посёлок|поселок|пгт|рп|с|село|дер|деревня|ст-ца|станица)(?:\.\s*|\s+)`)
	notATown   = regexp.MustCompile(`(?i)^(?:ул|улица|пр|пр-т|проспект|пер|переулок|наб|набережная|ш|шоссе|пл|площадь|б-р|бульвар|россия|рф)(?:[.\s]|$)|(?:область|обл\.?|край|республика|респ\.?|район|р-н|округ|ул\.?|улица|проспект|пр-т|переулок|набережная|шоссе)$|^(?:республика|респ\.)`)
	regional   = regexp.MustCompile(`(?i)(?:^|\s)(?:область|обл\.?|край|республика|респ\.?|автономный округ|ао)(?:\s|$)`)
)

// CityName normalises a town's name to its directory form: "г. Казань " becomes Казань.
func CityName(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return strings.TrimSpace(settlement.ReplaceAllString(s, ""))
}

// CityNames are the parts of an address that may name a city, at most three, explicitly
// marked ones first.
func CityNames(address string) []string {
	var sure, maybe []string
	for part := range strings.SplitSeq(address, ",") {
		part = strings.TrimSpace(strings.TrimSpace(postcodes.ReplaceAllString(part, "")))
		name := CityName(part)
		switch {
		case name == "" || strings.ContainsAny(name, "0123456789") || notATown.MatchString(part):
		case name != part:
			sure = append(sure, name)
		default:
			maybe = append(maybe, name)
		}
	}
	names := append(sure, maybe...)
	return names[:min(len(names), 3)]
}

// fold normalises spellings of a name.
func fold(s string) string { return strings.ReplaceAll(strings.ToLower(s), "ё", "е") }

// stem is the common part of a region's spellings: Московская область becomes московская.
func stem(region string) string {
	return strings.TrimSpace(regional.ReplaceAllString(fold(region), " "))
}

// round rounds degrees down to about a kilometre, precise enough for a city.
func round(degrees float64) float64 { return float64(int(degrees*100)) / 100 }
