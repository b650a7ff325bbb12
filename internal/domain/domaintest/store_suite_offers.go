package domaintest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

var offerTests = map[string]func(*testing.T, storeSuite){
	"offers are found by id, courier and due time until they are forgotten": func(t *testing.T, s storeSuite) {
		ctx, order, courier := t.Context(), domain.NewID(), domain.NewID()
		next, err := s.NextOffer(ctx)
		require.NoError(t, err)
		require.Zero(t, next)
		var refs []domain.OfferRef
		for n := range 3 {
			refs = append(refs, domain.OfferRef{ID: domain.NewID(), OrderID: order, CourierID: courier, DueAt: start.Add(time.Duration(3-n) * time.Minute)})
		}
		other := domain.OfferRef{ID: domain.NewID(), OrderID: order, CourierID: domain.NewID(), DueAt: start.Add(time.Hour)}
		require.NoError(t, s.KeepOffers(ctx, append(refs, other)))
		require.Error(t, s.KeepOffers(ctx, refs[:1]), "an id is one offer's")

		for id, want := range map[string]string{refs[0].ID: order, other.ID: order, domain.NewID(): "", "x": ""} {
			got, err := s.OfferOrder(ctx, id)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
		got, err := s.CourierOffers(ctx, courier, 2)
		require.NoError(t, err)
		require.Equal(t, []domain.OfferRef{refs[2], refs[1]}, got)
		got, err = s.CourierOffers(ctx, "x", 2)
		require.NoError(t, err)
		require.Empty(t, got)
		got, err = s.DueOffers(ctx, start.Add(2*time.Minute), 10)
		require.NoError(t, err)
		require.Equal(t, []domain.OfferRef{refs[2], refs[1]}, got)
		next, err = s.NextOffer(ctx)
		require.NoError(t, err)
		require.Equal(t, start.Add(time.Minute), next)

		require.NoError(t, s.PutOffOffers(ctx, nil, start))
		require.NoError(t, s.PutOffOffers(ctx, []string{refs[2].ID}, start.Add(90*time.Minute)))
		got, err = s.DueOffers(ctx, start.Add(2*time.Minute), 10)
		require.NoError(t, err)
		require.Equal(t, refs[1:2], got)
		require.NoError(t, s.DropOffers(ctx, nil))
		require.NoError(t, s.DropOffers(ctx, []string{refs[0].ID, refs[2].ID}))
		got, err = s.CourierOffers(ctx, courier, 10)
		require.NoError(t, err)
		require.Equal(t, refs[1:2], got)
	},
}
