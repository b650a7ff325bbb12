package carrier

import (
	"encoding/json"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// layouts are the date-time formats in use, RFC 3339 and variants; fractional seconds are
// always accepted.
var layouts = []string{
	time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07", "2006-01-02T15:04Z07:00",
	"2006-01-02T15:04Z0700", "2006-01-02 15:04:05Z07:00",
}

// ParseTime parses a date-time with its offset. Years before 2000 or after 2199 are
// rejected.
func ParseTime(s string) (time.Time, bool) {
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil {
			return domain.Timestamp(t), sensible(t)
		}
	}
	return time.Time{}, false
}

// ParseDate parses a date, alone or at the start of a date-time, as midnight in loc.
func ParseDate(s string, loc *time.Location) (time.Time, bool) {
	if len(s) < len(time.DateOnly) {
		return time.Time{}, false
	}
	t, err := time.ParseInLocation(time.DateOnly, s[:len(time.DateOnly)], loc)
	return t, err == nil && sensible(t)
}

func sensible(t time.Time) bool { return t.Year() >= 2000 && t.Year() < 2200 }

// Moscow is the default time zone of dates.
var Moscow = time.FixedZone("MSK", 3*60*60)

// Zone returns the named time zone, or Moscow if there is none.
func Zone(name string) *time.Location {
	if loc, err := time.LoadLocation(name); err == nil && name != "" {
		return loc
	}
	return Moscow
}

// Window is the interval between two times of a day such as 09:00 or 09:00:00, in UTC;
// default from nine to nine.
func Window(date, from, to string, loc *time.Location) (domain.Slot, bool) {
	day, ok := ParseDate(date, loc)
	if !ok {
		return domain.Slot{}, false
	}
	at := func(clock string, hour int) time.Time {
		minute := 0
		if len(clock) >= 5 {
			if t, err := time.Parse("15:04", clock[:5]); err == nil {
				hour, minute = t.Hour(), t.Minute()
			}
		}
		return time.Date(day.Year(), day.Month(), day.Day(), hour, minute, 0, 0, loc).UTC()
	}
	return domain.Slot{From: at(from, 9), To: at(to, 21)}, true
}

// AfterDays is the window of the day after the given number of days; working skips
// weekends.
func AfterDays(now time.Time, days int, working bool, loc *time.Location) domain.Slot {
	day := now.In(loc)
	for days = min(days, 366); days > 0; days-- {
		day = day.AddDate(0, 0, 1)
		for working && (day.Weekday() == time.Saturday || day.Weekday() == time.Sunday) {
			day = day.AddDate(0, 0, 1)
		}
	}
	w, _ := Window(day.Format(time.DateOnly), "", "", loc)
	return w
}

// Day is the window of the stated day, or else of the day after the given number of days.
func Day(stated string, now time.Time, days int, working bool, loc *time.Location) domain.Slot {
	if w, ok := Window(stated, "", "", loc); ok {
		return w
	}
	return AfterDays(now, days, working, loc)
}

// ParseMoney parses a decimal amount in currency units, rounded half up to minor units; nil
// if it is not a number, negative or absurdly large.
func ParseMoney(amount, currency string) *domain.Money {
	if amount == "" || len(amount) > 32 || strings.ContainsAny(amount, "eEpPxX/_") {
		return nil
	}
	r, ok := new(big.Rat).SetString(amount)
	if !ok || r.Sign() < 0 {
		return nil
	}
	r.Mul(r, new(big.Rat).SetInt64(minorUnits(currency)))
	r.Add(r, big.NewRat(1, 2))
	whole := new(big.Int).Quo(r.Num(), r.Denom())
	if !whole.IsInt64() || whole.Int64() > domain.MaxAmount {
		return nil
	}
	return &domain.Money{Amount: whole.Int64(), Currency: currency}
}

// FormatMoney formats an amount in currency units, exactly.
func FormatMoney(m domain.Money) json.Number {
	unit := minorUnits(m.Currency)
	digits := len(strconv.FormatInt(unit, 10)) - 1
	return json.Number(big.NewRat(m.Amount, unit).FloatString(digits))
}

// minorUnits returns how many minor units make one of the currency (ISO 4217).
func minorUnits(currency string) int64 {
	switch currency {
	case "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF":
		return 1
	case "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND":
		return 1000
	case "CLF", "UYW":
		return 10_000
	}
	return 100
}

// Clip truncates a text to a number of characters.
func Clip(s string, limit int) string {
	if r := []rune(s); len(r) > limit {
		return string(r[:limit])
	}
	return s
}
