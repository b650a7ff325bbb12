package httpserver

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/order-tracking/order-tracking/internal/access"
	"github.com/order-tracking/order-tracking/internal/dispatch"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/eta"
	"github.com/order-tracking/order-tracking/internal/idempotency"
	"github.com/order-tracking/order-tracking/internal/infrastructure/cache"
	"github.com/order-tracking/order-tracking/internal/infrastructure/database"
	"github.com/order-tracking/order-tracking/internal/orders"
	"github.com/order-tracking/order-tracking/internal/push"
	"github.com/order-tracking/order-tracking/internal/shipping"
	"github.com/order-tracking/order-tracking/internal/tracking"
)

type wallClock struct{}

func (wallClock) Now() time.Time { return time.Now() }

// testServer is a server with the real parts, called from outside.
type testServer struct {
	*httptest.Server
	t    testing.TB
	srv  *Server
	hub  *push.Hub
	logs *observer.ObservedLogs
	key  string // sent as Bearer
}

const houseKey = "house-house-house-house-house-house-house"

// guardOf returns the authenticator config with an administrator key, or keyless.
func guardOf(key string) access.GuardConfig {
	return access.GuardConfig{BootstrapKey: key, Keyless: key == ""}
}

// testConfig returns the default configuration, which tests may change.
func testConfig() Config {
	return Config{MaxBodyBytes: 1 << 20, MaxImportBytes: 1 << 30, SpoolMax: 1 << 30, PingEvery: time.Minute, AccessLog: true, Version: "1.2.3"}
}

func open(t testing.TB) *testServer { return openWith(t, testConfig(), guardOf("")) }

func openWith(t testing.TB, cfg Config, config access.GuardConfig) *testServer {
	t.Helper()
	return openHub(t, cfg, config, push.Config{})
}

// openHub starts a server with these limits for streams.
func openHub(t testing.TB, cfg Config, config access.GuardConfig, bounds push.Config) *testServer {
	t.Helper()
	if cfg.SpoolDir == "" {
		cfg.SpoolDir = t.TempDir()
	}
	core, logs := observer.New(zap.DebugLevel)
	log := zap.New(core)
	store, err := database.OpenSQLite(context.Background(), filepath.Join(t.TempDir(), "orders.db"), database.Options{Log: log})
	require.NoError(t, err)
	live := cache.NewMemory(cache.MemoryOptions{})
	var verbs *orders.Service
	bounds.Glimpse = func(ctx context.Context, o *domain.Order, v domain.View) (*domain.Position, error) {
		return verbs.Glimpse(ctx, o, v)
	}
	hub := push.New(bounds, store, live, wallClock{}, log)
	ctx, stop := context.WithCancel(context.Background())
	var background sync.WaitGroup
	background.Go(func() { _ = hub.Run(ctx) })
	registry := prometheus.NewRegistry()
	keys, estimate := idempotency.NewKeys(store, wallClock{}), eta.Config{Default: time.Hour}
	verbs = orders.New(orders.Deps{
		Store: store, Live: live, Clock: wallClock{}, Log: log, Keys: keys, Estimate: estimate, PhoneRegion: "RU",
	}, hub)
	positions := tracking.New(tracking.Deps{
		Store: store, Live: live, Watchers: hub, Clock: wallClock{}, Log: log, Keys: keys, Orders: verbs, Estimate: estimate,
		PhoneRegion: "RU", StaleAfter: time.Minute,
	})
	planner := dispatch.New(dispatch.Deps{
		Store: store, Live: live, Clock: wallClock{}, Log: log, Keys: keys, Orders: verbs, Config: dispatch.DefaultConfig(), FreshFor: time.Minute,
		Offers:  dispatch.OfferConfig{ExpiresIn: time.Minute, Total: time.Hour, AtOnce: 1, OnNoTaker: dispatch.NoTakerAlert},
		Learned: estimate,
	})
	guard := access.NewGuard(store, wallClock{}, log, config)
	audit := &access.Audit{Store: store, Clock: wallClock{}}
	srv := New(Deps{
		Services: access.Services{
			Shares:    &access.Shares{Store: store, Clock: wallClock{}, Requests: keys, Guard: guard, Secret: []byte("secret")},
			Documents: &access.Documents{Store: store, Clock: wallClock{}, Requests: keys, Guard: guard, Audit: audit},
			Sessions:  &access.Sessions{Store: store, Clock: wallClock{}, Guard: guard},
			Keys:      &access.Keys{Store: store, Clock: wallClock{}, Guard: guard, Requests: keys, Audit: audit},
			Tickets:   &access.Tickets{Store: store, Clock: wallClock{}}, Guard: guard,
		},
		Dispatch: planner, Orders: verbs, Tracking: positions, Couriers: &tracking.Couriers{Service: positions},
		Shipments: shipping.New(shipping.Deps{Store: store, Clock: wallClock{}, Log: log, Keys: keys, Orders: verbs}),
		Hub:       hub, Ready: store.Ping, Registerer: registry, Gatherer: registry,
		Log: log, Clock: wallClock{}, Config: cfg,
	})
	server := httptest.NewUnstartedServer(srv)
	server.Listener = Listener(server.Listener, 0)
	server.Config.ReadTimeout = cfg.ReadTimeout
	server.Config.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateNew { // small buffers, so that slow readers are detected soon
			_ = c.(*conn).SetWriteBuffer(8 << 10)
		}
	}
	server.Start()
	d := &testServer{Server: server, t: t, srv: srv, hub: hub, logs: logs}
	t.Cleanup(func() {
		for _, entry := range logs.FilterLevelExact(zap.ErrorLevel).All() {
			if t.Failed() {
				t.Log(entry.Message, entry.ContextMap())
			}
		}
		hub.Close()
		d.Close()
		wait, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, srv.Wait(wait))
		stop()
		background.Wait()
		require.NoError(t, store.Close())
	})
	return d
}

// reply is a response with its body read.
type reply struct {
	*http.Response
	t    testing.TB
	body []byte
}

// do sends a request. Headers come in pairs; a body that is not a string is encoded.
func (d *testServer) do(method, path string, body any, headers ...string) *reply {
	d.t.Helper()
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		r = strings.NewReader(b)
	case io.Reader:
		r = b
	default:
		encoded, err := json.Marshal(b)
		require.NoError(d.t, err)
		r = bytes.NewReader(encoded)
	}
	req, err := http.NewRequest(method, d.URL+path, r)
	require.NoError(d.t, err)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if d.key != "" {
		req.Header.Set("Authorization", "Bearer "+d.key)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Del(headers[i])
		if headers[i+1] != "" {
			req.Header.Set(headers[i], headers[i+1])
		}
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
	}
	resp, err := d.Client().Do(req)
	require.NoError(d.t, err)
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	require.NoError(d.t, err)
	d.conforms(req, resp, b)
	return &reply{Response: resp, t: d.t, body: b}
}

// conforms requires a response to match the document.
func (d *testServer) conforms(req *http.Request, resp *http.Response, body []byte) {
	d.t.Helper()
	op := d.described(req.Method, req.URL.Path)
	if op == nil || req.Method == http.MethodHead {
		return
	}
	where := req.Method + " " + req.URL.Path + " " + resp.Status + " " + string(body)
	response := op.Responses[strconv.Itoa(resp.StatusCode)]
	require.NotNil(d.t, response, where)
	if len(body) == 0 {
		return
	}
	contentType, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	media := response.Content[contentType]
	require.NotNil(d.t, media, where)
	if contentType == problemType {
		var p problem
		require.NoError(d.t, json.Unmarshal(body, &p))
		require.Contains(d.t, media.Examples, string(p.Code), where)
	}
	if strings.HasSuffix(contentType, "json") && contentType != ndjsonType {
		var v any
		require.NoError(d.t, json.Unmarshal(body, &v))
		res := &huma.ValidateResult{}
		huma.Validate(d.srv.schemas(), media.Schema, huma.NewPathBuffer(nil, 0), huma.ModeReadFromServer, v, res)
		require.Empty(d.t, res.Errors, where)
	}
}

// described finds the operation of a path.
func (d *testServer) described(method, path string) *huma.Operation {
	paths := d.srv.api.OpenAPI().Paths
	item := paths[path]
	for pattern, candidate := range paths {
		want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
		same := item == nil && len(want) == len(got)
		for i := 0; same && i < len(want); i++ {
			same = want[i] == got[i] || strings.HasPrefix(want[i], "{")
		}
		if same {
			item = candidate
		}
	}
	if item == nil {
		return nil
	}
	return map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PATCH": item.Patch, "PUT": item.Put, "DELETE": item.Delete}[method]
}

// ok requires a status and returns the decoded body.
func (r *reply) ok(status int) map[string]any {
	r.t.Helper()
	require.Equal(r.t, status, r.StatusCode, string(r.body))
	var v map[string]any
	if len(r.body) > 0 {
		require.NoError(r.t, json.Unmarshal(r.body, &v), string(r.body))
	}
	return v
}

// problem requires a problem with a status and a code.
func (r *reply) problem(status int, code domain.Code) problem {
	r.t.Helper()
	require.Equal(r.t, status, r.StatusCode, string(r.body))
	require.Equal(r.t, problemType, r.Header.Get("Content-Type"))
	var p problem
	require.NoError(r.t, json.Unmarshal(r.body, &p), string(r.body))
	require.Equal(r.t, code, p.Code, string(r.body))
	require.Equal(r.t, status, p.Status)
	require.Equal(r.t, typePrefix+string(code), p.Type)
	require.NotEmpty(r.t, p.Title)
	require.NotEmpty(r.t, p.Detail)
	require.Equal(r.t, r.Header.Get("X-Request-Id"), p.RequestID)
	require.NotEmpty(r.t, p.RequestID)
	return p
}

// pointers maps the pointers of faults to their codes.
func (p problem) pointers() map[string]string {
	out := map[string]string{}
	for _, f := range p.Errors {
		out[f.Pointer] = f.Code
	}
	return out
}

const minimal = `{"customer":{"name":"Ann"},"dropoff":{"address":"1 High Street"}}`

// order creates an order and returns its id.
func (d *testServer) order() string {
	d.t.Helper()
	return d.do("POST", "/order", minimal).ok(201)["id"].(string)
}

func (d *testServer) courier() string {
	d.t.Helper()
	return d.do("POST", "/couriers", `{"name":"Ivan"}`).ok(201)["id"].(string)
}

func (d *testServer) move(id string, statuses ...domain.Status) {
	d.t.Helper()
	for _, st := range statuses {
		d.do("PATCH", "/order/"+id+"/status", map[string]any{"status": st}).ok(200)
	}
}

func TestOrderFromCreationToDelivery(t *testing.T) {
	d := open(t)
	created := d.do("POST", "/order", minimal)
	body := created.ok(201)
	id := body["id"].(string)
	require.Equal(t, "/order/"+id, created.Header.Get("Location"))
	require.Equal(t, `"v1"`, created.Header.Get("ETag"))
	require.NotContains(t, body, "$schema")
	require.NotContains(t, body, "notes")

	courier := d.courier()
	assigned := d.do("POST", "/order/"+id+"/assign-courier", map[string]any{"courier_id": courier})
	require.Equal(t, courier, assigned.ok(200)["courier_id"])
	require.Equal(t, `"v2"`, assigned.Header.Get("ETag"))
	d.move(id, domain.StatusAtPickup, domain.StatusPickedUp, domain.StatusDelivered)

	got := d.do("GET", "/order/"+id, nil)
	require.Equal(t, "delivered", got.ok(200)["status"])
	require.Equal(t, `"v5"`, got.Header.Get("ETag"))
	require.Equal(t, jsonType, got.Header.Get("Content-Type"))
	status := d.do("GET", "/order/"+id+"/status", nil).ok(200)
	require.Equal(t, []any{}, status["allowed_transitions"])
	events := d.do("GET", "/order/"+id+"/events", nil).ok(200)["events"].([]any)
	require.Len(t, events, 5)
	require.Equal(t, "actual", d.do("GET", "/order/"+id+"/delivery-time", nil).ok(200)["method"])
	require.Len(t, d.do("GET", "/order/"+id+"/track", nil).ok(200)["timeline"], 5)
	require.Len(t, d.do("GET", "/courier/"+courier+"/orders", nil).ok(200)["orders"], 1)
}
