// Package geocoding asks a server where addresses are: Nominatim or Photon, or anything
// compatible. https://nominatim.org/release-docs/latest/api/Search/, https://photon.komoot.io
//
// The caller limits the rate; public servers allow one request per second.
package geocoding

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// The APIs of servers.
const (
	Nominatim = "nominatim"
	Photon    = "photon"
)

// Options configures the client.
type Options struct {
	URL       string // such as https://nominatim.example.org
	API       string
	UserAgent string        // identifies the installation, as public servers require
	Language  string        // of the addresses, such as ru; "": the server's choice
	Countries string        // ISO 3166-1 alpha-2 codes, comma-separated; Nominatim only
	Timeout   time.Duration // per request; 0 means 5 seconds
	Client    *http.Client  // nil means a new one
}

const (
	maxAnswer  = 1 << 20 // bytes
	maxAnswers = 5       // enough to see that an address is ambiguous, and to choose from
)

// Client implements domain.Geocoder. It is safe for concurrent use.
type Client struct{ Options }

// New makes a client; it sends no request yet.
func New(o Options) *Client {
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Second
	}
	if o.Client == nil {
		o.Client = &http.Client{
			Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, IdleConnTimeout: time.Minute},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return &Client{o}
}

// Close closes idle connections.
func (c *Client) Close() { c.Client.CloseIdleConnections() }

// Find asks for an address; see domain.Geocoder.
func (c *Client) Find(ctx context.Context, address string) ([]domain.FoundPlace, error) {
	query, path, read := url.Values{"q": {address}, "limit": {strconv.Itoa(maxAnswers)}}, "/search", readNominatim
	if c.API == Photon {
		path, read = "/api", readPhoton
	} else {
		query.Set("format", "jsonv2")
		query.Set("addressdetails", "1")
		if c.Countries != "" {
			query.Set("countrycodes", c.Countries)
		}
	}
	if c.Language != "" {
		query.Set(map[string]string{Photon: "lang"}[c.API]+map[string]string{Nominatim: "accept-language"}[c.API], c.Language)
	}
	body, err := c.get(ctx, strings.TrimRight(c.URL, "/")+path+"?"+query.Encode())
	if err != nil {
		return nil, domain.Unavailable("the geocoder", err)
	}
	found, err := read(body)
	if err != nil {
		return nil, domain.Unavailable("the geocoder", fmt.Errorf("%w in %.200q", err, body))
	}
	return found, nil
}

func (c *Client) get(ctx context.Context, target string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", c.UserAgent)
	req.Header.Set("Accept", "application/json")
	resp, err := c.Client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return body, err
}

// Ranks of Nominatim: from 28 on a house or a named building, 26 and 27 streets.
// https://nominatim.org/release-docs/latest/customize/Ranking/
const (
	rankHouse  = 28
	rankStreet = 26
)

func readNominatim(body []byte) ([]domain.FoundPlace, error) {
	var answers []struct {
		Lat     json.Number `json:"lat"` // a string there
		Lon     json.Number `json:"lon"`
		Rank    int         `json:"place_rank"`
		Name    string      `json:"display_name"`
		Address struct {
			House string `json:"house_number"`
		} `json:"address"`
	}
	if err := json.Unmarshal(body, &answers); err != nil {
		return nil, err
	}
	var out []domain.FoundPlace
	for _, a := range answers {
		lat, latErr := a.Lat.Float64()
		lon, lonErr := a.Lon.Float64()
		p := domain.FoundPlace{Point: domain.Point{Lat: lat, Lon: lon}, Address: a.Name, Quality: domain.PlaceArea, House: a.Address.House}
		if latErr != nil || lonErr != nil || !p.Valid() {
			return nil, errors.New("a place out of this world")
		}
		switch {
		case a.Rank >= rankHouse:
			p.Quality = domain.PlaceHouse
		case a.Rank >= rankStreet:
			p.Quality = domain.PlaceStreet
		}
		out = append(out, p)
	}
	return out, nil
}

func readPhoton(body []byte) ([]domain.FoundPlace, error) {
	var answer struct {
		Features *[]struct {
			Geometry struct {
				Coordinates []float64 `json:"coordinates"` // longitude first
			} `json:"geometry"`
			Properties struct {
				Type   string `json:"type"`
				Name   string `json:"name"`
				Street string `json:"street"`
				House  string `json:"housenumber"`
				City   string `json:"city"`
			} `json:"properties"`
		} `json:"features"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	if answer.Features == nil {
		return nil, errors.New("no features")
	}
	var out []domain.FoundPlace
	for _, a := range *answer.Features {
		at := a.Geometry.Coordinates
		if len(at) != 2 || !(domain.Point{Lat: at[1], Lon: at[0]}).Valid() {
			return nil, errors.New("a place out of this world")
		}
		is := a.Properties
		street := strings.TrimSpace(is.Street + " " + is.House)
		parts := slices.DeleteFunc([]string{is.Name, street, is.City}, func(part string) bool { return part == "" })
		p := domain.FoundPlace{
			Point: domain.Point{Lat: at[1], Lon: at[0]}, Address: strings.Join(slices.Compact(parts), ", "), Quality: domain.PlaceArea, House: is.House,
		}
		switch is.Type {
		case "house":
			p.Quality = domain.PlaceHouse
		case "street":
			p.Quality = domain.PlaceStreet
		}
		out = append(out, p)
	}
	return out, nil
}
