package httpserver

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/tracking"
)

// Traccar Client and OsmAnd report in one of three forms: query parameters, the same
// parameters as a form body, or a JSON document. https://www.traccar.org/osmand/

const (
	metresPerSecondOfKnot = 1852.0 / 3600
	// endOfSeconds is the first number read as milliseconds; smaller timestamps are in seconds.
	endOfSeconds = 2147483647
	// endOfMillis is far beyond any time that a device can mean.
	endOfMillis = 1e17
)

// parseOsmand parses a post. It never fails: what can't be parsed is counted.
func parseOsmand(query string, body []byte) tracking.PhoneReport {
	var r tracking.PhoneReport
	body = trimBody(body)
	params := formOf(query)
	if len(body) > 0 && (body[0] == '{' || body[0] == '[') {
		var doc any
		if err := json.Unmarshal(body, &doc); err != nil {
			drop(&r, domain.DropMalformed)
			return r
		}
		if o, ok := doc.(map[string]any); !ok || len(o) > 0 || len(params) == 0 {
			osmandDocument(&r, doc)
			return r
		}
	} else {
		maps.Copy(params, formOf(string(body)))
	}
	osmandParams(&r, params)
	return r
}

// trimBody removes what some apps add around the body, a byte order mark included.
func trimBody(body []byte) []byte {
	return bytes.TrimSpace(bytes.TrimPrefix(bytes.TrimSpace(body), []byte("\ufeff")))
}

// formOf parses a query or form leniently: phones send bare percent signs and semicolons.
// The first value of a repeated name counts.
func formOf(text string) map[string]any {
	params, separator := map[string]any{}, "&"
	if !strings.Contains(text, "&") {
		separator = ";"
	}
	for pair := range strings.SplitSeq(text, separator) {
		name, value, ok := strings.Cut(pair, "=")
		if _, twice := params[unescaped(name)]; ok && !twice {
			params[unescaped(name)] = unescaped(value)
		}
	}
	return params
}

// unescaped returns the text as it is when it can't be unescaped.
func unescaped(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}

func drop(r *tracking.PhoneReport, reason domain.DropReason) {
	if r.Unusable == nil {
		r.Unusable = map[domain.DropReason]int{}
	}
	r.Unusable[reason]++
}

// osmandDocument parses a JSON document: one report, or several when the app empties its buffer.
func osmandDocument(r *tracking.PhoneReport, doc any) {
	for _, d := range objects(r, doc) {
		switch location := d["location"].(type) {
		case map[string]any, []any:
			for _, l := range objects(r, location) {
				osmandLocation(r, l)
			}
		default:
			osmandParams(r, d)
		}
	}
}

// objects returns a document's object or its list of objects. Anything else is counted.
func objects(r *tracking.PhoneReport, doc any) (out []map[string]any) {
	list, ok := doc.([]any)
	if !ok {
		list = []any{doc}
	}
	for _, one := range list {
		if o, ok := one.(map[string]any); ok {
			out = append(out, o)
		} else {
			drop(r, domain.DropMalformed)
		}
	}
	return out
}

// osmandLocation parses the location of a JSON document: speed in metres per second, battery
// level from 0 to 1, and −1 for unknown values.
func osmandLocation(r *tracking.PhoneReport, location map[string]any) {
	coords, _ := location["coords"].(map[string]any)
	battery, _ := location["battery"].(map[string]any)
	level := scaled(known(battery["level"]), 100)
	p, ok := place(r, coords["latitude"], coords["longitude"], location["timestamp"])
	if !ok {
		r.Battery = cmp.Or(r.Battery, level)
		return
	}
	p.Accuracy, p.Speed = known(coords["accuracy"]), known(coords["speed"])
	p.Heading, p.Altitude = known(coords["heading"]), known(coords["altitude"])
	p.Battery = level
	p.Attributes.Add("charge", battery["is_charging"])
	activity, _ := location["activity"].(map[string]any)
	p.Attributes.Add("activity", activity["type"])
	extras, _ := location["extras"].(map[string]any)
	keep(&p, location, "coords", "timestamp", "battery", "activity", "extras", "_")
	keep(&p, extras)
	r.Positions = append(r.Positions, p)
}

// osmandParams parses the parameters of a query, a form or a flat document: battery in percent, speed in knots. With unit=ms, as
// in our link for OsmAnd, speed is in metres per second and hdop is the accuracy in metres, as that app sends them.
func osmandParams(r *tracking.PhoneReport, params map[string]any) {
	if params["unit"] == "ms" {
		params["accuracy"] = cmp.Or(params["accuracy"], params["hdop"])
		delete(params, "hdop")
	}
	lat, lon := params["lat"], params["lon"]
	if both, ok := params["location"].(string); ok && lat == nil && lon == nil {
		lat, lon = splitLocation(both)
	}
	if valid, ok := flag(params["valid"]); ok && !valid {
		drop(r, domain.DropPoorAccuracy) // the receiver itself marks it invalid
		return
	}
	p, ok := place(r, lat, lon, params["timestamp"])
	if !ok {
		r.Battery = cmp.Or(r.Battery, measured(params["batt"]))
		return
	}
	p.Accuracy, p.Altitude, p.Battery = measured(params["accuracy"]), measured(params["altitude"]), measured(params["batt"])
	p.Heading = cmp.Or(measured(params["bearing"]), measured(params["heading"]))
	p.Speed = measured(params["speed"])
	if params["unit"] != "ms" {
		p.Speed = scaled(p.Speed, metresPerSecondOfKnot)
	}
	for _, name := range []string{"charge", "mock"} {
		if set, ok := flag(params[name]); ok {
			p.Attributes.Add(name, set)
		}
	}
	if hdop := measured(params["hdop"]); hdop != nil {
		p.Attributes.Add("hdop", *hdop)
	}
	keep(&p, params, "id", "deviceid", "device_id", "lat", "lon", "location", "timestamp", "speed", "bearing", "heading",
		"altitude", "accuracy", "batt", "valid", "charge", "mock", "hdop", "unit")
	r.Positions = append(r.Positions, p)
}

// place parses position and time. It returns false when they can't be parsed, which is
// counted, and when there are none: a heartbeat.
func place(r *tracking.PhoneReport, lat, lon, timestamp any) (p domain.Position, ok bool) {
	if lat == nil && lon == nil {
		return p, false
	}
	y, x := measured(lat), measured(lon)
	at, timed := deviceTime(timestamp)
	if y == nil || x == nil || !timed {
		drop(r, domain.DropMalformed)
		return p, false
	}
	return domain.Position{Lat: *y, Lon: *x, RecordedAt: at}, true
}

// splitLocation parses "lat,lon", also where the comma is the decimal separator too. It returns nothing usable for anything else.
func splitLocation(s string) (lat, lon any) {
	parts := strings.Split(s, ",")
	switch len(parts) {
	case 2:
		return parts[0], parts[1]
	case 4:
		return parts[0] + "." + parts[1], parts[2] + "." + parts[3]
	}
	return "", ""
}

// measured parses a number, sent as a number or as text, in which a single comma is a decimal
// separator: some phones format numbers by locale.
func measured(v any) *float64 {
	switch v := v.(type) {
	case float64:
		return &v
	case string:
		s := strings.TrimSpace(v)
		if strings.Count(s, ",") == 1 && !strings.Contains(s, ".") {
			s = strings.Replace(s, ",", ".", 1)
		}
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			return &f
		}
	}
	return nil
}

// known returns a measurement, or none for −1.
func known(v any) *float64 {
	m := measured(v)
	if m == nil || *m == -1 {
		return nil
	}
	return m
}

// scaled converts a measurement to another unit.
func scaled(v *float64, by float64) *float64 {
	if v != nil {
		*v = math.Round(*v*by*1e6) / 1e6 // a battery level of 0.29 is 29 percent
	}
	return v
}

func flag(v any) (value, ok bool) {
	switch v := v.(type) {
	case bool:
		return v, true
	case string:
		b, err := strconv.ParseBool(strings.ToLower(v))
		return b, err == nil
	case float64:
		return v != 0, true
	}
	return false, false
}

// keep stores all members that we do not interpret as attributes, sorted by name, so that
// the same ones are kept when there are too many.
func keep(p *domain.Position, members map[string]any, but ...string) {
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !slices.Contains(but, name) {
			p.Attributes.Add(name, members[name])
		}
	}
}

// deviceTimes are the accepted text formats of a time; one without a zone is UTC.
var deviceTimes = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999",
}

// deviceTime parses a timestamp: seconds, milliseconds or text. An absent one is the zero time.
func deviceTime(v any) (time.Time, bool) {
	s, isText := v.(string)
	if s = strings.TrimSpace(s); v == nil || isText && s == "" {
		return time.Time{}, true
	}
	if n := measured(v); n != nil {
		switch {
		case math.IsNaN(*n) || math.Abs(*n) > endOfMillis:
			return time.Time{}, false
		case *n < endOfSeconds:
			whole, fraction := math.Modf(*n)
			return time.Unix(int64(whole), int64(fraction*1e9)).UTC(), true
		}
		return time.UnixMilli(int64(*n)).UTC(), true
	}
	if strings.Contains(s, "T") { // a plus sign decoded as a space in the query
		s = strings.Replace(s, " ", "+", 1)
	}
	for _, layout := range deviceTimes {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}
