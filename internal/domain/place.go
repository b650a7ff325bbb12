package domain

import (
	"strings"
	"time"
)

// PlaceQuality is how exactly a geocoder knows a place.
type PlaceQuality string

// The qualities of places. Only a house is exact enough for a courier.
const (
	PlaceHouse     PlaceQuality = "house"     // the house, or a named building
	PlaceStreet    PlaceQuality = "street"    // somewhere along the street
	PlaceArea      PlaceQuality = "area"      // a part of a town, a town or more
	PlaceAmbiguous PlaceQuality = "ambiguous" // several places have this address
	PlaceNone      PlaceQuality = ""          // nothing has it
)

// FoundPlace is a geocoder's answer.
type FoundPlace struct {
	Point
	Quality PlaceQuality
	House   string // the house number, if it has one
	FoundAt time.Time
}

// NormalAddress is the key under which an address is kept.
func NormalAddress(s string) string { return strings.Join(strings.Fields(strings.ToLower(s)), " ") }
