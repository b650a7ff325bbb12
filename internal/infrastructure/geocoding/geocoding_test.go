package geocoding

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

var _ domain.Geocoder = (*Client)(nil)

// server answers every request with the text and keeps the last one.
type server struct {
	*httptest.Server
	last *http.Request
}

func answering(t *testing.T, status int, text string) *server {
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.last = r
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, text)
	}))
	t.Cleanup(s.Close)
	return s
}

func client(t *testing.T, o Options) *Client {
	c := New(o)
	t.Cleanup(c.Close)
	return c
}

func TestNominatim(t *testing.T) {
	s := answering(t, 200, `[
		{"lat":"55.7507","lon":"37.5956","place_rank":30,"display_name":"10 А, Арбат, Москва","address":{"house_number":"10 А","road":"Арбат"}},
		{"lat":"55.75","lon":"37.59","place_rank":26},{"lat":"55.7","lon":"37.6","place_rank":16}]`)
	c := client(t, Options{URL: s.URL + "/", API: Nominatim, UserAgent: "shop/1 admin@shop.example", Language: "ru", Countries: "ru,kz"})
	got, err := c.Find(t.Context(), "Арбат 10А, Москва")
	require.NoError(t, err)
	require.Equal(t, []domain.FoundPlace{
		{Point: domain.Point{Lat: 55.7507, Lon: 37.5956}, Address: "10 А, Арбат, Москва", Quality: domain.PlaceHouse, House: "10 А"},
		{Point: domain.Point{Lat: 55.75, Lon: 37.59}, Quality: domain.PlaceStreet},
		{Point: domain.Point{Lat: 55.7, Lon: 37.6}, Quality: domain.PlaceArea},
	}, got)
	require.Equal(t, "shop/1 admin@shop.example", s.last.Header.Get("User-Agent"))
	require.Equal(t, "/search", s.last.URL.Path)
	q := s.last.URL.Query()
	require.Equal(t, "Арбат 10А, Москва", q.Get("q"))
	require.Equal(t, []string{"jsonv2", "1", "ru,kz", "ru"}, []string{q.Get("format"), q.Get("addressdetails"), q.Get("countrycodes"), q.Get("accept-language")})
}

func TestPhoton(t *testing.T) {
	s := answering(t, 200, `{"type":"FeatureCollection","features":[
		{"geometry":{"type":"Point","coordinates":[37.5956,55.7507]},"properties":{"type":"house","housenumber":"10","street":"Arbat","city":"Moscow"}},
		{"geometry":{"type":"Point","coordinates":[37.6,55.7]},"properties":{"type":"street"}},
		{"geometry":{"type":"Point","coordinates":[37.6,55.7]},"properties":{"type":"city"}}]}`)
	got, err := client(t, Options{URL: s.URL, API: Photon, Language: "en"}).Find(t.Context(), "Arbat 10")
	require.NoError(t, err)
	require.Equal(t, []domain.FoundPlace{
		{Point: domain.Point{Lat: 55.7507, Lon: 37.5956}, Address: "Arbat 10, Moscow", Quality: domain.PlaceHouse, House: "10"},
		{Point: domain.Point{Lat: 55.7, Lon: 37.6}, Quality: domain.PlaceStreet}, {Point: domain.Point{Lat: 55.7, Lon: 37.6}, Quality: domain.PlaceArea},
	}, got)
	require.Equal(t, "/api", s.last.URL.Path)
	require.Equal(t, "en", s.last.URL.Query().Get("lang"))
}

func TestNothingFound(t *testing.T) {
	for api, text := range map[string]string{Nominatim: `[]`, Photon: `{"features":[]}`} {
		got, err := client(t, Options{URL: answering(t, 200, text).URL, API: api}).Find(t.Context(), "nowhere")
		require.NoError(t, err)
		require.Empty(t, got)
	}
}

func TestWhatIsNoAnswer(t *testing.T) {
	for name, a := range map[string]struct {
		api    string
		status int
		text   string
	}{
		"a page": {Nominatim, 200, "<html>"}, "empty": {Nominatim, 200, ""}, "an error": {Nominatim, 200, `{"error":"x"}`},
		"too many requests": {Nominatim, 429, "[]"}, "forbidden": {Photon, 403, "[]"}, "a redirect": {Photon, 302, "[]"},
		"words":             {Nominatim, 200, `[{"lat":"north","lon":"37"}]`},
		"no place":          {Nominatim, 200, `[{"place_rank":30}]`},
		"out of this world": {Nominatim, 200, `[{"lat":"155","lon":"37","place_rank":30}]`},
		"not a number":      {Nominatim, 200, `[{"lat":"NaN","lon":"37","place_rank":30}]`},
		"no features":       {Photon, 200, `{}`}, "no coordinates": {Photon, 200, `{"features":[{}]}`},
		"turned round": {Photon, 200, `{"features":[{"geometry":{"coordinates":[55,137]}}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client(t, Options{URL: answering(t, a.status, a.text).URL, API: a.api}).Find(t.Context(), "x")
			require.Equal(t, domain.CodeUnavailable, domain.CodeOf(err))
		})
	}
}

func TestServerThatHangs(t *testing.T) {
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(func() { close(release); s.Close() })
	_, err := client(t, Options{URL: s.URL, Timeout: 20 * time.Millisecond}).Find(t.Context(), "x")
	require.Equal(t, domain.CodeUnavailable, domain.CodeOf(err))
}
