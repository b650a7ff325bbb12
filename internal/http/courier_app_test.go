package httpserver

import (
	"encoding/json"
	"net/http"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The worker keeps all that the page loads, in every language, and its script changes with them.
func TestCourierAppIsWholeOffline(t *testing.T) {
	s := open(t)
	worker := s.do(http.MethodGet, "/courier-app/worker.js", nil)
	require.Equal(t, http.StatusOK, worker.StatusCode)
	require.Equal(t, "/courier-app", worker.Header.Get("Service-Worker-Allowed"))
	require.Equal(t, "no-cache", worker.Header.Get("Cache-Control"))
	_, list, _ := strings.Cut(string(worker.body), "serve(")
	var kept shell
	require.NoError(t, json.NewDecoder(strings.NewReader(list)).Decode(&kept))
	require.Equal(t, webAssets().hash, kept.Hash)
	asked := regexp.MustCompile(`(?:from |import )"(\.{1,2}/[^"]+)"|import\("(\.{1,2}/[^"]+)"\)(?:[^.]|\.then)`) // not those of types
	for _, file := range kept.Files {
		r := s.do(http.MethodGet, file, nil)
		require.Equal(t, http.StatusOK, r.StatusCode, file)
		for _, m := range asked.FindAllSubmatch(r.body, -1) {
			require.Contains(t, kept.Files, path.Join(path.Dir(file), string(m[1])+string(m[2])), "%s imports it", file)
		}
	}
	require.Len(t, kept.Pages, 2)
	for _, url := range kept.Pages {
		page := s.do(http.MethodGet, url, nil)
		require.Contains(t, string(page.body), kept.Hash, "the worker compares it")
		require.Contains(t, page.Header.Get("Content-Security-Policy"), "trusted-types courier-app")
		for _, link := range regexp.MustCompile(`(?:href|src)="(/assets/[^"]+)"`).FindAllStringSubmatch(string(page.body), -1) {
			if path.Ext(link[1]) != ".png" {
				require.Contains(t, kept.Files, link[1])
			}
		}
	}
}

// Browsers offer to install the app when its manifest has all this.
func TestCourierAppCanBeInstalled(t *testing.T) {
	s := open(t)
	page := s.do(http.MethodGet, "/courier-app", nil)
	require.Contains(t, string(page.body), `<link rel="manifest" href="/courier-app/manifest.json">`)
	m := s.do(http.MethodGet, "/courier-app/manifest.json", nil).ok(200)
	require.Equal(t, "standalone", m["display"])
	require.Equal(t, "/courier-app", m["start_url"])
	require.NotEmpty(t, m["name"])
	icons := m["icons"].([]any)
	require.Len(t, icons, 3)
	for _, icon := range icons {
		r := s.do(http.MethodGet, at(icon, "src").(string), nil)
		require.Equal(t, http.StatusOK, r.StatusCode)
		require.Equal(t, at(icon, "type"), r.Header.Get("Content-Type"))
	}
}

func TestPhonesWithoutAPositionSayWhy(t *testing.T) {
	s := open(t)
	at := "/courier/" + s.courier()
	s.do(http.MethodPost, at+"/location?without=no_fix", []any{}).ok(http.StatusAccepted)
	contact := s.do(http.MethodGet, at, nil).ok(http.StatusOK)["last_contact"].(map[string]any)
	require.Equal(t, "heartbeat", contact["kind"])
	require.Equal(t, "no_fix", contact["dropped_reason"])
	s.do(http.MethodPost, at+"/location?without=laziness", []any{}).problem(http.StatusUnprocessableEntity, "validation_failed")
	s.do(http.MethodPost, at+"/location?without=no_fix", map[string]any{"lat": 1, "lon": 1}).problem(http.StatusUnprocessableEntity, "validation_failed")
}
