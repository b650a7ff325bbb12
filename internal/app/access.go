package app

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"math"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/config"
	"github.com/order-tracking/order-tracking/internal/access"
	"github.com/order-tracking/order-tracking/internal/dispatch"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/infrastructure/oidc"
	"github.com/order-tracking/order-tracking/internal/privacy"
)

// openAccess sets up access control. Without a bootstrap key and without any administrator's
// key in the database, only local calls are allowed.
func (a *App) openAccess(ctx context.Context) error {
	secret, err := a.secret(ctx)
	if err != nil {
		return err
	}
	a.orders.PIN = func(orderID string) string { return access.OrderPIN(secret, orderID) }
	clock := systemClock{}
	g := &a.gate
	g.Audit = &access.Audit{Store: a.store, Clock: clock, Log: a.log, Secret: secret}
	g.Keys = &access.Keys{Store: a.store, Clock: clock, Audit: g.Audit, Requests: a.requests}
	g.Shares = &access.Shares{Store: a.store, Clock: clock, Requests: a.requests, Secret: secret}
	g.Tickets = &access.Tickets{Store: a.store, Clock: clock}
	first, issuer := a.cfg.Access.BootstrapAdminKey, a.issuer()
	keyless := first == "" && issuer == nil
	if keyless {
		has, err := g.Keys.AnyAdmin(ctx)
		if err != nil {
			return err
		}
		keyless = !has
	}
	var quotas domain.Quotas
	if a.redis != nil {
		quotas = a.redis
	}
	g.Guard = access.NewGuard(a.store, clock, a.log, access.GuardConfig{
		BootstrapKey: first, Keyless: keyless, Issuer: issuer, Quotas: quotas,
		PerCaller:  access.Limit{Rate: a.cfg.Limits.KeyRate, Burst: a.cfg.Limits.KeyBurst},
		PerAddress: access.Limit{Rate: a.cfg.Limits.FailedRate, Burst: a.cfg.Limits.FailedBurst},
	})
	g.Keys.Guard, g.Shares.Guard = g.Guard, g.Guard
	g.Documents.Audit, g.Documents.Requests, g.Documents.Guard = g.Audit, a.requests, g.Guard
	g.Documents.Defaults.SettingsEdit = defaultSettings(a.cfg)
	g.Documents.Accounts = domain.Each(a.carriers.Accounts(), domain.CarrierAccount.String)
	g.Guard.OnChange = func(ctx context.Context) error { return errors.Join(g.Documents.Load(ctx), a.notify.Load(ctx)) }
	if err := a.openNotify(ctx, secret); err != nil {
		return err
	}
	if err := g.Guard.Check(ctx); err != nil {
		return err
	}
	a.privacy = privacy.New(privacy.Deps{
		Store: a.store, Clock: a.clock, Log: a.log, Keys: a.requests, Orders: a.orders, PhoneRegion: a.cfg.Orders.PhoneRegion,
		Entry: g.Audit.Entry, Mark: g.Audit.Mark, Every: a.cfg.Database.PurgeEvery,
		KeepFor: func() time.Duration { _, personal := a.retention(); return personal },
	})
	g.Sessions = &access.Sessions{Store: a.store, Clock: clock, Guard: g.Guard}
	if keyless {
		if err := a.cfg.CheckKeyless(); err != nil {
			return err
		}
		a.log.Warn("no administrator key is set: local calls act as administrator, all others are rejected; see BOOTSTRAP_ADMIN_KEY")
	}
	if first == config.DevelopmentKey {
		a.log.Warn("the administrator key is the public one from docker-compose.yml: set BOOTSTRAP_ADMIN_KEY")
	}
	return nil
}

// defaultSettings are the configured values of what may change at run time.
func defaultSettings(c *config.Config) access.SettingsEdit {
	seconds := func(d time.Duration) *int { return new(int(math.Ceil(d.Seconds()))) }
	days := func(d time.Duration) *int { return new(int(math.Ceil(d.Hours() / 24))) }
	s := access.SettingsEdit{
		Privacy: &access.Privacy{ShowCourier: &c.Privacy.ShowCourier},
		Dispatch: &access.Dispatch{
			Mode: &c.Dispatch.Mode, Bundle: &c.Dispatch.Bundle, OfferForS: seconds(c.Dispatch.OfferFor),
			OfferTotalS: seconds(c.Dispatch.OfferTotal), OfferAtOnce: &c.Dispatch.OfferAtOnce, OnNoTaker: &c.Dispatch.OnNoTaker,
		},
		Retention: &access.Retention{PositionsDays: days(c.Tracking.HistoryFor), PersonalDays: days(c.Retention.Personal)},
	}
	if c.Brand.Name != "" || c.Brand.Accent != "" {
		s.Brand = &access.Brand{Name: &c.Brand.Name, Accent: &c.Brand.Accent}
	}
	return s
}

// retention returns how long positions and customers' data are kept now; zero is for ever.
// The configuration's precise durations hold unless the settings have others.
func (a *App) retention() (positions, personal time.Duration) {
	now, configured := a.gate.Documents.Current().Retention, a.gate.Documents.Defaults.Retention
	positions, personal = a.cfg.Tracking.HistoryFor, a.cfg.Retention.Personal
	if *now.PositionsDays != *configured.PositionsDays {
		positions = time.Duration(*now.PositionsDays) * 24 * time.Hour
	}
	if *now.PersonalDays != *configured.PersonalDays {
		personal = time.Duration(*now.PersonalDays) * 24 * time.Hour
	}
	return positions, personal
}

// tuning is what the settings say about dispatch now.
func (a *App) tuning() dispatch.Tuning {
	d := a.gate.Documents.Current().Dispatch
	seconds := func(n *int) time.Duration { return time.Duration(*n) * time.Second }
	return dispatch.Tuning{Mode: *d.Mode, Bundle: *d.Bundle, Offers: dispatch.OfferConfig{
		ExpiresIn: seconds(d.OfferForS), Total: seconds(d.OfferTotalS), AtOnce: *d.OfferAtOnce, OnNoTaker: *d.OnNoTaker,
	}}
}

// secret returns the installation's secret key: the configured one, or one generated once and stored in the database.
func (a *App) secret(ctx context.Context) ([]byte, error) {
	if s := a.cfg.Access.SecretKey; s != "" {
		sum := sha256.Sum256([]byte(s))
		return sum[:], nil
	}
	fresh := make([]byte, sha256.Size)
	_, _ = rand.Read(fresh) // never fails
	return a.store.Secret(ctx, "secret_key", fresh)
}

// VerifyAudit verifies the audit log of the configured database.
func VerifyAudit(ctx context.Context, cfg *config.Config) (v access.Verified, err error) {
	a := &App{cfg: cfg, log: zap.NewNop()}
	store, err := a.openStore(ctx)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return (&access.Audit{Store: store, Clock: systemClock{}, Log: a.log}).Verify(ctx)
}

// issuer returns the configured identity provider, or none. The start does not wait for it.
func (a *App) issuer() domain.Issuer {
	c := a.cfg.OIDC
	if c.Issuer == "" {
		return nil
	}
	roles := domain.Each(c.RoleMappings(), func(m [2]string) oidc.Mapping { return oidc.Mapping{Value: m[0], Role: domain.Role(m[1])} })
	p := oidc.New(oidc.Options{
		Issuer: c.Issuer, ClientID: c.ClientID, ClientSecret: c.ClientSecret, Scopes: c.Scopes, Audience: c.Audience,
		Algorithms: c.Algorithms, Leeway: c.Leeway, RoleClaim: c.RoleClaim, MerchantClaim: c.MerchantClaim, CourierClaim: c.CourierClaim,
		Roles: roles, SessionFor: c.SessionFor, Clock: systemClock{}, Log: a.log,
	})
	a.closing(func() error { p.Close(); return nil })
	p.Refresh()
	return p
}
