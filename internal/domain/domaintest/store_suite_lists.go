package domaintest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// pages reads a whole list page by page.
func (s storeSuite) pages(t *testing.T, f domain.OrderFilter, p domain.Page) []string {
	t.Helper()
	var ids []string
	for range 1000 {
		found, next, err := s.Orders(t.Context(), f, p)
		require.NoError(t, err)
		require.LessOrEqual(t, len(found), p.Size)
		for _, o := range found {
			ids = append(ids, o.ID)
		}
		if next == nil {
			return ids
		}
		require.Len(t, found, p.Size, "only the last page is short")
		p.After = *next
	}
	t.Fatal("the list does not end")
	return nil
}

// found reads a list in pages of two and of fifty, which must give the same result.
func (s storeSuite) found(t *testing.T, f domain.OrderFilter) []string {
	t.Helper()
	small, large := s.pages(t, f, domain.Page{Size: 2}), s.pages(t, f, domain.Page{Size: 50})
	require.Equal(t, large, small)
	return large
}

var listTests = map[string]func(*testing.T, storeSuite){
	"newest first, also where times are equal": func(t *testing.T, s storeSuite) {
		var orders []*domain.Order
		for i := range 11 {
			orders = append(orders, s.create(t, draft(), start.Add(time.Duration(i/3)*time.Second)))
		}
		slices.SortFunc(orders, func(a, b *domain.Order) int {
			if c := b.CreatedAt.Compare(a.CreatedAt); c != 0 {
				return c
			}
			return -compareText(a.ID, b.ID)
		})
		var want []string
		for _, o := range orders {
			want = append(want, o.ID)
		}
		require.Equal(t, want, s.found(t, domain.OrderFilter{}))
		found, next, err := s.Orders(t.Context(), domain.OrderFilter{}, domain.Page{Size: 11})
		require.NoError(t, err)
		require.Nil(t, next, "an exact fit is the last page")
		sameOrder(t, orders[0], found[0])
	},
	"pages while others insert": func(t *testing.T, s storeSuite) {
		var want []string
		for i := range 10 {
			want = append(want, s.create(t, draft(), start.Add(time.Duration(i)*time.Second)).ID)
		}
		slices.Reverse(want)
		var got []string
		p := domain.Page{Size: 3}
		for i := 0; ; i++ {
			found, next, err := s.Orders(t.Context(), domain.OrderFilter{}, p)
			require.NoError(t, err)
			for _, o := range found {
				got = append(got, o.ID)
			}
			if next == nil {
				break
			}
			p.After = *next
			s.create(t, draft(), start.Add(time.Hour+time.Duration(i)*time.Second))
		}
		require.Equal(t, want, got, "each of them once")
	},
	"filters": filters,
	"a courier's orders, active ones first": func(t *testing.T, s storeSuite) {
		c, other := s.courier(t, 100), s.courier(t, 100)
		var active, finished []string
		for i := range 9 {
			o := s.create(t, draft(), start.Add(time.Duration(i)*time.Second))
			_, err := s.assign(t.Context(), o.ID, c.ID)
			require.NoError(t, err)
			if i%3 == 1 {
				_, err = s.move(t.Context(), o.ID, domain.StatusCancelled)
				require.NoError(t, err)
				finished = append(finished, o.ID)
				continue
			}
			active = append(active, o.ID)
		}
		elsewhere := s.create(t, draft(), start)
		_, err := s.assign(t.Context(), elsewhere.ID, other.ID)
		require.NoError(t, err)
		slices.Reverse(active)
		slices.Reverse(finished)
		want := append(slices.Clone(active), finished...)
		for _, size := range []int{1, 2, 3, 6, 9, 50} {
			got := s.pages(t, domain.OrderFilter{CourierID: c.ID}, domain.Page{Size: size, ActiveFirst: true})
			require.Equal(t, want, got, "pages of %d", size)
		}
		yes, no := true, false
		require.Equal(t, active, s.found(t, domain.OrderFilter{CourierID: c.ID, Active: &yes}))
		require.Equal(t, finished, s.found(t, domain.OrderFilter{CourierID: c.ID, Active: &no}))
		byTime := s.found(t, domain.OrderFilter{CourierID: c.ID})
		require.Len(t, byTime, 9)
		require.Equal(t, active[0], byTime[0])
		require.Equal(t, finished[0], byTime[1])
	},
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func filters(t *testing.T, s storeSuite) {
	made := map[string]*domain.Order{}
	for i, name := range []string{"a", "b", "c", "d", "e"} {
		d := draft()
		d.ExternalID = "X-" + name
		d.Customer.Phone = fmt.Sprintf("+7916000000%d", i%2)
		if i > 2 {
			d.MerchantID = "shop"
		}
		made[name] = s.create(t, d, start.Add(time.Duration(i)*time.Hour))
	}
	d := draft()
	d.ExternalID, d.MerchantID = "X-a", "shop"
	made["f"] = s.create(t, d, start.Add(5*time.Hour))
	c := s.courier(t, 5)
	_, err := s.assign(t.Context(), made["b"].ID, c.ID)
	require.NoError(t, err)
	for _, name := range []string{"c", "d"} {
		_, err = s.move(t.Context(), made[name].ID, domain.StatusCancelled)
		require.NoError(t, err)
	}
	yes, no := true, false
	cancelled, created, assigned := domain.StatusCancelled, domain.StatusCreated, domain.StatusAssigned
	for name, test := range map[string]struct {
		filter domain.OrderFilter
		want   string
	}{
		"none":               {domain.OrderFilter{}, "fedcba"},
		"status":             {domain.OrderFilter{Statuses: []domain.Status{cancelled}}, "dc"},
		"statuses":           {domain.OrderFilter{Statuses: []domain.Status{assigned, cancelled}}, "dcb"},
		"status nobody has":  {domain.OrderFilter{Statuses: []domain.Status{domain.StatusFailed}}, ""},
		"active":             {domain.OrderFilter{Active: &yes}, "feba"},
		"finished":           {domain.OrderFilter{Active: &no}, "dc"},
		"active and status":  {domain.OrderFilter{Active: &yes, Statuses: []domain.Status{created, cancelled}}, "fea"},
		"contradiction":      {domain.OrderFilter{Active: &no, Statuses: []domain.Status{created}}, ""},
		"courier":            {domain.OrderFilter{CourierID: c.ID}, "b"},
		"unknown courier":    {domain.OrderFilter{CourierID: domain.NewID()}, ""},
		"courier, bad id":    {domain.OrderFilter{CourierID: "nobody"}, ""},
		"courier and status": {domain.OrderFilter{CourierID: c.ID, Statuses: []domain.Status{created}}, ""},
		"merchant":           {domain.OrderFilter{MerchantID: "shop"}, "fed"},
		"merchant, status":   {domain.OrderFilter{MerchantID: "shop", Statuses: []domain.Status{created}}, "fe"},
		"external id":        {domain.OrderFilter{ExternalID: "X-a"}, "fa"},
		"external, merchant": {domain.OrderFilter{ExternalID: "X-a", MerchantID: "shop"}, "f"},
		"phone":              {domain.OrderFilter{CustomerPhone: "+79160000001"}, "db"},
		"phone, status":      {domain.OrderFilter{CustomerPhone: "+79160000001", Statuses: []domain.Status{cancelled}}, "d"},
		"from":               {domain.OrderFilter{CreatedFrom: start.Add(3 * time.Hour)}, "fed"},
		"to, exclusive":      {domain.OrderFilter{CreatedTo: start.Add(2 * time.Hour)}, "ba"},
		"between, status": {domain.OrderFilter{
			CreatedFrom: start.Add(time.Hour), CreatedTo: start.Add(3 * time.Hour), Statuses: []domain.Status{cancelled},
		}, "c"},
	} {
		var want []string
		for _, letter := range test.want {
			want = append(want, made[string(letter)].ID)
		}
		require.Equal(t, want, s.found(t, test.filter), name)
	}
}
