//go:build unix

package main

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // to write rows into the product's file
)

// madeOrder is one of the orders that are searched. All texts are such that folding them means lower case.
type madeOrder struct {
	id                                             uuid.UUID
	at                                             time.Time
	number, external, merchant, status             string
	name, phone, address, pickup, courier, timeTxt string
	exception                                      string
	promised                                       time.Time // zero for none
}

// rows makes orders: the i-th is always the same. They are spread evenly over two years.
type rows struct {
	n     int
	until time.Time
}

const rowsSpan = 2 * 365 * 24 * time.Hour

var (
	firstNames = strings.Fields("Анна Мария Иван Пётр Елена Ольга Сергей Дмитрий Наталья Алексей Татьяна Николай Юлия Андрей Светлана Михаил Ирина Владимир Екатерина Павел")
	nameParts  = strings.Fields("ива пет сидо ку смир поп вась соко миха фёдо моро вол алек лебе козло нови его орло мака ники заха зай соло бори яко гри рома ворон серге")
	nameMiddle = strings.Fields("н ров нец цо но рен лен ден чен вин мин тин дин рин хин")
	nameEnds   = strings.Fields("ов ова ев ева ин ина ский ская енко ук")
	streetEnds = strings.Fields("ная ская вая чная тная")
	cities     = strings.Fields("Москва Москва Москва Москва Москва Москва Москва Москва Москва Тверь")
	pickups    = strings.Fields("Складская Портовая Заводская Вокзальная")
	numberSet  = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
)

const rareWord = "Кржижановская-Дзержинская"

// rare are the orders with the rare word.
func (r rows) rare(i int) bool { return i == r.n/10 || i == r.n/2 || i == r.n-r.n/50 }

func pick(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }

func (r rows) at(i int) madeOrder {
	g := rand.New(rand.NewPCG(uint64(i), 7)) //nolint:gosec // made data
	at := r.until.Add(-rowsSpan / time.Duration(r.n) * time.Duration(r.n-i)).Truncate(time.Microsecond)
	o := madeOrder{at: at, timeTxt: at.UTC().Format(time.RFC3339Nano)}
	binary.BigEndian.PutUint64(o.id[:], uint64(at.UnixMilli())<<16|0x7000|g.Uint64()&0xfff)
	binary.BigEndian.PutUint64(o.id[8:], g.Uint64()>>2|1<<63)
	for j := range 11 {
		if j == 3 || j == 7 {
			o.number += "-"
			continue
		}
		o.number += string(numberSet[g.IntN(len(numberSet))])
	}
	// Few surnames and streets are frequent, as in life.
	zipf := func(parts []string) string { return parts[int(float64(len(parts))*g.Float64()*g.Float64())] }
	surname := zipf(nameParts) + pick(g, nameMiddle) + pick(g, nameEnds)
	if r.rare(i) {
		surname = rareWord
	}
	o.name = strings.ToUpper(surname[:2]) + surname[2:] + " " + pick(g, firstNames)
	o.phone = fmt.Sprintf("+79%09d", g.IntN(1_000_000_000))
	o.external = fmt.Sprintf("WEB-%08d", 10_000_000+i*7%90_000_000)
	o.merchant = fmt.Sprintf("shop-%d", int(3000*g.Float64()*g.Float64()*g.Float64()))
	street := zipf(nameParts) + pick(g, nameMiddle) + pick(g, nameParts) + pick(g, streetEnds)
	o.address = fmt.Sprintf("%s, %s улица, дом %d, квартира %d", pick(g, cities), street, 1+g.IntN(150), 1+g.IntN(400))
	o.pickup = fmt.Sprintf("%s, %s улица, %d", cities[0], pick(g, pickups), 1+g.IntN(9))
	o.courier = uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, g.IntN(1000))).String()
	switch n := g.IntN(1000); {
	case i > r.n-r.n/100:
		o.status = []string{"created", "confirmed", "assigned", "picked_up", "out_for_delivery"}[n%5]
	case n == 0:
		o.status = "failed"
	case n < 30:
		o.status = "cancelled"
	case n < 40:
		o.status = "returned"
	default:
		o.status = "delivered"
	}
	if o.status == "created" || o.status == "confirmed" || o.status == "cancelled" {
		o.courier = ""
	}
	if g.IntN(3) > 0 {
		o.promised = at.Add(time.Hour + time.Duration(g.IntN(71*3600))*time.Second)
	}
	if g.IntN(50) == 0 {
		o.exception = []string{"wrong_address", "damaged", "customer_unreachable"}[g.IntN(3)]
	}
	return o
}

func (o madeOrder) finished() bool {
	return o.status == "failed" || o.status == "cancelled" || o.status == "returned" || o.status == "delivered"
}

// text is what the product stores for searches.
func (o madeOrder) text() string {
	number, external := strings.ToLower(o.number), strings.ToLower(o.external)
	fold := strings.NewReplacer("ё", "е", ",", "")
	name := strings.Fields(fold.Replace(strings.ToLower(o.name)))
	var b strings.Builder
	for _, w := range append([]string{number, external, o.phone[1:]}, append(name, strings.Fields(fold.Replace(strings.ToLower(o.address+" "+o.pickup)))...)...) {
		parts := strings.Split(w, "-")
		for i, p := range append([]string{strings.Join(parts, "")}, parts...) {
			if i != 1 {
				b.WriteString(" " + p)
			}
		}
	}
	return b.String()
}

func (o madeOrder) data() string {
	more := ""
	if o.courier != "" {
		more = `"courier_id":"` + o.courier + `",`
	}
	if o.exception != "" {
		more += `"exception":{"code":"` + o.exception + `","since":"` + o.timeTxt + `"},`
	}
	if !o.promised.IsZero() {
		more += `"promised_at":"` + o.promised.UTC().Format(time.RFC3339Nano) + `",`
	}
	return `{"id":"` + o.id.String() + `","number":"` + o.number + `","external_id":"` + o.external + `","merchant_id":"` + o.merchant +
		`","status":"` + o.status + `","version":1,"customer":{"name":"` + o.name + `","phone":"` + o.phone +
		`"},"pickup":{"address":"` + o.pickup + `","location":{"lat":55.7597,"lon":37.6103}},"dropoff":{"address":"` + o.address +
		`","location":{"lat":55.7507,"lon":37.5956}},"items":[{"name":"Пицца","quantity":2,"price":{"amount":79900,"currency":"RUB"}}],` +
		`"total":{"amount":159800,"currency":"RUB"},` + more + `"attempts":0,"created_at":"` + o.timeTxt + `","updated_at":"` + o.timeTxt + `"}`
}

var rowColumns = []string{
	"id", "created_at", "status", "finished", "version", "courier_id", "merchant_id", "external_id", "customer_phone", "ledger", "search", "data",
	"exception", "promised_at", "late_at",
}

func (o madeOrder) values() []any {
	var courier, exception, promised, late any
	if o.courier != "" {
		courier = o.courier
	}
	if o.exception != "" {
		exception = o.exception
	}
	if !o.promised.IsZero() {
		if promised = o.promised.UnixMicro(); !o.finished() {
			late = promised
		}
	}
	return []any{
		o.id.String(), o.at.UnixMicro(), o.status, o.finished(), 1, courier, o.merchant, o.external, o.phone, `{"seq":1}`, o.text(), o.data(),
		exception, promised, late,
	}
}

// load writes all rows. Without the indexes, which are made again afterwards, it takes a third of the time.
func (r rows) load(ctx context.Context, db *sql.DB, listIndexes string, write func(*sql.Conn) error) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	found, err := conn.QueryContext(ctx, listIndexes)
	if err != nil {
		return err
	}
	var names, texts []string
	for found.Next() {
		var name, text string
		if err := found.Scan(&name, &text); err != nil {
			return err
		}
		names, texts = append(names, name), append(texts, text)
	}
	if err := errors.Join(found.Err(), found.Close()); err != nil {
		return err
	}
	for _, name := range names {
		if _, err := conn.ExecContext(ctx, "DROP INDEX "+name); err != nil {
			return err
		}
	}
	if err := write(conn); err != nil {
		return err
	}
	for _, text := range slices.Concat(texts, r.reported(), []string{"ANALYZE"}) {
		if _, err := conn.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

// reported is what reports are made from: a lesson an order, and sums of days by so many names of each dimension.
func (r rows) reported() []string {
	const (
		day   = 24 * 60 * 60 * 1_000_000
		names = "(SELECT 'all' AS dimension, 1 AS names UNION ALL SELECT 'zone', 300 UNION ALL SELECT 'carrier', 3 UNION ALL SELECT 'courier', 1000 UNION ALL SELECT 'merchant', 1500)"
	)
	out := []string{
		"DELETE FROM lessons",
		// The positions are negative, so that nothing is learned from them.
		`INSERT INTO lessons (order_id, kind, pos, at, merchant_id, carrier, zone, error_s, early, late)
			SELECT id, 1, -n, created_at + 3600000000, merchant_id, '', 'zone-' || CAST(n * 7919 % 300 AS text), n * 7919 % 3600 - 1800.0, n % 17 = 0, n % 11 = 0
			FROM (SELECT id, created_at, merchant_id, row_number() OVER () AS n FROM orders WHERE status = 'delivered') o`,
	}
	for length, suffix := range map[int]string{1: "", 8: "/8", 64: "/64"} { // days, and blocks of them
		out = append(out, fmt.Sprintf(`WITH RECURSIVE i (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM i WHERE n < 1499)
			INSERT INTO report_days SELECT '', d.dimension || '%s', (%d - days.n) * %d, 'name-' || CAST(i.n AS text)%s
			FROM %s d JOIN i ON i.n < d.names CROSS JOIN i days WHERE days.n < 730 / %d`,
			suffix, r.until.UnixMicro()/day/int64(length), length, strings.Repeat(", 7", 22), names, length))
	}
	// The same of lessons, as the product keeps it.
	for dimension, name := range map[string]string{"all": "''", "merchant": "merchant_id", "zone": "zone"} {
		for length, suffix := range map[int]string{1: "", 8: "/8", 64: "/64"} {
			out = append(out, fmt.Sprintf(`INSERT INTO lesson_days SELECT '', '%s%s', at / %d / %d * %d, %s, count(*), CAST(sum(abs(error_s)) * 1000000 AS bigint),
				CAST(sum(error_s) * 1000000 AS bigint), sum(CASE WHEN early OR late THEN 1 ELSE 0 END), sum(CASE WHEN late THEN 1 ELSE 0 END)
				FROM lessons GROUP BY 3, 4`, dimension, suffix, day, length, length, name))
		}
	}
	return out
}

func (r rows) loadSQLite(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_pragma=cache_size(-400000)&_pragma=temp_store(FILE)")
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	const list = `SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'orders' AND sql IS NOT NULL`
	return r.load(ctx, db, list, func(conn *sql.Conn) error {
		for from := 0; from < r.n; from += 50_000 {
			tx, err := conn.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			st, err := tx.PrepareContext(ctx, `INSERT INTO orders (`+strings.Join(rowColumns, ", ")+`) VALUES (?`+strings.Repeat(", ?", len(rowColumns)-1)+`)`)
			if err != nil {
				return err
			}
			for i := from; i < min(r.n, from+50_000); i++ {
				if _, err := st.ExecContext(ctx, r.at(i).values()...); err != nil {
					return err
				}
			}
			if err := tx.Commit(); err != nil {
				return err
			}
		}
		_, err := conn.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
		return err
	})
}

func (r rows) loadPostgres(ctx context.Context, db *sql.DB) error {
	const list = `SELECT i.indexname, i.indexdef FROM pg_indexes i WHERE i.schemaname = current_schema() AND i.tablename = 'orders' AND i.indexname <> 'orders_pkey'`
	err := r.load(ctx, db, list, func(conn *sql.Conn) error {
		return conn.Raw(func(c any) error {
			next := -1
			_, err := c.(*stdlib.Conn).Conn().CopyFrom(ctx, pgx.Identifier{"orders"}, rowColumns, pgx.CopyFromFunc(func() ([]any, error) {
				if next++; next >= r.n {
					return nil, nil
				}
				return r.at(next).values(), nil
			}))
			return err
		})
	})
	if err == nil {
		_, err = db.ExecContext(ctx, "VACUUM ANALYZE orders")
	}
	return err
}
