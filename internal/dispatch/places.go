package dispatch

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/paging"
)

const (
	sourceGeocoding = "geocoding"
	// placesEvery is how often orders without a location are looked for: what was announced may have been lost with the process.
	placesEvery = 10 * time.Minute
	// placesLease is for how long a replica alone asks the geocoder; another tries to after placesRetry intervals of requests.
	placesLease = 30 * time.Second
	placesRetry = 5
	// placesPause is the pause after a failure; it doubles up to placesRest.
	placesPause = 10 * time.Second
	placesRest  = 15 * time.Minute
	placesMost  = 100_000 // orders waiting in memory
	// An answer is good for placesFor.
	placesFor = 90 * 24 * time.Hour
	// samePlace is the distance, in metres, within which two answers are one place.
	samePlace = 300
	// farPlace is how far, in metres, the pick-up and the drop-off may be apart for an
	// answer to be trusted; the same street is in many towns.
	farPlace = 150_000
)

// places finds the locations of orders' addresses.
type places struct {
	mu      sync.Mutex
	queue   []string // orders
	queued  map[string]bool
	wake    chan struct{}
	holder  string
	leading bool
	idle    bool // nothing to do
	swept   time.Time
	pause   time.Duration
}

func (p *places) add(ids ...string) {
	p.mu.Lock()
	for _, id := range ids {
		if !p.queued[id] && len(p.queue) < placesMost {
			p.queued[id] = true
			p.queue = append(p.queue, id)
		}
	}
	p.mu.Unlock()
	background.Wake(p.wake)
}

func (p *places) next() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 {
		return ""
	}
	id := p.queue[0]
	p.queue = p.queue[1:]
	delete(p.queued, id)
	return id
}

func (p *places) empty() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.queue) == 0
}

// placesChanged notes an order whose address may have to be found.
func (s *Service) placesChanged(a domain.Announcement) {
	if s.Geocoder == nil {
		return
	}
	for _, e := range a.Events {
		if (e.Type == domain.EventCreated || e.Type == domain.EventChanged) && e.Source != sourceGeocoding {
			s.places.add(a.OrderID)
			return
		}
	}
}

// watchPlaces finds locations until the context ends. Of the replicas, the one with the
// lease asks the geocoder, at most once per interval.
func (s *Service) watchPlaces(ctx context.Context) {
	if s.Geocoder == nil {
		return
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.places.wake:
			if !s.places.idle {
				continue // the timer keeps the rate
			}
		case <-timer.C:
		}
		timer.Reset(s.findPlaces(ctx))
	}
}

// findPlaces does the next step and returns when to do another.
func (s *Service) findPlaces(ctx context.Context) time.Duration {
	s.places.idle = false
	p, now := &s.places, s.Clock.Now()
	sweep := now.Sub(p.swept) >= placesEvery
	if p.empty() && !sweep {
		if p.leading {
			p.leading = false
			_, _ = s.Store.TakeLease(ctx, sourceGeocoding, p.holder, now, now) // else it ends by itself
		}
		p.idle = true
		return placesEvery - now.Sub(p.swept)
	}
	mine, err := s.Store.TakeLease(ctx, sourceGeocoding, p.holder, now, now.Add(placesLease))
	if err != nil || !mine {
		p.leading = false
		return placesRetry * s.GeocodeEvery
	}
	if !p.leading { // the last leader may just have asked
		p.leading = true
		return s.GeocodeEvery
	}
	if sweep {
		if err = s.sweepPlaces(ctx); err == nil {
			p.swept = now
		}
	}
	asked := false
	if id := p.next(); id != "" && err == nil {
		var again bool
		if asked, again, err = s.locate(ctx, id); again || err != nil {
			p.add(id)
		}
	}
	if err != nil {
		if ctx.Err() == nil {
			s.Log.Warn("cannot find addresses; trying again later", zap.Error(err))
		}
		p.pause = min(max(placesPause, 2*p.pause), placesRest)
		return p.pause
	}
	if p.pause = 0; asked {
		return s.GeocodeEvery
	}
	return 0
}

// sweepPlaces queues all active orders without a location.
func (s *Service) sweepPlaces(ctx context.Context) error {
	for o, err := range paging.All(ctx, domain.OrderFilter{Active: new(true)}, s.Store.Orders) {
		if err != nil {
			return err
		}
		if len(unlocated(o)) > 0 {
			s.places.add(o.ID)
		}
	}
	return nil
}

// unlocated returns the addresses of the order that must be found.
func unlocated(o *domain.Order) (out []string) {
	if !o.Active() || parcel(o) {
		return nil
	}
	for _, p := range []*domain.Place{&o.Dropoff, o.Pickup} {
		if p != nil && p.Location == nil && strings.TrimSpace(p.Address) != "" {
			out = append(out, p.Address)
		}
	}
	return out
}

// locate finds an order's addresses, with one request at most; again is set if another is needed.
func (s *Service) locate(ctx context.Context, orderID string) (asked, again bool, err error) {
	o, err := s.Store.Order(ctx, orderID)
	if domain.CodeOf(err) == domain.CodeOrderNotFound {
		return false, false, nil
	}
	if err != nil {
		return false, false, err
	}
	for _, address := range unlocated(o) {
		key := domain.NormalAddress(address)
		found, err := s.Store.FoundPlace(ctx, key)
		if err != nil {
			return asked, false, err
		}
		if found == nil || s.Clock.Now().Sub(found.FoundAt) > placesFor {
			if asked {
				return true, true, nil
			}
			if mine, err := s.takeTurn(ctx); err != nil || !mine {
				return true, true, err
			}
			asked = true
			answers, err := s.Geocoder.Find(ctx, address)
			if err != nil {
				return true, false, err
			}
			found = new(judge(address, answers))
			found.FoundAt = domain.Timestamp(s.Clock.Now())
			if err := s.Store.KeepPlace(ctx, key, *found); err != nil {
				return true, false, err
			}
		}
		if found.Quality == domain.PlaceHouse {
			if err := s.pin(ctx, o.ID, o.CourierID, address, *found); err != nil {
				return asked, false, err
			}
		}
	}
	return asked, false, nil
}

// pin stores a location that was found, unless somebody has set one, or has changed the address meanwhile.
func (s *Service) pin(ctx context.Context, orderID, courierID, address string, found domain.FoundPlace) error {
	by := s.Orders.System(sourceGeocoding)
	_, err := s.Orders.Change(ctx, orderID, courierID, 0, nil, func(o *domain.Order) ([]domain.Event, error) {
		if !slices.Contains(unlocated(o), address) {
			return nil, nil
		}
		set := func(p *domain.Place, other *domain.Place) *domain.Place {
			far := other != nil && other.Location != nil && other.Location.DistanceM(found.Point) > farPlace
			if p == nil || p.Location != nil || p.Address != address || far {
				return nil
			}
			located := *p
			located.Location = &found.Point
			return &located
		}
		events, err := o.Edit(domain.Edit{Dropoff: set(&o.Dropoff, o.Pickup), Pickup: set(o.Pickup, &o.Dropoff)}, "", by)
		for i := range events {
			events[i].Data["quality"] = found.Quality
		}
		return events, err
	})
	if code := domain.CodeOf(err); err != nil && code != domain.CodeUnavailable {
		s.Log.Debug("location not stored", zap.String("order_id", orderID), zap.Error(err))
		return nil
	}
	return err
}

// judge returns the place that the answers agree on, the best first.
func judge(address string, answers []domain.FoundPlace) domain.FoundPlace {
	if len(answers) == 0 {
		return domain.FoundPlace{}
	}
	best := answers[0]
	if best.Quality != domain.PlaceHouse {
		return best
	}
	if !hasHouse(address, best.House) {
		best.Quality = domain.PlaceStreet // another house of the street
		return best
	}
	for _, other := range answers[1:] {
		if other.Quality == domain.PlaceHouse && other.DistanceM(best.Point) > samePlace && hasHouse(address, other.House) {
			best.Quality = domain.PlaceAmbiguous
		}
	}
	return best
}

// hasHouse reports whether the address has the house number, 12 A being 12a. A place
// without a number is the one that is meant only if the address has none either.
func hasHouse(address, house string) bool {
	house = strings.Join(words(house), "")
	if house == "" {
		return !strings.ContainsFunc(address, unicode.IsDigit)
	}
	all := words(address)
	for i := range all {
		joined := ""
		for _, word := range all[i:] {
			if joined += word; joined == house {
				return true
			}
		}
	}
	return false
}

// words are the lower-case words and numbers of an address.
func words(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// PlaceSearch is what the geocoder finds for a text.
type PlaceSearch struct {
	Configured bool   `json:"configured" doc:"false: the installation has no geocoder (geocoding.url), so nothing is found and nothing is sent"`
	Places     []Spot `json:"places" doc:"the most likely one first"`
}

// Spot is a place that a text may mean.
type Spot struct {
	Address  string              `json:"address" doc:"as the geocoder writes it" example:"10, Arbat Street, Moscow"`
	Location domain.Point        `json:"location"`
	Quality  domain.PlaceQuality `json:"quality" enum:"house,street,area" doc:"house: a house or a named building; street: somewhere along it; area: a part of a town, or more"`
}

const (
	// sourceTurn is the lease of whoever asks the geocoder next.
	sourceTurn = "geocoding_turn"
	// searchFor is how long a person waits for an answer, the turn included.
	searchFor = 4 * time.Second
	// maxPlaceText is as long as a whole address may be.
	maxPlaceText = 500
)

// takeTurn reports whether the geocoder may be asked now: once per GeocodeEvery, by all replicas together.
func (s *Service) takeTurn(ctx context.Context) (bool, error) {
	now := s.Clock.Now()
	return s.Store.TakeLease(ctx, sourceTurn, domain.NewID(), now, now.Add(s.GeocodeEvery))
}

// SearchPlaces finds the places that a text may mean; an empty one finds nothing. It fails with
// validation_failed, or unavailable if the geocoder does not answer in time or others have to be answered first.
func (s *Service) SearchPlaces(ctx context.Context, text string) (PlaceSearch, error) {
	out := PlaceSearch{Configured: s.Geocoder != nil, Places: []Spot{}}
	var f domain.Faults
	f.Text("/q", text, maxPlaceText)
	if err := f.Err(); err != nil {
		return out, err
	}
	if text = strings.TrimSpace(text); s.Geocoder == nil || text == "" {
		return out, nil
	}
	patient, cancel := context.WithTimeout(ctx, searchFor)
	defer cancel()
	for mine := false; !mine; {
		var err error
		if mine, err = s.takeTurn(ctx); err != nil {
			return out, err
		}
		if !mine && !background.Sleep(patient, s.GeocodeEvery/4) {
			return out, domain.Unavailable("the geocoder", patient.Err())
		}
	}
	found, err := s.Geocoder.Find(patient, text)
	for _, p := range found {
		out.Places = append(out.Places, Spot{Address: p.Address, Location: p.Point, Quality: p.Quality})
	}
	return out, err
}
