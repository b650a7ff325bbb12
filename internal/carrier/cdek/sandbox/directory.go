package sandbox

import (
	"math"
	"net/http"
	"strconv"
	"strings"
)

type city struct {
	code     int
	name     string
	lat, lon float64
}

var cities = []city{
	{44, "Москва", 55.75222, 37.61556}, {137, "Санкт-Петербург", 59.939099, 30.315877}, {270, "Новосибирск", 55.028739, 82.906928},
	{438, "Ростов-на-Дону", 47.222078, 39.720349}, {152, "Калининград", 54.707390, 20.507307}, {424, "Казань", 55.796289, 49.108795},
}

type office struct {
	code, kind, address string
	city                city
}

var offices = []office{
	{"MSK5", "PVZ", "ул. Первая, 1", cities[0]}, {"MSK6", "PVZ", "ул. Вторая, 2", cities[0]}, {"MSK900", "POSTAMAT", "ул. Третья, 3", cities[0]},
	{"SPB1", "PVZ", "пр. Первый, 1", cities[1]}, {"NSK1", "PVZ", "ул. Сибирская, 1", cities[2]}, {"NSK900", "POSTAMAT", "ул. Сибирская, 9", cities[2]},
}

// cells are a locker's cell sizes.
func (f office) cells() []object {
	if f.kind == "PVZ" {
		return nil
	}
	return []object{{"width": 40, "height": 20, "depth": 60}, {"width": 40, "height": 45, "depth": 60}}
}

type tariffRow struct {
	code, mode int
	name       string
	base       float64
	min, max   int
}

var tariffs = []tariffRow{
	{139, 1, "Посылка дверь-дверь", 435, 3, 5}, {138, 2, "Посылка дверь-склад", 376, 3, 5}, {137, 3, "Посылка склад-дверь", 376, 3, 5},
	{136, 4, "Посылка склад-склад", 317, 3, 5}, {366, 6, "Посылка дверь-постамат", 360, 3, 5}, {368, 7, "Посылка склад-постамат", 300, 3, 5},
	{231, 1, "Экономичная посылка дверь-дверь", 350, 6, 9}, {480, 1, "Экспресс дверь-дверь", 1674.21, 1, 2}, {483, 4, "Экспресс склад-склад", 1610.91, 1, 2},
}

// names are the names of statuses; others are reported without one.
var names = map[string]string{
	"ACCEPTED": "Принят", "CREATED": "Создан", "REMOVED": "Удален", "INVALID": "Некорректный заказ",
	"RECEIVED_AT_SHIPMENT_WAREHOUSE": "Принят на склад отправителя", "READY_FOR_SHIPMENT_IN_SENDER_CITY": "Выдан на отправку в г. отправителе",
	"TAKEN_BY_TRANSPORTER_FROM_SENDER_CITY": "Сдан перевозчику в г. отправителе", "SENT_TO_RECIPIENT_CITY": "Отправлен в г. получатель",
	"ACCEPTED_IN_RECIPIENT_CITY": "Встречен в г. получателе", "ACCEPTED_AT_RECIPIENT_CITY_WAREHOUSE": "Принят на склад доставки",
	"ACCEPTED_AT_PICK_UP_POINT": "Принят на склад до востребования", "TAKEN_BY_COURIER": "Выдан на доставку",
	"RETURNED_TO_RECIPIENT_CITY_WAREHOUSE": "Возвращен на склад доставки", "DELIVERED": "Вручен", "NOT_DELIVERED": "Не вручен",
}

func (c city) show() object {
	return object{
		"code": c.code, "city": c.name, "country_code": "RU", "country": "Россия", "latitude": c.lat, "longitude": c.lon,
		"time_zone": "Europe/Moscow", "payment_limit": -1.0,
	}
}

func (s *Server) cities(w http.ResponseWriter, r *http.Request) {
	out := []object{}
	for _, c := range cities {
		if name := r.URL.Query().Get("city"); name == "" || strings.EqualFold(name, c.name) {
			out = append(out, c.show())
		}
	}
	answer(w, http.StatusOK, out)
}

func (s *Server) coordinates(w http.ResponseWriter, r *http.Request) {
	lat, _ := strconv.ParseFloat(r.URL.Query().Get("latitude"), 64)
	lon, _ := strconv.ParseFloat(r.URL.Query().Get("longitude"), 64)
	best := cities[0]
	for _, c := range cities {
		if math.Hypot(c.lat-lat, c.lon-lon) < math.Hypot(best.lat-lat, best.lon-lon) {
			best = c
		}
	}
	answer(w, http.StatusOK, best.show())
}

func (s *Server) points(w http.ResponseWriter, r *http.Request) {
	q, out := r.URL.Query(), []object{}
	for _, f := range offices {
		kind := q.Get("type")
		if q.Get("code") != "" && q.Get("code") != f.code || q.Get("city_code") != "" && q.Get("city_code") != strconv.Itoa(f.city.code) ||
			kind != "" && kind != "ALL" && kind != f.kind {
			continue
		}
		out = append(out, object{
			"code": f.code, "name": f.code + ", " + f.city.name, "type": f.kind, "owner_code": "CDEK", "work_time": "Пн-Вс 09:00-21:00",
			"phones": []object{{"number": "+70000000000"}}, "is_handout": true, "is_reception": f.kind == "PVZ", "have_cash": false,
			"have_cashless": true, "is_dressing_room": f.kind == "PVZ", "weight_max": 30,
			"allowed_cod": f.kind == "PVZ", "dimensions": f.cells(),
			"location": object{
				"city_code": f.city.code, "city": f.city.name, "address": f.address, "country_code": "RU",
				"latitude": f.city.lat + float64(len(f.code))/100, "longitude": f.city.lon,
			},
		})
	}
	answer(w, http.StatusOK, out)
}

// offer prices a tariff by weight.
func (t tariffRow) offer(body object) object {
	grams := 0.0
	packages, _ := body["packages"].([]any)
	for _, p := range packages {
		box, _ := p.(object)
		weight, _ := strconv.ParseFloat(text(box, "weight"), 64)
		grams += weight
	}
	sum := math.Round((t.base+grams/1000*40)*100) / 100
	return object{
		"tariff_code": t.code, "tariff_name": t.name, "tariff_description": "", "delivery_mode": t.mode, "delivery_sum": sum,
		"period_min": t.min, "period_max": t.max, "calendar_min": t.min, "calendar_max": t.max,
	}
}

// unplaced returns the error for a route end without a usable location.
func unplaced(body object) (code, message string) {
	for _, end := range []string{"from", "to"} {
		place, _ := body[end+"_location"].(object)
		if text(place, "code") == "" && text(place, "city") == "" && text(place, "address") == "" {
			who := map[string]string{"from": "sender", "to": "recipient"}[end]
			return "v2_" + who + "_location_not_recognized", who + " location is not recognized"
		}
	}
	return "", ""
}

func (s *Server) tariffs(w http.ResponseWriter, r *http.Request) {
	body, ok := read(w, r)
	if !ok {
		return
	}
	if code, message := unplaced(body); code != "" {
		fail(w, http.StatusBadRequest, code, message)
		return
	}
	var out []object
	for _, t := range tariffs {
		out = append(out, t.offer(body))
	}
	answer(w, http.StatusOK, object{"tariff_codes": out})
}

func (s *Server) tariff(w http.ResponseWriter, r *http.Request) {
	body, ok := read(w, r)
	if !ok {
		return
	}
	for _, t := range tariffs {
		if strconv.Itoa(t.code) == text(body, "tariff_code") {
			out := t.offer(body)
			delete(out, "tariff_code") // not repeated in the answer
			delete(out, "tariff_name")
			out["total_sum"], out["currency"], out["weight_calc"] = out["delivery_sum"], "RUB", 1000
			answer(w, http.StatusOK, out)
			return
		}
	}
	answer(w, http.StatusOK, object{"errors": []object{{"code": "err_result_service_empty", "message": "Тариф недоступен"}}})
}
