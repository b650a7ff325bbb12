package httpserver

import (
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/push"
	"github.com/order-tracking/order-tracking/internal/transport"
)

// asyncapi fetches the document from a server.
func asyncapi(t *testing.T) map[string]any {
	d := open(t)
	r := d.do("GET", "/asyncapi.yaml", nil)
	require.Equal(t, 200, r.StatusCode)
	require.Equal(t, yamlType, r.Header.Get("Content-Type"))
	var doc map[string]any
	require.NoError(t, yaml.Unmarshal(r.body, &doc))
	require.Equal(t, "3.0.0", doc["asyncapi"])
	require.Equal(t, "1.2.3", at(doc, "info", "version"))
	return doc
}

func at(v any, path ...string) any {
	for _, key := range path {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	return v
}

// Every reference in the document resolves.
func TestAsyncReferencesLeadSomewhere(t *testing.T) {
	doc := asyncapi(t)
	followed := 0
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				followed++
				require.True(t, strings.HasPrefix(ref, "#/"), ref)
				require.NotNil(t, at(doc, strings.Split(ref[2:], "/")...), ref)
			}
			for _, child := range v {
				walk(child)
			}
		case []any:
			for _, child := range v {
				walk(child)
			}
		}
	}
	walk(doc)
	require.Greater(t, followed, 100)
}

// Every topic, streaming path and frame type is documented.
func TestAsyncDocumentIsComplete(t *testing.T) {
	doc := asyncapi(t)
	var addresses []string
	for _, channel := range doc["channels"].(map[string]any) {
		addresses = append(addresses, at(channel, "address").(string))
	}
	slices.Sort(addresses)
	want := []string{
		domain.TopicOrderCreated, domain.TopicOrderUpdated, domain.TopicCourierLocation,
		domain.TopicStatusUpdates, domain.TopicStatusUpdatesFails,
	}
	for path := range streaming {
		want = append(want, strings.ReplaceAll(path, ":order_id", "{order_id}"))
	}
	slices.Sort(want)
	require.Equal(t, want, addresses)

	var frames []string
	for _, schema := range at(doc, "components", "schemas").(map[string]any) {
		if kind, ok := at(schema, "properties", "type", "const").(string); ok {
			frames = append(frames, kind)
		}
	}
	require.ElementsMatch(t, []string{
		push.TypeSnapshot, push.TypeStatus, push.TypePosition, push.TypePositions, push.TypeETA, push.TypeNotification, push.TypeNote,
		push.TypeOffer, push.TypeRoute, push.TypeEnd, push.TypeReset, transport.TypePing, typeAck, typeError,
	}, frames)
}

// The event types on the topics are those that change an order.
func TestAsyncEventTypesAreTheDomains(t *testing.T) {
	doc := asyncapi(t)
	var want []any
	for _, kind := range domain.EventTypes() {
		if kind != domain.EventCreated && !(domain.Event{Type: kind}).Note() {
			want = append(want, "ordertracking."+string(kind))
		}
	}
	headers := at(doc, "components", "schemas", "OrderUpdatedHeaders", "allOf").([]any)
	require.ElementsMatch(t, want, at(headers[1], "properties", "ce_type", "enum"))
}

// The schemas compile, and the examples of commands match them.
func TestAsyncSchemasCompile(t *testing.T) {
	doc := asyncapi(t)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	require.NoError(t, c.AddResource("urn:asyncapi", doc))
	compile := func(name string) *jsonschema.Schema {
		s, err := c.Compile("urn:asyncapi#/components/schemas/" + name)
		require.NoError(t, err, name)
		return s
	}
	for name := range at(doc, "components", "schemas").(map[string]any) {
		compile(name)
	}
	for _, example := range at(doc, "components", "messages", "Command", "examples").([]any) {
		require.NoError(t, compile("Command").Validate(at(example, "payload")))
	}
	require.Error(t, compile("Command").Validate(map[string]any{"subscribe": []any{"everything"}}))
	require.Error(t, compile("Command").Validate(map[string]any{"since": map[string]any{}}))
}
