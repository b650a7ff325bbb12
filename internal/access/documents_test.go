package access

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
)

func (h *house) documents() *Documents {
	standard := "custody"
	d := &Documents{Store: h.store, Clock: h.clock, Audit: h.audit, Guard: h.replica(), Requests: idempotency.NewKeys(h.store, h.clock)}
	d.Defaults.Privacy = &Privacy{ShowCourier: &standard}
	d.Guard.OnChange = d.Load
	require.NoError(h, d.Guard.Check(h.Context()))
	return d
}

func text(s string) *string { return &s }

func TestRulesOfMerchantsAndSettings(t *testing.T) {
	h := newHouse(t)
	d, other := h.documents(), h.documents()
	rule := func(merchant string) string {
		t.Helper()
		require.NoError(t, other.Guard.Check(t.Context()))
		require.Equal(t, d.ShowCourier(merchant), other.ShowCourier(merchant), "another replica goes by the same")
		return d.ShowCourier(merchant).String()
	}
	require.Equal(t, "custody", rule("m1"))
	_, err := d.EditSettings(h.admin(), SettingsEdit{Privacy: &Privacy{ShowCourier: text("out_for_delivery")}}, 0)
	require.NoError(t, err)
	require.Equal(t, "out_for_delivery", rule("m1"))
	m, err := d.EditMerchant(h.admin(), "m1", MerchantEdit{Name: text("Shop"), Privacy: &Privacy{ShowCourier: text("metres:300")}}, 0)
	require.NoError(t, err)
	require.Equal(t, int64(1), m.Version)
	require.Equal(t, "metres:300", rule("m1"))
	require.Equal(t, "out_for_delivery", rule("m2"))

	m, err = d.EditMerchant(h.admin(), "m1", MerchantEdit{Locale: text("ru"), ProofRequired: []string{"pin"}}, 1)
	require.NoError(t, err)
	require.Equal(t, "Shop", *m.Name, "what is absent stays")
	require.Equal(t, "metres:300", rule("m1"))
	_, err = d.EditMerchant(h.admin(), "m1", MerchantEdit{Locale: text("en")}, 1)
	require.Equal(t, domain.CodeVersionConflict, domain.CodeOf(err))
	for name, e := range map[string]MerchantEdit{
		"rule": {Privacy: &Privacy{ShowCourier: text("always")}}, "locale": {Locale: text("no such")},
		"zone": {Timezone: text("Mars/Olympus")}, "proof": {ProofRequired: []string{"oath"}},
	} {
		_, err := d.EditMerchant(h.admin(), "m1", e, 0)
		require.Equal(t, domain.CodeValidationFailed, domain.CodeOf(err), name)
	}
}

func TestMerchantsAreTheirOwn(t *testing.T) {
	h := newHouse(t)
	d := h.documents()
	shop := domain.WithCaller(t.Context(), &domain.Caller{Actor: domain.Actor{Kind: domain.RoleMerchant, ID: "k"}, MerchantID: "m1"})
	m, err := d.Merchant(shop, "m1")
	require.NoError(t, err)
	require.Zero(t, m.Version, "not set up yet, and there all the same")
	_, err = d.Merchant(h.admin(), "m1")
	require.Equal(t, domain.CodeNotFound, domain.CodeOf(err))
	for _, id := range []string{"m1", "m2"} {
		_, err = d.EditMerchant(h.admin(), id, MerchantEdit{Name: text(id)}, 0)
		require.NoError(t, err)
	}
	_, err = d.Merchant(shop, "m2")
	require.Equal(t, domain.CodeNotFound, domain.CodeOf(err))
	_, err = d.EditMerchant(shop, "m2", MerchantEdit{Name: text("mine")}, 0)
	require.Equal(t, domain.CodeNotFound, domain.CodeOf(err))
	all, err := d.Merchants(shop, "", 10)
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, "m1", *all[0].Name)
	all, err = d.Merchants(h.admin(), "m1", 10)
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, "m2", all[0].ID)
}
