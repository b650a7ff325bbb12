package database

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/order-tracking/order-tracking/internal/domain"
)

func searched(t *testing.T, s *Store, q string) (ids []string) {
	t.Helper()
	found, _, err := s.Orders(t.Context(), domain.OrderFilter{Search: q}, domain.Page{Size: 500})
	require.NoError(t, err)
	for _, o := range found {
		ids = append(ids, o.ID)
	}
	return ids
}

func indexAll(t *testing.T, s *Store) {
	t.Helper()
	for {
		more, err := s.IndexSearch(t.Context())
		require.NoError(t, err)
		if !more {
			return
		}
	}
}

// onBothIndexed runs a test on stores with 100 orders, of which most are in the index.
func onBothIndexed(t *testing.T, test func(t *testing.T, s *Store, orders []*domain.Order)) {
	fill := func(t *testing.T, s *Store) {
		var orders []*domain.Order
		for i := range 100 {
			o, err := s.CreateOrder(t.Context(), newChange(i))
			require.NoError(t, err)
			orders = append(orders, o)
		}
		indexAll(t, s)
		test(t, s, orders)
	}
	o := Options{Segment: 32, SearchQueue: 1}
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		fill(t, openSQLite(t, filepath.Join(t.TempDir(), "test.db"), o))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		fill(t, openPostgres(t, freshPostgres(t), o))
	})
}

func countOf(t *testing.T, s *Store, text string, args ...any) (n int) {
	t.Helper()
	require.NoError(t, s.read.QueryRowContext(t.Context(), text, args...).Scan(&n))
	return n
}

// A person who is made anonymous leaves the index itself too, and what is left of segments
// that were replaced or never finished is deleted.
func TestSearchIndexForgets(t *testing.T) {
	t.Parallel()
	onBothIndexed(t, func(t *testing.T, s *Store, orders []*domain.Order) {
		const parts = `SELECT count(*) FROM search_parts WHERE part = $1`
		gone := gramsOf(searchTerms{"кржи"})
		holding := func() (n int) { // segments with the gram, of which small ones have it packed
			rows, err := list(t.Context(), s, scanOne[[]byte], `SELECT data FROM search_parts WHERE part = $1`, packedPart(gone[0]))
			require.NoError(t, err)
			for _, data := range rows {
				found := map[[2]int64][]byte{}
				unpack(1, data, found)
				if found[[2]int64{1, gone[0]}] != nil {
					n++
				}
			}
			return n + countOf(t, s, parts, gone[0])
		}
		rename := func(name string) {
			_, err := s.UpdateOrder(t.Context(), orders[3].ID, func(ch *domain.Change) error {
				by := domain.By{Actor: domain.Actor{Kind: domain.RoleAdmin}, Source: domain.SourceAPI, Now: ch.Order.UpdatedAt}
				events, err := ch.Order.Edit(domain.Edit{Customer: &domain.Customer{Name: name}}, "RU", by)
				ch.Add(events...)
				return err
			})
			require.NoError(t, err)
		}
		rename("Кржижановская")
		indexAll(t, s)
		require.Equal(t, []string{orders[3].ID}, searched(t, s, "кржи"))
		require.Equal(t, 1, holding())
		rename("—")
		require.Empty(t, searched(t, s, "кржи"))
		_, err := s.change(t.Context(), `INSERT INTO search_segments (live, docs, from_at, from_id, to_at, to_id)
			SELECT FALSE, docs, from_at, from_id, to_at, to_id FROM search_segments WHERE live`) // as a killed process leaves them
		require.NoError(t, err)
		_, err = s.change(t.Context(), `INSERT INTO search_parts (segment, part, data) SELECT id, 7, $1 FROM search_segments WHERE NOT live`, []byte{0})
		require.NoError(t, err)
		indexAll(t, s)
		require.Zero(t, holding())
		require.Zero(t, countOf(t, s, parts, 7))
		require.Zero(t, countOf(t, s, `SELECT count(*) FROM search_segments WHERE NOT live`))
		require.Zero(t, countOf(t, s, `SELECT count(*) FROM search_queue WHERE created_at <= (SELECT sealed_at FROM search_state)`))
		require.Len(t, searched(t, s, "иринапетрова"), 0)
		require.Len(t, searched(t, s, "ирина"), 99)
	})
}

// Orders that were deleted from the database are not found, and disturb nothing.
func TestSearchWithoutDeletedOrders(t *testing.T) {
	t.Parallel()
	onBothIndexed(t, func(t *testing.T, s *Store, orders []*domain.Order) {
		for _, o := range orders[:40] {
			_, err := s.change(t.Context(), `DELETE FROM orders WHERE id = $1`, o.ID)
			require.NoError(t, err)
		}
		require.Len(t, searched(t, s, "ирина"), 60)
		_, err := s.change(t.Context(), `INSERT INTO search_queue (order_id, created_at, queued_at) VALUES ($1, $2, 0)`, orders[0].ID, micros(orders[0].CreatedAt))
		require.NoError(t, err)
		indexAll(t, s)
		require.Len(t, searched(t, s, "ирина"), 60)
	})
}

// Orders stored by a version that folded nothing but case are found like others.
func TestSearchOfOldRows(t *testing.T) {
	t.Parallel()
	onBothIndexed(t, func(t *testing.T, s *Store, orders []*domain.Order) {
		for _, text := range []string{
			`UPDATE orders SET search = 'w0000000' WHERE TRUE`, `DELETE FROM search_parts`, `DELETE FROM search_segments`,
			`UPDATE search_state SET sealed_at = -9223372036854775808`,
		} {
			_, err := s.change(t.Context(), text)
			require.NoError(t, err)
		}
		phone := "8 916 123-45-67"
		require.Len(t, searched(t, s, phone), 100, "scanned")
		_, err := s.UpdateOrder(t.Context(), orders[5].ID, editNotes("a change of anything but the text"))
		require.NoError(t, err)
		require.Zero(t, countOf(t, s, `SELECT count(*) FROM search_queue`), "its words are the same")
		indexAll(t, s)
		require.Len(t, searched(t, s, phone), 100, "indexed")
		require.Positive(t, countOf(t, s, `SELECT count(*) FROM search_segments`))
		require.Empty(t, searched(t, s, "w0000000x"))
	})
}

// While too many orders are not indexed, a search that would have to read them all says so.
func TestSearchBeforeTheIndexIsComplete(t *testing.T) {
	t.Parallel()
	s := openSQLite(t, filepath.Join(t.TempDir(), "test.db"), Options{})
	o, err := s.CreateOrder(t.Context(), newChange(1))
	require.NoError(t, err)
	_, err = s.change(t.Context(), fmt.Sprintf(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i <= %d)
		INSERT INTO orders (id, created_at, status, finished, version, merchant_id, ledger, search, data)
		SELECT printf('01a00000-0000-7000-8000-%%012d', i), created_at + i, status, finished, version, merchant_id, ledger, ' another', data
		FROM n, orders WHERE orders.id = $1`, maxScan), o.ID)
	require.NoError(t, err)
	_, _, err = s.Orders(t.Context(), domain.OrderFilter{Search: "ирина"}, domain.Page{Size: 1})
	require.Equal(t, domain.CodeUnavailable, domain.CodeOf(err))
	found, _, err := s.Orders(t.Context(), domain.OrderFilter{Search: "ирина", CreatedTo: o.CreatedAt.Add(1000)}, domain.Page{Size: 1})
	require.NoError(t, err)
	require.Len(t, found, 1, "few orders are that old")
	indexAll(t, s)
	require.Equal(t, []string{o.ID}, searched(t, s, "ирина"))
}

// Of the replicas one feeds the index.
func TestOneReplicaFeedsTheIndex(t *testing.T) {
	t.Parallel()
	url := freshPostgres(t)
	a, b := openPostgres(t, url, Options{Segment: 16}), openPostgres(t, url, Options{Segment: 16})
	for i := range 20 {
		_, err := a.CreateOrder(t.Context(), newChange(i))
		require.NoError(t, err)
	}
	release, err := a.d.leadFeed(t.Context())
	require.NoError(t, err)
	require.NotNil(t, release)
	more, err := b.IndexSearch(t.Context())
	require.NoError(t, err)
	require.False(t, more)
	require.Zero(t, countOf(t, b, `SELECT count(*) FROM search_segments`))
	release()
	more, err = b.IndexSearch(t.Context())
	require.NoError(t, err)
	require.True(t, more)
	require.Positive(t, countOf(t, a, `SELECT count(*) FROM search_segments WHERE live`))
}

// Sets of orders are stored as lists or bitmaps, whichever is smaller, and read back.
func TestPostings(t *testing.T) {
	t.Parallel()
	for _, every := range []int{1, 2, 7, 8, 9, 100} {
		b := newSegmentBuilder()
		for i := range 1000 {
			text := " x"
			if i%every == 0 {
				text = " йод йод"
			}
			b.add(doc{at: int64(i)}, text, "", domain.StatusCreated, "")
		}
		parts, small := map[int64][]byte{}, map[[2]int64][]byte{}
		require.NoError(t, b.parts(false, func(part int64, data []byte) error { parts[part] = data; return nil }))
		require.NoError(t, b.parts(true, func(part int64, data []byte) error {
			if part < 0 {
				require.Equal(t, parts[part], data)
				return nil
			}
			for n := range data { // cut off anywhere, as only damage does
				unpack(0, data[:n], map[[2]int64][]byte{})
			}
			unpack(1, data, small)
			return nil
		}))
		for key, data := range small {
			require.Equal(t, parts[key[1]], data)
			require.Equal(t, int64(gramsPacked), packedPart(key[1])>>(2*runeBits))
		}
		require.Len(t, small, len(b.lists))
		set := postings(parts[gramsOf(searchTerms{"йод"})[0]], 1000)
		for from, i := len(set)-1, (999/every)*every; i >= -every; i -= every {
			require.Equal(t, max(i, -1), set.last(&from), "every %d", every)
			if i < 0 {
				break
			}
			d, ok := docAt(parts[docPage(i)], i)
			require.True(t, ok)
			require.Equal(t, int64(i), d.at)
		}
		require.LessOrEqual(t, len(parts[gramsOf(searchTerms{"йод"})[0]]), 126)
	}
}

// A segment is built again once many of its orders are likely to have ended, and at once if it does not know how they did; until
// then searches look at all of those.
func TestSegmentsLearnHowOrdersEnded(t *testing.T) {
	t.Parallel()
	onBothIndexed(t, func(t *testing.T, s *Store, orders []*domain.Order) {
		for _, o := range orders[:50] {
			_, err := s.UpdateOrder(t.Context(), o.ID, func(ch *domain.Change) error {
				events, err := ch.Order.Move(domain.StatusCancelled, nil, domain.By{Actor: domain.Actor{Kind: domain.RoleAdmin}, Source: domain.SourceAPI, Now: ch.Order.UpdatedAt})
				ch.Add(events...)
				return err
			})
			require.NoError(t, err)
		}
		const open = `SELECT coalesce(sum(coalesce(open, 1000)), 0) FROM search_segments WHERE live`
		cancelled := func() int {
			found, _, err := s.Orders(t.Context(), domain.OrderFilter{Search: "ирина", Statuses: []domain.Status{domain.StatusCancelled}}, domain.Page{Size: 500})
			require.NoError(t, err)
			return len(found)
		}
		before := countOf(t, s, open)
		require.GreaterOrEqual(t, before, 64)
		require.Equal(t, 50, cancelled())
		_, err := s.change(t.Context(), `UPDATE search_segments SET open = NULL`) // as an older version left it
		require.NoError(t, err)
		require.Equal(t, 50, cancelled())
		indexAll(t, s)
		require.Equal(t, before-50, countOf(t, s, open))
		require.Equal(t, 50, cancelled())
	})
	ago := func(hours int) int64 { return micros(time.Now().Add(-time.Duration(hours) * time.Hour)) }
	for _, c := range []struct {
		open, to, built int
		want            bool
	}{{32, 0, 0, false}, {32, 13, 13, true}, {2, 13, 13, false}, {32, 25, 13, true}, {32, 25, 12, false}, {32, 13, 0, false}} {
		g := segment{docs: 32, open: &c.open, to: doc{at: ago(c.to)}, built: ago(c.built)}
		require.Equal(t, c.want, g.outlived(), "%+v", c)
	}
}

// The whole query as one word is tried only where its words don't find what that finds.
func TestSearchAsOneWord(t *testing.T) {
	for q, want := range map[string][]searchTerms{
		"Иванов Пётр Липовая": {{"иванов", "петр", "липовая"}},
		"V9C-78D-QC5":         {{"v9c78dqc5"}},
		"V9C 78D QC5":         {{"v9c", "78d", "qc5"}},
		"V9C-78D-Q":           {{"v9c78dq"}},
		"V9C 78D Q":           {{"v9c", "78d", "q"}, {"v9c78dq"}},
		"8 (916) 123-45-67":   {{"8", "916", "1234567"}, {"9161234567"}},
		"8916 123 4567":       {{"8916", "123", "4567"}, {"9161234567"}},
		"ул":                  {{"ул"}},
		"-":                   nil,
	} {
		require.Equal(t, want, parseSearch(q), q)
	}
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.StringMatching(`[а-яa-z0-9]{1,4}`), 1, 4).Draw(t, "words")
		begin := rapid.StringMatching(`[а-я0-9]{0,2}`).Draw(t, "begin")
		o := &domain.Order{Customer: domain.Customer{Name: "x " + begin + strings.Join(parts, "") + " y"}}
		if !matches(orderSearch(o), parseSearch(strings.Join(parts, " "))) && long(strings.Join(parts, "")) {
			t.Fatalf("%q does not find %q", parts, o.Customer.Name)
		}
	})
}
