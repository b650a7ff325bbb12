package domain

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Limits of a request. Strings are counted in characters.
const (
	MaxName        = 200
	MaxText        = 2000 // notes, reasons, messages
	MaxKey         = 128  // external ids, SKUs, sources, event ids, metadata keys
	MaxValue       = 500  // metadata values
	MaxQuantity    = 1_000_000
	MaxWeightG     = 1_000_000_000
	MaxPageSize    = 500
	DefaultPage    = 50
	MaxPositions   = 10_000 // in one request
	MaxIdempotency = 255
	MaxPageToken   = 1024
	MaxSearch      = 200
)

// FutureTolerance is how far ahead of our clock another clock may be.
const FutureTolerance = 5 * time.Minute

// Faults collects everything wrong with a request, so that it is reported at once.
type Faults struct{ list []Fault }

// Add records a fault at a JSON pointer.
func (f *Faults) Add(pointer, code, format string, args ...any) {
	f.list = append(f.list, Fault{Pointer: pointer, Code: code, Detail: fmt.Sprintf(format, args...)})
}

// Err returns a validation_failed Error, or nil when nothing is wrong.
func (f *Faults) Err() error {
	if len(f.list) == 0 {
		return nil
	}
	return &Error{Code: CodeValidationFailed, Message: "the request is not valid", Faults: f.list}
}

// Invalid returns a validation_failed Error with a single fault.
func Invalid(pointer, code, format string, args ...any) error {
	var f Faults
	f.Add(pointer, code, format, args...)
	return f.Err()
}

// Text checks a string's length and characters.
func (f *Faults) Text(pointer, s string, limit int) {
	if utf8.RuneCountInString(s) > limit {
		f.Add(pointer, "too_long", "must be at most %d characters", limit)
	}
	bad := func(r rune) bool {
		return r == utf8.RuneError || (unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t')
	}
	if strings.ContainsFunc(s, bad) {
		f.Add(pointer, "invalid_characters", "must be valid UTF-8 without control characters")
	}
}

// Required checks a string that must not be blank.
func (f *Faults) Required(pointer, s string, limit int) {
	if strings.TrimSpace(s) == "" {
		f.Add(pointer, "required", "is required")
		return
	}
	f.Text(pointer, s, limit)
}

// Listed checks that each entry is one of the known ones and comes once.
func (f *Faults) Listed(pointer, what string, list, known []string) {
	for i, one := range list {
		at := pointer + "/" + strconv.Itoa(i)
		switch {
		case !slices.Contains(known, one):
			f.Add(at, "unknown_"+what, "must be one of %s", strings.Join(known, ", "))
		case slices.Contains(list[:i], one):
			f.Add(at, "duplicate", "is there already")
		}
	}
}

// Include adds the faults of a validation_failed error under a pointer.
func (f *Faults) Include(pointer string, err error) {
	if e, ok := errors.AsType[*Error](err); ok {
		for _, fault := range e.Faults {
			fault.Pointer = pointer + fault.Pointer
			f.list = append(f.list, fault)
		}
	}
}

// ID normalizes an id to its canonical form.
func (f *Faults) ID(pointer string, s *string) {
	id, err := ParseID(pointer, *s)
	f.Include("", err)
	*s = id
}

// Status checks that a status is in the table.
func (f *Faults) Status(pointer string, s Status) {
	if !s.Valid() {
		f.Add(pointer, "unknown_status", "must be one of the statuses, such as %s", StatusPickedUp)
	}
}

// Within checks that a number is within bounds; NaN is not.
func Within[T int | float64](f *Faults, pointer string, v, low, high T) {
	if within := v >= low && v <= high; !within {
		f.Add(pointer, "out_of_range", "must be between %v and %v", low, high)
	}
}

// Point checks that an optional place is on the globe.
func (f *Faults) Point(pointer string, p *Point) {
	if p != nil {
		f.Check(pointer, p)
	}
}

// notFuture rejects a missing time and one more than FutureTolerance ahead of now.
func (f *Faults) notFuture(pointer string, t, now time.Time) {
	f.ahead(pointer, t, now)
	f.year(pointer, t)
}

func (f *Faults) ahead(pointer string, t, now time.Time) {
	if t.After(now.Add(FutureTolerance)) {
		f.Add(pointer, string(CodeImpossibleTime), "must not be more than %s ahead", FutureTolerance)
	}
}

// year is Time, with zero for an absent time.
func (f *Faults) year(pointer string, t time.Time) {
	if !t.IsZero() {
		f.Time(pointer, &t)
	}
}

// Time checks that an optional time is within the storable range.
func (f *Faults) Time(pointer string, t *time.Time) {
	if t == nil {
		return
	}
	if y := t.UTC().Year(); y < 1970 || y > 9999 {
		f.Add(pointer, string(CodeImpossibleTime), "must be between the years 1970 and 9999")
	}
}

// NewID returns a new UUIDv7: unique everywhere and increasing within the process.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }

// ParseID returns the canonical form of an id, or a fault at the pointer. Only the 36-character form is accepted.
func ParseID(pointer, s string) (string, error) {
	if len(s) != 36 || uuid.Validate(s) != nil {
		return "", Invalid(pointer, "invalid_id", "must be a UUID")
	}
	return strings.ToLower(s), nil // usually unchanged
}

// ParseTime reads an RFC 3339 time, in upper or lower case and with leap seconds, which count into the next minute.
func ParseTime(s string) (t time.Time, err error) {
	if len(s) > 19 && s[17:19] == "60" {
		t, err = ParseTime(s[:17] + "59" + s[19:])
		return t.Add(time.Second), err
	}
	return t, t.UnmarshalText([]byte(strings.ToUpper(s)))
}

// Timestamp rounds a time to the precision of every store: UTC, microseconds.
func Timestamp(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// Earlier returns the earlier one of two times.
func Earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// Later returns the later one of two times.
func Later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func timestamp(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := Timestamp(*t)
	return &u
}
