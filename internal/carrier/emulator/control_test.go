package emulator_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/carrier/emulator"
)

type habits struct {
	Lag    time.Duration `json:"lag"`
	Repeat bool          `json:"repeat"`
}

// A person gives the emulator a bad day over HTTP, and ends it.
func TestControl(t *testing.T) {
	var now habits
	var reported []string
	f := &emulator.Faults{Slow: func() time.Duration { return 0 }}
	c := emulator.Control[habits]{
		Faults: f, Habits: func() habits { return now }, Behave: func(h habits) { now = h }, Parcels: func() any { return []string{"a"} },
		Report: func(id, code, reason, place string) bool {
			reported = append(reported, id+code+reason+place)
			return id == "a"
		},
	}
	company := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "well") })
	ask := func(method, path, body string, change func(*http.Request)) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://127.0.0.1:1"+path, strings.NewReader(body))
		require.NoError(t, err)
		if change != nil {
			change(r)
		}
		resp, err := emulator.Client(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/control") {
				c.ServeHTTP(w, r)
			} else {
				f.Serve(w, r, company)
			}
		})).Do(r)
		require.NoError(t, err)
		defer func() { require.NoError(t, resp.Body.Close()) }()
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(b)
	}

	status, body := ask("POST", "/control/faults", `{"kind": "too_many", "path": "/orders", "after": "7"}`, nil)
	require.Equal(t, 200, status)
	require.Contains(t, body, `"path":"/orders"`)
	status, _ = ask("GET", "/points", "", nil)
	require.Equal(t, 200, status)
	status, _ = ask("GET", "/orders", "", nil)
	require.Equal(t, 429, status)
	status, body = ask("GET", "/orders", "", nil)
	require.Equal(t, 200, status)
	require.Equal(t, "well", body)

	status, _ = ask("PUT", "/control/habits", `{"lag": "1m30s", "repeat": true}`, nil)
	require.Equal(t, 200, status)
	require.Equal(t, habits{Lag: 90 * time.Second, Repeat: true}, now)
	status, _ = ask("POST", "/control/parcels/a/status", `{"code": "LOST", "reason": "26", "place": "Perm"}`, nil)
	require.Equal(t, 200, status)
	require.Equal(t, []string{"aLOST26Perm"}, reported)
	status, _ = ask("POST", "/control/parcels/b/status", `{"code": "LOST"}`, nil)
	require.Equal(t, 404, status)
	for path, bad := range map[string]string{
		"POST /control/faults": `{"kind": "flood"}`, "PUT /control/habits": `{"lag": "soon"}`, "POST /control/parcels/a/status": `{"colour": 1}`,
	} {
		method, at, _ := strings.Cut(path, " ")
		status, _ = ask(method, at, bad, nil)
		require.Equal(t, 422, status, path)
	}

	f.Fail(emulator.Fault{Kind: emulator.Hang})
	_, body = ask("DELETE", "/control", "", nil)
	require.Contains(t, body, `"faults":[]`)
	require.Zero(t, now)
	status, _ = ask("GET", "/control", "", func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") })
	require.Equal(t, 403, status, "no web page")
	status, _ = ask("GET", "/control", "", func(r *http.Request) { r.Host = "evil.example:80" })
	require.Equal(t, 403, status, "no name that resolves to loopback")
}
