package database

import (
	"database/sql"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// place is a table with data about customers. A test compares the places with the schema: a
// new column fails it until it is classified.
type place struct {
	table string
	// personal columns hold customers' data and are covered by erase.
	personal string
	// erase removes what is held about an order whose customer's data has been erased; it
	// may run several times.
	erase func(t *txn, orderID string)
	// held selects what is held about the order $1, for the customer's export.
	held string
}

// places is the only list of where personal data is stored. Orders themselves are erased by
// domain.Order.Erase, which also renews every cached copy.
var places = []place{
	{table: "orders", personal: "data search customer_phone ledger", erase: checkErased},
	// Before the history is rewritten, which has the addresses.
	{table: "places", personal: "address", erase: erasePlaces},
	{table: "order_events", personal: "data order_data", erase: eraseEvents},
	{table: "idempotency", personal: "result", erase: eraseAnswers},
	// Before the names of the shipment are needed no longer.
	{table: "carrier_hooks", personal: "body header query", erase: eraseHooks},
	{
		table: "carrier_papers", personal: "pdf",
		erase: run(`DELETE FROM carrier_papers WHERE EXISTS (SELECT 1 FROM shipments s WHERE s.order_id = $1 AND s.client_ref <> ''
			AND '/' || carrier_papers.paper LIKE '%/' || s.client_ref || '/%')`),
		held: `SELECT p.paper, p.pdf FROM carrier_papers p JOIN shipments s ON '/' || p.paper LIKE '%/' || s.client_ref || '/%'
			WHERE s.order_id = $1 AND s.client_ref <> ''`,
	},
	{
		table: "shipments", personal: "booking",
		erase: run(`UPDATE shipments SET booking = NULL, performer = NULL, due_at = NULL WHERE order_id = $1`),
		held:  `SELECT carrier, account, tracking_number, booking FROM shipments WHERE order_id = $1`,
	},
	{
		// Links to an order are withdrawn with its customer's data.
		table: "credentials",
		erase: eraseLinks,
		held:  `SELECT id, created_at, expires_at, last_used_at FROM credentials WHERE order_id = $1`,
	},
	{
		// What they tell is in order_events; a receiver's answer may repeat it.
		table: "deliveries", personal: "error",
		erase: run(`UPDATE deliveries SET error = '' WHERE order_id = $1`),
		held:  `SELECT receiver, type, template, state, tried_at, error FROM deliveries WHERE order_id = $1`,
	},
	{
		table: "order_images", personal: "data",
		erase: run(`DELETE FROM order_images WHERE order_id = $1`),
		held:  `SELECT owner_id, kind, created_at, data FROM order_images WHERE order_id = $1`,
	},
	// A reason for declining an offer may mention the customer.
	{table: "report_orders", personal: "shares", erase: eraseReasons},
	{table: "report_days", personal: "name", erase: eraseReasons},
}

// run makes an eraser of a statement about the order $1.
func run(text string) func(*txn, string) {
	return func(t *txn, orderID string) { t.exec(text, orderID) }
}

// checkErased refuses to erase the traces of an order that still has its customer's data.
func checkErased(t *txn, orderID string) {
	if len(rowsOf(t, scanOne[bool], `SELECT erased FROM orders WHERE id = $1 AND erased`, orderID)) == 0 {
		t.fail(domain.Errorf(domain.CodeInternal, "the order %s is not erased", orderID))
	}
}

// storedEvent is an event's row.
type storedEvent struct {
	pos   int64
	data  []byte
	order sql.NullString
}

func orderEvents(t *txn, orderID string) []storedEvent {
	return rowsOf(t, into(func(e *storedEvent) []any { return []any{&e.pos, &e.data, &e.order} }),
		`SELECT pos, data, order_data FROM order_events WHERE order_id = $1 ORDER BY seq`, orderID)
}

// erasePlaces forgets where the order's addresses were found.
func erasePlaces(t *txn, orderID string) {
	for _, e := range orderEvents(t, orderID) {
		var o struct{ Pickup, Dropoff struct{ Address string } }
		if !e.order.Valid {
			continue
		}
		t.fail(badRow(json.Unmarshal([]byte(e.order.String), &o)))
		for _, address := range []string{o.Pickup.Address, o.Dropoff.Address} {
			t.exec(`DELETE FROM places WHERE address = $1`, domain.NormalAddress(address))
		}
	}
}

// eraseEvents rewrites the history; events that wait for the bus are published as it is then.
func eraseEvents(t *txn, orderID string) {
	for _, e := range orderEvents(t, orderID) {
		data, _, err := domain.EraseEventJSON(e.data)
		t.fail(badRow(err))
		if e.order.Valid {
			erased, err := domain.EraseOrderJSON([]byte(e.order.String))
			t.fail(badRow(err))
			e.order.String = string(erased)
		}
		t.exec(`UPDATE order_events SET data = $2, order_data = $3 WHERE pos = $1`, e.pos, string(data), e.order)
	}
}

// answersWithin is how far the time of a remembered answer may be from that of its event.
const answersWithin = 10 * time.Minute

// eraseAnswers rewrites the answers that mention the order. They were given when it changed, so only those times are searched.
func eraseAnswers(t *txn, orderID string) {
	for _, oldest := range rowsOf(t, scanOne[int64], `SELECT created_at FROM idempotency ORDER BY created_at LIMIT 1`) {
		for _, e := range orderEvents(t, orderID) {
			_, at, err := domain.EraseEventJSON(e.data)
			t.fail(badRow(err))
			if to := micros(at.Add(answersWithin)); to >= oldest {
				t.eraseAnswersOf(orderID, micros(at.Add(-answersWithin)), to)
			}
		}
	}
}

func (t *txn) eraseAnswersOf(orderID string, from, to int64) {
	type answer struct {
		scope, key string
		result     []byte
	}
	answers := rowsOf(t, into(func(a *answer) []any { return []any{&a.scope, &a.key, &a.result} }), `SELECT scope, idem_key, result
		FROM idempotency WHERE created_at BETWEEN $1 AND $2 AND `+t.d.position+`(`+t.d.bytesAsText+`, $3) > 0`, from, to, orderID)
	for _, a := range answers {
		erased, err := domain.EraseAnswerJSON(a.result)
		t.fail(badRow(err))
		t.exec(`UPDATE idempotency SET result = $3 WHERE scope = $1 AND idem_key = $2`, a.scope, a.key, erased)
	}
}

// eraseHooks deletes messages about the order's shipment that were not worked on. They are
// few, and only hasten what polling finds too.
func eraseHooks(t *txn, orderID string) {
	type mention struct {
		id         string
		hook, name [3]string
	}
	found := rowsOf(t, into(func(m *mention) []any {
		return []any{&m.id, &m.hook[0], &m.hook[1], &m.hook[2], &m.name[0], &m.name[1], &m.name[2]}
	}), `SELECT h.id, h.body, h.header, h.query, s.ref, s.tracking_number, s.client_ref
		FROM carrier_hooks h JOIN shipments s ON h.carrier = s.carrier WHERE s.order_id = $1`, orderID)
	for _, m := range found {
		said := strings.Join(m.hook[:], "\n")
		if slices.ContainsFunc(m.name[:], func(n string) bool { return n != "" && strings.Contains(said, n) }) {
			t.exec(`DELETE FROM carrier_hooks WHERE id = $1`, m.id)
		}
	}
}

// eraseLinks revokes the order's links and ends their streams.
func eraseLinks(t *txn, orderID string) {
	if t.exec(`DELETE FROM credentials WHERE order_id = $1`, orderID) > 0 {
		t.exec(`UPDATE access_state SET epoch = epoch + 1`)
	}
}
