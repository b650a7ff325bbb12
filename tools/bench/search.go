//go:build unix

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/order-tracking/order-tracking/tools/proc"
)

// question is a kind of list that is measured.
type question struct {
	name string
	// ask makes the query's parameters; o is an order, chosen at random.
	ask func(o madeOrder, g *rand.Rand) url.Values
	// limit of the 99th percentile; searches have the larger one.
	limit time.Duration
	times int
}

const (
	searchLimit = 60 * time.Millisecond
	listLimit   = 20 * time.Millisecond
)

// letters are n letters somewhere in the first word of a text that is long enough.
func letters(g *rand.Rand, text string, n int) string {
	word := []rune(strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' })[0])
	if len(word) <= n {
		return string(word)
	}
	at := g.IntN(len(word) - n)
	return string(word[at : at+n])
}

func street(o madeOrder) string { return strings.Fields(o.address)[1] }

func q(format string, args ...any) url.Values { return url.Values{"q": {fmt.Sprintf(format, args...)}} }

func with(v url.Values, pairs ...string) url.Values {
	for i := 0; i < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v
}

var questions = []question{
	{"a rare word", func(madeOrder, *rand.Rand) url.Values { return q("КРЖИЖАНОВСКАЯ") }, searchLimit, 100},
	{"a word that nearly all have", func(madeOrder, *rand.Rand) url.Values { return q("москва") }, searchLimit, 100},
	{"a surname", func(o madeOrder, _ *rand.Rand) url.Values { return q("%s", strings.Fields(o.name)[0]) }, searchLimit, 300},
	{"5 letters of a surname", func(o madeOrder, g *rand.Rand) url.Values { return q("%s", letters(g, o.name, 5)) }, searchLimit, 300},
	{"3 letters of a street", func(o madeOrder, g *rand.Rand) url.Values { return q("%s", letters(g, street(o), 3)) }, searchLimit, 300},
	{"street, house and flat", func(o madeOrder, _ *rand.Rand) url.Values {
		_, address, _ := strings.Cut(o.address, ", ")
		return q("%s", address)
	}, searchLimit, 300},
	{"name and street", func(o madeOrder, _ *rand.Rand) url.Values { return q("%s %s", o.name, street(o)) }, searchLimit, 300},
	{"a phone", func(o madeOrder, _ *rand.Rand) url.Values {
		return q("8 (%s) %s-%s", o.phone[2:5], o.phone[5:8], o.phone[8:])
	}, searchLimit, 300},
	{"7 digits of a phone", func(o madeOrder, _ *rand.Rand) url.Values { return q("%s", o.phone[5:]) }, searchLimit, 300},
	{"4 digits of a phone", func(o madeOrder, _ *rand.Rand) url.Values { return q("%s", o.phone[8:]) }, searchLimit, 300},
	{"a number", func(o madeOrder, _ *rand.Rand) url.Values { return q("%s", o.number) }, searchLimit, 300},
	{"5 characters of a number", func(o madeOrder, _ *rand.Rand) url.Values { return q("%s", strings.ReplaceAll(o.number, "-", "")[2:7]) }, searchLimit, 300},
	{"an external id", func(o madeOrder, _ *rand.Rand) url.Values { return q("%s", o.external) }, searchLimit, 300},
	{"5 digits of an external id", func(o madeOrder, _ *rand.Rand) url.Values { return q("%s", o.external[7:]) }, searchLimit, 300},
	{"1 letter", func(o madeOrder, g *rand.Rand) url.Values { return q("%s", string([]rune(o.name)[:1])) }, searchLimit, 100},
	{"2 letters", func(o madeOrder, g *rand.Rand) url.Values { return q("%s", string([]rune(o.name)[:2])) }, searchLimit, 300},
	{"a miss", func(_ madeOrder, g *rand.Rand) url.Values { return q("щъыь%d", g.IntN(1000)) }, searchLimit, 100},
	{"a miss of frequent parts", func(madeOrder, *rand.Rand) url.Values { return q("никановоровская") }, searchLimit, 100},
	{"a frequent word of a small merchant", func(o madeOrder, _ *rand.Rand) url.Values { return with(q("улица"), "merchant_id", "shop-2999") }, searchLimit, 100},
	{"a surname of a merchant", func(o madeOrder, _ *rand.Rand) url.Values {
		return with(q("%s", strings.Fields(o.name)[0]), "merchant_id", o.merchant)
	}, searchLimit, 300},
	{"a frequent word, failed", func(madeOrder, *rand.Rand) url.Values { return with(q("москва"), "status", "failed") }, searchLimit, 100},
	{"a surname, cancelled", func(o madeOrder, _ *rand.Rand) url.Values {
		return with(q("%s", strings.Fields(o.name)[0]), "status", "cancelled")
	}, searchLimit, 300},
	{"a surname, active", func(o madeOrder, _ *rand.Rand) url.Values {
		return with(q("%s", strings.Fields(o.name)[0]), "active", "true")
	}, searchLimit, 300},
	{"a surname of a courier", func(o madeOrder, _ *rand.Rand) url.Values {
		if o.courier == "" {
			o.courier = uuid.NewString()
		}
		return with(q("%s", strings.Fields(o.name)[0]), "courier_id", o.courier)
	}, searchLimit, 100},
	{"a surname in a month", func(o madeOrder, _ *rand.Rand) url.Values {
		return with(q("%s", strings.Fields(o.name)[0]), "created_from", o.timeTxt, "created_to", o.at.Add(30*24*time.Hour).UTC().Format(time.RFC3339))
	}, searchLimit, 300},

	{"list: newest", func(madeOrder, *rand.Rand) url.Values { return url.Values{} }, listLimit, 100},
	{"list: merchant", func(o madeOrder, _ *rand.Rand) url.Values { return with(url.Values{}, "merchant_id", o.merchant) }, listLimit, 300},
	{"list: merchant and status", func(o madeOrder, _ *rand.Rand) url.Values {
		return with(url.Values{}, "merchant_id", o.merchant, "status", "cancelled", "status", "failed")
	}, listLimit, 300},
	{"list: phone", func(o madeOrder, _ *rand.Rand) url.Values { return with(url.Values{}, "customer_phone", o.phone) }, listLimit, 300},
	{"list: external id", func(o madeOrder, _ *rand.Rand) url.Values { return with(url.Values{}, "external_id", o.external) }, listLimit, 300},
	{"list: courier", func(o madeOrder, _ *rand.Rand) url.Values {
		if o.courier == "" {
			o.courier = uuid.NewString()
		}
		return with(url.Values{}, "courier_id", o.courier)
	}, listLimit, 300},
	{"list: status", func(o madeOrder, _ *rand.Rand) url.Values { return with(url.Values{}, "status", o.status) }, listLimit, 300},
	{"list: finished, in a month", func(o madeOrder, _ *rand.Rand) url.Values {
		return with(url.Values{}, "active", "false", "created_from", o.timeTxt, "created_to", o.at.Add(30*24*time.Hour).UTC().Format(time.RFC3339))
	}, listLimit, 300},
	{"list: from a time", func(o madeOrder, _ *rand.Rand) url.Values { return with(url.Values{}, "created_to", o.timeTxt) }, listLimit, 300},
}

// bigSearch is from how many orders on the limits are meant.
const bigSearch = 1_000_000

// benchSearch fills a database of each engine with made orders, lets the product index them, and measures
// searches and lists. With fewer orders it compares what they find with a scan instead.
func benchSearch(ctx context.Context, b *bench) error {
	made := rows{n: b.orders, until: time.Now().UTC().Truncate(time.Second)}
	for _, engine := range strings.Split(b.engines, ",") {
		if err := b.searchOn(ctx, engine, made); err != nil {
			return fmt.Errorf("%s: %w", engine, err)
		}
	}
	return nil
}

// searchServer is a server whose database has the rows.
func (b *bench) searchServer(ctx context.Context, engine string, made rows) (s *proc.Server, drop func() error, err error) {
	drop = func() error { return nil }
	var load func() error
	switch engine {
	case "sqlite":
		if s, err = b.server(ctx, engine); err != nil {
			return nil, drop, err
		}
		load = func() error { return made.loadSQLite(ctx, filepath.Join(s.Dir, "orders.db")) }
		drop = func() error { return os.RemoveAll(s.Dir) }
	case "postgres":
		if given := os.Getenv("TEST_DATABASE_URL"); given != "" {
			b.services.env = map[string]string{"TEST_DATABASE_URL": given}
		} else if err := b.services.up(ctx); err != nil {
			return nil, drop, err
		}
		schema, err := b.services.schema(ctx, "bench_search")
		if err != nil {
			return nil, drop, err
		}
		db, err := b.services.in(schema)
		if err != nil {
			return nil, drop, err
		}
		drop = func() error {
			_, err := db.ExecContext(context.WithoutCancel(ctx), "DROP SCHEMA "+schema+" CASCADE")
			return errors.Join(err, db.Close())
		}
		if s, err = b.server(ctx, engine, "DATABASE_URL="+b.services.env["TEST_DATABASE_URL"]+"&search_path="+schema); err != nil {
			return nil, drop, err
		}
		load = func() error { return made.loadPostgres(ctx, db) }
	default:
		return nil, drop, fmt.Errorf("there is no engine %q", engine)
	}
	if err = s.Stop(); err == nil {
		err = load()
	}
	return s, drop, err
}

func (b *bench) searchOn(ctx context.Context, engine string, made rows) (err error) {
	begun := time.Now()
	s, drop, err := b.searchServer(ctx, engine, made)
	defer func() { err = errors.Join(err, drop()) }()
	if err != nil {
		return err
	}
	fmt.Printf("%s: %d orders written in %.0f s\n", engine, made.n, time.Since(begun).Seconds())
	begun = time.Now()
	if _, err := s.Start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	// Until the index is complete, the answer to this is that it is being built.
	for {
		_, err := ask(ctx, s.HTTP, q("щъыь"))
		if err == nil {
			break
		}
		if !strings.Contains(err.Error(), "the search index is being built") {
			return err
		}
		pause(ctx, 200*time.Millisecond)
	}
	fmt.Printf("%s: indexed in %.0f s\n", engine, time.Since(begun).Seconds())
	if made.n < bigSearch {
		return compareSearches(ctx, s.HTTP, made)
	}
	if err := measureSearches(ctx, s, engine, made); err != nil {
		return err
	}
	return b.measureFreshness(ctx, s.HTTP, engine)
}

// ask returns the ids of the first page.
func ask(ctx context.Context, addr string, v url.Values) ([]string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/orders?"+v.Encode(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, errors.Join(err, fmt.Errorf("%s: %s: %s", v.Encode(), resp.Status, body))
	}
	var list struct{ Orders []struct{ ID string } }
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, err
	}
	ids := make([]string, len(list.Orders))
	for i, o := range list.Orders {
		ids[i] = o.ID
	}
	return ids, nil
}

func measureSearches(ctx context.Context, s *proc.Server, engine string, made rows) error {
	g := rand.New(rand.NewPCG(1, 2))
	fmt.Printf("%-10s %-38s %8s %9s %9s %9s\n", "", "", "found", "p50 ms", "p99 ms", "CPU ms")
	slow := 0
	for _, kind := range questions {
		var took []time.Duration
		found := 0
		before, err := s.CPU()
		if err != nil {
			return err
		}
		for range kind.times {
			v := kind.ask(made.at(g.IntN(made.n)), g)
			begun := time.Now()
			ids, err := ask(ctx, s.HTTP, v)
			if err != nil {
				return err
			}
			took = append(took, time.Since(begun))
			found += len(ids)
		}
		after, err := s.CPU()
		if err != nil {
			return err
		}
		slices.Sort(took)
		out := outcome{latencies: took}
		p99, word := out.quantile(0.99), ""
		if p99 > kind.limit {
			slow++
			word = "   MISSED"
		}
		fmt.Printf("%-10s %-38s %8.1f %9.1f %9.1f %9.1f%s\n", engine, kind.name, float64(found)/float64(kind.times),
			float64(out.quantile(0.5).Microseconds())/1000, float64(p99.Microseconds())/1000,
			float64((after-before).Microseconds())/1000/float64(kind.times), word)
	}
	verdict(engine+": kinds of lists over 60 ms (searches) or 20 ms", float64(slow), "", "0", slow == 0)
	return nil
}

// compareSearches fails when a page is not what a scan of all orders finds.
func compareSearches(ctx context.Context, addr string, made rows) error {
	all := make([]madeOrder, made.n)
	texts := make([]string, made.n)
	for i := range all {
		all[i] = made.at(i)
		texts[i] = all[i].text()
	}
	g := rand.New(rand.NewPCG(3, 4))
	seen := 0
	for _, kind := range questions {
		for range 3 {
			v := kind.ask(all[g.IntN(made.n)], g)
			got, err := ask(ctx, addr, v)
			if err != nil {
				return err
			}
			var want []string
			for i := made.n - 1; i >= 0 && len(want) < 50; i-- {
				if all[i].fits(texts[i], v) {
					want = append(want, all[i].id.String())
				}
			}
			if !slices.Equal(want, got) {
				return fmt.Errorf("%s (%v): found %v, wanted %v", kind.name, v, got, want)
			}
			seen += len(got)
		}
	}
	fmt.Printf("%d kinds of lists find what a scan finds, %d orders\n", len(questions), seen)
	if seen < 10*len(questions) {
		return errors.New("too few were found for this to mean anything")
	}
	return nil
}

// fits is the naive meaning of the parameters, for the questions that there are.
func (o madeOrder) fits(text string, v url.Values) bool {
	in := func(key, value string) bool { return len(v[key]) == 0 || slices.Contains(v[key], value) }
	if !in("merchant_id", o.merchant) || !in("status", o.status) || !in("courier_id", o.courier) || !in("customer_phone", o.phone) ||
		!in("external_id", o.external) || !in("active", fmt.Sprint(!o.finished())) {
		return false
	}
	from, _ := time.Parse(time.RFC3339, v.Get("created_from"))
	to, _ := time.Parse(time.RFC3339, v.Get("created_to"))
	if o.at.Before(from) || !to.IsZero() && !o.at.Before(to) {
		return false
	}
	query := strings.NewReplacer("ё", "е", ",", " ", "(", "", ")", "", "-", "").Replace(strings.ToLower(v.Get("q")))
	if digits := strings.ReplaceAll(query, " ", ""); len(digits) == 11 && digits[0] == '8' {
		query = digits[1:]
	}
	for _, w := range strings.Fields(query) {
		if len([]rune(w)) < 3 {
			w = " " + w
		}
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

// measureFreshness creates orders at half of the rate that is possible, and looks for some of them.
func (b *bench) measureFreshness(ctx context.Context, addr, engine string) error {
	create := func(d, perSecond float64) (outcome, error) {
		return load{addr: addr, conns: 64, request: always(postOrder(addr, orderBody)), status: http.StatusCreated, perSecond: perSecond}.
			run(ctx, time.Duration(d*float64(time.Second)))
	}
	most, err := create(b.each.Seconds(), 0)
	if err != nil {
		return err
	}
	rate := most.perSecond / 2
	done := make(chan error, 1)
	var half outcome
	go func() {
		var err error
		half, err = create(10*b.each.Seconds(), rate)
		done <- err
	}()
	var delays, looks []time.Duration
	for i := 0; ; i++ {
		select {
		case err := <-done:
			if err != nil {
				return err
			}
			slices.Sort(delays)
			slices.Sort(looks)
			late, look := outcome{latencies: delays}.quantile(0.99), outcome{latencies: looks}.quantile(0.99)
			fmt.Printf("%-10s at most %.0f orders/s; at half of it %d orders were found, p99 %v after the answer, a search took %v (p99)\n",
				engine, most.perSecond, len(delays), late.Round(time.Millisecond), look.Round(time.Millisecond))
			verdict(engine+": found after being created", late.Seconds(), " s", "<= 2 s", late <= 2*time.Second)
			verdict(engine+": orders created of those offered", half.perSecond/rate, "x", ">= 0.95x", half.perSecond >= 0.95*rate)
			return nil
		default:
		}
		name := fmt.Sprintf("Щ%dъ%d", i, rand.IntN(1_000_000)) //nolint:gosec // a name
		if _, err := createOrder(ctx, addr, strings.Replace(orderBody, "Anna Petrova", name, 1)); err != nil {
			return err
		}
		begun := time.Now()
		for found := false; !found; {
			asked := time.Now()
			ids, err := ask(ctx, addr, q("%s", name))
			if err != nil {
				return err
			}
			looks = append(looks, time.Since(asked))
			found = len(ids) > 0
		}
		delays = append(delays, time.Since(begun))
		pause(ctx, 50*time.Millisecond)
	}
}
