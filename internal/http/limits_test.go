package httpserver

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/access"
	"github.com/order-tracking/order-tracking/internal/domain"
)

func TestCallersAndFailuresAreLimited(t *testing.T) {
	config := guardOf(houseKey)
	config.PerCaller, config.PerAddress = access.Limit{Rate: 0.001, Burst: 3}, access.Limit{Rate: 0.001, Burst: 2}
	d := openWith(t, testConfig(), config)
	d.key = houseKey
	r := d.do("GET", "/orders", nil)
	r.ok(200)
	require.Equal(t, `"default";q=3;w=3000`, r.Header.Get("RateLimit-Policy"))
	require.Equal(t, `"default";r=2;t=1000`, r.Header.Get("RateLimit"))
	d.do("GET", "/orders", nil).ok(200)
	d.key = "wrong"
	for range 2 {
		d.do("GET", "/orders", nil).problem(http.StatusUnauthorized, domain.CodeUnauthenticated)
	}
	d.do("GET", "/orders", nil).problem(http.StatusTooManyRequests, domain.CodeRateLimited)
	d.key = houseKey
	d.do("GET", "/orders", nil).ok(200) // not limited by another caller's failures from the same address
	r = d.do("GET", "/orders", nil)
	r.problem(http.StatusTooManyRequests, domain.CodeRateLimited)
	require.Equal(t, "1000", r.Header.Get("Retry-After"))
	require.Equal(t, `"default";r=0;t=3000`, r.Header.Get("RateLimit"))
}
