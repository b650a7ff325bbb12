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

// maxTrail is how many places a simplified trail has at most.
const maxTrail = 500

const (
	trailPage = 10_000 // positions read at a time
	// trailThin is to how many a long trail is thinned while it is read, so that one of
	// weeks fits into memory.
	trailThin = 5_000
)

// trail returns a courier's way between two times, simplified to at most limit places
// of which the first and the last are always there; never nil.
func (s *Service) trail(ctx context.Context, courierID string, from, to time.Time, limit int) ([]domain.Position, error) {
	way := []domain.Position{}
	for {
		page, err := s.Store.Trail(ctx, courierID, from, to, trailPage)
		if err != nil {
			return nil, err
		}
		way = append(way, page...)
		if len(page) < trailPage {
			return thin(way, limit), nil
		}
		from = page[len(page)-1].RecordedAt.Add(time.Microsecond)
		if len(way) >= max(4*trailPage, 2*limit) {
			way = thin(way, max(trailThin, limit))
		}
	}
}

// thin leaves out those places without which the way changes its shape least
// (Visvalingam), until there are at most limit.
func thin(way []domain.Position, limit int) []domain.Position {
	if len(way) <= limit {
		return way
	}
	// Degrees of longitude are as long as those of latitude once scaled.
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

// encodePolyline writes a way in Google's polyline format with a precision of 5
// decimals: differences between places, zigzag coded, five bits a character.
// https://developers.google.com/maps/documentation/utilities/polylinealgorithm
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

// CourierTrack is a courier's way between two times.
type CourierTrack struct {
	CourierID string            `json:"courier_id"`
	From      time.Time         `json:"from"`
	To        time.Time         `json:"to"`
	Trail     []domain.Position `json:"trail"`
	Polyline  string            `json:"polyline,omitempty"`
	// Complete says whether the trail has every position that was kept.
	Complete bool `json:"complete"`
}

// How much of a courier's way is shown.
const (
	// trackFor is how far a way goes back that is asked for without a beginning.
	trackFor = 24 * time.Hour
	// DefaultTrackLimit and MaxTrackLimit are how many places it may have.
	DefaultTrackLimit = 5_000
	MaxTrackLimit     = 50_000
)

// TrackRequest asks for a courier's way. Zero times are the last day, a zero limit
// the default.
type TrackRequest struct {
	From, To time.Time
	Limit    int
}

// CourierTrack returns where a courier was between two times, oldest first, simplified
// when there are more places than the limit. It fails with courier_not_found or
// validation_failed.
func (s *Service) CourierTrack(ctx context.Context, courierID string, r TrackRequest) (*CourierTrack, error) {
	courier, err := s.known(ctx, courierID)
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
	// One more than the limit shows whether anything is left out.
	t := &CourierTrack{CourierID: courier.ID, From: domain.Timestamp(r.From), To: domain.Timestamp(r.To)}
	if t.Trail, err = s.trail(ctx, courier.ID, t.From, t.To, r.Limit+1); err != nil {
		return nil, err
	}
	t.Complete = len(t.Trail) <= r.Limit
	t.Trail = thin(t.Trail, r.Limit)
	t.Polyline = encodePolyline(t.Trail)
	return t, nil
}
