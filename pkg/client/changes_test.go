package client_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/pkg/client"
)

// lossy loses the first answer to every change after the server has made it.
type lossy struct {
	next http.RoundTripper
	// between runs after an answer was lost.
	between func()

	mu   sync.Mutex
	lost map[string]bool // keys whose answer was lost
	// repeated are the statuses of repeated requests, with "replayed" for stored answers.
	repeated []string
}

func (l *lossy) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.next.RoundTrip(r)
	if err != nil || r.Method == http.MethodGet {
		return resp, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	key := r.Header.Get("Idempotency-Key")
	if !l.lost[key] {
		l.lost[key] = true
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if l.between != nil {
			l.between()
		}
		return nil, errors.New("the answer was lost")
	}
	answer := resp.Status
	if resp.Header.Get("Idempotent-Replayed") == "true" {
		answer = "replayed"
	}
	l.repeated = append(l.repeated, answer)
	return resp, nil
}

// startLossy starts the product with a client that loses answers and one that does not.
func startLossy(t *testing.T) (*lossy, *client.Client, *client.Client) {
	t.Helper()
	next := &http.Transport{}
	t.Cleanup(next.CloseIdleConnections)
	l := &lossy{next: next, lost: map[string]bool{}}
	p, sound := startProduct(t)
	c, err := client.New(p.http, client.WithHTTPClient(&http.Client{Transport: l}), client.WithPauses(time.Millisecond, time.Millisecond))
	require.NoError(t, err)
	return l, c, sound
}

// change is a call that changes something.
type change struct {
	name string
	call func() error
}

// changesOf are all calls that change something and can be made on a product with nothing
// configured, in an order in which each succeeds.
func changesOf(ctx context.Context, c *client.Client) []change {
	var order, parcel, second *client.Order
	var courier *client.Courier
	var key *client.IssuedKey
	var incident *client.Incident
	return []change{
		{"CreateOrder", func() (err error) { order, err = c.CreateOrder(ctx, draft("")); return }},
		{"CreateOrder", func() (err error) { parcel, err = c.CreateOrder(ctx, draft("")); return }},
		{"CreateOrder", func() (err error) { second, err = c.CreateOrder(ctx, draft("")); return }},
		{"EditOrder", func() (err error) {
			_, err = c.EditOrder(ctx, order.ID, client.Edit{Notes: client.Ptr("n")}, client.IfMatch(1))
			return
		}},
		{"UpdateStatus", func() (err error) {
			_, err = c.UpdateStatus(ctx, order.ID, client.StatusChange{Status: client.StatusConfirmed})
			return
		}},
		{"CancelOrder", func() (err error) { _, err = c.CancelOrder(ctx, parcel.ID, "r"); return }},
		{"CreateCourier", func() (err error) {
			courier, err = c.CreateCourier(ctx, client.CourierEdit{Name: client.Ptr("Bob"), Capacity: client.Ptr(2)})
			return
		}},
		{"EditCourier", func() (err error) {
			_, err = c.EditCourier(ctx, courier.ID, client.CourierEdit{Capacity: client.Ptr(3)})
			return
		}},
		{"ReportPositions", func() (err error) {
			_, err = c.ReportPositions(ctx, courier.ID, []client.Position{{Lat: -1.25, Lon: 36.75}})
			return
		}},
		{"AssignCourier", func() (err error) { _, err = c.AssignCourier(ctx, order.ID, courier.ID); return }},
		{"AssignNearest", func() (err error) { _, err = c.AssignNearest(ctx, second.ID); return }},
		{"Notify", func() (err error) { _, err = c.Notify(ctx, order.ID, client.Notice{Text: "soon"}); return }},
		{"AddProof", func() (err error) {
			_, err = c.AddProof(ctx, order.ID, client.ProofReport{Proof: client.Proof{Recipient: "Anna"}})
			return
		}},
		{"OpenIncident", func() (err error) {
			incident, err = c.OpenIncident(ctx, order.ID, client.IncidentReport{Code: "not_there"})
			return
		}},
		{"CloseIncident", func() (err error) {
			_, err = c.CloseIncident(ctx, order.ID, incident.ID, "he was")
			return
		}},
		{"ShareOrder", func() (err error) { _, err = c.ShareOrder(ctx, order.ID, nil); return }},
		{"Onboard", func() (err error) { _, err = c.Onboard(ctx, courier.ID); return }},
		{"RevokePhones", func() (err error) { _, err = c.RevokePhones(ctx, courier.ID, ""); return }},
		{"CreateKey", func() (err error) { key, err = c.CreateKey(ctx, client.NewKey{Name: "k", Role: "dispatcher"}); return }},
		{"RotateKey", func() (err error) { _, err = c.RotateKey(ctx, keyOf(ctx, c, key), time.Hour); return }},
		{"EraseCustomer", func() (err error) { _, err = c.EraseCustomer(ctx, "+254712345678"); return }},
		{"RevokeKey", func() (err error) { return c.RevokeKey(ctx, keyOf(ctx, c, key)) }},
	}
}

// keyOf returns the id of a key, also of one whose secret was lost.
func keyOf(ctx context.Context, c *client.Client, key *client.IssuedKey) string {
	if key != nil {
		return key.ID
	}
	for k := range c.Keys(ctx, 0) {
		return k.ID
	}
	return ""
}

// Each call whose answer is lost is made again and changes nothing twice.
func TestLostAnswersChangeNothingTwice(t *testing.T) {
	l, c, sound := startLossy(t)
	secrets := []string{"ShareOrder", "Onboard", "CreateKey", "RotateKey"}
	for _, change := range changesOf(t.Context(), c) {
		l.repeated = nil
		err := change.call()
		want := "replayed"
		if slices.Contains(secrets, change.name) {
			require.Equal(t, "secret_not_repeated", client.CodeOf(err), change.name)
			want = "409 Conflict"
		} else {
			require.NoError(t, err, change.name)
		}
		require.Equal(t, []string{want}, l.repeated, change.name)
	}
	orders, couriers, keys, events := 0, 0, 0, 0
	for o, err := range sound.Orders(t.Context(), client.OrderFilter{}) {
		require.NoError(t, err)
		orders++
		history, err := sound.Events(t.Context(), o.ID)
		require.NoError(t, err)
		events += len(history)
	}
	for range sound.Couriers(t.Context(), client.CourierFilter{}) {
		couriers++
	}
	for range sound.Keys(t.Context(), 0) {
		keys++
	}
	require.Equal(t, []int{3, 1, 1, 12}, []int{orders, couriers, keys, events})
}

// What others changed in the meantime stays: a repeated step, even one that changed nothing,
// does not take the courier away again.
func TestLostAnswerUndoesNothing(t *testing.T) {
	l, c, sound := startLossy(t)
	ctx := t.Context()
	courier, err := sound.CreateCourier(ctx, client.CourierEdit{Name: client.Ptr("Bob"), Capacity: client.Ptr(2)})
	require.NoError(t, err)
	for _, was := range []client.Status{client.StatusCreated, client.StatusConfirmed} {
		o, err := sound.CreateOrder(ctx, draft(""))
		require.NoError(t, err)
		if was != o.Status {
			_, err = sound.UpdateStatus(ctx, o.ID, client.StatusChange{Status: was})
			require.NoError(t, err)
		}
		l.between = func() {
			_, err := sound.AssignCourier(ctx, o.ID, courier.ID)
			require.NoError(t, err)
		}
		told, err := c.UpdateStatus(ctx, o.ID, client.StatusChange{Status: client.StatusConfirmed})
		require.NoError(t, err)
		require.Equal(t, client.StatusConfirmed, told.Status, "the first answer")
		now, err := sound.Order(ctx, o.ID)
		require.NoError(t, err)
		require.Equal(t, client.StatusAssigned, now.Status)
		require.Equal(t, courier.ID, now.CourierID)
	}
}

// Each method that is no GET sends a key and repeats the call with it, and is in changesOf.
func TestEveryChangeKeepsItsKey(t *testing.T) {
	var mu sync.Mutex
	var seen []http.Header
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_, _ = io.WriteString(w, "{}")
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if seen = append(seen, r.Header.Clone()); len(seen) == 1 {
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, "{}")
	}))
	defer srv.Close()
	next := &http.Transport{}
	defer next.CloseIdleConnections()
	c, err := client.New(srv.URL, client.WithHTTPClient(&http.Client{Transport: next}), client.WithPauses(time.Millisecond, time.Millisecond))
	require.NoError(t, err)
	tried := map[string]bool{
		"BookShipment": true, // needs a delivery company
		"Ticket":       true, // lasts half a minute
	}
	for _, change := range changesOf(t.Context(), c) {
		tried[change.name] = true
	}
	value := reflect.ValueOf(c)
	for i := range value.NumMethod() {
		name, method := value.Type().Method(i).Name, value.Method(i)
		switch typ := method.Type(); {
		case name == "Import" || name == "Export": // their files are no repeated calls
			continue
		case strings.Contains(typ.Out(0).String(), "iter.Seq2"): // lists and streams
			continue
		}
		args := []reflect.Value{reflect.ValueOf(t.Context())}
		for n := 1; n < method.Type().NumIn()-1; n++ { // without the options
			args = append(args, reflect.Zero(method.Type().In(n)))
		}
		mu.Lock()
		seen = nil
		mu.Unlock()
		method.Call(args)
		mu.Lock()
		seen := seen
		mu.Unlock()
		if len(seen) == 0 {
			continue
		}
		require.True(t, tried[name], "%s is not in changesOf", name)
		delete(tried, name)
		require.Len(t, seen, 2, name)
		require.NotEmpty(t, seen[0].Get("Idempotency-Key"), name)
		require.Equal(t, seen[0].Get("Idempotency-Key"), seen[1].Get("Idempotency-Key"), name)
	}
	require.Empty(t, slices.Collect(maps.Keys(tried)), "no methods that change something")
}
