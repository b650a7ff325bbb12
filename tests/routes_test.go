package tests

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// operation is an operation of the OpenAPI document.
type operation struct {
	id, method, path string
	parameters       map[string]object // by place and name
	body             object            // the schema; nil for none
	open             bool
}

// operations are all of the document; a new route is walked without being named anywhere.
func (s *server) operations(t testing.TB) (all []operation) {
	document := s.contract(t).openapi
	for path, item := range get(document, "paths").(object) {
		for method, op := range item.(object) {
			if str(op, "operationId") == "" {
				continue
			}
			o := operation{str(op, "operationId"), strings.ToUpper(method), path, map[string]object{}, nil, get(op, "security") != nil}
			parameters, _ := get(op, "parameters").([]any)
			for _, p := range parameters {
				o.parameters[str(p, "in")+" "+str(p, "name")] = p.(object)
			}
			if schema, ok := get(op, "requestBody", "content", "application/json", "schema").(object); ok {
				o.body = s.resolved(t, schema)
			}
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b operation) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	return all
}

// resolved follows a reference within the document.
func (s *server) resolved(t testing.TB, schema object) object {
	if ref, ok := strings.CutPrefix(str(schema, "$ref"), "#/components/schemas/"); ok {
		return get(s.contract(t).openapi, "components", "schemas", ref).(object)
	}
	return schema
}

// walk calls visit for each operation and what it needs, on a town without limits of calls.
func walk(t *testing.T, visit func(t *testing.T, w *town, op operation, address string)) {
	t.Parallel()
	w := townOn(t, &server{dir: t.TempDir(), key: adminKey, args: []string{"--set=limits.key_rate=0"}})
	for _, op := range w.operations(t) {
		if lenient[op.id] {
			continue
		}
		t.Run(op.id, func(t *testing.T) {
			path := op.path
			if strings.Contains(path, "{webhook_id}") {
				hook := str(w.made(t, adminKey, "/webhooks", object{"url": "https://192.0.43.8/hook"}), "id")
				path = strings.Replace(path, "{webhook_id}", hook, 1)
			}
			visit(t, w, op, w.address(strings.Replace(path, "{profile}", "heap", 1), own))
		})
	}
}

// lenient are operations that phones and other companies call, in ways that nobody can mend: they read whatever comes.
var lenient = map[string]bool{
	"ingestOsmand": true, "ingestOsmandQuery": true, "ingestOwnTracks": true, "receiveHook": true, "updateBot": true,
	"beginLogin": true, "finishLogin": true, "showOptOut": true, "optOut": true,
}

// probes read no query: monitors and documents' readers add what they like.
var probes = map[string]bool{"health": true, "readiness": true, "metrics": true, "openapi": true, "asyncapi": true}

// endless operations never end, or are no HTTP.
var endless = map[string]bool{"streamOrder": true, "watchOrder": true, "watchMany": true}

// valid is a body that the operation accepts, as far as the town has what it is about.
func (w *town) valid(t *testing.T, op operation) []byte {
	if body := w.bodies(own)[op.id]; body != nil {
		return encode(t, body)
	}
	return []byte(`{}`)
}

// faultAt requires a refusal that names the pointer.
func faultAt(t *testing.T, resp *http.Response, body []byte, pointer, code string) {
	t.Helper()
	require.Contains(t, []int{400, 422}, resp.StatusCode, "%s", body)
	for _, e := range list(decode(t, body)["errors"]) {
		if str(e, "pointer") == pointer && str(e, "code") == code {
			return
		}
	}
	t.Errorf("%s: no fault %s at %s: %s", resp.Request.URL, code, pointer, body)
}

func TestEveryRouteSaysItsMethods(t *testing.T) {
	methods := map[string][]string{}
	walk(t, func(t *testing.T, w *town, op operation, address string) {
		if methods[op.path] == nil {
			for _, other := range w.operations(t) {
				if other.path == op.path {
					methods[op.path] = append(methods[op.path], other.method)
				}
			}
			if slices.Contains(methods[op.path], http.MethodGet) {
				methods[op.path] = append(methods[op.path], http.MethodHead)
			}
			slices.Sort(methods[op.path])
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
				if slices.Contains(methods[op.path], method) {
					continue
				}
				resp, body := w.rest(t, method, address, nil, nil)
				require.Equal(t, http.StatusMethodNotAllowed, resp.StatusCode, "%s %s", method, body)
				allowed := strings.Split(resp.Header.Get("Allow"), ", ")
				slices.Sort(allowed)
				require.Equal(t, methods[op.path], allowed)
			}
		}
		resp, body := w.rest(t, op.method, address+"/", nil, nil)
		require.Equal(t, http.StatusNotFound, resp.StatusCode, "%s", body)
		require.Equal(t, "not_found", str(decode(t, body), "code"))
	})
}

func TestEveryRouteReadsItsQueryStrictly(t *testing.T) {
	walk(t, func(t *testing.T, w *town, op operation, address string) {
		if probes[op.id] || op.id == "getProofImage" || op.id == "getIncidentPhoto" { // there are none
			return
		}
		ask := func(query string) (*http.Response, []byte) {
			var body []byte
			if op.body != nil {
				body = w.valid(t, op)
			}
			return w.rest(t, op.method, address+"?"+query, body, nil)
		}
		resp, body := ask("surprise=1")
		faultAt(t, resp, body, "/surprise", "unknown_parameter")
		for _, key := range slices.Sorted(maps.Keys(op.parameters)) {
			place, name, _ := strings.Cut(key, " ")
			if place != "query" || name == "token" || name == "ticket" { // which authorizes
				continue
			}
			resp, body = ask(name + "=")
			faultAt(t, resp, body, "/"+name, "empty")
			if str(op.parameters[key], "schema", "type") != "array" {
				resp, body = ask(name + "=1&" + name + "=2")
				faultAt(t, resp, body, "/"+name, "repeated")
			}
		}
	})
}

func TestEveryGetIsAHeadAndMayBeUnchanged(t *testing.T) {
	walk(t, func(t *testing.T, w *town, op operation, address string) {
		if op.method != http.MethodGet || endless[op.id] || op.id == "exportOrders" { // which is no one value
			return
		}
		address += queries[op.id]
		resp, body := w.rest(t, http.MethodGet, address, nil, nil)
		require.Less(t, resp.StatusCode, 500, "%s", body)
		head, none := w.rest(t, http.MethodHead, address, nil, nil)
		require.Empty(t, none)
		require.Equal(t, resp.StatusCode, head.StatusCode)
		for _, name := range []string{"ETag", "Content-Type", "Cache-Control"} {
			require.Equal(t, resp.Header.Get(name), head.Header.Get(name), name)
		}
		tag := resp.Header.Get("ETag")
		live := op.id == "getCourier" || op.id == "getRoute" // where he is and what comes next change without a version
		if resp.StatusCode == http.StatusOK {
			require.Equal(t, tag != "" && !live, op.parameters["header If-None-Match"] != nil, "what has an ETag says so")
		}
		if version, _ := decodeAny(body)["version"].(float64); version > 0 && resp.StatusCode == 200 {
			require.Equal(t, fmt.Sprintf(`"v%.0f"`, version), tag)
		}
		if live {
			resp, _ := w.rest(t, http.MethodGet, address, nil, http.Header{"If-None-Match": {tag}})
			require.Equal(t, http.StatusOK, resp.StatusCode)
		}
		if live || tag == "" || tag == `"v0"` {
			return
		}
		for _, known := range []string{tag, "W/" + strings.TrimPrefix(tag, "W/"), `"other", ` + tag} {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				resp, body := w.rest(t, method, address, nil, http.Header{"If-None-Match": {known}})
				require.Equal(t, http.StatusNotModified, resp.StatusCode, "%s: %s", known, body)
				require.Equal(t, tag, resp.Header.Get("ETag"))
				require.Empty(t, body)
			}
		}
		resp, _ = w.rest(t, http.MethodGet, address, nil, http.Header{"If-None-Match": {`"other"`}})
		require.Equal(t, http.StatusOK, resp.StatusCode)
	})
}

// decodeAny is the object in a body, if there is one.
func decodeAny(body []byte) object {
	var o object
	_ = json.Unmarshal(body, &o)
	return o
}

func TestEveryBodyIsAnObject(t *testing.T) {
	walk(t, func(t *testing.T, w *town, op operation, address string) {
		if op.body == nil {
			return
		}
		for _, raw := range []string{`null`, `7`, `"x"`} {
			resp, body := w.rest(t, op.method, address, []byte(raw), nil)
			require.Contains(t, []int{400, 422}, resp.StatusCode, "%s: %s", raw, body)
		}
	})
}

func TestEveryChangeReadsItsHeadersStrictly(t *testing.T) {
	walk(t, func(t *testing.T, w *town, op operation, address string) {
		var valid []byte
		if op.body != nil {
			valid = w.valid(t, op)
		}
		if op.parameters["header If-Match"] != nil {
			for _, bad := range []string{"", "v3", `"v3`} {
				resp, body := w.rest(t, op.method, address+queries[op.id], valid, http.Header{"If-Match": {bad}})
				require.Contains(t, []int{400, 404, 422}, resp.StatusCode, "%q: %s", bad, body) // no such webhook
			}
			for _, stale := range []string{`"v999"`, `W/"v999"`} {
				resp, body := w.rest(t, op.method, address+queries[op.id], valid, http.Header{"If-Match": {stale}})
				require.Contains(t, []int{404, 409, 412, 422}, resp.StatusCode, "%s: %s", stale, body)
			}
		}
		if op.parameters["header Idempotency-Key"] == nil {
			return
		}
		for _, bad := range [][]string{{""}, {"a", "b"}, {`"open`}} {
			resp, body := w.rest(t, op.method, address+queries[op.id], valid, http.Header{"Idempotency-Key": bad})
			require.Contains(t, []int{400, 422}, resp.StatusCode, "%q: %s", bad, body)
		}
		// Of the same request twice, the second is told what the first was.
		key := http.Header{"Idempotency-Key": {newID()}}
		first, body := w.rest(t, op.method, address+queries[op.id], valid, key)
		if first.StatusCode >= 300 {
			return
		}
		second, again := w.rest(t, op.method, address+queries[op.id], valid, key)
		if strings.Contains(string(again), "secret_not_repeated") {
			return
		}
		require.Equal(t, first.StatusCode, second.StatusCode, "%s", again)
		require.Equal(t, "true", second.Header.Get("Idempotent-Replayed"))
		require.Equal(t, string(body), string(again))
	})
}

// Who has no key is told so even after a body that nobody reads.
func TestEveryRefusalIsReadable(t *testing.T) {
	walk(t, func(t *testing.T, w *town, op operation, address string) {
		if op.open || op.method == http.MethodGet {
			return
		}
		c, err := net.Dial("tcp", w.http)
		require.NoError(t, err)
		defer func() { _ = c.Close() }()
		const size = 1_200_000
		_, err = io.WriteString(c, op.method+" "+address+" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+
			fmt.Sprintf("Content-Length: %d\r\n\r\n", size)+strings.Repeat(" ", size))
		require.NoError(t, err)
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		require.NoError(t, err)
		defer func() { _ = resp.Body.Close() }()
		require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
		require.Equal(t, "application/problem+json", resp.Header.Get("Content-Type"))
	})
}
