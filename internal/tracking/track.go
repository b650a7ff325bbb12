package tracking

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/simplify"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
)

// Located is a courier's position with its age.
type Located struct {
	domain.Position
	AgeSeconds float64 `json:"age_seconds"`
	Stale      bool    `json:"stale"`
}

// Received counts reported positions by outcome.
type Received struct {
	Accepted int `json:"accepted"`
	Dropped  int `json:"dropped"`
}

// Report ingests a courier's positions. Implausible and known ones are dropped and counted; accepted ones are shown at once
// and in the history within a second; a courier's own ones only there, marked, while a phone app leads. in is modified. single
// is set when the request held one position and not an array. It fails with courier_not_found, validation_failed, or
// unavailable while the history can't be written and no more positions fit into memory.
func (s *Service) Report(ctx context.Context, courierID string, in []domain.Position, single bool) (Received, error) {
	caller, courierID, err := s.Orders.ReachCourier(ctx, courierID)
	if err != nil {
		return Received{}, err
	}
	now := s.Clock.Now()
	op := "report_positions:" + courierID
	return idempotency.Once(ctx, s.Keys, op, in, func(rec *domain.Idempotency) (Received, error) {
		if off := domain.ClockOff(ctx); off != 0 {
			in = slices.Clone(in)
			for i := range in {
				if !in[i].RecordedAt.IsZero() {
					in[i].RecordedAt = in[i].RecordedAt.Add(off)
				}
			}
		}
		positions, err := domain.NormalizePositions(in, single, now)
		if err != nil {
			return Received{}, err
		}
		var leader *domain.Position
		if caller.Kind == domain.RoleCourier { // on whichever replica the phone app is heard
			leader, _ = s.Live.Position(ctx, courierID) // without it the app leads
		}
		out, err := s.pipeline.report(ctx, courierID, positions, leader, now)
		if err != nil || rec == nil {
			return out, err
		}
		if err := idempotency.Answer(rec, out); err != nil {
			return Received{}, err
		}
		_, err = s.Store.AppendFixes(ctx, nil, rec)
		return out, err
	})
}

// Position returns a courier's newest position; courier_not_found, or position_not_found when there is none yet.
func (s *Service) Position(ctx context.Context, courierID string) (Located, error) {
	courier, err := s.Orders.Courier(ctx, courierID)
	if err != nil {
		return Located{}, err
	}
	p, err := s.Live.Position(ctx, courier.ID)
	if err != nil {
		return Located{}, err
	}
	if p == nil {
		return Located{}, domain.Errorf(domain.CodePositionNotFound, "the courier has not reported a position yet")
	}
	age := max(0, s.Clock.Now().Sub(p.RecordedAt))
	return Located{Position: *p, AgeSeconds: age.Round(time.Millisecond).Seconds(), Stale: age > s.StaleAfter}, nil
}

// Track is everything visible of an order.
type Track struct {
	OrderID  string            `json:"order_id"`
	Status   domain.Status     `json:"status"`
	Courier  *domain.Courier   `json:"courier,omitempty"`
	Position *domain.Position  `json:"position,omitempty"`
	Trail    []domain.Position `json:"trail"`
	// Polyline is the trail in Google's polyline format, precision 5.
	Polyline string           `json:"polyline,omitempty"`
	Timeline []domain.Event   `json:"timeline"`
	ETA      *domain.Estimate `json:"eta,omitempty"`
}

// Track returns where an order is and how it got there, as far as the caller may see it: its history, the courier and, from
// custody to the end, the position and the trail, simplified to at most 500 points.
func (s *Service) Track(ctx context.Context, id string) (*Track, error) {
	caller, o, err := s.Orders.Reach(ctx, id)
	if err != nil {
		return nil, err
	}
	view := caller.View()
	t := &Track{OrderID: o.ID, Status: o.Status, Trail: []domain.Position{}}
	history, err := s.Store.Events(ctx, o.ID, 0)
	if err != nil {
		return nil, err
	}
	t.Timeline = domain.History(history, view)
	if err := s.trackCourier(ctx, o, t, view, history); err != nil {
		return nil, err
	}
	if e, err := s.Orders.Expect(ctx, o); err == nil {
		e = e.For(view, t.Position != nil)
		t.ETA = &e
	}
	return t, nil
}

func (s *Service) trackCourier(ctx context.Context, o *domain.Order, t *Track, view domain.View, history []domain.Event) error {
	courier, err := o.Performer(), error(nil)
	if o.CourierID != "" {
		courier, err = s.Store.Courier(ctx, o.CourierID)
	}
	if err != nil {
		return err
	}
	if t.Courier = courier.For(view, o.Status); o.Bookkeeping.CustodyAt == nil {
		return nil
	}
	if t.Position, err = s.Orders.Glimpse(ctx, o, view); err != nil || o.CourierID == "" {
		return err
	}
	end := o.UpdatedAt
	if o.Active() {
		end = s.Clock.Now()
	}
	trail, err := s.trail(ctx, o.CourierID, *o.Bookkeeping.CustodyAt, domain.Or(o.DeliveredAt, end), maxTrail, false)
	if err != nil {
		return err
	}
	t.Trail = s.Orders.Trail(o, view, trail, history)
	t.Polyline = encodePolyline(t.Trail)
	return nil
}

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
