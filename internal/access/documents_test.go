package access

import (
	"errors"
	"strings"
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
		require.Equal(t, d.Profile(merchant).ShowCourier, other.Profile(merchant).ShowCourier, "another replica goes by the same")
		return d.Profile(merchant).ShowCourier.String()
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

	m, err = d.EditMerchant(h.admin(), "m1", MerchantEdit{Locale: text("ru"), Email: text("it@shop.example"), ProofRequired: []string{"pin"}}, 1)
	require.NoError(t, err)
	require.Equal(t, "Shop", *m.Name, "what is absent stays")
	require.Equal(t, "it@shop.example", d.Profile("m1").Email)
	require.Empty(t, d.Profile("m2").Email)
	_, err = d.EditMerchant(h.admin(), "m1", MerchantEdit{Email: text("")}, 2)
	require.NoError(t, err)
	require.Empty(t, d.Profile("m1").Email, "it can be taken away")
	require.Equal(t, "metres:300", rule("m1"))
	_, err = d.EditMerchant(h.admin(), "m1", MerchantEdit{Locale: text("en")}, 1)
	require.Equal(t, domain.CodeVersionConflict, domain.CodeOf(err))
	for name, e := range map[string]MerchantEdit{
		"rule": {Privacy: &Privacy{ShowCourier: text("always")}}, "locale": {Locale: text("no such")},
		"zone": {Timezone: text("Mars/Olympus")}, "proof": {ProofRequired: []string{"oath"}}, "proof twice": {ProofRequired: []string{"pin", "pin"}},
		"colour": {Brand: &Brand{Accent: text("red")}}, "logo": {Brand: &Brand{Logo: text("https://x.example/logo.png")}},
		"text that says it is an image": {Brand: &Brand{Logo: text("data:image/png;base64,aGVsbG8=")}},
		"promise":                       {Promise: text("p10")}, "account": {CarrierAccounts: []string{"nobody"}},
		"event":   {NotificationRules: []domain.NotificationRule{{Event: "order.eaten", Channels: []string{"sms"}}}},
		"channel": {NotificationRules: []domain.NotificationRule{{Event: domain.EventOrderLate, Channels: []string{"pigeon"}}}},
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

func TestEveryFaultOfAMerchantAndOfTheSettingsIsListed(t *testing.T) {
	pointers := func(err error) (out []string) {
		e, ok := errors.AsType[*domain.Error](err)
		require.True(t, ok)
		for _, f := range e.Faults {
			out = append(out, f.Pointer)
		}
		return out
	}
	require.ElementsMatch(t, []string{
		"/name", "/email", "/brand/accent", "/brand/logo", "/locale", "/timezone", "/privacy/show_courier", "/proof_required/1", "/promise",
		"/notification_rules/0/event", "/notification_rules/0/channels/0", "/notification_rules/0/delay_s",
	}, pointers(MerchantEdit{
		Name: text(strings.Repeat("x", 201)), Email: text("shop"), Brand: &Brand{Accent: text("blue"), Logo: text("x")}, Locale: text("?"), Timezone: text("?"),
		Privacy: &Privacy{ShowCourier: text("?")}, ProofRequired: []string{"pin", "?"}, Promise: text("?"),
		NotificationRules: []domain.NotificationRule{{Event: "?", Channels: []string{"?"}, DelayS: -1}},
	}.Check()))
	require.ElementsMatch(t, []string{
		"/brand/name", "/privacy/show_courier", "/dispatch/mode", "/dispatch/bundle", "/dispatch/on_no_taker",
		"/retention/positions_days", "/retention/personal_days",
	}, pointers(SettingsEdit{
		Brand: &Brand{Name: text(strings.Repeat("x", 61))}, Privacy: &Privacy{ShowCourier: text("?")},
		Dispatch:  &Dispatch{Mode: text("?"), Bundle: new(0), OnNoTaker: text("?")},
		Retention: &Retention{PositionsDays: new(0), PersonalDays: new(-1)},
	}.Check()))
}

const dot = "data:image/png;base64,iVBORw0KGgo="

func TestWhatAMerchantSetUpIsThereOnEveryReplica(t *testing.T) {
	h := newHouse(t)
	d, other := h.documents(), h.documents()
	d.Accounts = []string{"acme", "acme/tea"}
	require.Equal(t, domain.Profile{}, other.Profile("m1"))
	rules := []domain.NotificationRule{{Event: domain.EventOrderLate, Channels: []string{"sms"}, DelayS: 60}}
	_, err := d.EditMerchant(h.admin(), "m1", MerchantEdit{
		Name: text("Shop"), Locale: text("ru"), Timezone: text("Europe/Moscow"), Promise: text("p90"), ProofRequired: []string{"pin"},
		CarrierAccounts: []string{"acme/tea", "acme"}, NotificationRules: rules, Brand: &Brand{Accent: text("#1a4f9c"), Logo: text(dot)},
	}, 0)
	require.NoError(t, err)
	_, err = d.EditSettings(h.admin(), SettingsEdit{Brand: &Brand{Name: text("Couriers Ltd"), Accent: text("#000000")}}, 0)
	require.NoError(t, err)
	want := domain.Profile{
		Name: "Shop", Locale: "ru", Timezone: "Europe/Moscow", Promise: domain.PromiseP90, ProofRequired: []string{"pin"},
		CarrierAccounts: []string{"acme/tea", "acme"}, NotificationRules: rules,
	}
	require.NoError(t, other.Guard.Check(t.Context()))
	require.Equal(t, want, other.Profile("m1"))

	brand, err := d.BrandOf(t.Context(), "m1")
	require.NoError(t, err)
	require.Equal(t, Brand{Name: text("Shop"), Accent: text("#1a4f9c"), Logo: text(dot)}, brand)
	brand, err = d.BrandOf(t.Context(), "m2")
	require.NoError(t, err)
	require.Equal(t, Brand{Name: text("Couriers Ltd"), Accent: text("#000000")}, brand)

	shop := domain.WithCaller(t.Context(), &domain.Caller{Actor: domain.Actor{Kind: domain.RoleMerchant, ID: "k"}, MerchantID: "m1"})
	_, err = d.EditMerchant(shop, "m1", MerchantEdit{CarrierAccounts: []string{"acme"}}, 0)
	require.Equal(t, domain.CodeValidationFailed, domain.CodeOf(err), "another's contract costs another's money")
	m, err := d.EditMerchant(shop, "m1", MerchantEdit{NotificationRules: []domain.NotificationRule{}, Brand: &Brand{Logo: text("")}}, 0)
	require.NoError(t, err)
	require.Equal(t, "#1a4f9c", *m.Brand.Accent, "what is absent stays")
	require.NoError(t, other.Guard.Check(t.Context()))
	require.Equal(t, []domain.NotificationRule{}, other.Profile("m1").NotificationRules, "no messages, which is not the built-in ones")
	require.Equal(t, []string{"acme/tea", "acme"}, other.Profile("m1").CarrierAccounts)
}

func TestSettingsGoOverTheConfigurationAndLeaveItAsItIs(t *testing.T) {
	h := newHouse(t)
	d := h.documents()
	d.Defaults.Dispatch, d.Defaults.Retention = &Dispatch{Mode: text("manual"), Bundle: new(3)}, &Retention{PositionsDays: new(30), PersonalDays: new(1095)}
	_, err := d.EditSettings(h.admin(), SettingsEdit{Dispatch: &Dispatch{Mode: text("assign")}, Retention: &Retention{PersonalDays: new(0)}}, 0)
	require.NoError(t, err)
	got := d.Current()
	require.Equal(t, Dispatch{Mode: text("assign"), Bundle: new(3)}, *got.Dispatch)
	require.Equal(t, Retention{PositionsDays: new(30), PersonalDays: new(0)}, *got.Retention)
	require.Equal(t, "manual", *d.Defaults.Dispatch.Mode)
	require.Equal(t, 1095, *d.Defaults.Retention.PersonalDays)
}
