package easypost

import (
	"net/http"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/carrier"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// sample reads an answer that EasyPost gave to its own client library, or a webhook of its guides.
func sample(t *testing.T, name string) ([]byte, carrier.Node) {
	body, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	n, err := carrier.Parse(body)
	require.NoError(t, err)
	return body, n
}

func TestSamples(t *testing.T) {
	for _, name := range []string{"tracker_created.json", "tracker.json"} {
		_, n := sample(t, name)
		s := decodeTracker(n)
		require.Equal(t, domain.ShipmentRef{ID: "trk_c1a64b24670f4004a62838a2c9faff45", TrackingNumber: "EZ1000000001", Sub: "USPS", Phase: domain.PhaseRegistered}, s.Ref)
		require.Equal(t, "pre_transit/status_update", s.Status, "finalized is no end")
		for _, ev := range s.Events {
			require.Empty(t, ev.Status, "nothing was handed over")
		}
	}
	for name, want := range map[string]string{"error.json": "Missing required parameter.; shipment cannot be blank", "error_list.json": "No eligible insurance"} {
		_, n := sample(t, name)
		require.Contains(t, fault(n).Message, want)
	}

	_, n := sample(t, "hook.json")
	require.Equal(t, []domain.ShipmentRef{{ID: "trk_...", TrackingNumber: "EZ4000000004"}}, decodeHook(n).Shipments)
	body, n := sample(t, "hook_signed.raw")
	require.Equal(t, "trk_1", decodeHook(n).Shipments[0].ID)
	c := &Carrier{client: &carrier.Client{}, hookSecret: "se\u0301cret"} // as EasyPost normalises it
	h := domain.HookMessage{Body: body, Header: http.Header{signatureHeader: {"hmac-sha256-hex=38f3f53c103713df81616a0a186d77141957323ec21d5fe9363db93840f527db"}}}
	require.NoError(t, c.VerifyHook(h))
	h.Body = append(h.Body, '\n')
	require.Error(t, c.VerifyHook(h))
}
