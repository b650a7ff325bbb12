package httpserver

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

func TestDescribe(t *testing.T) {
	secret := errors.New("password=hunter2")
	t.Run("a cause is not shown", func(t *testing.T) {
		p := describe(domain.Unavailable("the database", secret))
		require.Equal(t, 503, p.Status)
		require.Equal(t, "the database is unavailable", p.Detail)
		require.Equal(t, time.Second, p.retryAfter)
	})
	t.Run("an unknown error is internal and says nothing", func(t *testing.T) {
		p := describe(secret)
		require.Equal(t, 500, p.Status)
		require.Equal(t, domain.CodeInternal, p.Code)
		require.NotContains(t, p.Detail, "hunter2")
	})
	t.Run("time that ran out is unavailable", func(t *testing.T) {
		require.Equal(t, domain.CodeUnavailable, describe(context.DeadlineExceeded).Code)
	})
	t.Run("a code that is not in the table is internal", func(t *testing.T) {
		require.Equal(t, 500, describe(domain.Errorf("brand_new", "x")).Status)
	})
}
