package httpserver

import (
	"encoding/base64"
	"encoding/json"
	"net/url"

	"github.com/skip2/go-qrcode"
)

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
