package httpserver

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/tracking"
)

func num(v float64) *float64 { return &v }

func here(lat, lon float64) domain.Position { return domain.Position{Lat: lat, Lon: lon} }

func one(p domain.Position) tracking.PhoneReport {
	return tracking.PhoneReport{Positions: []domain.Position{p}}
}

func unusable(reason domain.DropReason) tracking.PhoneReport {
	return tracking.PhoneReport{Unusable: map[domain.DropReason]int{reason: 1}}
}

var (
	alive     = tracking.PhoneReport{} // a heartbeat
	malformed = unusable(domain.DropMalformed)
	second    = time.Date(2026, 5, 4, 12, 30, 0, 0, time.UTC)
)

func timed(p domain.Position, t time.Time) domain.Position {
	p.RecordedAt = t
	return p
}

// The same report in each form, and odd reports.
func TestOsmandParameters(t *testing.T) {
	full := timed(here(55.7512, 37.6184), second)
	full.Speed, full.Heading, full.Altitude, full.Accuracy, full.Battery = num(10*1852.0/3600), num(90), num(156.5), num(4), num(57)
	full.Attributes = domain.Attributes{"charge": true, "hdop": 1.5, "alarm": "sos", "mock": false, "cell": "257,02"}
	for name, tt := range map[string]struct {
		query string
		want  tracking.PhoneReport
	}{
		"everything":                           {"id=1&lat=55.7512&lon=37.6184&timestamp=1777897800&speed=10&bearing=90&altitude=156.5&accuracy=4&batt=57&charge=true&hdop=1.5&alarm=sos&mock=0&valid=1&cell=257,02", one(full)},
		"deviceid, heading and location":       {"deviceid=1&location=55.7512,37.6184&heading=45", one(domain.Position{Lat: 55.7512, Lon: 37.6184, Heading: num(45)})},
		"now":                                  {"lat=1&lon=2", one(here(1, 2))},
		"empty timestamp":                      {"lat=1&lon=2&timestamp=", one(here(1, 2))},
		"milliseconds":                         {"lat=1&lon=2&timestamp=1777897800123", one(timed(here(1, 2), second.Add(123*time.Millisecond)))},
		"fractions of seconds":                 {"lat=1&lon=2&timestamp=1777897800.5", one(timed(here(1, 2), second.Add(500*time.Millisecond)))},
		"ISO 8601":                             {"lat=1&lon=2&timestamp=2026-05-04T12:30:00Z", one(timed(here(1, 2), second))},
		"ISO 8601 with a zone":                 {"lat=1&lon=2&timestamp=2026-05-04T15:30:00%2B03:00", one(timed(here(1, 2), second))},
		"ISO 8601 with a plus not escaped":     {"lat=1&lon=2&timestamp=2026-05-04T15:30:00.000+0300", one(timed(here(1, 2), second))},
		"plain time is UTC":                    {"lat=1&lon=2&timestamp=2026-05-04+12:30:00", one(timed(here(1, 2), second))},
		"epoch 0":                              {"lat=1&lon=2&timestamp=0", one(timed(here(1, 2), time.Unix(0, 0).UTC()))},
		"the last second":                      {"lat=1&lon=2&timestamp=2147483646", one(timed(here(1, 2), time.Unix(2147483646, 0).UTC()))},
		"from there on it is milliseconds":     {"lat=1&lon=2&timestamp=2147483647", one(timed(here(1, 2), time.UnixMilli(2147483647).UTC()))},
		"2038 in milliseconds":                 {"lat=1&lon=2&timestamp=2147483648000", one(timed(here(1, 2), time.Unix(2147483648, 0).UTC()))},
		"nanoseconds":                          {"lat=1&lon=2&timestamp=1777897800000000000", malformed},
		"no time at all":                       {"lat=1&lon=2&timestamp=noon", malformed},
		"decimal commas":                       {"lat=55,7512&lon=37,6184&speed=0,5", one(domain.Position{Lat: 55.7512, Lon: 37.6184, Speed: num(0.5 * 1852.0 / 3600)})},
		"decimal commas in location":           {"location=55,7512,37,6184", one(here(55.7512, 37.6184))},
		"a location of three":                  {"location=55,37,1", malformed},
		"zero":                                 {"lat=0&lon=0", one(here(0, 0))}, // null island: dropped by the plausibility filter
		"91 degrees":                           {"lat=91&lon=0", one(here(91, 0))},
		"no number":                            {"lat=north&lon=2", malformed},
		"half a place":                         {"lat=1", malformed},
		"no place":                             {"id=1&batt=50", tracking.PhoneReport{Battery: num(50)}},
		"nothing":                              {"", alive},
		"a receiver without a fix":             {"lat=1&lon=2&valid=false", unusable(domain.DropPoorAccuracy)},
		"speed unknown":                        {"lat=1&lon=2&speed=-1", one(domain.Position{Lat: 1, Lon: 2, Speed: num(-1852.0 / 3600)})}, // omitted later
		"measurements that are none":           {"lat=1&lon=2&speed=fast&batt=&accuracy=x", one(domain.Position{Lat: 1, Lon: 2, Attributes: nil})},
		"twice the same":                       {"lat=1&lon=2&lat=3", one(here(1, 2))},
		"a bare per cent sign":                 {"lat=1&lon=2&load=100%", one(with(here(1, 2), "load", "100%"))},
		"a semicolon in a value":               {"lat=1&lon=2&note=a;b", one(with(here(1, 2), "note", "a;b"))},
		"semicolons between":                   {"lat=1;lon=2", one(here(1, 2))},
		"OsmAnd: metres per second and metres": {"unit=ms&lat=1&lon=2&speed=10&hdop=4.5", one(domain.Position{Lat: 1, Lon: 2, Speed: num(10), Accuracy: num(4.5)})},
	} {
		t.Run(name, func(t *testing.T) {
			require.Empty(t, cmp.Diff(tt.want, parseOsmand(tt.query, nil), equal...))
			require.Empty(t, cmp.Diff(tt.want, parseOsmand("", []byte(tt.query)), equal...), "as a form")
		})
	}
	require.Empty(t, cmp.Diff(one(here(1, 2)), parseOsmand("id=7", []byte("\xef\xbb\xbflat=1&lon=2\r\n")), equal...), "a byte order mark")
	require.Empty(t, cmp.Diff(one(here(1, 2)), parseOsmand("lat=1&lon=2", []byte("{}")), equal...), "an empty document beside a query")
}

// with is a position with an attribute.
func with(p domain.Position, name string, value any) domain.Position {
	p.Attributes.Add(name, value)
	return p
}

// equal compares reports: numbers by value, ignoring what only the domain sets.
var equal = []cmp.Option{cmpopts.EquateApprox(0, 1e-6)}

func TestOsmandJSON(t *testing.T) {
	full := timed(here(55.7512, 37.6184), second)
	full.Accuracy, full.Speed, full.Heading, full.Altitude, full.Battery = num(5), num(4.2), num(180), num(150), num(57)
	full.Attributes = domain.Attributes{"is_moving": true, "odometer": 1234.5, "event": "motionchange", "charge": false, "activity": "walking", "shift": "B"}
	coords := `"coords":{"latitude":55.7512,"longitude":37.6184`
	for name, tt := range map[string]struct {
		doc  string
		want tracking.PhoneReport
	}{
		"everything": {`{"device_id":"1","location":{"timestamp":"2026-05-04T12:30:00.000Z",` + coords + `,"accuracy":5,"speed":4.2,"heading":180,"altitude":150},
			"is_moving":true,"odometer":1234.5,"event":"motionchange","battery":{"level":0.57,"is_charging":false},"activity":{"type":"walking"},"extras":{"shift":"B"},"_":"&id=1"}}`, one(full)},
		"minus one is unknown": {`{"location":{` + coords + `,"accuracy":-1,"speed":-1,"heading":-1,"altitude":-1},"battery":{"level":-1}}}`, one(here(55.7512, 37.6184))},
		"below the sea":        {`{"location":{` + coords + `,"altitude":-2.5}}}`, one(domain.Position{Lat: 55.7512, Lon: 37.6184, Altitude: num(-2.5)})},
		"battery in percent":   {`{"location":{` + coords + `},"battery":{"level":57}}}`, one(domain.Position{Lat: 55.7512, Lon: 37.6184, Battery: num(5700)})}, // omitted later
		"no coords":            {`{"device_id":"1","location":{"timestamp":"2026-05-04T12:30:00Z","event":"providerchange"}}`, alive},
		"empty coords":         {`{"location":{"coords":{}}}`, alive},
		"coords of null":       {`{"location":{"coords":null}}`, alive},
		"half a place":         {`{"location":{"coords":{"latitude":1}}}`, malformed},
		"no location":          {`{"device_id":"1"}`, alive},
		"numbers as text":      {`{"location":{"coords":{"latitude":"1,5","longitude":"2"}}}`, one(here(1.5, 2))},
		"milliseconds":         {`{"location":{"timestamp":1777897800000,"coords":{"latitude":1,"longitude":2}}}`, one(timed(here(1, 2), second))},
		"flat":                 {`{"deviceid":"1","lat":1,"lon":2,"speed":10,"timestamp":1777897800}`, one(domain.Position{Lat: 1, Lon: 2, Speed: num(10 * 1852.0 / 3600), RecordedAt: second})},
		"several":              {`{"location":[{"coords":{"latitude":1,"longitude":2}},{"coords":{"latitude":3,"longitude":4}}]}`, tracking.PhoneReport{Positions: []domain.Position{here(1, 2), here(3, 4)}}},
		"several documents":    {`[{"location":{"coords":{"latitude":1,"longitude":2}}},{"lat":3,"lon":4}]`, tracking.PhoneReport{Positions: []domain.Position{here(1, 2), here(3, 4)}}},
		"29 percent":           {`{"location":{` + coords + `},"battery":{"level":0.29}}}`, one(domain.Position{Lat: 55.7512, Lon: 37.6184, Battery: num(29)})},
		"no place, a battery":  {`{"location":{"battery":{"level":0.29}}}`, tracking.PhoneReport{Battery: num(29)}},
		"several of nothing":   {`{"location":[7]}`, malformed},
		"an array of numbers":  {`[1]`, malformed},
		"lists of lists":       {`[[]]`, malformed},
		"broken":               {`{"location":`, malformed},
		"NaN":                  {`{"location":{"coords":{"latitude":NaN}}}`, malformed},
		"a number too large":   {`{"location":{"coords":{"latitude":1e999,"longitude":1}}}`, malformed},
		"place of objects":     {`{"location":{"coords":{"latitude":{},"longitude":[]}}}`, malformed},
	} {
		t.Run(name, func(t *testing.T) {
			require.Empty(t, cmp.Diff(tt.want, parseOsmand("id=1", []byte(tt.doc)), equal...))
		})
	}
}

func TestOwnTracks(t *testing.T) {
	full := timed(here(55.7512, 37.6184), second)
	full.Accuracy, full.Altitude, full.Speed, full.Heading, full.Battery = num(10), num(150), num(10), num(90), num(80)
	full.Attributes = domain.Attributes{"tid": "ab", "t": "u", "conn": "m", "user": "bob", "device": "pixel"}
	for name, tt := range map[string]struct {
		doc  string
		want tracking.PhoneReport
	}{
		"location": {`{"_type":"location","lat":55.7512,"lon":37.6184,"tst":1777897800,"acc":10,"alt":150,"vel":36,"cog":90,"batt":80,"tid":"ab","t":"u","conn":"m","_id":"x","topic":"owntracks/bob/pixel"}`, one(full)},
		"transition": {`{"_type":"transition","event":"enter","lat":1,"lon":2,"acc":30,"tst":1777897800,"desc":"door","wtst":1}`,
			tracking.PhoneReport{Arrivals: []domain.Position{{Lat: 1, Lon: 2, Accuracy: num(30), RecordedAt: second}}}},
		"leaving":          {`{"_type":"transition","event":"leave","lat":1,"lon":2,"tst":1}`, alive},
		"a waypoint":       {`{"_type":"waypoint","lat":1,"lon":2,"rad":10,"tst":1}`, alive},
		"last will":        {`{"_type":"lwt","tst":1}`, alive},
		"encrypted":        {`{"_type":"encrypted","data":"c2VjcmV0"}`, alive},
		"no type":          {`{"lat":1,"lon":2}`, alive},
		"a type of number": {`{"_type":7}`, alive},
		"an array":         {`[]`, alive},
		"empty":            {``, alive},
		"space":            {" \n", alive},
		"broken":           {`{"_type":"location"`, malformed},
		"no place":         {`{"_type":"location","tst":1}`, alive},
		"half a place":     {`{"_type":"location","lat":1}`, malformed},
	} {
		t.Run(name, func(t *testing.T) {
			user, device := "", ""
			if name == "location" {
				user, device = "bob", "pixel"
			}
			require.Empty(t, cmp.Diff(tt.want, parseOwnTracks(user, device, []byte(tt.doc)), cmpopts.EquateApprox(0, 1e-9)))
		})
	}
}

// No input from a phone breaks anything: every resulting position can be encoded, stored and
// filtered.
func checkReport(t *testing.T, r tracking.PhoneReport) {
	t.Helper()
	for _, p := range append(r.Positions, r.Arrivals...) {
		p, ok := p.Clean(second)
		if !ok {
			continue
		}
		_ = p.RecordedAt.After(second)
		for _, v := range []*float64{&p.Lat, &p.Lon, p.Accuracy, p.Speed, p.Heading, p.Altitude, p.Battery} {
			require.False(t, v != nil && (math.IsNaN(*v) || math.IsInf(*v, 0)))
		}
		_, err := json.Marshal(p.Attributes)
		require.NoError(t, err)
		require.LessOrEqual(t, len(p.Attributes), domain.MaxAttributes)
	}
}

func FuzzOsmand(f *testing.F) {
	f.Add("id=1&lat=55,7&lon=37.6&timestamp=1777897800&speed=-1&foo=bar", "")
	f.Add("", `{"location":{"timestamp":"2026-05-04T12:30:00Z","coords":{"latitude":1,"longitude":2,"speed":-1},"battery":{"level":0.5},"extras":{"a":[1]}}}`)
	f.Add("location=1,2,3,4", "lat=1&lon=2&timestamp=99999999999999999999999")
	f.Fuzz(func(t *testing.T, query, body string) {
		checkReport(t, parseOsmand(query, []byte(body)))
	})
}

func FuzzOwnTracks(f *testing.F) {
	f.Add("bob", `{"_type":"location","lat":55.7512,"lon":37.6184,"tst":1777897800,"vel":36,"tid":"ab"}`)
	f.Add("", `{"_type":"transition","event":"enter","lat":1,"lon":2,"tst":1e300}`)
	f.Fuzz(func(t *testing.T, user, body string) {
		checkReport(t, parseOwnTracks(user, user, []byte(body)))
	})
}
