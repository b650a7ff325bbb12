package tests

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"google.golang.org/grpc/metadata"

	pb "github.com/order-tracking/order-tracking/proto/ordertracking/v1"
)

// written is a log of a server, as an operator would keep it.
type written struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.Write(p)
}

func (w *written) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}

// What people must not find: the person of an order, by values that occur nowhere else.
const (
	plantedName    = "Planted Zaytseva"
	plantedPhone   = "+79031112233"
	plantedEmail   = "planted.zaytseva@example.com"
	plantedAddress = "Planted Lane 77"
	plantedNote    = "planted door code 4711#"
)

// secretsOf makes one of every kind of secret.
func secretsOf(t *testing.T, w *town) map[string]string {
	out := map[string]string{"admin key": adminKey, "name": plantedName, "phone": plantedPhone, "e-mail": plantedEmail, "address": plantedAddress, "note": plantedNote}
	for role, key := range w.keys {
		out[string(role)+" key"] = key
	}
	order := str(w.made(t, adminKey, "/order", object{
		"customer": object{"name": plantedName, "phone": plantedPhone, "email": plantedEmail},
		"dropoff":  object{"address": plantedAddress, "notes": plantedNote}, "notes": plantedNote,
	}), "id")
	w.orders[own] = order
	out["share token"] = str(w.made(t, adminKey, "/order/"+order+"/share", object{}), "token")
	out["phone token"] = str(w.made(t, adminKey, "/courier/"+w.couriers[own]+"/onboarding", object{}), "token")
	out["ticket"] = str(w.made(t, adminKey, "/ws/ticket", object{}), "ticket")
	out["webhook secret"] = str(w.made(t, adminKey, "/webhooks", object{"url": "https://8.8.8.8/hook"}), "secret")
	return out
}

// TestSecretsAreInNoLogErrorOrMetric uses every kind of secret in every place where a client
// may put it, right and wrong, and then looks for all of them in everything that operators
// and strangers read.
func TestSecretsAreInNoLogErrorOrMetric(t *testing.T) {
	log := new(written)
	s := &server{dir: t.TempDir(), key: adminKey, args: []string{"--set=http.access_log=true", "--set=log.level=debug", "--set=limits.failed_rate=0"}, log: zap.New(
		zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(log), zapcore.DebugLevel))}
	w := townOn(t, s)
	secrets := secretsOf(t, w)
	var refusals bytes.Buffer // what a stranger gets to see

	call := func(method, path, credential, cookie string, body []byte) {
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+w.http+path, bytes.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
		if credential != "" {
			req.Header.Set("Authorization", credential)
		}
		if cookie != "" {
			req.AddCookie(&http.Cookie{Name: "__Host-session", Value: cookie})
		}
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err, "%s %s", method, path)
		defer func() { _ = resp.Body.Close() }()
		if resp.StatusCode >= http.StatusBadRequest {
			_, err = io.Copy(&refusals, resp.Body)
			require.NoError(t, err)
		}
	}
	order, courier := "/order/"+w.orders[own], "/courier/"+w.couriers[own]
	for name, secret := range secrets {
		q := url.QueryEscape(secret)
		for _, credential := range []string{"Bearer " + secret, "Bearer " + secret + "x", "bearer  " + secret, "Basic " + base64.StdEncoding.EncodeToString([]byte("a:"+secret)), secret} {
			if !strings.ContainsAny(secret, "\n") {
				call(http.MethodGet, order, credential, "", nil)
				call(http.MethodGet, "/keys", credential, "", nil)
			}
		}
		call(http.MethodGet, "/orders", "", url.QueryEscape(secret), nil)
		for _, path := range []string{
			"/t/" + q, "/ingest/osmand/" + q + "?lat=1", "/ingest/owntracks/" + q, "/hooks/cdek/" + q, order + "/ws?ticket=" + q,
			order + "/stream?token=" + q, order + "?token=" + q, "/orders?q=" + q, "/orders?customer_phone=" + q, "/orders?nonsense=" + q,
			"/couriers?q=" + q + "&q=" + q, "/orders?page_token=" + q, "/order/" + q, "/courier/" + q + "/location", "/login/callback?code=" + q + "&state=" + q,
			"/customers/export?phone=" + q, "/nowhere/" + q,
		} {
			call(http.MethodGet, path, "", "", nil)
			call(http.MethodGet, path, "Bearer "+adminKey, "", nil)
			call(http.MethodPost, path, "Bearer "+adminKey, "", []byte(`{}`))
		}
		quoted := string(encode(t, secret))
		for _, body := range []string{
			`{"customer":{"name":` + quoted + `,"phone":` + quoted + `},"dropoff":{"address":7}}`, `{"customer":{"name":` + quoted,
			`{"status":` + quoted + `}`, `{"key":` + quoted + `}`, `{"code":` + quoted + `}`, quoted, `{"url":` + quoted + `,"types":[` + quoted + `]}`,
			`{"text":` + quoted + `,"template":` + quoted + `,"channel":` + quoted + `}`, `{"courier_id":` + quoted + `}`,
		} {
			for _, path := range []string{"/order", order + "/status", order + "/assign-courier", order + "/notify", "/session", "/keys", "/webhooks", "/couriers", courier + "/location", "/orders/import"} {
				method := http.MethodPost
				if strings.HasSuffix(path, "/status") {
					method = http.MethodPatch
				}
				call(method, path, "Bearer "+adminKey, "", []byte(body))
			}
		}
		ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+strings.TrimSpace(secret)+"x")
		orders := pb.NewOrderServiceClient(w.conn)
		_, err := orders.GetOrder(ctx, &pb.GetOrderRequest{OrderId: secret})
		require.Error(t, err, name)
		fmt.Fprintln(&refusals, err)
		ctx = metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+adminKey)
		for _, err := range []error{
			second(orders.GetOrder(ctx, &pb.GetOrderRequest{OrderId: secret})), second(orders.GetOrders(ctx, &pb.GetOrdersRequest{PageToken: secret})),
			second(orders.CreateOrder(ctx, &pb.CreateOrderRequest{Customer: &pb.Customer{Name: secret, Phone: secret}})),
		} {
			fmt.Fprintln(&refusals, err)
		}
	}
	_, metrics := w.ask(t, adminKey, http.MethodGet, "/metrics", nil)
	w.down(t)
	requireWithout(t, secrets, map[string]string{"the log": log.text(), "a metric": str(metrics, "text")})
	for _, name := range []string{"name", "phone", "e-mail", "address", "note"} {
		delete(secrets, name) // a refusal may repeat a path to whom it came from, but no credential
	}
	requireWithout(t, secrets, map[string]string{"an error": refusals.String()})
	require.Contains(t, log.text(), `"route":"/order/:order_id"`, "calls are logged")
	require.NotEmpty(t, refusals.String())
}

func second[T any](_ T, err error) error { return err }

// requireWithout looks for the secrets as they are, escaped and encoded.
func requireWithout(t *testing.T, secrets, places map[string]string) {
	for place, text := range places {
		for name, secret := range secrets {
			forms := []string{secret, url.QueryEscape(secret), url.PathEscape(secret), base64.StdEncoding.EncodeToString([]byte("a:" + secret))}
			if digits := strings.TrimPrefix(secret, "+7"); digits != secret {
				forms = append(forms, digits)
			}
			slices.Sort(forms)
			for _, form := range slices.Compact(forms) {
				if at := strings.Index(text, form); at >= 0 {
					t.Errorf("%s has the %s: …%s…", place, name, text[max(0, at-300):min(len(text), at+200)])
				}
			}
		}
	}
}
