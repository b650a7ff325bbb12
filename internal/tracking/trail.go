package tracking

import (
	"cmp"
	"context"
	"math"
	"time"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/simplify"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// maxTrail is the maximum number of points of a simplified trail.
const maxTrail = 500

const (
	trailPage = 10_000 // positions read at a time
	// trailThin is the number of points to which a long trail is thinned while it is read,
	// so that weeks of positions fit into memory.
	trailThin = 5_000
)

// trail returns a courier's trail between two times, with secondary positions if all is set, simplified to at most limit
// points including the first and the last; never nil.
func (s *Service) trail(ctx context.Context, courierID string, from, to time.Time, limit int, all bool) ([]domain.Position, error) {
	way := []domain.Position{}
	for {
		page, err := s.Store.Trail(ctx, courierID, from, to, trailPage)
		if err != nil {
			return nil, err
		}
		if all {
			way = append(way, page...)
		} else {
			way = append(way, domain.Line(page)...)
		}
		if len(page) < trailPage {
			return thin(way, limit), nil
		}
		from = page[len(page)-1].RecordedAt.Add(time.Microsecond)
		if len(way) >= max(4*trailPage, 2*limit) {
			way = thin(way, max(trailThin, limit))
		}
	}
}

// thin removes the points that change the shape least (Visvalingam), until at most limit are left.
func thin(way []domain.Position, limit int) []domain.Position {
	if len(way) <= limit {
		return way
	}
	// Scales degrees of longitude to the length of those of latitude.
	scale := math.Max(math.Cos(way[0].Lat*math.Pi/180), 1e-6)
	line := make(orb.LineString, len(way))
	for i, p := range way {
		line[i] = orb.Point{math.Remainder(p.Lon-way[0].Lon, 360) * scale, p.Lat}
	}
	all := line.Clone()
	kept := simplify.VisvalingamKeep(limit).LineString(line)
	out := make([]domain.Position, 0, limit)
	at := 0
	for _, point := range kept[:len(kept)-1] {
		for all[at] != point {
			at++
		}
		out = append(out, way[at])
		at++
	}
	return append(out, way[len(way)-1])
}

// encodePolyline encodes points in Google's polyline format with a precision of 5 decimals: differences between points,
// zigzag coded, five bits a character. https://developers.google.com/maps/documentation/utilities/polylinealgorithm
func encodePolyline(way []domain.Position) string {
	out := make([]byte, 0, 8*len(way))
	var lat, lon int64
	for _, p := range way {
		nextLat, nextLon := int64(math.Round(p.Lat*1e5)), int64(math.Round(p.Lon*1e5))
		out = appendPolyline(out, nextLat-lat)
		out = appendPolyline(out, nextLon-lon)
		lat, lon = nextLat, nextLon
	}
	return string(out)
}

func appendPolyline(out []byte, v int64) []byte {
	u := uint64(v<<1) ^ uint64(v>>63)
	for u >= 0x20 {
		out = append(out, byte(u&0x1f|0x20)+63)
		u >>= 5
	}
	return append(out, byte(u)+63)
}

// CourierTrack is a courier's trail between two times.
type CourierTrack struct {
	CourierID string            `json:"courier_id"`
	From      time.Time         `json:"from"`
	To        time.Time         `json:"to"`
	Trail     []domain.Position `json:"trail"`
	Polyline  string            `json:"polyline,omitempty"`
	// Complete is set when the trail has every stored position.
	Complete bool `json:"complete"`
}

// Limits of a courier's trail.
const (
	// trackFor is the default period of a trail.
	trackFor = 24 * time.Hour
	// DefaultTrackLimit and MaxTrackLimit are its numbers of points.
	DefaultTrackLimit = 5_000
	MaxTrackLimit     = 50_000
)

// TrackRequest requests a courier's trail. Zero times select the last day, a zero limit the default.
type TrackRequest struct {
	From, To time.Time
	Limit    int
}

// CourierTrack returns a courier's positions between two times, oldest first, simplified when there are more than the limit.
// It fails with courier_not_found or validation_failed.
func (s *Service) CourierTrack(ctx context.Context, courierID string, r TrackRequest) (*CourierTrack, error) {
	courier, err := s.Orders.Courier(ctx, courierID)
	if err != nil {
		return nil, err
	}
	if r.To.IsZero() {
		r.To = s.Clock.Now().Add(domain.FutureTolerance)
	}
	if r.From.IsZero() {
		r.From = r.To.Add(-trackFor)
	}
	r.Limit = cmp.Or(r.Limit, DefaultTrackLimit)
	var f domain.Faults
	if r.To.Before(r.From) {
		f.Add("/to", "out_of_range", "must not be before from")
	}
	domain.Within(&f, "/limit", r.Limit, 2, MaxTrackLimit)
	f.Time("/from", &r.From)
	f.Time("/to", &r.To)
	if err := f.Err(); err != nil {
		return nil, err
	}
	// One more than the limit shows whether anything is omitted.
	t := &CourierTrack{CourierID: courier.ID, From: domain.Timestamp(r.From), To: domain.Timestamp(r.To)}
	if t.Trail, err = s.trail(ctx, courier.ID, t.From, t.To, r.Limit+1, true); err != nil {
		return nil, err
	}
	t.Complete = len(t.Trail) <= r.Limit
	t.Trail = thin(t.Trail, r.Limit)
	t.Polyline = encodePolyline(domain.Line(t.Trail))
	return t, nil
}
