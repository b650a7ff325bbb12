package domain

import "time"

// LessonRef is a lesson that is to be worked out: of the parcel that was booked for an order, or of the order's end.
type LessonRef struct {
	OrderID string
	Ended   bool
}

// Lesson is what an order teaches the estimates, and how far off its first estimate was.
type Lesson struct {
	LessonRef
	// Place is its position among all lessons, from 1; the store assigns it.
	Place int64
	At    time.Time
	// Data is JSON; it names no person and no place.
	Data []byte
	// The groups of reports; empty ones are unknown.
	MerchantID, Carrier, Zone string
	// Error is the first estimate minus the actual time, nil where there was no estimate.
	Error *time.Duration
	// Early and Late tell that the order came before or after the first window.
	Early, Late bool
}

// EstimateGroup is how well the first estimates of the orders of one group held.
type EstimateGroup struct {
	Group  string `json:"group" doc:"the merchant's id, the carrier, the zone or the first day of the week; empty where unknown"`
	Orders int64  `json:"orders"`
	// MAE and Bias are minutes.
	MAE  float64 `json:"mae_minutes" doc:"mean absolute error of the first estimate"`
	Bias float64 `json:"bias_minutes" doc:"mean of expected minus actual: negative when orders come later than expected"`
	// Coverage and LateShare are shares of the orders, 0 to 1.
	Coverage  float64 `json:"coverage" minimum:"0" maximum:"1" doc:"share that came within the first 80 % window"`
	LateShare float64 `json:"late_share" minimum:"0" maximum:"1" doc:"share that came after it"`
}
