package tests

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.yaml.in/yaml/v3"
)

// contract is the content of /openapi.json and /asyncapi.yaml. Every REST response,
// live frame and Kafka message that a test reads is validated against it.
type contract struct {
	openapi, asyncapi object

	mu       sync.Mutex
	compiler *jsonschema.Compiler
	schemas  map[string]*jsonschema.Schema
}

var (
	contractOnce sync.Once
	contractRead *contract
)

// contract reads the documents from the first server that a test starts.
func (s *server) contract(t testing.TB) *contract {
	t.Helper()
	contractOnce.Do(func() {
		c := &contract{compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{}}
		require.NoError(t, json.Unmarshal(s.document(t, "/openapi.json"), &c.openapi))
		require.NoError(t, yaml.Unmarshal(s.document(t, "/asyncapi.yaml"), &c.asyncapi))
		c.compiler.DefaultDraft(jsonschema.Draft2020)
		c.compiler.AssertFormat()
		require.NoError(t, c.compiler.AddResource("urn:openapi", c.openapi))
		require.NoError(t, c.compiler.AddResource("urn:asyncapi", c.asyncapi))
		contractRead = c
	})
	require.NotNil(t, contractRead, "the documents could not be read")
	return contractRead
}

func (s *server) document(t testing.TB, path string) []byte {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.http+path, nil)
	require.NoError(t, err)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, 200, resp.StatusCode, "%s", text)
	return text
}

// validate validates a JSON value against the schema at a location in a document.
func (c *contract) validate(document, pointer string, raw []byte) error {
	c.mu.Lock()
	where := "urn:" + document + "#" + pointer
	schema := c.schemas[where]
	if schema == nil {
		var err error
		if schema, err = c.compiler.Compile(where); err != nil {
			c.mu.Unlock()
			return err
		}
		c.schemas[where] = schema
	}
	c.mu.Unlock()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	return schema.Validate(v)
}

// token escapes a key for a JSON pointer in a URI fragment.
func token(key string) string {
	return "/" + strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(key)
}

// answers requires a response to match the OpenAPI document. Requests without an
// operation, such as unknown paths, are not checked.
func (c *contract) answers(t testing.TB, req *http.Request, resp *http.Response, body []byte) {
	t.Helper()
	path := c.pathOf(req.URL.Path)
	method := strings.ToLower(req.Method)
	op := get(c.openapi, "paths", path, method)
	if op == nil || req.Method == http.MethodHead {
		return
	}
	where := fmt.Sprintf("%s %s: %s: %.1000s", req.Method, req.URL.Path, resp.Status, body)
	status := strconv.Itoa(resp.StatusCode)
	response := get(op, "responses", status)
	require.NotNil(t, response, "a status that the document does not have: %s", where)
	if len(body) == 0 {
		return
	}
	media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	require.NoError(t, err, where)
	described := get(response, "content", media)
	require.NotNil(t, described, "a content type that the document does not have: %s", where)
	if !strings.HasSuffix(media, "json") {
		return
	}
	if status >= "400" {
		require.Contains(t, get(described, "examples"), str(decode(t, body), "code"), "a code without an example: %s", where)
	}
	pointer := token("paths") + token(path) + token(method) + token("responses") + token(status) + token("content") + token(media) + "/schema"
	require.NoError(t, c.validate("openapi", pointer, body), where)
}

// pathOf finds the document's path template for a request's path.
func (c *contract) pathOf(path string) string {
	paths, _ := c.openapi["paths"].(object)
	if paths[path] != nil {
		return path
	}
	got := strings.Split(path, "/")
	for pattern := range paths {
		want := strings.Split(pattern, "/")
		if len(want) == len(got) && !slices.ContainsFunc(want, func(step string) bool {
			i := slices.Index(want, step)
			return step != got[i] && !strings.HasPrefix(step, "{")
		}) {
			return pattern
		}
	}
	return ""
}

// channel returns the name of the AsyncAPI channel with an address.
func (c *contract) channel(address string) string {
	for name, channel := range c.asyncapi["channels"].(object) {
		if str(channel, "address") == address {
			return name
		}
	}
	return ""
}

// frame finds the message of an AsyncAPI channel that matches a frame.
func (c *contract) frame(address string, raw []byte) (message string, err error) {
	var f object
	if err := json.Unmarshal(raw, &f); err != nil {
		return "", err
	}
	messages, _ := get(c.asyncapi, "channels", c.channel(address), "messages").(object)
	for _, ref := range messages {
		message = strings.TrimPrefix(str(ref, "$ref"), "#/components/messages/")
		payload := strings.TrimPrefix(str(c.asyncapi, "components", "messages", message, "payload", "$ref"), "#")
		schema := get(c.asyncapi, "components", "schemas", strings.TrimPrefix(payload, "/components/schemas/"))
		if str(schema, "properties", "type", "const") == str(f, "type") {
			return message, c.validate("asyncapi", payload, raw)
		}
	}
	return "", fmt.Errorf("%s has no such frame: %.500s", address, raw)
}

// record requires a Kafka message to match the AsyncAPI document.
func (c *contract) record(t testing.TB, r *kgo.Record) (message string) {
	t.Helper()
	messages, _ := get(c.asyncapi, "channels", c.channel(r.Topic), "messages").(object)
	require.Len(t, messages, 1, r.Topic)
	for _, ref := range messages {
		message = strings.TrimPrefix(str(ref, "$ref"), "#/components/messages/")
	}
	where := fmt.Sprintf("%s: %.1000s", r.Topic, r.Value)
	at := "/components/messages/" + message
	headers := object{}
	for _, h := range r.Headers {
		headers[h.Key] = string(h.Value)
	}
	described := get(c.asyncapi, "components", "messages", message)
	if get(described, "headers") != nil {
		require.NoError(t, c.validate("asyncapi", at+"/headers", encode(t, headers)), where)
	}
	require.NoError(t, c.validate("asyncapi", at+"/bindings/kafka/key", encode(t, string(r.Key))), where)
	if get(described, "contentType") == nil { // the document's default, JSON
		require.NoError(t, c.validate("asyncapi", at+"/payload", r.Value), where)
	}
	return message
}

// The checks above reject what they should.
func TestContractRefuses(t *testing.T) {
	s := start(t)
	c := s.contract(t)
	id := create(t, s.api("REST"))
	_, order := s.rest(t, "GET", "/order/"+id, nil, nil)
	const schema = "/paths/~1order~1%7Border_id%7D/get/responses/200/content/application~1json/schema"
	require.NoError(t, c.validate("openapi", schema, order))
	for name, change := range map[string]func(o object){
		"a field too many": func(o object) { o["surprise"] = 1 },
		"one missing":      func(o object) { delete(o, "number") },
		"a wrong type":     func(o object) { o["version"] = "1" },
		"no time":          func(o object) { o["created_at"] = "yesterday" },
		"no status":        func(o object) { o["status"] = "teleported" },
	} {
		o := decode(t, order)
		change(o)
		require.Error(t, c.validate("openapi", schema, encode(t, o)), name)
	}
	const path = "/order/{order_id}/ws"
	good := `{"type":"end","order_id":"` + id + `","at":"2026-05-04T12:00:00Z"}`
	_, err := c.frame(path, []byte(good))
	require.NoError(t, err)
	for _, bad := range []string{
		`{"type":"end","at":"2026-05-04T12:00:00Z"}`, `{"type":"surprise"}`, `{}`, `[]`, strings.Replace(good, "end", "ack", 1),
		strings.Replace(good, "2026", "in", 1), strings.Replace(good, `"at"`, `"data":{},"at"`, 1),
	} {
		_, err := c.frame(path, []byte(bad))
		require.Error(t, err, bad)
	}
}
