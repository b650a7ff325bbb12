package domain

import (
	"cmp"
	"slices"
	"strconv"
	"time"
)

// Stop is an endpoint of a shipment: an office of the carrier, or an address.
type Stop struct {
	Place
	City     string `json:"city,omitempty" maxLength:"200" doc:"its name or the company's code"`
	Region   string `json:"region,omitempty" maxLength:"200" doc:"distinguishes towns of the same name"`
	Postcode string `json:"postcode,omitempty" maxLength:"40"`
	Country  string `json:"country,omitempty" maxLength:"2" doc:"ISO 3166-1 alpha-2; the company's own when absent" example:"KZ"`
	Point    string `json:"point,omitempty" maxLength:"128" doc:"the company's code of an office or parcel locker"`
}

// Package is one parcel. The carrier's adapter fills in missing measures.
type Package struct {
	WeightG  int `json:"weight_g,omitempty" minimum:"0" maximum:"1000000" doc:"grams" example:"1500"`
	LengthCm int `json:"length_cm,omitempty" minimum:"0" maximum:"1000" doc:"centimetres"`
	WidthCm  int `json:"width_cm,omitempty" minimum:"0" maximum:"1000" doc:"centimetres"`
	HeightCm int `json:"height_cm,omitempty" minimum:"0" maximum:"1000" doc:"centimetres"`
	// Items are the goods in it.
	Items []PackedItem `json:"items,omitempty" maxItems:"500" doc:"the goods in it; what no package names is in the first that names nothing"`
}

// PackedItem is a number of pieces of an order's item in a package.
type PackedItem struct {
	Item     int `json:"item" minimum:"0" maximum:"499" doc:"index in the order's items, from 0"`
	Quantity int `json:"quantity" minimum:"1" maximum:"1000000"`
	// Marks are the marking codes of the pieces, one each.
	Marks []string `json:"marks,omitempty" maxItems:"999" doc:"marking codes, one per piece"`
}

// PackItems returns the contents of each package, and adds a fault for every piece that is in too many packages or in none.
func PackItems(f *Faults, packages []Package, items []Item) [][]PackedItem {
	out, open := make([][]PackedItem, len(packages)), -1
	left := Each(items, func(it Item) int { return max(it.Quantity, 1) })
	for i, p := range packages {
		if len(p.Items) == 0 && open < 0 {
			open = i
		}
		for j, g := range p.Items {
			at := "/packages/" + strconv.Itoa(i) + "/items/" + strconv.Itoa(j)
			switch {
			case g.Item < 0 || g.Item >= len(items):
				f.Add(at+"/item", "out_of_range", "the order has %d items", len(items))
			case len(g.Marks) > 0 && len(g.Marks) != g.Quantity:
				f.Add(at+"/marks", "out_of_range", "must be one for each of the %d pieces", g.Quantity)
			case g.Quantity < 1 || g.Quantity > left[g.Item]:
				f.Add(at+"/quantity", "out_of_range", "%d of this item are left to pack", left[g.Item])
			default:
				left[g.Item] -= g.Quantity
				out[i] = append(out[i], g)
			}
		}
	}
	for i, n := range left {
		switch {
		case n == 0:
		case open < 0:
			f.Add("/packages", "not_packed", "%d of the order's item %d are in no package", n, i)
		default:
			out[open] = append(out[open], PackedItem{Item: i, Quantity: n})
		}
	}
	return out
}

// Packages returns the default parcels for items: one with their total weight, large
// enough to hold them stacked, or none when nothing is known.
func Packages(items []Item) []Package {
	var p Package
	known := false
	for _, it := range items {
		n := max(it.Quantity, 1)
		p.WeightG = min(p.WeightG+min(it.WeightG, MaxWeightG)*n, MaxWeightG)
		if it.LengthCm == 0 || it.WidthCm == 0 || it.HeightCm == 0 {
			continue
		}
		sides := []int{it.LengthCm, it.WidthCm, it.HeightCm}
		slices.Sort(sides)
		p.LengthCm, p.WidthCm = max(p.LengthCm, sides[2]), max(p.WidthCm, sides[1])
		p.HeightCm, known = min(p.HeightCm+sides[0]*n, MaxPackageCm), true
	}
	if p.WeightG == 0 && !known {
		return nil
	}
	return []Package{p}
}

// MaxPackageCm is the maximum length of a package.
const MaxPackageCm = 1000

// QuoteRequest asks for the price of sending packages: with one tariff, or with all that fit when none is named.
type QuoteRequest = Booking

// Quote is the offer of one tariff.
type Quote struct {
	Carrier string `json:"carrier"`
	Tariff  string `json:"tariff"` // the code to book with
	Name    string `json:"name"`
	Mode    string `json:"mode,omitempty"` // such as door-door, door-office
	Price   Money  `json:"price"`
	// Delivery time in days; working days when Working is set.
	DaysMin  int            `json:"days_min"`
	DaysMax  int            `json:"days_max"`
	Working  bool           `json:"working_days,omitempty"`
	Expected DeliveryPeriod `json:"expected"`
}

// Tariff names that let a quote choose.
const (
	TariffCheapest = "cheapest"
	TariffFastest  = "fastest"
)

// ChooseQuote returns the cheapest or fastest of the offers; ties are broken by the other
// measure, then by the tariff's code. Any other value is a tariff's code. ok is false when
// no offer fits. Prices are compared as numbers: a carrier quotes in one currency.
func ChooseQuote(quotes []Quote, wish string) (q Quote, ok bool) {
	price := func(a, b Quote) int { return cmp.Compare(a.Price.Amount, b.Price.Amount) }
	speed := func(a, b Quote) int { return a.Expected.Latest.Compare(b.Expected.Latest) }
	first, second := price, speed
	switch wish {
	case TariffCheapest, "":
	case TariffFastest:
		first, second = speed, price
	default:
		quotes = slices.DeleteFunc(slices.Clone(quotes), func(q Quote) bool { return q.Tariff != wish })
	}
	if len(quotes) == 0 {
		return Quote{}, false
	}
	return slices.MinFunc(quotes, func(a, b Quote) int {
		return cmp.Or(first(a, b), second(a, b), cmp.Compare(a.Tariff, b.Tariff))
	}), true
}

// ShipmentRequest books a shipment.
type ShipmentRequest struct {
	// ClientRef identifies the shipment permanently: repeating it never creates a second parcel.
	ClientRef string // at most 32 ASCII characters
	Tariff    string // a code of the carrier
	Sender    *Customer
	Recipient Customer
	From, To  Stop
	Packages  []Package
	Items     []Item // in packages as these say
	Comment   string
	Notes     string   // the order's, for whoever delivers
	Payment   *Payment // cash on delivery, when the carrier collects it
	Seller    *Seller
	Services  []CarrierService
	Invoice   *Invoice
}

// Seller is the actual seller of the goods, when it is not the sender.
type Seller struct {
	Name  string `json:"name" minLength:"1" maxLength:"200"`
	TIN   string `json:"tin,omitempty" maxLength:"20" doc:"the tax number (ИНН)" example:"7701234567"`
	Phone string `json:"phone,omitempty" maxLength:"40"`
	// Ownership is the carrier's code of the legal form.
	Ownership int    `json:"ownership,omitempty" minimum:"0" maximum:"1000" doc:"the company's code of the form of ownership"`
	Address   string `json:"address,omitempty" maxLength:"255"`
}

// Invoice is the customs data of a parcel that leaves the country.
type Invoice struct {
	Date           string `json:"date" format:"date" doc:"of the invoice" example:"2026-05-04"`
	Shipper        string `json:"shipper" minLength:"1" maxLength:"200"`
	ShipperAddress string `json:"shipper_address" minLength:"1" maxLength:"255"`
}

// CarrierService is an additional service.
type CarrierService struct {
	Code string `json:"code" minLength:"1" maxLength:"64" doc:"insurance, try_on, partial_delivery, inspection_ban, sms, lift_by_hand, lift_by_elevator, or a code of the company's" example:"try_on"`
	// Parameter of the service: a sum insured, a phone number, floors.
	Parameter string `json:"parameter,omitempty" maxLength:"255" doc:"its parameter: a sum, a phone number, floors"`
}

// CancelTerms are the conditions of cancelling a shipment.
type CancelTerms struct {
	Kind CancelKind `json:"kind"`
	// Price is the carrier's charge, if it is known beforehand.
	Price  *Money `json:"price,omitempty"`
	Detail string `json:"detail,omitempty"` // for people
}

// CancelKind tells what a cancellation costs.
type CancelKind string

// The kinds.
const (
	CancelFree       CancelKind = "free"
	CancelPaid       CancelKind = "paid"       // the carrier names its price
	CancelUnknown    CancelKind = "unknown"    // it costs, but the carrier does not say how much
	CancelImpossible CancelKind = "impossible" // it is too far on
	CancelEnded      CancelKind = "ended"      // there is nothing to cancel
)

// Costs reports whether cancelling costs money.
func (k CancelKind) Costs() bool { return k == CancelPaid || k == CancelUnknown }

// CancelOutcome is the result of cancelling a shipment.
type CancelOutcome struct {
	Result CancelResult
	Detail string // for people
}

// CancelResult is a possible outcome of a cancellation.
type CancelResult string

// The results.
const (
	CancelDone       CancelResult = "done"        // it will never travel
	CancelPending    CancelResult = "pending"     // requested; a later poll shows the outcome
	CancelWillReturn CancelResult = "will_return" // refused on the recipient's behalf: it comes back
)

// LabelKind is a kind of printable document for a shipment.
type LabelKind string

// The kinds of documents.
const (
	LabelBarcode LabelKind = "barcode" // to stick onto the parcel
	LabelWaybill LabelKind = "waybill" // to accompany it
)

// Paper describes what to print and how.
type Paper struct {
	Kind   LabelKind `json:"kind"`
	Format string    `json:"format,omitempty"` // A4, A5 or A6; of barcodes only
}

// PaperFormats are the sizes of barcode labels.
var PaperFormats = []string{"A4", "A5", "A6"}

// Label is a document for one or more shipments, printed or being printed.
type Label struct {
	Key string // identifies the shipments and the document
	// Job is the carrier's id of the print job, requested at Since; PDF is its result.
	Job   string
	Since time.Time
	PDF   []byte
}

// PointQuery looks for offices and parcel lockers.
type PointQuery struct {
	City  string // its name, or the carrier's code of it
	Near  *Point // sorts by distance; also finds the city when that is absent
	Code  string // one office
	Kind  PointKind
	Limit int
	// COD selects points that accept payment; Fits those that accept a parcel of the given weight and measures.
	COD  bool
	Fits Package
}

// Takes reports whether a point matches the query.
func (q PointQuery) Takes(p DeliveryPoint) bool {
	if q.COD && !p.COD || q.Fits.WeightG > 0 && p.MaxWeightG > 0 && q.Fits.WeightG > p.MaxWeightG {
		return false
	}
	return len(p.Cells) == 0 || slices.ContainsFunc(p.Cells, q.Fits.goesInto)
}

// goesInto reports whether a package fits a cell in any orientation.
func (p Package) goesInto(c Cell) bool {
	box, cell := []int{p.LengthCm, p.WidthCm, p.HeightCm}, []int{c.LengthCm, c.WidthCm, c.HeightCm}
	slices.Sort(box)
	slices.Sort(cell)
	return box[0] <= cell[0] && box[1] <= cell[1] && box[2] <= cell[2]
}

// Cell is a place for one parcel in a parcel locker.
type Cell struct {
	LengthCm int `json:"length_cm"`
	WidthCm  int `json:"width_cm"`
	HeightCm int `json:"height_cm"`
}

// PointKind is the kind of a delivery point.
type PointKind string

// The kinds.
const (
	PointOffice PointKind = "office"
	PointLocker PointKind = "locker"
)
