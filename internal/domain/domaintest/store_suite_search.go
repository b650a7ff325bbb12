package domaintest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// index feeds the search index until there is nothing to do.
func (s storeSuite) index(t *testing.T) {
	t.Helper()
	for range 1000 {
		more, err := s.IndexSearch(t.Context())
		require.NoError(t, err)
		if !more {
			return
		}
	}
	t.Fatal("the index is never complete")
}

func (s storeSuite) rename(t *testing.T, id, name string) {
	t.Helper()
	_, err := s.UpdateOrder(t.Context(), id, func(ch *domain.Change) error {
		events, err := ch.Order.Edit(domain.Edit{Customer: &domain.Customer{Name: name}}, "RU", by(start))
		ch.Add(events...)
		return err
	})
	require.NoError(t, err)
}

var searchTests = map[string]func(*testing.T, storeSuite){
	"folding, before the order is indexed": func(t *testing.T, s storeSuite) { folding(t, s, false) },
	"folding, from the index":              func(t *testing.T, s storeSuite) { folding(t, s, true) },
	"a changed order is found by its new words only": func(t *testing.T, s storeSuite) {
		d := draft()
		d.Customer.Name = "Мария"
		o := s.create(t, d, start)
		for i := range 40 {
			s.create(t, draft(), start.Add(time.Duration(i+1)*time.Minute))
		}
		for _, indexed := range []bool{false, true} {
			if indexed {
				s.index(t)
			}
			require.Equal(t, []string{o.ID}, s.found(t, domain.OrderFilter{Search: "мария"}))
		}
		_, err := s.move(t.Context(), o.ID, domain.StatusConfirmed)
		require.NoError(t, err)
		require.Equal(t, []string{o.ID}, s.found(t, domain.OrderFilter{Search: "мария", Statuses: []domain.Status{domain.StatusConfirmed}}))
		s.rename(t, o.ID, "Renamed")
		for range 2 {
			require.Empty(t, s.found(t, domain.OrderFilter{Search: "мария"}))
			require.Equal(t, []string{o.ID}, s.found(t, domain.OrderFilter{Search: "RENAMED"}))
			s.index(t)
		}
	},
	"an order that comes late to a part that is indexed": func(t *testing.T, s storeSuite) {
		for i := range 40 {
			s.create(t, draft(), start.Add(time.Duration(i)*time.Minute))
		}
		s.index(t)
		d := draft()
		d.Customer.Name = "Late Guest"
		o := s.create(t, d, start.Add(90*time.Second))
		for range 2 {
			require.Equal(t, []string{o.ID}, s.found(t, domain.OrderFilter{Search: "guest"}))
			s.index(t)
		}
	},
	"pages of a search while others insert": func(t *testing.T, s storeSuite) {
		var want []string
		for i := range 60 {
			want = append(want, s.create(t, draft(), start.Add(time.Duration(i)*time.Second)).ID)
		}
		slices.Reverse(want)
		var got []string
		p := domain.Page{Size: 7}
		for i := 0; ; i++ {
			found, next, err := s.Orders(t.Context(), domain.OrderFilter{Search: "petr"}, p)
			require.NoError(t, err)
			for _, o := range found {
				got = append(got, o.ID)
			}
			if next == nil {
				break
			}
			p.After = *next
			for n := range 5 {
				s.create(t, draft(), start.Add(time.Hour+time.Duration(5*i+n)*time.Second))
			}
			s.index(t)
		}
		require.Equal(t, want, got, "each of them once")
	},
	"a feed that is stopped anywhere goes on": func(t *testing.T, s storeSuite) {
		made := map[string]bool{}
		for i := range 150 {
			made[s.create(t, draft(), start.Add(time.Duration(i)*time.Second)).ID] = true
			if i%10 != 9 {
				continue
			}
			// Cancelled at once, later and, mostly, not at all.
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*50*time.Microsecond)
			_, _ = s.IndexSearch(ctx)
			cancel()
			if i == 79 {
				s.Store = s.backend.Reopen(t, s.Store)
			}
			require.Len(t, s.found(t, domain.OrderFilter{Search: "petrova"}), len(made))
		}
		s.index(t)
		require.Len(t, s.found(t, domain.OrderFilter{Search: "petrova"}), len(made))
	},
	"the same as a naive search": naiveSearch,
}

func folding(t *testing.T, s storeSuite, indexed bool) {
	d := draft()
	d.Customer.Name, d.Customer.Phone, d.ExternalID, d.MerchantID = "Ёлкина-Цой Мария О’Нил", "+79161234567", "WEB_100%.abc7/22", "shop"
	d.Dropoff = &domain.Place{Address: "Невский\u00a0проспект,\n28; José García"}
	d.Pickup = &domain.Place{Address: `Depot C:\ North №5`}
	want := s.create(t, d, start)
	d = draft()
	d.Customer.Name, d.Customer.Phone, d.ExternalID = "John Smith", "+79031110022", "WEBX1000"
	d.Dropoff = &domain.Place{Address: "Проспект Мира"}
	other := s.create(t, d, start.Add(time.Second))
	if indexed {
		for i := range 40 {
			d := draft()
			d.Customer, d.Dropoff = domain.Customer{Name: "Zzz"}, &domain.Place{Address: "Zzz"}
			s.create(t, d, start.Add(time.Duration(i+2)*time.Second))
		}
		s.index(t)
	}
	number := want.Number
	for _, q := range []string{
		"ёлкина", "ЁЛКИНА", "елкина", "Е\u0308лкина", "ЕЛКИНА", "лкина", "мар", "мария ёлкина", "Елкина-цой", "елкинацой", "цой", "ц", "ма",
		"о'нил", "О’НИЛ", "онил", "нил", "web_100%", "EB_100", "web100", "web-100", "100.abc7", "abc7/22", "web100abc722", "eb100ABC72",
		"невский", "НЕВСКИИ\u0306 ПРОСПЕКТ, 28", "невский   проспект", "невский 28", "jose", "Garcia", "JOSE\u0301", `c:\ nort`, "no5 depot",
		"+7 916 123-45-67", "8 (916) 123-45-67", "89161234567", "9161234567", "123-45", "1234567", "16123", "79161",
		number, strings.ToLower(number), strings.ReplaceAll(number, "-", ""), strings.ReplaceAll(number, "-", " "), number[2:], strings.ReplaceAll(number[2:9], "-", ""),
	} {
		require.Equal(t, []string{want.ID}, s.pages(t, domain.OrderFilter{Search: q}, domain.Page{Size: 2}), "%q", q)
	}
	for _, f := range []domain.OrderFilter{
		{MerchantID: "shop"}, {CustomerPhone: want.Customer.Phone}, {ExternalID: want.ExternalID}, {Statuses: []domain.Status{domain.StatusCreated}},
		{CreatedFrom: start, CreatedTo: start.Add(time.Second)}, {Active: new(true)}, {MerchantID: "shop", Active: new(true)},
	} {
		f.Search = "мария"
		require.Equal(t, []string{want.ID}, s.found(t, f), "%+v", f)
	}
	for _, f := range []domain.OrderFilter{
		{MerchantID: "another"}, {CustomerPhone: other.Customer.Phone}, {ExternalID: other.ExternalID}, {Statuses: []domain.Status{domain.StatusConfirmed}},
		{CreatedFrom: start.Add(time.Second)}, {CreatedTo: start}, {Active: new(false)}, {CourierID: domain.NewID()},
	} {
		f.Search = "мария"
		require.Empty(t, s.found(t, f), "%+v", f)
	}
	for _, q := range []string{"_", "%%", "-- ' %", "елкино", "марияелкина", "ло", "кв", "web_100 smith", "й", "' OR 1=1 --", "79161234568", "невскии", "лки на цe"} {
		require.Empty(t, s.pages(t, domain.OrderFilter{Search: q}, domain.Page{Size: 2}), "%q", q)
	}
	require.Equal(t, []string{other.ID, want.ID}, s.found(t, domain.OrderFilter{Search: "проспе"}))
	require.Equal(t, []string{other.ID}, s.found(t, domain.OrderFilter{Search: "WEB X1000 smi"}), "several words")
}

// made is an order of naiveSearch: its text in folded words, and those without separators.
type made struct {
	order *domain.Order
	words []string
	codes []string
}

// has is what a search means, in the simplest words.
func (m made) has(terms []string) bool {
	for _, term := range terms {
		if !slices.ContainsFunc(slices.Concat(m.words, m.codes), func(w string) bool {
			return utf8.RuneCountInString(term) > 2 && strings.Contains(w, term) || strings.HasPrefix(w, term)
		}) {
			return len(terms) > 1 && m.has([]string{strings.Join(terms, "")}) && utf8.RuneCountInString(strings.Join(terms, "")) > 2
		}
	}
	return true
}

var syllables = []string{"ма", "ри", "ел", "ки", "но", "ва", "й", "ан", "12", "7k", "xo"}

// spelled is one of the ways to write folded text.
func spelled(r *rand.Rand, s string) string {
	ways := [][2]string{{"е", "ё"}, {"е", "Е\u0308"}, {"й", "и\u0306"}, {"а", "А"}, {"о", "О"}, {"x", "X"}, {"е", "Ё"}}
	for range r.IntN(3) {
		w := ways[r.IntN(len(ways))]
		s = strings.ReplaceAll(s, w[0], w[1])
	}
	return s
}

func word(r *rand.Rand) string {
	var b strings.Builder
	for range 1 + r.IntN(3) {
		b.WriteString(syllables[r.IntN(len(syllables))])
	}
	return b.String()
}

// naiveSearch makes, changes and indexes orders at random, and compares every search with
// one over all orders in memory.
func naiveSearch(t *testing.T, s storeSuite) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	var all []*made
	couriers := []string{s.courier(t, 1000).ID, s.courier(t, 1000).ID}
	name := func(m *made) string {
		m.words = []string{word(r), word(r)}
		return spelled(r, strings.Join(m.words, []string{" ", ", ", " \n"}[r.IntN(3)]))
	}
	for step := range 300 {
		switch {
		case step < 20 || r.IntN(3) > 0:
			m := &made{}
			d := draft()
			d.Customer = domain.Customer{Name: name(m), Phone: fmt.Sprintf("+7916%07d", r.IntN(10_000_000))}
			d.Dropoff = &domain.Place{Location: &domain.Point{}}
			d.MerchantID = []string{"", "shop"}[r.IntN(2)]
			// Mostly the newest, sometimes one with an older time.
			m.order = s.create(t, d, start.Add(time.Duration(step-r.IntN(2)*r.IntN(40))*time.Second))
			m.codes = append(strings.Split(strings.ToLower(m.order.Number), "-"), strings.ToLower(strings.ReplaceAll(m.order.Number, "-", "")), d.Customer.Phone[1:])
			all = append(all, m)
		case r.IntN(3) > 0:
			m := all[r.IntN(len(all))]
			if m.order.Active() && r.IntN(3) == 0 {
				s.rename(t, m.order.ID, name(m))
				m.codes = m.codes[:4] // the phone went with the customer
			}
			s.step(t, r, m.order.ID, couriers)
			o, err := s.Order(t.Context(), m.order.ID)
			require.NoError(t, err)
			if m.order = o; o.Erased() {
				m.words, m.codes = nil, m.codes[:4]
			}
		default:
			_, err := s.IndexSearch(t.Context())
			require.NoError(t, err)
		}
		if step%3 > 0 {
			continue
		}
		f, terms := randomSearch(r, all, couriers)
		var want []string
		slices.SortFunc(all, func(a, b *made) int {
			if c := b.order.CreatedAt.Compare(a.order.CreatedAt); c != 0 {
				return c
			}
			return -compareText(a.order.ID, b.order.ID)
		})
		for _, m := range all {
			if fits(m.order, f) && m.has(terms) {
				want = append(want, m.order.ID)
			}
		}
		require.Equal(t, want, s.pages(t, f, domain.Page{Size: 1 + r.IntN(20)}), "seed %d step %d: %+v", seed, step, f)
	}
}

// randomSearch is a search, mostly of something that there is.
func randomSearch(r *rand.Rand, all []*made, couriers []string) (f domain.OrderFilter, terms []string) {
	for range 1 + r.IntN(2) {
		m := all[r.IntN(len(all))]
		from := slices.Concat(m.words, m.codes)
		w := []rune(from[r.IntN(len(from))])
		at := r.IntN(len(w))
		w = w[at : at+1+r.IntN(len(w)-at)]
		terms = append(terms, string(w))
	}
	f.Search = spelled(r, strings.Join(terms, " "))
	if r.IntN(3) == 0 {
		f.MerchantID = "shop"
	}
	if r.IntN(3) == 0 {
		f.CreatedFrom = start.Add(time.Duration(r.IntN(200)) * time.Second)
	}
	if r.IntN(3) == 0 {
		f.CourierID = couriers[r.IntN(len(couriers))]
	}
	switch r.IntN(4) {
	case 0:
		f.Active = new(r.IntN(2) == 0)
	case 1:
		f.Statuses = []domain.Status{domain.Statuses()[r.IntN(len(domain.Statuses()))], domain.StatusDelivered}
	}
	return f, terms
}
