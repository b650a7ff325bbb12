package yandex

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/carrier"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// sample reads an answer of Yandex's reference, or one made by it.
func sample(t *testing.T, name string) carrier.Node {
	body, err := os.ReadFile("testdata/" + name + ".json")
	require.NoError(t, err)
	n, err := carrier.Parse(body)
	require.NoError(t, err)
	return n
}

func TestSamples(t *testing.T) {
	waits := decodeClaim(sample(t, "claim_ready_for_approval"))
	require.Equal(t, domain.ShipmentRef{
		ID: "741cedf82cd464fa6fa16d87155c6360", TrackingNumber: "741cedf82cd464fa6fa16d87155c6360", Version: "1", Phase: domain.PhasePending,
	}, waits.Ref)
	require.Equal(t, &domain.Money{Amount: 38232, Currency: "RUB"}, waits.Price, "with the tax")

	failed := decodeClaim(sample(t, "claim_estimating_failed"))
	require.Equal(t, domain.PhaseRejected, failed.Ref.Phase)
	require.Equal(t, []domain.CarrierMessage{{Code: "some_error", Message: "Some error"}}, failed.Errors)
	require.Nil(t, failed.Price)

	found := decodeClaim(sample(t, "claim_performer_found"))
	require.Equal(t, domain.PhaseRegistered, found.Ref.Phase)
	require.Equal(t, domain.StatusAssigned, found.Events[0].Status)
	require.Equal(t, "Личность car красный Hyundai Solaris А100РА100", found.Events[1].Value)
	require.Equal(t, "car", found.Events[1].Detail)

	for name, want := range map[string]string{"journal_1": "example", "journal_happy": "c-9", "journal_price": "c-10"} {
		refs, next := decodeJournal(sample(t, name))
		require.Equal(t, []domain.ShipmentRef{{ID: "3b8d1af142664fde824626a7c19e2bd9"}}, refs, name)
		require.Equal(t, want, next)
	}
	require.Equal(t, domain.CancelFree, decodeTerms(sample(t, "cancel_info_free")).Kind)
	require.Equal(t, domain.ClassRetryable, fault(sample(t, "error_429")).Class)
	require.Equal(t, "Неправильный формат cursor", fault(sample(t, "error_bad_cursor")).Message)
}
