package cdek

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/carrier"
	"github.com/order-tracking/order-tracking/internal/domain"
)

func TestHooksOfTheSamples(t *testing.T) {
	type want struct {
		kind   domain.CarrierEventKind
		line   string
		value  string
		refs   []domain.ShipmentRef
		about  string
		inText string
	}
	ref := func(n int, tracking, client string) domain.ShipmentRef {
		return domain.ShipmentRef{ID: id(n), TrackingNumber: tracking, ClientRef: client}
	}
	for name, w := range map[string]want{
		"webhook_order_status_1": {
			domain.CarrierScan, "23-11-28 07:44:45 RECEIVED_AT_SHIPMENT_WAREHOUSE =picked_up", "",
			[]domain.ShipmentRef{ref(60, "1400000449", "SHOP-11")}, "", "Принят на склад отправителя",
		},
		"webhook_order_status_1000": {
			domain.CarrierScan, "26-03-05 10:00:00 POSTOMAT_POSTED =ready_for_pickup detail:locker", "",
			[]domain.ShipmentRef{ref(31, "1400000116", "SHOP-4")}, "", "Заложен в постамат",
		},
		"webhook_order_status_trailing_space": {
			domain.CarrierScan, "20-08-10 14:32:12 RECEIVED_AT_SHIPMENT_WAREHOUSE =picked_up", "",
			[]domain.ShipmentRef{ref(62, "1400000486", "")}, "", "Принят на склад отправителя",
		},
		"webhook_order_status_return": { // it concerns two parcels: the returned one and the original
			domain.CarrierScan, "26-02-01 07:44:40 DELIVERED =returned detail:return", "",
			[]domain.ShipmentRef{ref(61, "1400000227", "SHOP-8"), ref(37, "1400000190", "")}, "", "Вручен",
		},
		"webhook_deliv_problem_1": {
			domain.CarrierProblem, "24-12-18 11:35:57 45 detail:no_id", "",
			[]domain.ShipmentRef{ref(54, "1400000375", "SHOP-10")}, "", "Нет документа, удостоверяющего личность",
		},
		"webhook_order_modified_1": {
			domain.CarrierEstimate, "24-08-19 10:02:15 ORDER_MODIFIED detail:planed_delivery_date_changed", "2024-08-21",
			[]domain.ShipmentRef{ref(58, "", "")}, "", "",
		},
		"webhook_order_modified_3": {
			domain.CarrierModified, "26-01-19 10:02:16 ORDER_MODIFIED detail:delivery_mode_changed", "4",
			[]domain.ShipmentRef{ref(59, "", "")}, "", "",
		},
		"webhook_courier_info_1": {
			domain.CarrierCourier, "26-01-27 11:51:13 COURIER_INFO detail:delivery", "+70000000000, доб. 1",
			[]domain.ShipmentRef{ref(51, "1400000301", "")}, "", "",
		},
		"webhook_deliv_agreement_1": {
			domain.CarrierAgreement, "24-12-06 11:32:31 DELIV_AGREEMENT detail:door", "2024-12-13 11:00:00 18:00:00",
			[]domain.ShipmentRef{ref(52, "1400000338", "")}, "", "",
		},
		"webhook_print_form_1": {
			domain.CarrierDocument, "23-11-28 09:03:31 PRINT_FORM detail:barcode", "http://api.cdek.ru/v2/print/barcodes/" + id(64) + ".pdf", nil, id(64), "",
		},
		"webhook_prealert_closed_1": {
			domain.CarrierDocument, "23-01-23 10:20:02 PREALERT_CLOSED", "PA/1/2 NSK1", nil, id(63), "",
		},
		"webhook_accompanying_waybill_1": {
			domain.CarrierDocument, "24-08-01 05:40:09 ACCOMPANYING_WAYBILL", "S511111 A1111111 B5263589 2024-08-05T13:00:00+0000",
			[]domain.ShipmentRef{ref(50, "1400000301", "")}, "", "",
		},
		"webhook_download_photo_1": {
			domain.CarrierDocument, "26-01-01 03:11:12 DOWNLOAD_PHOTO", "https://api.cdek.ru/v2/photoDocument/" + id(56), []domain.ShipmentRef{ref(55, "1400000412", "")}, "", "",
		},
		"webhook_office_availability_1": {
			domain.CarrierOffice, "24-08-19 03:01:10 OFFICE_AVAILABILITY detail:available_office", "MSK123", nil, "", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := New(Config{}).ParseHook(domain.HookMessage{Body: sample(t, name)})
			require.NoError(t, err)
			require.Len(t, got, 1)
			h := got[0]
			require.Equal(t, w.kind, h.Event.Kind)
			require.Equal(t, w.line+"\n", lines([]domain.CarrierEvent{h.Event}))
			require.Equal(t, w.inText, h.Event.Text)
			require.Equal(t, w.value, h.Event.Value)
			require.Equal(t, w.refs, h.Shipments)
			require.Equal(t, w.about, h.About)
		})
	}
}

// told is a status as polling returns it.
type told struct {
	Code    string `json:"code"`
	At      string `json:"date_time"`
	City    string `json:"city"`
	Reason  string `json:"reason_code"`
	Deleted bool   `json:"deleted"`
}

func (s told) scan(t *testing.T, isReturn, reverse bool) domain.CarrierEvent {
	t.Helper()
	data, err := json.Marshal(s)
	require.NoError(t, err)
	n, err := carrier.Parse(data)
	require.NoError(t, err)
	return scan("u", isReturn, reverse, n, "")
}

// Polling and webhooks spell the same event differently; it is still one event.
func TestSpellingsAreOneEvent(t *testing.T) {
	for _, pair := range [][2]string{
		{"TAKEN_BY_COURIER", "ISSUED_FOR_DELIVERY"}, {"SENT_TO_RECIPIENT_CITY", "SEND_TO_RECIPIENT_OFFICE"},
		{"ACCEPTED_AT_PICK_UP_POINT", " accepted_at_warehouse_on_demand "},
	} {
		polled := told{Code: pair[0], At: "2026-03-05T13:00:00+03:00", City: "Казань"}.scan(t, false, false)
		hook := fmt.Sprintf(`{"type":"ORDER_STATUS","uuid":"u","attributes":{"code":%q,"status_date_time":"2026-03-05T10:00:00+0000","city_name":"Казань"}}`, pair[1])
		got, err := New(Config{}).ParseHook(domain.HookMessage{Body: []byte(hook)})
		require.NoError(t, err)
		require.Equal(t, polled.ID, got[0].Event.ID)
		require.Equal(t, polled.Status, got[0].Event.Status)
	}
}

func TestMeaningsOfStatuses(t *testing.T) {
	at := "2026-03-05T10:00:00Z"
	for name, tc := range map[string]struct {
		in                told
		isReturn, reverse bool
		want              string
	}{
		"lost":                           {in: told{Code: "NOT_DELIVERED", Reason: "26"}, want: "NOT_DELIVERED =failed detail:lost reason:26 exception:lost"},
		"disposed":                       {in: told{Code: "NOT_DELIVERED", Reason: "27"}, want: "NOT_DELIVERED =failed detail:disposed reason:27 exception:disposed"},
		"damaged":                        {in: told{Code: "NOT_DELIVERED", Reason: "9"}, want: "NOT_DELIVERED =returning detail:damaged reason:9 exception:damaged"},
		"no reason":                      {in: told{Code: "NOT_DELIVERED"}, want: "NOT_DELIVERED =returning"},
		"a reason that is new":           {in: told{Code: "NOT_DELIVERED", Reason: "99"}, want: "NOT_DELIVERED =returning reason:99 unknown"},
		"partly delivered":               {in: told{Code: "DELIVERED", Reason: "20"}, want: "DELIVERED =delivered detail:partial_delivery reason:20"},
		"back at a warehouse, no return": {in: told{Code: "RETURNED_TO_TRANSIT_WAREHOUSE"}, want: "RETURNED_TO_TRANSIT_WAREHOUSE =in_transit detail:delay"},
		"the end of a return":            {in: told{Code: "DELIVERED"}, isReturn: true, want: "DELIVERED =returned detail:return"},
		"the way of a return":            {in: told{Code: "TAKEN_BY_COURIER"}, isReturn: true, want: "TAKEN_BY_COURIER =returning detail:return"},
		"a return that got lost":         {in: told{Code: "NOT_DELIVERED", Reason: "26"}, isReturn: true, want: "NOT_DELIVERED =failed detail:lost reason:26 exception:lost"},
		"from the customer to the shop":  {in: told{Code: "DELIVERED"}, reverse: true, want: "DELIVERED"},
		"a code that is new":             {in: told{Code: "SENT_TO_MOON"}, want: "SENT_TO_MOON unknown"},
		"retracted":                      {in: told{Code: "DELIVERED", Deleted: true}, want: "DELIVERED =delivered retracted"},
	} {
		tc.in.At = at
		got := lines([]domain.CarrierEvent{tc.in.scan(t, tc.isReturn, tc.reverse)})
		require.Equal(t, "26-03-05 10:00:00 "+tc.want+"\n", got, name)
	}
	undated := told{Code: "DELIVERED", At: "0002-11-28"}.scan(t, false, false)
	require.Empty(t, undated.Status, "a report that has no place in time moves nothing")
}

// The meanings of the statuses, written a second time so that a typo in either is detected.
func TestStatusesMeanWhatTheyShould(t *testing.T) {
	got := map[domain.Status][]string{}
	for code, m := range statuses {
		name := m.Status
		if m.Detail == "arrived_at_destination" {
			name = "arrived"
		}
		got[name] = append(got[name], code)
	}
	for name, want := range map[domain.Status]string{
		"":          "ACCEPTED CREATED INVALID REMOVED",
		"picked_up": "RECEIVED_AT_SHIPMENT_WAREHOUSE RECEIVED_AT_SENDER_WAREHOUSE",
		"in_transit": `READY_FOR_SHIPMENT_IN_SENDER_CITY READY_TO_SHIP_AT_SENDING_OFFICE TAKEN_BY_TRANSPORTER_FROM_SENDER_CITY
			PASSED_TO_CARRIER_AT_SENDING_OFFICE RETURNED_TO_SENDER_CITY_WAREHOUSE RETURNED_TO_SENDER_WAREHOUSE SENT_TO_TRANSIT_CITY
			SEND_TO_TRANSIT_OFFICE ACCEPTED_IN_TRANSIT_CITY MET_AT_TRANSIT_OFFICE ACCEPTED_AT_TRANSIT_WAREHOUSE ACCEPTED_TO_OFFICE_TRANSIT_WAREHOUSE
			ENTERED_TO_OFFICE_TRANSIT_WAREHOUSE ENTERED_TO_TRANSIT_WAREHOUSE RETURNED_TO_TRANSIT_WAREHOUSE READY_FOR_SHIPMENT_IN_TRANSIT_CITY
			READY_TO_SHIP_IN_TRANSIT_OFFICE TAKEN_BY_TRANSPORTER_FROM_TRANSIT_CITY PASSED_TO_CARRIER_AT_TRANSIT_OFFICE SENT_TO_SENDER_CITY
			SEND_TO_SENDING_OFFICE ACCEPTED_IN_SENDER_CITY MET_AT_SENDING_OFFICE SENT_TO_RECIPIENT_CITY SEND_TO_RECIPIENT_OFFICE
			IN_CUSTOMS_INTERNATIONAL IN_CUSTOMS_LOCAL CUSTOMS_COMPLETE SHIPPED_TO_DESTINATION PASSED_TO_TRANSIT_CARRIER`,
		"arrived": `ACCEPTED_IN_RECIPIENT_CITY MET_AT_RECIPIENT_OFFICE ARRIVED_AT_RECIPIENT_CITY ACCEPTED_AT_RECIPIENT_CITY_WAREHOUSE
			ACCEPTED_AT_DELIVERY_WAREHOUSE ENTERED_TO_DELIVERY_WAREHOUSE ENTERED_TO_RECIPIENT_CITY_WAREHOUSE ENTERED_TO_WAREHOUSE_ON_DEMAND
			ENTERED_TO_PICK_UP_POINT`,
		"ready_for_pickup": "ACCEPTED_AT_PICK_UP_POINT ACCEPTED_AT_WAREHOUSE_ON_DEMAND POSTOMAT_POSTED",
		"out_for_delivery": "TAKEN_BY_COURIER ISSUED_FOR_DELIVERY",
		"delivery_failed":  "RETURNED_TO_RECIPIENT_CITY_WAREHOUSE RETURNED_TO_DELIVERY_WAREHOUSE",
		"delivered":        "POSTOMAT_RECEIVED DELIVERED",
		"returning":        "POSTOMAT_SEIZED NOT_DELIVERED",
	} {
		require.ElementsMatch(t, strings.Fields(want), got[name], name)
		delete(got, name)
	}
	require.Empty(t, got)
}

// Every status in the tables is one of ours, and every exception a short name.
func TestTablesAreSound(t *testing.T) {
	require.Len(t, hooks, 11)
	for name, table := range map[string]carrier.Meanings{"statuses": statuses, "reasons": reasons, "problems": problems} {
		require.NotEmpty(t, table, name)
		for code, m := range table {
			if m.Status != "" && !m.Status.Valid() {
				t.Errorf("%s: %s means %q", name, code, m.Status)
			}
			if m.Text == "" || strings.ContainsAny(m.Detail+m.Exception, " |-") {
				t.Errorf("%s: %s is %+v", name, code, m)
			}
		}
	}
	for code, class := range classes {
		require.Contains(t, []string{"retryable", "auth", "not_found", "permanent", "conflict"}, class, code)
	}
}

func TestFailedAttemptsGetTheirReason(t *testing.T) {
	n, err := carrier.Parse([]byte(`{"entity":{"uuid":"u","cdek_number":1,"to_location":{"time_zone":"Asia/Novosibirsk"},"statuses":[
		{"code":"RETURNED_TO_RECIPIENT_CITY_WAREHOUSE","date_time":"2026-03-05T15:00:00+00:00"}],
		"delivery_problem":[{"code":"13","create_date":"2026-03-05T14:00:00Z"},{"code":40,"create_date":"2026-03-06T14:00:00Z"}],
		"delay_reasons":[{"create_date":"2026-03-04T00:00:00Z","description":"Нелетная погода"}]},
		"related_entities":[{"type":"delivery","date":"2026-03-07","time_from":"10:00","time_to":"14:00:00"}]}`))
	require.NoError(t, err)
	got := decodeOrder(n)
	require.Equal(t, "26-03-04 00:00:00 DELAY detail:delay\n26-03-05 14:00:00 13 detail:no_contact exception:recipient_absent\n"+
		"26-03-05 15:00:00 RETURNED_TO_RECIPIENT_CITY_WAREHOUSE =delivery_failed detail:no_contact reason:13\n26-03-06 14:00:00 40 detail:refused exception:refused\n",
		lines(got.Events))
	require.Equal(t, "Контактное лицо отсутствует", got.Events[2].Reason)
	require.Equal(t, time.Date(2026, 3, 7, 3, 0, 0, 0, time.UTC), got.Expected.Earliest, "the window agreed with the recipient, at his clock")
	require.Equal(t, time.Date(2026, 3, 7, 7, 0, 0, 0, time.UTC), got.Expected.Latest)
}

func FuzzAnswers(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	require.NoError(f, err)
	for _, name := range files {
		data, err := os.ReadFile(name)
		require.NoError(f, err)
		f.Add(data)
	}
	c := New(Config{})
	f.Fuzz(func(t *testing.T, data []byte) {
		hooks, _ := c.ParseHook(domain.HookMessage{Body: data})
		for _, h := range hooks {
			checkEvents(t, []domain.CarrierEvent{h.Event})
		}
		n, err := carrier.Parse(data)
		if err != nil {
			return
		}
		snap := decodeOrder(n)
		checkEvents(t, snap.Events)
		for i := 1; i < len(snap.Events); i++ {
			if snap.Events[i].OccurredAt.Before(snap.Events[i-1].OccurredAt) {
				t.Fatal("events out of order")
			}
		}
		if snap.Price != nil && snap.Price.Amount <= 0 {
			t.Fatalf("price %+v", snap.Price)
		}
		if quotes, err := decodeQuotes(n, "1", "RUB", time.Unix(0, 0)); err == nil {
			for _, q := range quotes {
				if q.Price.Amount < 0 {
					t.Fatalf("quote %+v", q)
				}
			}
		}
		decodePoint(n)
		decodeCities(n)
		decodeListed(n)
		decodeRegistries(n, "RUB")
		if i := decodeIntake(n.At("entity")); i.Status == "" {
			t.Fatal("an intake of no status")
		}
		_, _ = decodeLabel(n)
		_ = fault(n).Error()
	})
}

func checkEvents(t *testing.T, events []domain.CarrierEvent) {
	seen := map[string]bool{}
	for _, ev := range events {
		if ev.Status != "" && !ev.Status.Valid() {
			t.Fatalf("status %q", ev.Status)
		}
		if n := len([]rune(ev.ID)); n > 120 {
			t.Fatalf("an id of %d characters", n)
		}
		if seen[ev.ID] {
			t.Fatalf("%q twice", ev.ID)
		}
		seen[ev.ID] = true
		if ev.Status != "" && ev.OccurredAt.Year() < 2000 && ev.Kind == domain.CarrierScan {
			t.Fatalf("moves an order at %s", ev.OccurredAt)
		}
	}
}
