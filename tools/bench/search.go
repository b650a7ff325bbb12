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
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/order-tracking/order-tracking/tools/proc"
)

// bigSearch is from how many orders on the limits are meant.
const bigSearch = 1_000_000

// benchSearch fills a database of each engine with made orders, lets the product index them, and measures
// searches and lists. With fewer orders it compares what they find with a scan instead.
func benchSearch(ctx context.Context, b *bench) error {
	made := rows{n: b.orders, until: time.Now().UTC().Truncate(time.Second)}
	if b.keep != "" { // the same rows another time
		b.dir, made.until = b.keep, made.until.Truncate(30*24*time.Hour)
	}
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
		schema := "bench_search_kept"
		if b.keep == "" {
			if schema, err = b.services.schema(ctx, "bench_search"); err != nil {
				return nil, drop, err
			}
		}
		db, err := b.services.in(schema)
		if err == nil && b.keep != "" {
			_, err = db.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS "+schema)
		}
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
	if b.keep != "" {
		drop = func() error { return nil }
	}
	if err = s.Stop(); err == nil && !b.kept(engine) {
		if err = load(); err == nil && b.keep != "" {
			err = os.WriteFile(filepath.Join(b.keep, engine+".kept"), nil, 0o600)
		}
	}
	return s, drop, err
}

// kept reports whether the engine's database was written before.
func (b *bench) kept(engine string) bool {
	_, err := os.Stat(filepath.Join(b.keep, engine+".kept"))
	return b.keep != "" && err == nil
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
		_, err := ask(ctx, s.HTTP, "/orders", q("щъыь"))
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
	only, err := regexp.Compile(b.kinds)
	if err == nil {
		err = measureSearches(ctx, s, engine, made, only)
	}
	if err != nil || !only.MatchString("creates") {
		return err
	}
	return b.measureFreshness(ctx, s.HTTP, engine)
}

// ask returns the ids of the first page.
func ask(ctx context.Context, addr, path string, v url.Values) ([]string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path+"?"+v.Encode(), nil)
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

func measureSearches(ctx context.Context, s *proc.Server, engine string, made rows, only *regexp.Regexp) error {
	g := rand.New(rand.NewPCG(1, 2))
	fmt.Printf("%-10s %-38s %8s %9s %9s %9s\n", "", "", "found", "p50 ms", "p99 ms", "CPU ms")
	slow := 0
	for _, kind := range questions {
		if !only.MatchString(kind.name) {
			continue
		}
		var took []time.Duration
		found := 0
		before, err := s.CPU()
		if err != nil {
			return err
		}
		for range kind.times {
			v := kind.ask(made.at(g.IntN(made.n)), g)
			begun := time.Now()
			ids, err := ask(ctx, s.HTTP, kind.path(), v)
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
			if kind.path() != "/orders" {
				break
			}
			v := kind.ask(all[g.IntN(made.n)], g)
			got, err := ask(ctx, addr, "/orders", v)
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
	from, _ = time.Parse(time.RFC3339, v.Get("promised_from"))
	to, _ = time.Parse(time.RFC3339, v.Get("promised_to"))
	if (!from.IsZero() || !to.IsZero()) && (o.promised.IsZero() || o.promised.Before(from) || !to.IsZero() && !o.promised.Before(to)) {
		return false
	}
	if v.Get("exception") != "" && o.exception == "" || v.Get("late") != "" && (o.finished() || o.promised.IsZero() || o.promised.After(time.Now())) {
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
			ids, err := ask(ctx, addr, "/orders", q("%s", name))
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
