package cdek

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/carrier"
	"github.com/order-tracking/order-tracking/internal/domain"
)

func sample(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	require.NoError(t, err)
	return data
}

func node(t testing.TB, name string) carrier.Node {
	t.Helper()
	n, err := carrier.Parse(sample(t, name))
	require.NoError(t, err)
	return n
}

// id is the n-th made-up id of the samples.
func id(n int) string { return fmt.Sprintf("0a000000-0000-4000-8000-%012d", n) }

// lines formats events one per line: time, code, meaning and other fields.
func lines(events []domain.CarrierEvent) string {
	var b strings.Builder
	for _, ev := range events {
		fmt.Fprintf(&b, "%s %s", ev.OccurredAt.Format("06-01-02 15:04:05"), ev.Code)
		if ev.Status != "" {
			b.WriteString(" =" + string(ev.Status))
		}
		for _, v := range [][2]string{{"detail", ev.Detail}, {"reason", ev.ReasonCode}, {"exception", ev.Exception}} {
			if v[1] != "" {
				b.WriteString(" " + v[0] + ":" + v[1])
			}
		}
		if ev.Unknown {
			b.WriteString(" unknown")
		}
		if ev.Retracted {
			b.WriteString(" retracted")
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestOrdersOfTheSamples(t *testing.T) {
	type want struct {
		ref      domain.ShipmentRef
		tariff   string
		status   string
		text     string
		price    *domain.Money
		expected string // the day, in Moscow
		warnings []domain.CarrierMessage
		errors   []domain.CarrierMessage
		events   string
	}
	for name, w := range map[string]want{
		"order_accepted_1": {
			ref:    domain.ShipmentRef{ID: id(27), ClientRef: "SHOP-1", Phase: domain.PhasePending},
			tariff: "139", status: "ACCEPTED", text: "Принят", events: "24-10-12 16:31:14 ACCEPTED\n",
		},
		"order_created_1": {
			ref:    domain.ShipmentRef{ID: id(29), TrackingNumber: "1400000042", ClientRef: "SHOP-2", Phase: domain.PhaseRegistered},
			tariff: "246", status: "CREATED", text: "Создан", events: "20-03-27 07:24:45 ACCEPTED\n20-03-27 07:24:46 CREATED\n",
		},
		// CREATED is dated before ACCEPTED, and no request is listed.
		"order_created_2": {
			ref:    domain.ShipmentRef{ID: id(16), TrackingNumber: "1400000079", ClientRef: "SHOP-3", Phase: domain.PhaseRegistered},
			tariff: "139", status: "CREATED", text: "Создан", price: &domain.Money{Amount: 218340, Currency: "RUB"},
			events: "24-10-21 18:26:59 CREATED\n24-10-21 18:27:08 ACCEPTED\n",
		},
		// Two statuses at the same time, newest first; a part of the order was handed over.
		"order_delivered_synth": {
			ref:    domain.ShipmentRef{ID: id(31), TrackingNumber: "1400000116", ClientRef: "SHOP-4", Phase: domain.PhaseRegistered},
			tariff: "368", status: "DELIVERED", text: "Вручен", price: &domain.Money{Amount: 25050, Currency: "RUB"},
			events: "26-03-01 09:00:01 CREATED\n26-03-05 10:00:00 POSTOMAT_POSTED =ready_for_pickup detail:locker\n" +
				"26-03-06 10:00:00 POSTOMAT_RECEIVED =delivered\n26-03-06 10:00:00 DELIVERED =delivered detail:partial_delivery reason:20\n",
		},
		"order_invalid_synth1": {
			ref:    domain.ShipmentRef{ID: id(34), ClientRef: "SHOP-6", Phase: domain.PhaseRejected},
			tariff: "136", status: "INVALID", text: "Некорректный заказ",
			errors: []domain.CarrierMessage{{Code: "err_result_service_empty", Message: "По данному направлению при заданных условиях выбранный тариф недоступен"}},
			events: "26-02-01 09:00:00 ACCEPTED\n26-02-01 09:00:01 INVALID exception:shipment_rejected\n",
		},
		"order_invalid_synth2": {
			ref:    domain.ShipmentRef{ID: id(36), ClientRef: "SHOP-7", Phase: domain.PhaseRejected},
			tariff: "136", status: "INVALID", text: "Некорректный заказ",
			errors: []domain.CarrierMessage{{
				Code:    "error_validate_im_dep_number_has_already_had_integration",
				Message: "Введенный номер отправления ИМ не уникальный. Введите уникальный номер.",
			}},
			events: "26-02-01 09:00:00 ACCEPTED\n26-02-01 09:00:01 INVALID exception:shipment_rejected\n",
		},
		"order_not_delivered_synth": {
			ref:    domain.ShipmentRef{ID: id(37), TrackingNumber: "1400000190", ClientRef: "SHOP-8", Phase: domain.PhaseRegistered},
			tariff: "136", status: "NOT_DELIVERED", text: "Не вручен", expected: "2026-02-05",
			events: "26-02-01 09:00:00 ACCEPTED\n26-02-01 09:00:01 CREATED\n26-02-01 15:10:00 RECEIVED_AT_SHIPMENT_WAREHOUSE =picked_up\n" +
				"26-02-02 01:00:00 TAKEN_BY_TRANSPORTER_FROM_SENDER_CITY =in_transit\n26-02-05 04:00:00 ACCEPTED_AT_PICK_UP_POINT =ready_for_pickup\n" +
				"26-02-12 05:00:00 NOT_DELIVERED =returning detail:storage_expired reason:23\n",
		},
		"order_removed_1": {
			ref:    domain.ShipmentRef{ID: id(39), TrackingNumber: "1400000264", ClientRef: "SHOP-9", Phase: domain.PhaseCancelled},
			tariff: "246", status: "REMOVED", text: "Удален",
			events: "20-03-27 10:34:42 ACCEPTED\n20-03-27 10:34:43 CREATED\n20-03-27 10:34:44 CREATED\n20-03-27 10:38:46 REMOVED exception:shipment_cancelled\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := decodeOrder(node(t, name))
			day := ""
			if got.Expected != nil {
				day = got.Expected.Earliest.In(carrier.Moscow).Format(time.DateOnly)
			}
			g := want{got.Ref, got.Tariff, got.Status, got.Text, got.Price, day, got.Warnings, got.Errors, lines(got.Events)}
			if diff := cmp.Diff(w, g, cmp.AllowUnexported(want{})); diff != "" {
				t.Error(diff)
			}
			if got.Reverse {
				t.Error("it goes forward")
			}
		})
	}
}

// A long history with repeated codes, an old spelling and an invalid date, without requests
// or a type.
func TestHistoryOfTheSamples(t *testing.T) {
	got := decodeOrder(node(t, "order_history_1"))
	require.Len(t, got.Events, 18)
	require.Equal(t, domain.PhaseRegistered, got.Ref.Phase)
	require.Equal(t, "ACCEPTED_AT_RECIPIENT_CITY_WAREHOUSE", got.Status)
	require.Nil(t, got.Expected)
	arrived := got.Events[16]
	require.Equal(t, "ARRIVED_AT_RECIPIENT_CITY", arrived.Code)
	require.Equal(t, domain.StatusInTransit, arrived.Status)
	require.Equal(t, "arrived_at_destination", arrived.Detail)
	require.Equal(t, "Встречен в г.-получателе", arrived.Text, "the carrier's own words are kept")
	require.Equal(t, "Иркутск", arrived.City)
	require.Contains(t, arrived.ID, ":ACCEPTED_IN_RECIPIENT_CITY:", "named by the spelling of polling")
	for _, ev := range got.Events {
		require.False(t, ev.Unknown, ev.Code)
	}
}

func TestAnswersToOperations(t *testing.T) {
	for name, n := range map[string]int{
		"op_order_create_1": 14, "op_order_create_2": 16, "op_order_create_3": 18, "op_order_delete_1": 14, "op_order_delete_2": 21,
		"op_client_return_1": 8, "op_intake_create_1": 10, "op_intake_delete_1": 12, "op_barcode_create_1": 6, "op_order_update_2": 25,
	} {
		got := decodeOrder(node(t, name))
		require.Equal(t, id(n), got.Ref.ID, name)
		require.Equal(t, domain.PhasePending, got.Ref.Phase, "%s: the request is accepted, not the order", name)
		require.Empty(t, got.Status, name)
	}
	update := decodeOrder(node(t, "op_order_update_1"))
	require.Len(t, update.Warnings, 3)
	require.Equal(t, domain.CarrierMessage{Code: "v2_cost_change_by_tariff", Message: "New tariff code can trigger change order cost"}, update.Warnings[0])
}

func TestErrorsOfTheSamples(t *testing.T) {
	for name, want := range map[string]domain.CarrierError{
		"oauth_error_1":          {Class: domain.ClassAuth, Code: "unauthorized", Message: "No such account secure"},
		"error_errors_array":     {Class: domain.ClassAuth, Code: "v2_token_expired", Message: "Access token is expired: <token>"},
		"error_errors_array_2":   {Class: domain.ClassNotFound, Code: "v2_entity_not_found_im_number", Message: "Entity is not found by number ORD-404"},
		"error_http500_spring":   {Message: "Не найден HTTP заголовок Authorization"},
		"error_requests_invalid": {Code: "v2_delivery_address_multivalued", Message: "Recipient address and recipient delivery point can't be filled both"},
		"calc_error_1":           {Code: "v2_sender_location_not_recognized", Message: "Sender location is not recognized"},
	} {
		got := fault(node(t, name))
		if got.Class != want.Class || got.Code != want.Code || got.Message != want.Message {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	for code, want := range map[string]domain.ErrorClass{
		"V2_INTERNAL_ERROR": domain.ClassRetryable, "similar_request_still_processed": domain.ClassRetryable,
		"v2_orders_number_is_empty": domain.ClassRetryable, "v2_entity_forbidden": domain.ClassPermanent,
		"v2_entity_has_final_status": domain.ClassConflict, "ERR_PVZ_WEIGHT_LIMIT": "", "v2_bad_request": "",
	} {
		require.Equal(t, want, classOf(code), code)
	}
}

func TestQuotesOfTheSamples(t *testing.T) {
	now := time.Date(2026, 1, 30, 22, 0, 0, 0, time.UTC) // a Saturday in Moscow
	day := func(d int) domain.Slot {
		return domain.Slot{From: time.Date(2026, 1, 31+d, 6, 0, 0, 0, time.UTC), To: time.Date(2026, 1, 31+d, 18, 0, 0, 0, time.UTC)}
	}
	quote := func(tariff, name, mode string, kopecks int64, currency string, from, to int, working bool, first, last int) domain.Quote {
		return domain.Quote{
			Carrier: Code, Tariff: tariff, Name: name, Mode: mode, Price: domain.Money{Amount: kopecks, Currency: currency},
			DaysMin: from, DaysMax: to, Working: working,
			Expected: domain.DeliveryPeriod{Earliest: day(first).From, Latest: day(last).To},
		}
	}
	for name, want := range map[string][]domain.Quote{
		"calc_tariff_1": {quote("535", "", "", 6107, "CNY", 4, 5, false, 4, 5)},
		"calc_tariff_2": {quote("535", "", "", 35050, "RUB", 2, 4, true, 3, 5)},
		"calc_tarifflist_1": {
			quote("121", "Магистральный экспресс дверь-дверь", "door-door", 43494, "RUB", 5, 6, false, 5, 6),
			quote("62", "Магистральный экспресс склад-склад", "office-office", 31727, "RUB", 5, 6, false, 5, 6),
			quote("480", "Экспресс дверь-дверь", "door-door", 167421, "RUB", 3, 3, false, 3, 3),
			quote("607", "Экспресс постамат-постамат", "locker-locker", 161091, "RUB", 3, 3, false, 3, 3),
		},
		"calc_tarifflist_2": { // without modes and calendar days
			quote("136", "Посылка склад-склад", "office-office", 30000, "RUB", 1, 3, true, 2, 4),
			quote("137", "Посылка склад-дверь", "office-door", 45000, "RUB", 2, 4, true, 3, 5),
		},
	} {
		got, err := decodeQuotes(node(t, name), "535", "RUB", now)
		require.NoError(t, err, name)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	_, err := decodeQuotes(node(t, "calc_error_2"), "", "RUB", now)
	var e *domain.CarrierError
	require.True(t, errors.As(err, &e))
	require.Equal(t, "err_result_servicelist_empty", e.Code)
	require.Equal(t, domain.ClassValidation, e.Class)
	empty, err := carrier.Parse([]byte(`{"tariff_codes":[]}`))
	require.NoError(t, err)
	_, err = decodeQuotes(empty, "", "RUB", now)
	require.Equal(t, domain.ClassRetryable, domain.ClassOf(err), "an empty list comes and goes")
}

func TestPlacesOfTheSamples(t *testing.T) {
	first := decodePoint(node(t, "deliverypoints_1").List()[0])
	want := domain.DeliveryPoint{
		Carrier: Code, Code: "NSK1", Kind: domain.PointOffice, Name: "NSK1", Address: "ул. Примерная, 1", City: "Новосибирск",
		Location: &domain.Point{Lat: 55.01591, Lon: 82.92912}, Hours: "Пн-Пт 08:00-22:00, Сб-Вс 10:00-18:00",
		Phones: []string{"+70000000000"}, HandsOut: true, TakesIn: true, Cash: true, Cards: true, COD: true, FittingRooms: true,
	}
	if diff := cmp.Diff(want, first); diff != "" {
		t.Error(diff)
	}
	second := decodePoint(node(t, "deliverypoints_2").List()[0])
	require.Equal(t, "ORX1", second.Code)
	require.True(t, second.HandsOut, "an office that says nothing hands out")
	require.Equal(t, 137, decodeCities(node(t, "cities_1"))[0].Code)
	require.Equal(t, 270, decodeCities(node(t, "deliverypoints_1"))[0].Code)
	require.Equal(t, []domain.ShipmentRef{{ID: id(16), TrackingNumber: "1400000079", ClientRef: "SHOP-3"}}, decodeListed(node(t, "prealert_get_1")),
		"numbers may be numbers")
}

func TestPapersOfTheSamples(t *testing.T) {
	for _, name := range []string{"print_ready_1", "print_ready_2"} { // one of them has three statuses at the same time
		ready, err := decodeLabel(node(t, name))
		require.True(t, ready, name)
		require.NoError(t, err)
	}
	ready, err := decodeLabel(node(t, "print_invalid_1"))
	require.False(t, ready)
	require.Equal(t, domain.ClassNotFound, domain.ClassOf(err), "the order has no number yet: print it anew")

	for _, name := range []string{"oauth_token_1", "oauth_token_2"} {
		require.Equal(t, 3599, node(t, name).Int("expires_in"))
		require.Equal(t, "token-1", node(t, name).Text("access_token"))
	}
	require.Equal(t, "https://shop.example/hooks/1", node(t, "webhook_subscriptions_list_1").List()[0].Text("url"))
}
