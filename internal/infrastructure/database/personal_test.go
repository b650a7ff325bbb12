package database

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// schema lists the columns by table, and those that can hold text or bytes.
func schema(t *testing.T, s *Store) (all, texts map[string][]string) {
	t.Helper()
	text := `SELECT m.name, p.name, p.type FROM sqlite_master m, pragma_table_info(m.name) p WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'`
	if !s.d.prepare {
		text = `SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns c
			JOIN information_schema.tables t USING (table_schema, table_name)
			WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE'`
	}
	all, texts = map[string][]string{}, map[string][]string{}
	_, err := list(t.Context(), s, func(r *sql.Rows) (table string, err error) {
		var column, kind string
		err = r.Scan(&table, &column, &kind)
		// Days of positions are partitions of their table.
		if table = strings.ToLower(table); table == "goose_db_version" || strings.HasPrefix(table, "courier_positions_") {
			return table, err
		}
		all[table] = append(all[table], column)
		kind, _, _ = strings.Cut(strings.ToLower(kind), " ")
		if !slices.Contains([]string{"integer", "bigint", "boolean", "real", "double", "uuid", "smallint"}, kind) {
			texts[table] = append(texts[table], column)
		}
		return table, err
	}, text)
	require.NoError(t, err)
	require.Contains(t, texts["orders"], "data")
	return all, texts
}

// unconcerned are the columns of each table whose texts and bytes no customer's erasure concerns:
// ids, codes, hashes and names that staff gave, and data of couriers and other staff, as far as places has not the rest.
var unconcerned = map[string]string{
	"orders":         "id status merchant_id external_id courier_id exception",
	"places":         "quality",
	"order_events":   "order_id",
	"idempotency":    "scope idem_key hash",
	"carrier_hooks":  "id carrier account",
	"carrier_papers": "paper job",
	"shipments":      "order_id carrier ref tracking_number client_ref account more performer",
	"credentials":    "id kind hash parent_id prefix role merchant_id courier_id order_id name",
	"deliveries":     "receiver order_id event_id type template state",
	"order_images":   "order_id owner_id kind",
	"report_orders":  "order_id",
	"report_days":    "scope dimension",
	"report_queue":   "order_id",
	"courier_duty":   "courier_id",
	// Groups of three letters and numbers of the orders that had them, until the segment is built anew.
	"search_parts":    "data",
	"search_queue":    "order_id",
	"search_segments": "from_id to_id",
	"search_state":    "sealed_id",
	"carrier_cursors": "carrier account cursor",
	// What orders taught the estimates: hashes of groups, numbers.
	"lessons":            "order_id data merchant_id carrier zone",
	"lesson_days":        "scope dimension name",
	"estimates":          "name data",
	"leases":             "name holder",
	"delivery_receivers": "name owner",
	"message_counts":     "merchant_id channel day",
	"opt_outs":           "mark", // kept for ever: a keyed hash
	"erasures":           "order_id mark",
	"outbox":             "", // positions of order_events
	"inbound":            "id",
	"order_pins":         "order_id", // how many were wrong
	"offers":             "id order_id courier_id",
	"couriers":           "id search data",
	"courier_positions":  "courier_id attributes",
	"courier_tokens":     "id courier_id hash",
	"tickets":            "hash caller",
	"access_state":       "",
	"documents":          "kind id members data changed_by",
	"secrets":            "name value",
	"audit":              "object data actor_id", // ids and keyed hashes only
	"audit_seals":        "hash",
}

// TestEveryColumnIsClassified: a column that may hold a customer's data must say who erases
// it. If this fails, add the new column to places, with an eraser, or to unconcerned.
func TestEveryColumnIsClassified(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		all, texts := schema(t, s)
		known := map[string][]string{}
		for table, columns := range unconcerned {
			known[table] = strings.Fields(columns)
		}
		for i, p := range places {
			require.False(t, slices.ContainsFunc(places[:i], func(other place) bool { return other.table == p.table }), "%s twice", p.table)
			known[p.table] = append(known[p.table], strings.Fields(p.personal)...)
			require.NotNil(t, p.erase, "%s holds personal data and nothing erases it", p.table)
		}
		for table, columns := range known {
			require.Contains(t, all, table, "there is no such table")
			for i, c := range columns {
				require.Contains(t, all[table], c, "%s has no such column", table)
				require.NotContains(t, columns[:i], c, "%s.%s is classified twice", table, c)
			}
		}
		var missing []string
		for table, columns := range texts {
			for _, c := range columns {
				if !slices.Contains(known[table], c) {
					missing = append(missing, table+"."+c)
				}
			}
		}
		require.Empty(t, missing, "classify these: places (personal.go), unconcerned")
	})
}

// dump returns every table's content as text.
func dump(t *testing.T, s *Store) map[string]string {
	t.Helper()
	out := map[string]string{}
	all, _ := schema(t, s)
	for table := range all {
		rows, err := s.read.QueryContext(t.Context(), "SELECT * FROM "+table)
		found, err := collect(rows, err, scanMap)
		require.NoError(t, err)
		var text strings.Builder
		for _, row := range found {
			for name, v := range row {
				_, _ = fmt.Fprintf(&text, "%s=%s ", name, v)
			}
		}
		out[table] = text.String()
	}
	return out
}

const planted = "PLANTED"

func plantedDraft(phone string) domain.Draft {
	text := planted + " "
	return domain.Draft{
		MerchantID: "m1", ExternalID: "shop-" + phone[len(phone)-1:], Notes: text, Metadata: map[string]string{"note": text}, Timezone: "Europe/Moscow",
		Customer: domain.Customer{Name: text, Phone: phone, Email: "planted@example.com", Locale: "ru"},
		Pickup:   &domain.Place{Address: text, Notes: text, Location: &domain.Point{Lat: 55.123456, Lon: 37.654321}},
		Dropoff:  &domain.Place{Address: text, Notes: text, Location: &domain.Point{Lat: 55.123456, Lon: 37.654321}},
		Items:    []domain.Item{{Name: text, SKU: planted, Quantity: 2, Price: &domain.Money{Amount: 500, Currency: "RUB"}}},
		Total:    &domain.Money{Amount: 1000, Currency: "RUB"},
	}
}

// TestErasedDataIsNowhere: what was planted in everything about an order appears in no table
// once it is erased, and another customer's data stays.
func TestErasedDataIsNowhere(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		erased, other := finishedOrder(t, s, "+79165550001"), finishedOrder(t, s, "+79165550002")
		before := dump(t, s)
		for _, table := range []string{"orders", "order_events", "idempotency", "carrier_hooks", "carrier_papers", "shipments", "places", "order_images"} {
			require.Contains(t, strings.ToUpper(before[table]), planted, table)
		}
		held, err := s.Traces(t.Context(), erased)
		require.NoError(t, err)
		require.Contains(t, held, "shipments")
		require.Contains(t, held, "carrier_papers")
		require.Contains(t, held, "credentials")

		require.NoError(t, s.KeepErasures(t.Context(), []domain.Erasure{{OrderID: erased, Mark: "mark"}, {OrderID: other, Mark: "other"}}, nil, nil))
		require.Error(t, s.EraseTraces(t.Context(), []string{erased}, nil), "the order itself comes first")
		due, _, err := s.DueErasures(t.Context(), 10)
		require.NoError(t, err)
		require.Len(t, due, 2)
		require.NoError(t, s.EraseTraces(t.Context(), eraseOrders(t, s, erased), nil))
		require.Contains(t, strings.Join(slices.Collect(maps.Values(dump(t, s))), ""), planted, "the other customer's")
		require.NoError(t, s.EraseTraces(t.Context(), eraseOrders(t, s, erased, other), nil), "again is fine")

		for table, text := range dump(t, s) {
			for _, v := range []string{planted, strings.ToLower(planted), "55.123456", "+7916555", "planted@"} {
				if i := strings.Index(text, v); i >= 0 {
					require.Fail(t, "still there", "%s in %s: …%s", v, table, text[max(0, i-80):min(len(text), i+80)])
				}
			}
		}
		o, err := s.Order(t.Context(), erased)
		require.NoError(t, err)
		require.Equal(t, domain.StatusDelivered, o.Status)
		require.Equal(t, &domain.Money{Amount: 1000, Currency: "RUB"}, o.Total)
		require.Equal(t, 5, o.Rating.Stars)
		require.Empty(t, o.Customer.Phone)
		due, waiting, err := s.DueErasures(t.Context(), 10)
		require.NoError(t, err)
		require.Empty(t, due)
		require.False(t, waiting)
		old, err := s.OldOrders(t.Context(), time.Now().Add(time.Hour), domain.Cursor{}, 10)
		require.NoError(t, err)
		require.Empty(t, old)
		// The remembered answer still answers.
		rec, err := s.Recorded(t.Context(), "admin:a", "key"+erased)
		require.NoError(t, err)
		var again domain.Order
		require.NoError(t, json.Unmarshal(rec.Result, &again))
		require.Equal(t, erased, again.ID)
	})
}

func eraseOrders(t *testing.T, s *Store, ids ...string) []string {
	for _, id := range ids {
		_, err := s.UpdateOrder(t.Context(), id, func(c *domain.Change) error {
			c.Add(c.Order.Erase(domain.By{Now: time.Now(), Source: "privacy"})...)
			return nil
		})
		require.NoError(t, err)
	}
	return ids
}

// finishedOrder makes a delivered order with planted texts everywhere.
func finishedOrder(t *testing.T, s *Store, phone string) string {
	now := domain.Timestamp(time.Now())
	by := domain.By{Actor: domain.Actor{Kind: domain.RoleAdmin, ID: "a"}, Source: domain.SourceAPI, Now: now, Reason: planted, Location: &domain.Point{Lat: 55.123456, Lon: 37.654321}}
	d, err := plantedDraft(phone).Normalize("RU")
	require.NoError(t, err)
	o, ev := domain.NewOrder(d, by)
	answer, err := json.Marshal(o)
	require.NoError(t, err)
	_, err = s.CreateOrder(t.Context(), &domain.Change{Order: o, Events: []domain.Event{ev}, Idempotency: &domain.Idempotency{
		Scope: "admin:a", Key: "key" + o.ID, Hash: "h", CreatedAt: now, Result: answer,
	}})
	require.NoError(t, err)
	courier := &domain.Courier{ID: domain.NewID(), Name: "Ivan", Capacity: 5, CreatedAt: now, UpdatedAt: now}
	require.NoError(t, s.CreateCourier(t.Context(), courier, nil))
	image := domain.Image{OrderID: o.ID, OwnerID: domain.NewID(), Kind: domain.ProofPhoto, Data: []byte(planted), CreatedAt: now}
	steps := []func(*domain.Order) ([]domain.Event, error){
		func(o *domain.Order) ([]domain.Event, error) { return o.Assign(courier.ID, by) },
		func(o *domain.Order) ([]domain.Event, error) {
			return o.Instruct(domain.Instructions{Text: planted}, by)
		},
		func(o *domain.Order) ([]domain.Event, error) { return o.Move(domain.StatusPickedUp, nil, by) },
		func(o *domain.Order) ([]domain.Event, error) {
			return []domain.Event{o.Note(domain.EventNotified, by, map[string]any{"text": planted, "channel": "live"})}, nil
		},
		func(o *domain.Order) ([]domain.Event, error) {
			return o.Move(domain.StatusDelivered, &domain.Proof{Recipient: planted, Note: planted}, by)
		},
		func(o *domain.Order) ([]domain.Event, error) {
			return o.AddProof(domain.ProofRecord{ID: image.OwnerID, Recipient: planted, Note: planted, PhotoURL: planted}, by)
		},
		func(o *domain.Order) ([]domain.Event, error) {
			return o.AddIncident(domain.Incident{ID: image.OwnerID, Code: "not_there", Text: planted}, by)
		},
		func(o *domain.Order) ([]domain.Event, error) {
			return o.Rate(domain.Rating{Stars: 5, Text: planted}, by)
		},
	}
	ref := "ref" + o.ID
	for i, step := range steps {
		_, err := s.UpdateOrder(t.Context(), o.ID, func(c *domain.Change) error {
			events, err := step(c.Order)
			c.Images = []domain.Image{image}
			if c.Add(events...); i == 0 {
				c.Shipment = &domain.ShipmentJob{
					OrderID: o.ID, Account: domain.CarrierAccount{Carrier: "acme"}, Due: now, Since: now,
					Ref: domain.ShipmentRef{ClientRef: ref, TrackingNumber: "track" + o.ID}, Booking: &domain.Booking{Comment: planted},
				}
			}
			return err
		})
		require.NoError(t, err)
	}
	require.NoError(t, s.KeepHook(t.Context(), domain.HookMessage{
		ID: domain.NewID(), Account: domain.CarrierAccount{Carrier: "acme"}, ReceivedAt: now, Body: []byte(`{"number":"track` + o.ID + `","name":"` + planted + `"}`),
	}))
	require.NoError(t, s.KeepLabel(t.Context(), domain.Label{Key: "first/" + ref + "/barcode/A4", Since: now, PDF: []byte("%PDF " + planted)}))
	require.NoError(t, s.KeepPlace(t.Context(), domain.NormalAddress(planted+" "), domain.FoundPlace{FoundAt: now}))
	link := domain.Credential{ID: domain.NewID(), Kind: domain.CredentialLink, Hash: domain.HashToken(o.ID), Role: domain.RoleCustomer, OrderID: o.ID, CreatedAt: now}
	require.NoError(t, s.ChangeAccess(t.Context(), domain.AccessChange{Keep: &link}))
	return o.ID
}
