package dispatch

import (
	"context"
	"strings"
	"time"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
)

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
