package httpserver

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/skip2/go-qrcode"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/tracking"
)

// onboarded is a new phone token, with the ways to set up an app with it.
type onboarded struct {
	ID        string     `json:"id" doc:"identifies the token, for revoking it"`
	Token     string     `json:"token" doc:"shown only once"`
	CreatedAt time.Time  `json:"created_at"`
	Apps      []phoneApp `json:"apps"`
}

// phone is an active token.
type phone struct {
	ID        string    `json:"id"`
	CreatedAt time.Time `json:"created_at"`
}

type phoneList struct {
	Tokens []phone `json:"tokens"`
}

type revoked struct {
	Revoked int `json:"revoked" doc:"number of tokens revoked"`
}

// ReachedAt is the address at which the caller reached the server.
type ReachedAt struct{ address string }

// Resolve derives it from the request.
func (r *ReachedAt) Resolve(hc huma.Context) []error {
	r.address = addressOf(hc.TLS() != nil, hc.Header("X-Forwarded-Proto"), hc.Host())
	return nil
}

// addressOf returns the address at which a request reached the server, such as https://track.example.
func addressOf(tls bool, forwardedProto, host string) string {
	if tls || strings.EqualFold(forwardedProto, "https") {
		return "https://" + host
	}
	return "http://" + host
}

// publicURL returns the server's configured address, else the one at which it was reached.
func (s *Server) publicURL(address string) string {
	return strings.TrimSuffix(cmp.Or(s.Config.PublicURL, address), "/")
}

type onboardIn struct {
	CourierPath
	Idempotent
	ReachedAt
}

type revokePhonesIn struct {
	CourierPath
	Idempotent
	Token string `query:"id" format:"uuid" doc:"the token to revoke; default: all of the courier's tokens"`
}

type revokePhoneIn struct {
	CourierPath
	Idempotent
	Token string `path:"token_id" format:"uuid" doc:"the token to revoke"`
}

// onboardingRoutes registers the setup of couriers' phones.
func (s *Server) onboardingRoutes() {
	revoke := func(ctx context.Context, key Idempotent, courier, token string) (*repeatable[revoked], error) {
		ids, again, err := once(ctx, key, func(ctx context.Context) ([]string, error) { return s.Couriers.RevokePhones(ctx, courier, token) })
		for _, id := range ids { // the courier's app on that phone is signed out too
			err = errors.Join(err, s.Sessions.EndOf(ctx, id))
		}
		return &repeatable[revoked]{again, revoked{len(ids)}}, err
	}
	handle(s, "onboardCourier", s.onboard)
	handle(s, "listPhones", s.listPhones)
	handle(s, "revokePhones", func(ctx context.Context, in *revokePhonesIn) (*repeatable[revoked], error) {
		return revoke(ctx, in.Idempotent, in.ID, in.Token)
	})
	handle(s, "revokePhone", func(ctx context.Context, in *revokePhoneIn) (*repeatable[revoked], error) {
		if _, err := domain.ParseID("/token_id", in.Token); err != nil {
			return nil, err
		}
		return revoke(ctx, in.Idempotent, in.ID, in.Token)
	})
}

func (s *Server) onboard(ctx context.Context, in *onboardIn) (*bodyOnly[onboarded], error) {
	o, _, err := once(ctx, in.Idempotent, func(ctx context.Context) (*tracking.Onboarding, error) { return s.Couriers.Onboard(ctx, in.ID) })
	if err != nil {
		return nil, err
	}
	code, err := s.Sessions.NewCode(ctx, o.CourierID, o.ID)
	if err != nil {
		return nil, err
	}
	apps, err := phoneApps(s.publicURL(in.address), o.Token, o.CourierID, code)
	return bodyOf(onboarded{ID: o.ID, Token: o.Token, CreatedAt: o.CreatedAt, Apps: apps}, err)
}

func (s *Server) listPhones(ctx context.Context, in *CourierPath) (*bodyOnly[phoneList], error) {
	tokens, err := s.Couriers.Phones(ctx, in.ID)
	return bodyOf(phoneList{domain.Each(tokens, func(t domain.PhoneToken) phone { return phone{t.ID, t.CreatedAt} })}, err)
}

// phoneApp describes how to set up an app.
type phoneApp struct {
	App      string `json:"app" doc:"traccar, owntracks, osmand, or courier: the product's own, in a browser"`
	URL      string `json:"url" doc:"URL the app reports to, for manual setup"`
	DeepLink string `json:"deep_link" doc:"configures the app when opened on the phone; empty if the app has no such link"`
	QR       string `json:"qr" doc:"QR code for the app's scanner or the phone's camera, a PNG as a data: URI"`
}

// reportEvery is the interval of a phone's reports, in seconds.
const reportEvery = "10"

// phoneApps returns how to set up each app with a courier's token. base is the address of
// the server, such as https://track.example; code signs the courier in to our own app.
func phoneApps(base, token, courierID, code string) ([]phoneApp, error) {
	traccar, traccarCode := traccarApp(base+ingestPrefix+"osmand/"+token, courierID)
	osmAnd := osmAndApp(base + ingestPrefix + "osmand/" + token)
	ownTracks, err := ownTracksApp(base+ingestPrefix+"owntracks/"+token, courierID)
	own := phoneApp{App: "courier", URL: base + "/courier-app"}
	own.DeepLink = own.URL + "#code=" + code // in the fragment, which no log contains
	apps := []phoneApp{traccar, ownTracks, osmAnd, own}
	for i, content := range []string{traccarCode, ownTracks.DeepLink, osmAnd.URL, own.DeepLink} {
		if err == nil {
			apps[i].QR, err = qrCode(content)
		}
	}
	return apps, err
}

// traccarApp sets up Traccar Client. Its link has a scheme of its own; its scanner takes the server's address with the
// settings as parameters, in every version. With the highest accuracy and no distance filter, both systems send fixes by
// time; the heartbeat reports where a phone at rest is. https://www.traccar.org/client-configuration/
func traccarApp(report, courierID string) (app phoneApp, code string) {
	settings := url.Values{
		"id": {courierID}, "interval": {reportEvery}, "fastest_interval": {reportEvery}, "distance": {"0"}, "angle": {"30"},
		"accuracy": {"highest"}, "buffer": {"true"}, "heartbeat": {"60"},
	}
	code = report + "?" + settings.Encode()
	settings.Set("url", report)
	return phoneApp{App: "traccar", URL: report, DeepLink: "org.traccar.client://config?" + settings.Encode()}, code
}

// osmAndApp is the address for OsmAnd's online tracking, whose parameters are numbered. It
// sends metres per second and, as hdop, metres. https://osmand.net/docs/user/plugins/trip-recording/
func osmAndApp(report string) phoneApp {
	return phoneApp{App: "osmand", URL: report + "?unit=ms&lat={0}&lon={1}&timestamp={2}&hdop={3}&altitude={4}&speed={5}&bearing={6}"}
}

// ownTracksApp sets up OwnTracks, which itself queues what it could not send: over HTTP (mode 3), in move mode (monitoring 2:
// always, with the best accuracy), with extended data such as the battery. https://owntracks.org/booklet/features/remoteconfig/
func ownTracksApp(report, courierID string) (phoneApp, error) {
	doc, err := json.Marshal(map[string]any{
		"_type": "configuration", "mode": 3, "url": report, "auth": false, "deviceId": courierID, "tid": courierID[len(courierID)-2:],
		"monitoring": 2, "locatorInterval": 10, "moveModeLocatorInterval": 10, "locatorDisplacement": 10, "extendedData": true,
		"ignoreInaccurateLocations": 0, "ignoreStaleLocations": 0, "autostartOnBoot": true, "cmd": false,
	})
	if err != nil {
		return phoneApp{}, err
	}
	inline := url.QueryEscape(base64.StdEncoding.EncodeToString(doc))
	return phoneApp{App: "owntracks", URL: report, DeepLink: "owntracks:///config?inline=" + inline}, nil
}

// qrPixels is the size of a QR code module.
const qrPixels = -6

func qrCode(content string) (string, error) {
	png, err := qrcode.Encode(content, qrcode.Low, qrPixels)
	if err != nil {
		return "", err
	}
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(png), nil
}
