package tests

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/carrier/cdek/sandbox"
	"github.com/order-tracking/order-tracking/tools/proc"
)

// A shipment is booked for an order with only a name and an address, and followed to its
// delivery.
func TestSandboxShipment(t *testing.T) {
	t.Parallel() // it waits for most of its time
	s := start(t, "--sandbox-carriers")
	create := func() string {
		resp, body := s.rest(t, "POST", "/order", encode(t, object{"customer": object{"name": "Anna"}, "dropoff": object{"address": "Main St 1"}}), nil)
		require.Equal(t, 201, resp.StatusCode, "%s", body)
		return str(decode(t, body), "id")
	}
	id := create()
	resp, body := s.rest(t, "GET", "/order/"+id+"/shipment", nil, nil)
	require.Equal(t, 404, resp.StatusCode)
	require.Equal(t, "shipment_not_found", str(decode(t, body), "code"))
	resp, body = s.rest(t, "GET", "/carriers/cdek/quote?order_id="+id, nil, nil)
	require.Equal(t, 200, resp.StatusCode, "%s", body)
	require.NotEmpty(t, get(decode(t, body), "quotes"))
	resp, body = s.rest(t, "GET", "/carriers/pigeon/quote?to_city=44", nil, nil)
	require.Equal(t, "carrier_not_found", str(decode(t, body), "code"), "%d", resp.StatusCode)

	resp, body = s.rest(t, "POST", "/order/"+id+"/shipment", encode(t, object{"carrier": "cdek", "tariff": "fastest"}), nil)
	require.Equal(t, 202, resp.StatusCode, "%s", body)
	require.Equal(t, "480", str(decode(t, body), "tariff"))
	require.Equal(t, "pending", str(decode(t, body), "phase"))
	resp, body = s.rest(t, "GET", "/order/"+id+"/delivery-time", nil, nil)
	require.Equal(t, "carrier", str(decode(t, body), "method"), "%d", resp.StatusCode)

	other := create()
	resp, body = s.rest(t, "POST", "/order/"+other+"/shipment", nil, nil)
	require.Equal(t, 202, resp.StatusCode, "%s", body)
	eventually(t, "the second is registered", func() bool {
		_, body := s.rest(t, "GET", "/order/"+other+"/shipment", nil, nil)
		return str(decode(t, body), "phase") == "registered"
	})
	resp, body = s.rest(t, "DELETE", "/order/"+other, nil, nil)
	if resp.StatusCode != 409 { // it may have been handed over by now
		require.Equal(t, 200, resp.StatusCode, "%s", body)
		require.Equal(t, "cancelled", str(decode(t, body), "shipment", "phase"))
	}

	require.Eventually(t, func() bool {
		_, body := s.rest(t, "GET", "/order/"+id+"/status", nil, nil)
		return str(decode(t, body), "status") == "delivered"
	}, time.Minute, 200*time.Millisecond)
	_, body = s.rest(t, "GET", "/order/"+id+"/shipment", nil, nil)
	shipment := decode(t, body)
	require.Equal(t, "DELIVERED", str(shipment, "carrier_status"))
	require.Equal(t, "Вручен", str(shipment, "carrier_status_text"))
	resp, body = s.rest(t, "GET", str(shipment, "label_url"), nil, nil)
	require.Equal(t, 200, resp.StatusCode, "%s", body)
	require.Equal(t, "%PDF-", string(body[:5]))
	resp, _ = s.rest(t, "POST", "/hooks/cdek/guess", encode(t, object{"type": "ORDER_STATUS"}), nil)
	require.Equal(t, 404, resp.StatusCode)
	_, body = s.rest(t, "GET", "/metrics", nil, nil)
	require.Contains(t, string(body), `ordertracking_carrier_calls_total{carrier="cdek",class="",operation="create"}`)
}

// A crash between a booking's call and its response leaves exactly one shipment.
func TestKilledWhileBookingMakesNoSecondShipment(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: builds and kills real processes")
	}
	t.Parallel() // it waits for most of its time
	life, end := context.WithCancel(context.WithoutCancel(t.Context()))
	emulator := sandbox.New(sandbox.Options{})
	base, done, err := emulator.Listen(life)
	require.NoError(t, err)
	defer func() { end(); <-done }()
	bin, err := proc.Build(t.Context(), t.TempDir())
	require.NoError(t, err)
	p, err := proc.New(bin, t.TempDir(), "LOG_LEVEL=warn", "OT_CARRIERS__CDEK__BASE_URL="+base,
		"OT_CARRIERS__CDEK__ACCOUNT=a", "OT_CARRIERS__CDEK__SECRET=b", "OT_CARRIERS__CDEK__FROM_CITY=44", "OT_CARRIERS__CDEK__FROM_ADDRESS=x")
	require.NoError(t, err)
	_, err = p.Start(t.Context())
	require.NoError(t, err)
	s := &server{http: p.HTTP}
	_, body := s.rest(t, "POST", "/order", encode(t, object{"customer": object{"name": "Anna"}, "dropoff": object{"address": "Main St 1"}}), nil)
	id := str(decode(t, body), "id")

	emulator.Fail(sandbox.Fault{Kind: sandbox.Late, Method: "POST", Path: "/v2/orders"})
	resp, body := s.rest(t, "POST", "/order/"+id+"/shipment", nil, nil)
	require.Equal(t, 202, resp.StatusCode, "%s", body)
	eventually(t, "the booking reaches the carrier", func() bool { return len(emulator.Booked()) == 1 })
	require.NoError(t, p.Kill())
	_, err = p.Start(t.Context())
	require.NoError(t, err)
	s = &server{http: p.HTTP}
	// No other process may have the killed one's claim, so that its successor need not wait until it ends.
	eventually(t, "the parcel is found at the carrier", func() bool {
		resp, body := s.rest(t, "GET", "/order/"+id+"/shipment", nil, nil)
		return resp.StatusCode == 200 && str(decode(t, body), "phase") == "registered"
	})
	require.Len(t, emulator.Booked(), 1)
	require.Equal(t, 1, emulator.Calls("POST /v2/orders"))
	require.NoError(t, p.Stop())
}
