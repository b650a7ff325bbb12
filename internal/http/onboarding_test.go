package httpserver

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"image/png"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// token onboards a courier.
func (d *testServer) token(courier string) string {
	d.t.Helper()
	return d.do("POST", "/courier/"+courier+"/onboarding", nil).ok(201)["token"].(string)
}

func TestLinksSetUpTheApps(t *testing.T) {
	const courier = "0190b7a1-8f00-7a51-8d6e-1a2b3c4d5e6f"
	apps, err := phoneApps("https://track.example/base", "TOKEN", courier, "CODE")
	require.NoError(t, err)
	require.Len(t, apps, 4)
	require.Equal(t, "osmand", apps[2].App)
	require.True(t, strings.HasPrefix(apps[2].URL, "https://track.example/base/ingest/osmand/TOKEN?unit=ms&"), "in metres per second")
	require.Equal(t, "https://track.example/base/courier-app#code=CODE", apps[3].DeepLink)

	traccar := apps[0]
	require.Equal(t, "traccar", traccar.App)
	require.Equal(t, "https://track.example/base/ingest/osmand/TOKEN", traccar.URL)
	u, err := url.Parse(traccar.DeepLink)
	require.NoError(t, err)
	require.Equal(t, "org.traccar.client", u.Scheme)
	require.NotEqual(t, "action", u.Host, "that host would start or stop the app")
	q := u.Query()
	require.Equal(t, traccar.URL, q.Get("url"))
	require.Equal(t, courier, q.Get("id"))
	for key, want := range map[string]string{"interval": "10", "fastest_interval": "10", "accuracy": "highest", "buffer": "true", "distance": "0"} {
		require.Equal(t, want, q.Get(key), key)
	}
	_, code := traccarApp(traccar.URL, courier)
	u, err = url.Parse(code)
	require.NoError(t, err)
	require.Equal(t, traccar.URL, u.Scheme+"://"+u.Host+u.Path, "the scanner takes the address from before the parameters")
	require.Equal(t, "10", u.Query().Get("interval"))

	own := apps[1]
	require.Equal(t, "owntracks", own.App)
	inline, ok := strings.CutPrefix(own.DeepLink, "owntracks:///config?inline=")
	require.True(t, ok)
	inline, err = url.QueryUnescape(inline)
	require.NoError(t, err)
	doc, err := base64.StdEncoding.DecodeString(inline)
	require.NoError(t, err)
	var c map[string]any
	require.NoError(t, json.Unmarshal(doc, &c))
	require.Equal(t, "configuration", c["_type"])
	require.EqualValues(t, 3, c["mode"])
	require.Equal(t, own.URL, c["url"])
	require.EqualValues(t, 10, c["moveModeLocatorInterval"])
	require.EqualValues(t, 2, c["monitoring"])
	require.Equal(t, "6f", c["tid"])

	for _, app := range apps {
		data, ok := strings.CutPrefix(app.QR, "data:image/png;base64,")
		require.True(t, ok)
		raw, err := base64.StdEncoding.DecodeString(data)
		require.NoError(t, err)
		image, err := png.Decode(bytes.NewReader(raw))
		require.NoError(t, err)
		require.Greater(t, image.Bounds().Dx(), 200)
	}
}

func TestOnboarding(t *testing.T) {
	d := open(t)
	courier := d.courier()
	path := "/courier/" + courier + "/onboarding"
	made := d.do("POST", path, nil).ok(201)
	token := made["token"].(string)
	require.GreaterOrEqual(t, len(token), 26, "130 bits in base 32")
	app := made["apps"].([]any)[0].(map[string]any)
	require.Equal(t, d.URL+"/ingest/osmand/"+token, app["url"], "where the caller reached us")
	require.NotEqual(t, token, d.token(courier))

	list := string(d.do("GET", path, nil).body)
	require.NotContains(t, list, token, "it is shown once")
	require.Contains(t, list, made["id"])
	require.Equal(t, 2, strings.Count(list, `"id"`))

	require.Equal(t, 200, d.do("GET", "/ingest/osmand/"+token+"?lat=1&lon=2", nil).StatusCode)
	require.Equal(t, 1.0, d.do("DELETE", path+"?id="+made["id"].(string), nil).ok(200)["revoked"])
	d.do("GET", "/ingest/osmand/"+token+"?lat=1&lon=2", nil).problem(401, "unauthenticated")
	d.do("DELETE", path+"?id="+made["id"].(string), nil).problem(404, "not_found")
	d.do("DELETE", path+"/"+made["id"].(string), nil).problem(404, "not_found")
	require.Equal(t, 1.0, d.do("DELETE", path, nil).ok(200)["revoked"])
	require.Equal(t, 0.0, d.do("DELETE", path, nil).ok(200)["revoked"])

	other := d.do("POST", path, nil).ok(201)
	require.Equal(t, 1.0, d.do("DELETE", path+"/"+other["id"].(string), nil).ok(200)["revoked"])
	for _, p := range []string{"/courier/" + noOrder + "/onboarding"} {
		d.do("POST", p, nil).problem(404, "courier_not_found")
		d.do("GET", p, nil).problem(404, "courier_not_found")
		d.do("DELETE", p, nil).problem(404, "courier_not_found")
	}
	require.Equal(t, map[string]string{"/courier_id": "invalid_id"}, d.do("POST", "/courier/7/onboarding", nil).problem(422, "validation_failed").pointers())
	require.Equal(t, map[string]string{"/id": "invalid_id"}, d.do("DELETE", path+"?id=7", nil).problem(422, "validation_failed").pointers())
	require.Equal(t, map[string]string{"/token_id": "invalid_id"}, d.do("DELETE", path+"/7", nil).problem(422, "validation_failed").pointers())
}

func TestPublicAddressInLinks(t *testing.T) {
	cfg := testConfig()
	cfg.PublicURL = "https://track.example/"
	d := openWith(t, cfg, guardOf(""))
	app := d.do("POST", "/courier/"+d.courier()+"/onboarding", nil).ok(201)["apps"].([]any)[1].(map[string]any)
	require.True(t, strings.HasPrefix(app["url"].(string), "https://track.example/ingest/owntracks/"), app["url"])
}

// A phone needs no key: it has its token.
func TestPhonesNeedNoKey(t *testing.T) {
	key := strings.Repeat("k", 40)
	d := openWith(t, testConfig(), guardOf(key))
	d.key = key
	courier := d.courier()
	token := d.token(courier)
	d.key = ""
	d.do("POST", "/courier/"+courier+"/onboarding", nil).problem(401, "unauthenticated")
	for _, app := range []string{"osmand", "owntracks"} {
		d.do("POST", "/ingest/"+app+"/nobody", `{"_type":"location","lat":1,"lon":2}`).problem(401, "unauthenticated")
	}
	require.Equal(t, 200, d.do("POST", "/ingest/osmand/"+token, "lat=1&lon=2").StatusCode)
	d.key = key
	require.Equal(t, 1.0, d.do("GET", "/courier/"+courier+"/location", nil).ok(200)["lat"])
}

func TestIngestAnswers(t *testing.T) {
	d := open(t)
	courier := d.courier()
	token := d.token(courier)
	huge := `{"location":[` + strings.Repeat(`{"coords":{"latitude":1,"longitude":2}},`, 1_000_000) + `{}]}`
	d.do("POST", "/ingest/osmand/"+token, huge).problem(413, "too_large")
	for name, body := range map[string]string{
		"a position": `{"location":{"coords":{"latitude":55.7,"longitude":37.6,"speed":-1},"battery":{"level":0.5}}}`,
		"nothing":    ``, "broken": `{"location":`, "no place": `{"location":{}}`, "91 degrees": `lat=91&lon=0`, "null island": `lat=0&lon=0`,
		"too old": `lat=1&lon=1&timestamp=0`, "2038": `lat=1&lon=1&timestamp=2147483648000`,
	} {
		r := d.do("POST", "/ingest/osmand/"+token, body)
		require.Equal(t, 200, r.StatusCode, name)
		require.Empty(t, r.body, name)
		r = d.do("POST", "/ingest/owntracks/"+token, body)
		require.Equal(t, 200, r.StatusCode, name)
		require.Equal(t, "[]", string(r.body), name)
	}
	at := d.do("GET", "/courier/"+courier+"/location", nil).ok(200)
	require.Equal(t, 55.7, at["lat"])
	require.NotContains(t, at, "speed")
	require.Equal(t, 50.0, at["battery"])
	counts := d.srv.Tracking.Counts()
	for reason, want := range map[domain.DropReason]int64{
		domain.DropOutOfRange: 1, domain.DropNullIsland: 1, domain.DropTooOld: 1, domain.DropFuture: 1, domain.DropMalformed: 2 + 4,
	} {
		require.Equal(t, want, counts.Dropped(reason), reason)
	}
	require.EqualValues(t, 1+10, counts.Received.Load())
	require.EqualValues(t, 2+3, counts.SignsOfLife.Load())
	some := "[" + strings.Repeat(`{"lat":1,"lon":2},`, domain.MaxPositions) + `{"lat":1,"lon":2}]`
	d.do("POST", "/courier/"+courier+"/location", some).problem(422, "validation_failed")
}

func TestCourierTrack(t *testing.T) {
	d := open(t)
	courier := d.courier()
	path := "/courier/" + courier + "/track"
	now := time.Now().UTC().Truncate(time.Microsecond)
	var fixes []domain.Fix
	for i := range 10 {
		p := here(55+float64(i)/1000, 37)
		p.RecordedAt, p.ReceivedAt = now.Add(time.Duration(i-10)*time.Minute), now
		fixes = append(fixes, domain.Fix{CourierID: courier, Position: p})
	}
	require.Empty(t, d.do("GET", path, nil).ok(200)["trail"])
	require.Equal(t, "null", string(mustJSON(t, d.do("GET", path+"?format=geojson", nil).ok(200)["geometry"])))
	_, err := d.srv.Tracking.Store.AppendFixes(t.Context(), fixes, nil)
	require.NoError(t, err)

	all := d.do("GET", path, nil).ok(200)
	require.Len(t, all["trail"], 10)
	require.Equal(t, true, all["complete"])
	some := d.do("GET", path+"?limit=2", nil).ok(200)
	require.Len(t, some["trail"], 2)
	require.Equal(t, false, some["complete"])
	q := url.Values{"from": {fixes[3].RecordedAt.Format(time.RFC3339Nano)}, "to": {fixes[5].RecordedAt.Format(time.RFC3339Nano)}}
	require.Len(t, d.do("GET", path+"?"+q.Encode(), nil).ok(200)["trail"], 3, "both ends belong to it")

	for _, r := range []*reply{d.do("GET", path+"?format=geojson", nil), d.do("GET", path, nil, "Accept", "application/geo+json")} {
		require.Equal(t, "application/geo+json", r.Header.Get("Content-Type"))
		f := r.ok(200)
		require.Equal(t, "Feature", f["type"])
		line := f["geometry"].(map[string]any)
		require.Equal(t, "LineString", line["type"])
		require.Equal(t, []any{37.0, 55.0}, line["coordinates"].([]any)[0], "longitude first")
	}
	for query, pointer := range map[string]string{
		"limit=1": "/limit", "limit=0": "/limit", "limit=50001": "/limit", "format=gpx": "/format",
		"from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z": "/to", "from=1960-01-01T00:00:00Z": "/from",
	} {
		p := d.do("GET", path+"?"+query, nil).problem(422, "validation_failed")
		require.Contains(t, p.pointers(), pointer, query)
	}
	d.do("GET", "/courier/"+noOrder+"/track", nil).problem(404, "courier_not_found")
	d.do("GET", path+"?from=yesterday", nil).problem(400, "malformed")
}

func mustJSON(t *testing.T, v any) []byte {
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return b
}
