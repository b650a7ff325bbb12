package httpserver

import (
	"encoding/json"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/tracking"
)

const metresPerSecondOfKmh = 1 / 3.6

// parseOwnTracks parses a post of a user's device. It never fails: what can't be parsed is
// counted, and anything but locations is ignored, encrypted documents included.
func parseOwnTracks(user, device string, body []byte) tracking.PhoneReport {
	var r tracking.PhoneReport
	if body = trimBody(body); len(body) == 0 {
		return r // a friend was deleted
	}
	var doc map[string]any
	if err := json.Unmarshal(body, &doc); err != nil {
		if !json.Valid(body) {
			drop(&r, domain.DropMalformed)
		}
		return r
	}
	switch doc["_type"] {
	case "location":
		ownTracksLocation(&r, doc, user, device)
	case "transition":
		if doc["event"] == "enter" {
			ownTracksArrival(&r, doc)
		}
	}
	return r
}

func ownTracksLocation(r *tracking.PhoneReport, doc map[string]any, user, device string) {
	p, ok := place(r, doc["lat"], doc["lon"], doc["tst"])
	if !ok {
		r.Battery = measured(doc["batt"])
		return
	}
	p.Accuracy, p.Altitude, p.Battery = measured(doc["acc"]), measured(doc["alt"]), measured(doc["batt"])
	p.Heading, p.Speed = measured(doc["cog"]), scaled(measured(doc["vel"]), metresPerSecondOfKmh)
	p.Attributes.Add("user", user)
	p.Attributes.Add("device", device)
	keep(&p, doc, "_type", "_id", "_http", "lat", "lon", "tst", "acc", "alt", "batt", "cog", "vel", "topic")
	r.Positions = append(r.Positions, p)
}

// ownTracksArrival is an event of the phone's own geofence. Its location is not part of the track: the app sends that separately.
func ownTracksArrival(r *tracking.PhoneReport, doc map[string]any) {
	if p, ok := place(r, doc["lat"], doc["lon"], doc["tst"]); ok {
		p.Accuracy = measured(doc["acc"])
		r.Arrivals = append(r.Arrivals, p)
	}
}
