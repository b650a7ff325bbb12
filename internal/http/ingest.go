package httpserver

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/tracking"
)

// Phone apps resend the head of their queue forever until they get a 2xx. So whatever can never be accepted is answered 200,
// dropped and counted; a 4xx only means that the token is invalid, a 5xx only that a retry can help.

// ingestPrefix is the path prefix for phone apps; the last segment is the token.
const ingestPrefix = "/ingest/"

// Limits of one post from a phone: days of positions that waited for a network. A larger
// body is rejected, never accepted and dropped.
const (
	maxPhoneBody = 32 << 20
	// maxDrained is how many bytes of a body that is too large are still read, so that the sender gets the response.
	maxDrained = 64 << 20
)

// ownTracksReply is a list of commands for OwnTracks; we send none.
type ownTracksReply struct{}

type ownTracksOut struct{ Body []ownTracksReply }

// osmandBody describes the JSON form.
type osmandBody struct {
	Device   string         `json:"device_id,omitempty" example:"48241179"`
	Location map[string]any `json:"location,omitempty" doc:"timestamp, coords{latitude,longitude,accuracy,speed in m/s,heading,altitude}, battery{level of 0 to 1,is_charging}, activity{type}, extras; -1 is unknown" example:"{\"timestamp\":\"2026-05-04T12:30:00.000Z\",\"coords\":{\"latitude\":55.7551,\"longitude\":37.6052,\"accuracy\":5}}"`
}

// ownTracksBody describes what OwnTracks posts.
type ownTracksBody struct {
	Type     string  `json:"_type" doc:"location or transition; other types are ignored" example:"location"`
	Lat      float64 `json:"lat,omitempty" doc:"degrees" example:"55.7551"`
	Lon      float64 `json:"lon,omitempty" doc:"degrees" example:"37.6052"`
	Time     int64   `json:"tst,omitempty" doc:"seconds" example:"1777897800"`
	Accuracy float64 `json:"acc,omitempty" doc:"metres"`
	Altitude float64 `json:"alt,omitempty" doc:"metres"`
	Velocity float64 `json:"vel,omitempty" doc:"km/h"`
	Course   float64 `json:"cog,omitempty" doc:"degrees"`
	Battery  float64 `json:"batt,omitempty" doc:"percent"`
	Tracker  string  `json:"tid,omitempty"`
}

// ingestRoutes registers the endpoints for phone apps.
func (s *Server) ingestRoutes() {
	plain[struct{}, struct{}](s, "ingestOsmandQuery", s.ingestOsmand)
	plain[Sent[osmandBody], struct{}](s, "ingestOsmand", s.ingestOsmand)
	plain[Sent[ownTracksBody], ownTracksOut](s, "ingestOwnTracks", s.ingestOwnTracks)
}

func (s *Server) ingestOsmand(c *gin.Context) {
	body, whole := s.phoneBody(c)
	if whole && s.ingest(c, parseOsmand(c.Request.URL.RawQuery, body)) {
		c.Status(http.StatusOK)
		c.Writer.WriteHeaderNow()
	}
}

func (s *Server) ingestOwnTracks(c *gin.Context) {
	body, whole := s.phoneBody(c)
	if whole && s.ingest(c, parseOwnTracks(c.GetHeader("X-Limit-U"), c.GetHeader("X-Limit-D"), body)) {
		c.Data(http.StatusOK, jsonType, []byte("[]"))
	}
}

// ingest passes a report on and reports whether a response must still be written.
func (s *Server) ingest(c *gin.Context, report tracking.PhoneReport) bool {
	if _, err := s.Tracking.Ingest(c.Request.Context(), c.Param("token"), report); err != nil {
		fail(c, err)
		return false
	}
	return true
}

// phoneBody reads a body; on false it was too large or cut off, and the response is sent.
func (s *Server) phoneBody(c *gin.Context) ([]byte, bool) {
	body, err := io.ReadAll(io.LimitReader(c.Request.Body, maxPhoneBody+1))
	if err == nil && len(body) <= maxPhoneBody {
		return body, true
	}
	if err == nil {
		_, _ = io.CopyN(io.Discard, c.Request.Body, maxDrained) // no phone sends more
		fail(c, domain.Errorf(domain.CodeTooLarge, "a report may have at most %d MiB", maxPhoneBody>>20))
		return nil, false
	}
	fail(c, domain.Errorf(domain.CodeMalformed, "the report was cut off"))
	return nil, false
}

// fromPhone reports whether the request is for a phone app's path.
func fromPhone(c *gin.Context) bool { return strings.HasPrefix(c.FullPath(), ingestPrefix) }

// OwnTracks posts one JSON document per request. https://owntracks.org/booklet/tech/http/
// and https://owntracks.org/booklet/tech/json/

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
