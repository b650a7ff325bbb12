package carrier

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/order-tracking/order-tracking/internal/domain"
)

func TestTimesOfEveryKind(t *testing.T) {
	for in, want := range map[string]string{
		"2020-03-26T15:02:56+0700":      "2020-03-26T08:02:56Z",
		"2024-10-12T19:31:14+03:00":     "2024-10-12T16:31:14Z",
		"2025-12-10T20:08:53+00:00":     "2025-12-10T20:08:53Z",
		"2020-01-23T11:48:40Z":          "2020-01-23T11:48:40Z",
		"2024-12-06T11:32:31.608716Z":   "2024-12-06T11:32:31.608716Z",
		"2024-12-06T11:32:31.6087+0300": "2024-12-06T08:32:31.6087Z",
		"2024-12-06T11:32Z":             "2024-12-06T11:32:00Z",
		"0002-11-28T00:00:00Z":          "", "0002-11-28": "", "": "", "yesterday": "", "9999-01-01T00:00:00Z": "",
	} {
		got, ok := ParseTime(in)
		if want == "" {
			require.False(t, ok, in)
			continue
		}
		require.True(t, ok, in)
		require.Equal(t, want, got.Format(time.RFC3339Nano), in)
	}
}

func TestWindows(t *testing.T) {
	novosibirsk := Zone("Asia/Novosibirsk")
	w, ok := Window("2025-11-05T00:00:00", "18:00:00", "22:30", novosibirsk)
	require.True(t, ok)
	require.Equal(t, "2025-11-05T11:00:00Z 2025-11-05T15:30:00Z", w.From.Format(time.RFC3339)+" "+w.To.Format(time.RFC3339))
	w, _ = Window("2025-11-05", "", "x", Zone("no such zone"))
	require.Equal(t, "2025-11-05T06:00:00Z 2025-11-05T18:00:00Z", w.From.Format(time.RFC3339)+" "+w.To.Format(time.RFC3339))
	_, ok = Window("0002-11-28", "", "", Moscow)
	require.False(t, ok)
	friday := time.Date(2026, 3, 6, 22, 0, 0, 0, time.UTC) // already Saturday in Moscow
	require.Equal(t, 10, AfterDays(friday, 2, true, Moscow).From.Day())
	require.Equal(t, 9, AfterDays(friday, 2, false, Moscow).From.Day())
}

func TestMoney(t *testing.T) {
	for in, want := range map[string]int64{
		"61.07": 6107, "340": 34000, "340.0": 34000, "0": 0, "0.005": 1, "0.004": 0, "1315.999": 131600, "10000000000000": 1000000000000000,
		"-1": -1, "": -1, "x": -1, "1e9": -1, "1/2": -1, "0x10": -1, "99999999999999999999": -1, strings.Repeat("9", 40): -1, "NaN": -1, "Inf": -1,
	} {
		m := ParseMoney(in, "RUB")
		if want < 0 {
			require.Nil(t, m, in)
			continue
		}
		require.Equal(t, &domain.Money{Amount: want, Currency: "RUB"}, m, in)
	}
	require.Equal(t, int64(61), ParseMoney("61", "JPY").Amount)
	rapid.Check(t, func(t *rapid.T) {
		m := domain.Money{Amount: rapid.Int64Range(0, domain.MaxAmount).Draw(t, "amount"), Currency: rapid.SampledFrom([]string{"RUB", "JPY", "KWD"}).Draw(t, "currency")}
		if back := ParseMoney(string(FormatMoney(m)), m.Currency); back == nil || *back != m {
			t.Fatalf("%v became %v", m, back)
		}
	})
}

func TestNodesTakeWhatComes(t *testing.T) {
	n, err := Parse([]byte("\xef\xbb\xbf" + `{"s":" x ","n":12345678901234567890,"f":4000.9,"t":"true","b":true,"o":{"a":[{"k":1},null]},"z":null,"big":1e300,"i":"7"}`))
	require.NoError(t, err)
	require.Equal(t, "x", n.Text("s"))
	require.Equal(t, "12345678901234567890", n.Text("n"))
	require.Equal(t, 4000, n.Int("f"))
	require.Equal(t, 7, n.Int("i"))
	require.Zero(t, n.Int("big"))
	require.True(t, n.True("t") && n.True("b") && !n.True("s") && !n.True("none"))
	require.Equal(t, "", n.Text("o")+n.Text("z")+n.Text("s", "deeper")+n.Text("o", "a"))
	require.Len(t, n.At("o", "a").List(), 2)
	require.Equal(t, 1, n.At("o", "a").List()[0].Int("k"))
	require.Empty(t, n.At("s").List())
	for _, bad := range []string{"", "{", "{} x", "<html>"} {
		_, err := Parse([]byte(bad))
		require.Error(t, err, bad)
	}
	out, err := json.Marshal(Body{"a": "", "b": 0, "c": nil, "d": json.Number("0"), "e": false, "f": Body{"x": "", "y": 1}})
	require.NoError(t, err)
	require.JSONEq(t, `{"d":0,"e":false,"f":{"y":1}}`, string(out))
}

func TestCityNames(t *testing.T) {
	for in, want := range map[string][]string{
		"630007, Россия, г. Новосибирск, ул. Ленина, 1": {"Новосибирск"},
		"город Казань, Баумана 1":                       {"Казань"},
		"Main St 1": nil,
		"":          nil,
		"г Москва,Тверская,дом,ещё":                     {"Москва", "Тверская", "дом"},
		"Московская обл., г.  Королёв , ул. Ленина":     {"Королёв"},
		"Республика Татарстан, Казань, проспект Победы": {"Казань"},
	} {
		require.Equal(t, want, CityNames(in), in)
	}
}

func TestTimelinesKeepWhatStands(t *testing.T) {
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	ev := func(id, code string, minute int, retracted bool) domain.CarrierEvent {
		return domain.CarrierEvent{ID: id, Code: code, OccurredAt: at.Add(time.Duration(minute) * time.Minute), Retracted: retracted}
	}
	got := Timeline([]domain.CarrierEvent{
		ev("1", "A", 1, true), ev("2", "B", 1, false), ev("3", "?", 1, false), ev("1", "A", 1, false), ev("4", "B", 0, false), ev("1", "A", 1, true),
	}, Meanings{"A": {Rank: 8}, "B": {Rank: 1}}, 9)
	require.Equal(t, []domain.CarrierEvent{ev("4", "B", 0, false), ev("1", "A", 1, false), ev("2", "B", 1, false), ev("3", "?", 1, false)}, got,
		"those of one second stay as they are told")
	table := Meanings{"A": {Rank: 2}, "B": {Rank: 1}}
	require.Equal(t, "2", Timeline([]domain.CarrierEvent{ev("1", "A", 1, false), ev("2", "B", 1, false)}, table, 2)[0].ID, "an end comes last")
	told := []domain.CarrierEvent{ev("1", "A", 1, false), ev("2", "B", 1, false)}
	require.Equal(t, "2", OldestFirst(told, table)[0].ID, "of one second, but the other way round")
	require.Equal(t, "2", OldestFirst([]domain.CarrierEvent{ev("1", "B", 2, false), ev("3", "A", 1, false), ev("2", "B", 1, false)}, table)[0].ID)
}

func TestTables(t *testing.T) {
	files := fstest.MapFS{
		"m.txt": {Data: []byte("# remark\n3 | in_transit | - | x | A B | word | rest\n")},
		"w.txt": {Data: []byte("class | one two\nother | three\n")},
	}
	m := LoadMeanings(files, "m.txt")
	require.Equal(t, Meaning{"A", 3, domain.StatusInTransit, "", "x", "word"}, m["B"])
	require.Equal(t, []int{3, -1}, []int{m.Rank("B"), m.Rank("C")})
	require.Equal(t, map[string]string{"one": "class", "two": "class", "three": "other"}, LoadWords(files, "w.txt"))
	require.Panics(t, func() { Table(files, "none.txt") })
}

func TestGoodsAndBoxes(t *testing.T) {
	require.Equal(t, []domain.Package{{WeightG: usualWeightG, LengthCm: usualLengthCm, WidthCm: usualWidthCm, HeightCm: usualHeightCm}}, Boxes(nil))
	require.Equal(t, 700, Boxes([]domain.Package{{WeightG: 700}})[0].WeightG)
	rub := func(n int64) *domain.Money { return &domain.Money{Amount: n, Currency: "RUB"} }
	l := PackLimits{Rows: 3, Pieces: 10, SKU: 5, Currency: "RUB", Unnamed: "goods", Part: "%s (part %d)"}
	items := []domain.Item{{Name: "a", Quantity: 13, Price: rub(7)}, {Name: "b", SKU: "B", WeightG: 5}}
	got, err := Pack(nil, nil, l)
	require.NoError(t, err)
	row := func(it domain.Item) Row { return Row{Item: it} }
	require.Equal(t, [][]Row{{row(domain.Item{Name: "goods", SKU: "1", Quantity: 1, WeightG: 1000, Price: rub(0)})}}, got)
	got, err = Pack([]domain.Package{{WeightG: 1400}, {}}, items, l)
	require.NoError(t, err)
	require.Equal(t, [][]Row{{
		row(domain.Item{Name: "a", SKU: "1", Quantity: 10, WeightG: 100, Price: rub(7)}), row(domain.Item{Name: "a", SKU: "1", Quantity: 3, WeightG: 100, Price: rub(7)}),
		row(domain.Item{Name: "b", SKU: "B", Quantity: 1, WeightG: 5, Price: rub(0)}),
	}, {row(domain.Item{Name: "b (part 2)", SKU: "B", Quantity: 1, WeightG: 1000, Price: rub(0)})}}, got)
	got, err = Pack([]domain.Package{{Items: []domain.PackedItem{{Item: 0, Quantity: 2, Marks: []string{"x", "y"}}}}, {}}, items, l)
	require.NoError(t, err)
	require.Equal(t, []string{"x", "y"}, []string{got[0][0].Mark, got[0][1].Mark})
	require.Equal(t, 1, got[0][0].Quantity)
	got, err = Pack([]domain.Package{{Items: []domain.PackedItem{{Item: 0, Quantity: 12}}}, {}}, items, l)
	require.NoError(t, err)
	require.Equal(t, []int{10, 2, 1, 1}, []int{got[0][0].Quantity, got[0][1].Quantity, got[1][0].Quantity, got[1][1].Quantity})
	for want, in := range map[string]struct {
		packages []domain.Package
		items    []domain.Item
	}{
		"/packages/0":                  {nil, make([]domain.Item, 4)},
		"/items/0/sku":                 {nil, []domain.Item{{SKU: "123456"}}},
		"/items/0/price":               {nil, []domain.Item{{Price: &domain.Money{Currency: "EUR"}}}},
		"/packages/0/items/0/item":     {[]domain.Package{{Items: []domain.PackedItem{{Item: 2, Quantity: 1}}}, {}}, items},
		"/packages/0/items/0/quantity": {[]domain.Package{{Items: []domain.PackedItem{{Item: 0, Quantity: 14}}}, {}}, items},
		"/packages":                    {[]domain.Package{{Items: []domain.PackedItem{{Item: 0, Quantity: 1}}}}, items},
	} {
		_, err := Pack(in.packages, in.items, l)
		var e *domain.Error
		require.ErrorAs(t, err, &e, want)
		require.Equal(t, want, e.Faults[0].Pointer)
	}
}

// However an amount is spread, the shares add up to it, and pieces of one row cost the
// same.
func TestSharesMakeTheAmount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amount := rapid.Int64Range(0, domain.MaxAmount).Draw(t, "amount")
		packages := make([][]Row, rapid.IntRange(1, 3).Draw(t, "packages"))
		pieces := map[string]int{}
		for i := range packages {
			for j := range rapid.IntRange(1, 4).Draw(t, "rows") {
				r := Row{Item: domain.Item{
					Name: fmt.Sprint(i, j), Quantity: rapid.IntRange(1, 999).Draw(t, "pieces"),
					Price: &domain.Money{Amount: rapid.Int64Range(0, 1e9).Draw(t, "price")},
				}}
				packages[i], pieces[r.Name] = append(packages[i], r), r.Quantity
			}
		}
		sum := int64(0)
		for _, goods := range Share(packages, amount) {
			for _, r := range goods {
				require.GreaterOrEqual(t, r.Due, int64(0))
				require.Positive(t, r.Quantity)
				sum += r.Due * int64(r.Quantity)
				pieces[r.Name] -= r.Quantity
			}
		}
		require.Equal(t, amount, sum)
		for name, left := range pieces {
			require.Zero(t, left, name)
		}
	})
}

func TestTownsAreSureOrLeftToTheCompany(t *testing.T) {
	all := []City{
		{1, "Мирный", "Архангельская область", ""}, {2, "Мирный", "Республика Саха (Якутия)", ""}, {3, "Казань", "Республика Татарстан", ""},
		{4, "Королёв", "Московская область", ""},
	}
	asked := 0
	c := Cities{Ask: func(_ context.Context, q CityQuery) (out []City, err error) {
		asked++
		for _, one := range all {
			switch {
			case q.Name != "" && fold(one.Name) == fold(q.Name), q.Postcode == "164170" && one.Code == 1, q.At != nil && one.Code == 2, q.Office != "" && one.Code == 3:
				out = append(out, one)
			}
		}
		return out, nil
	}}
	for name, tc := range map[string]struct {
		stop domain.Stop
		code int
		asks string
	}{
		"its code":                     {domain.Stop{City: "270"}, 270, ""},
		"its office":                   {domain.Stop{Point: "KZN1", City: "Мирный"}, 3, ""},
		"a spelling":                   {domain.Stop{City: "г. Казань "}, 3, ""},
		"another letter":               {domain.Stop{City: "Королев"}, 4, ""},
		"one of two":                   {domain.Stop{City: "Мирный"}, 0, "2 Мирный, Республика Саха (Якутия)"},
		"by its region":                {domain.Stop{City: "Мирный", Region: "Архангельская обл."}, 1, ""},
		"by its postcode":              {domain.Stop{City: "Мирный", Postcode: "164170"}, 1, ""},
		"by its place":                 {domain.Stop{City: "Мирный", Place: domain.Place{Location: &domain.Point{Lat: 62, Lon: 113}}}, 2, ""},
		"an address, not sure":         {domain.Stop{Place: domain.Place{Address: "г. Мирный, ул. Ленина, 1"}}, 0, ""},
		"an address with a postcode":   {domain.Stop{Place: domain.Place{Address: "164170, Мирный, ул. Ленина, 1"}}, 1, ""},
		"an address with a region":     {domain.Stop{Place: domain.Place{Address: "Республика Саха (Якутия), Мирный, ул. Ленина, 1"}}, 2, ""},
		"an address of which nothing":  {domain.Stop{Place: domain.Place{Address: "Main St 1"}}, 0, ""},
		"a place only":                 {domain.Stop{Place: domain.Place{Location: &domain.Point{Lat: 62, Lon: 113}}}, 2, ""},
		"a postcode and a bad address": {domain.Stop{Place: domain.Place{Address: "164170 Main St"}}, 1, ""},
	} {
		code, err := c.Find(t.Context(), tc.stop)
		require.Equal(t, tc.code, code, name)
		if tc.asks == "" {
			require.NoError(t, err, name)
			continue
		}
		var e *domain.CarrierError
		require.ErrorAs(t, err, &e, name)
		require.Contains(t, e.Candidates, tc.asks)
	}
	before := asked
	_, _ = c.Find(t.Context(), domain.Stop{City: "Казань"})
	require.Equal(t, before, asked, "remembered")
	for range 2 {
		_, _ = c.Find(t.Context(), domain.Stop{City: "Китеж"})
	}
	require.Equal(t, before+2, asked, "what is not there is asked for again")
}

func FuzzScalars(f *testing.F) {
	f.Add("2020-03-26T15:02:56+0700")
	f.Add("61.07")
	f.Add("630007, Россия, г. Новосибирск")
	f.Fuzz(func(t *testing.T, s string) {
		if at, ok := ParseTime(s); ok && (at.Year() < 1999 || at.Year() > 2200 || at.Location() != time.UTC) {
			t.Fatalf("%q is %s", s, at)
		}
		if m := ParseMoney(s, "RUB"); m != nil && (m.Amount < 0 || m.Amount > domain.MaxAmount) {
			t.Fatalf("%q is %v", s, m)
		}
		if w, ok := Window(s, s, s, Moscow); ok && w.From.IsZero() {
			t.Fatalf("%q is %v", s, w)
		}
		if len(CityNames(s)) > 3 {
			t.Fatal("too many names")
		}
		if n, err := Parse([]byte(s)); err == nil && math.IsNaN(n.Float()) {
			t.Fatal("not a number")
		}
	})
}
