package orders

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// reported keeps which days are asked for.
type reported struct {
	domain.Store
	asked domain.ReportFilter
}

func (r *reported) Report(_ context.Context, f domain.ReportFilter) ([]domain.ReportRow, error) {
	r.asked = f
	return []domain.ReportRow{{Name: "20788"}}, nil
}

type at time.Time

func (a at) Now() time.Time { return time.Time(a) }

// A report ends today where the merchant is; that of all merchants ends where the day is latest,
// and says so once something has happened there.
func TestReportsEndToday(t *testing.T) {
	store := new(reported)
	s := New(Deps{Store: store, Clock: at(time.Date(2026, 11, 30, 15, 30, 0, 0, time.UTC)), Profile: func(merchantID string) domain.Profile {
		return domain.Profile{Timezone: map[string]string{"tokyo": "Asia/Tokyo", "lima": "America/Lima"}[merchantID]}
	}})
	ctx := domain.WithActor(t.Context(), domain.Actor{Kind: domain.RoleAdmin})
	for merchant, want := range map[string][2]string{
		"tokyo": {"2026-12-01", "2026-12-01"}, "lima": {"2026-11-30", "2026-11-30"}, "": {"2026-11-30", "2026-12-01"},
	} {
		out, err := s.DeliveryReport(ctx, DeliveryRequest{By: domain.ByZone, MerchantID: merchant, Limit: 50})
		require.NoError(t, err)
		require.Equal(t, want, [2]string{out.To, store.asked.To.String()}, merchant)
	}
	out, err := s.DeliveryReport(ctx, DeliveryRequest{By: domain.ByDay, Limit: 50})
	require.NoError(t, err)
	require.Equal(t, "2026-12-01", out.Groups[0].Group)
	require.Equal(t, "2026-12-01", out.To)
}
