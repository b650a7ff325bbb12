package tests

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	ordertrackingv1 "github.com/order-tracking/order-tracking/proto/ordertracking/v1"
	"github.com/order-tracking/order-tracking/tools/proc"
)

func TestOperation(t *testing.T) {
	s := start(t)
	create(t, s.api("REST"))
	for path, want := range map[string]string{
		"/healthz": "", "/readyz": "", "/openapi.json": `"openapi":"3.1`, "/docs": "<html", "/metrics": "ordertracking_outbox_pending",
	} {
		resp, body := s.rest(t, "GET", path, nil, nil)
		require.Equal(t, 200, resp.StatusCode, path)
		require.Contains(t, strings.ReplaceAll(string(body), ": ", ":"), want, path)
	}
	health, err := healthpb.NewHealthClient(s.conn).Check(t.Context(), &healthpb.HealthCheckRequest{})
	require.NoError(t, err)
	require.Equal(t, healthpb.HealthCheckResponse_SERVING, health.Status)

	resp, _ := s.rest(t, "GET", "/orders", nil, http.Header{"X-Request-Id": {"my-request"}})
	require.Equal(t, "my-request", resp.Header.Get("X-Request-Id"))
	resp, _ = s.rest(t, "GET", "/orders", nil, nil)
	require.NotEmpty(t, resp.Header.Get("X-Request-Id"))
}

func TestConditionalRequests(t *testing.T) {
	s := start(t)
	id := create(t, s.api("REST"))
	path := "/order/" + id
	resp, _ := s.rest(t, "GET", path, nil, nil)
	require.Equal(t, `"v1"`, resp.Header.Get("ETag"))
	resp, body := s.rest(t, "GET", path, nil, http.Header{"If-None-Match": {`"v1"`}})
	require.Equal(t, 304, resp.StatusCode)
	require.Empty(t, body)
	resp, body = s.rest(t, "PATCH", path, []byte(`{"notes":"cold"}`), http.Header{"If-Match": {`"v1"`}})
	require.Equal(t, 200, resp.StatusCode, "%s", body)
	require.Equal(t, `"v2"`, resp.Header.Get("ETag"))
	resp, _ = s.rest(t, "GET", path, nil, http.Header{"If-None-Match": {`"v1"`}})
	require.Equal(t, 200, resp.StatusCode)
	resp, body = s.rest(t, "PATCH", path, []byte(`{"notes":"warm"}`), http.Header{"If-Match": {`"v1"`}})
	require.Equal(t, 412, resp.StatusCode)
	require.Equal(t, "version_conflict", str(decode(t, body), "code"))
	resp, body = s.rest(t, "PATCH", path, []byte(`{"notes":null,"exception":{"code":"wrong_address"}}`), nil)
	require.Equal(t, 200, resp.StatusCode, "%s", body)
	o := decode(t, body)
	require.Nil(t, o["notes"])
	require.Equal(t, "wrong_address", str(o, "exception", "code"))
	resp, body = s.rest(t, "GET", path+"/events", nil, nil)
	require.Equal(t, 200, resp.StatusCode)
	require.Len(t, decode(t, body)["events"], 3)
}

func TestCreateSaysWhereTheOrderIs(t *testing.T) {
	s := start(t)
	h := http.Header{"Idempotency-Key": {"bare-key"}}
	resp, body := s.rest(t, "POST", "/order", encode(t, draft), h)
	require.Equal(t, 201, resp.StatusCode)
	require.Equal(t, "/order/"+str(decode(t, body), "id"), resp.Header.Get("Location"))
	again, same := s.rest(t, "POST", "/order", encode(t, draft), http.Header{"Idempotency-Key": {`"bare-key"`}})
	require.Equal(t, 201, again.StatusCode, "quoted or bare is the same key")
	require.Equal(t, "true", again.Header.Get("Idempotent-Replayed"))
	require.Equal(t, resp.Header.Get("Location"), again.Header.Get("Location"))
	require.Equal(t, resp.Header.Get("ETag"), again.Header.Get("ETag"))
	require.JSONEq(t, string(body), string(same))
}

func TestWithAnAdministratorsKey(t *testing.T) {
	s := &server{dir: t.TempDir(), key: strings.Repeat("k", 32)}
	s.up(t)
	t.Cleanup(func() { s.down(t) })
	create(t, s.api("REST"))
	for path, want := range map[string]int{
		"/orders": 401, "/metrics": 401, "/healthz": 200, "/readyz": 200, "/openapi.json": 200, "/docs": 200,
		"/order/" + newID() + "/stream": 401, "/ws": 401,
	} {
		resp, body := s.rest(t, "GET", path, nil, http.Header{"Authorization": {"Bearer wrong"}})
		require.Equal(t, want, resp.StatusCode, "%s: %s", path, body)
	}
	client := ordertrackingv1.NewOrderServiceClient(s.conn)
	_, err := client.GetOrders(t.Context(), &ordertrackingv1.GetOrdersRequest{})
	require.Equal(t, codes.Unauthenticated, status.Code(err))
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+s.key)
	_, err = client.GetOrders(ctx, &ordertrackingv1.GetOrdersRequest{})
	require.NoError(t, err)
}

func TestWithoutAKeyForeignPagesAreRefused(t *testing.T) {
	s := start(t)
	for name, h := range map[string]http.Header{"origin": {"Origin": {"https://evil.example"}}} {
		resp, body := s.rest(t, "GET", "/orders", nil, h)
		require.Equal(t, 403, resp.StatusCode, name)
		require.Equal(t, "forbidden", str(decode(t, body), "code"))
	}
	req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+s.http+"/orders", nil)
	require.NoError(t, err)
	req.Host = "evil.example"
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, 403, resp.StatusCode, "a name that DNS could point here")
}

// Two hundred concurrent retries of twenty requests create twenty orders.
func TestRetriesMakeNoSecondOrder(t *testing.T) {
	s := start(t)
	var mu sync.Mutex
	made := map[string]map[string]bool{}
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			key := fmt.Sprint("key-", i%20)
			a := s.api("REST").do(t, call{op: "CreateOrder", in: without(draft, "external_id"), key: key})
			mu.Lock()
			defer mu.Unlock()
			switch a.code {
			case "":
				if made[key] == nil {
					made[key] = map[string]bool{}
				}
				made[key][str(a.body, "order", "id")] = true
			case "idempotency_in_progress":
			default:
				t.Errorf("%+v", a)
			}
		})
	}
	wg.Wait()
	require.Len(t, made, 20)
	for key, ids := range made {
		require.Len(t, ids, 1, key)
	}
	all := ok(t, s.api("REST").do(t, call{op: "GetOrders", in: object{"page_size": 100}}))
	require.Len(t, all["orders"], 20)
}

// After SIGKILL and a restart, everything acknowledged is present.
func TestKilledServerLosesNothingItAcknowledged(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: builds and kills real processes")
	}
	t.Parallel()
	ctx := t.Context()
	bin, err := proc.Build(ctx, t.TempDir())
	require.NoError(t, err)
	p, err := proc.New(bin, t.TempDir(), "LOG_LEVEL=warn")
	require.NoError(t, err)
	_, err = p.Start(ctx)
	require.NoError(t, err)
	s := &server{http: p.HTTP, kafka: []string{p.Kafka}}
	acknowledged := map[string]float64{}
	for range 3 {
		var mu sync.Mutex
		var wg sync.WaitGroup
		enough := make(chan struct{}, 1000)
		for range 8 {
			wg.Go(func() {
				for {
					id, version := tryOrder(t, s)
					if id == "" {
						return
					}
					mu.Lock()
					acknowledged[id] = version
					mu.Unlock()
					enough <- struct{}{}
				}
			})
		}
		for range 50 {
			<-enough
		}
		require.NoError(t, p.Kill())
		wg.Wait()
		_, err = p.Start(ctx)
		require.NoError(t, err)
	}
	for id, version := range acknowledged {
		resp, body := s.rest(t, "GET", "/order/"+id, nil, nil)
		require.Equal(t, 200, resp.StatusCode, "%s", body)
		require.GreaterOrEqual(t, decode(t, body)["version"], version)
	}
	created := records(t, s, func(rs []*record) bool { return len(distinct(rs)) >= len(acknowledged) }, "order_created")
	for id := range acknowledged {
		require.Contains(t, distinct(created), id, "the event of every order reaches Kafka")
	}
	require.NoError(t, p.Stop())
	require.NotContains(t, p.Log(), "panic")
}

// tryOrder creates and confirms an order; "" if the server is down.
func tryOrder(t *testing.T, s *server) (id string, version float64) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	send := func(method, path, body string) object {
		req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, "http://"+s.http+path, strings.NewReader(body))
		if err != nil {
			return nil
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			return nil
		}
		return readObject(resp)
	}
	o := send("POST", "/order", `{"customer":{"name":"Anna"},"dropoff":{"address":"Main St 1"}}`)
	if o == nil {
		return "", 0
	}
	id, version = str(o, "id"), 1
	if o = send("PATCH", "/order/"+id+"/status", `{"status":"confirmed"}`); o != nil {
		version = o["version"].(float64)
	}
	return id, version
}
