package carrier

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Text is a scalar of any JSON type, trimmed: what is a string in one answer is a
// number in the next. Objects and arrays read as empty.
type Text string

// UnmarshalJSON never fails on well-formed JSON.
func (t *Text) UnmarshalJSON(data []byte) error {
	*t = ""
	switch data[0] {
	case '"':
		var s string
		if err := json.Unmarshal(data, &s); err != nil {
			return err
		}
		*t = Text(strings.TrimSpace(s))
	case '{', '[', 'n':
	default:
		*t = Text(data)
	}
	return nil
}

// Int returns the number in the text, rounded down, or 0.
func (t Text) Int() int {
	f, err := strconv.ParseFloat(string(t), 64)
	if err != nil || math.Abs(f) > 1<<53 { // also NaN and the infinities
		return 0
	}
	return int(f)
}

// Float returns the number in the text, or 0.
func (t Text) Float() float64 {
	f, err := strconv.ParseFloat(string(t), 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return 0
	}
	return f
}

// True says whether the text is true.
func (t Text) True() bool { return strings.EqualFold(string(t), "true") || t == "1" }

// Decode reads JSON into v. A member of another type than expected is left out and
// does not stop the rest, and nobody minds an unknown one; only what is not JSON fails.
func Decode(data []byte, v any) error {
	err := json.Unmarshal(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), v)
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return nil
	}
	return err
}

// layouts are the date-times seen, RFC 3339 and its relatives.
var layouts = []string{
	"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999Z07",
	"2006-01-02T15:04Z07:00", "2006-01-02T15:04Z0700", "2006-01-02 15:04:05Z07:00",
}

// ParseTime reads a date-time with its offset. One that makes no sense (years before
// 2000 or after 2199) is not a time.
func ParseTime(s Text) (time.Time, bool) {
	for _, layout := range layouts {
		if t, err := time.Parse(layout, string(s)); err == nil {
			return domain.Timestamp(t), sensible(t)
		}
	}
	return time.Time{}, false
}

// ParseDate reads a date, alone or at the start of a date-time, as its midnight in loc.
func ParseDate(s Text, loc *time.Location) (time.Time, bool) {
	if len(s) < len(time.DateOnly) {
		return time.Time{}, false
	}
	t, err := time.ParseInLocation(time.DateOnly, string(s[:len(time.DateOnly)]), loc)
	return t, err == nil && sensible(t)
}

func sensible(t time.Time) bool { return t.Year() >= 2000 && t.Year() < 2200 }

// ParseMoney reads a decimal amount in currency units, rounded half away from zero
// to minor units; nil when it is not a number, is negative or is absurd.
func ParseMoney(amount Text, currency string) *domain.Money {
	if amount == "" || len(amount) > 32 || strings.ContainsAny(string(amount), "eE/xXpP_") {
		return nil
	}
	r, ok := new(big.Rat).SetString(string(amount))
	if !ok || r.Sign() < 0 {
		return nil
	}
	scaled := r.Mul(r, new(big.Rat).SetInt64(minorUnits(currency)))
	scaled.Add(scaled, big.NewRat(1, 2))
	whole := new(big.Int).Quo(scaled.Num(), scaled.Denom())
	if !whole.IsInt64() || whole.Int64() > domain.MaxAmount {
		return nil
	}
	return &domain.Money{Amount: whole.Int64(), Currency: currency}
}

// FormatMoney writes an amount in currency units, exactly.
func FormatMoney(m domain.Money) json.Number {
	digits := len(strconv.FormatInt(minorUnits(m.Currency), 10)) - 1
	return json.Number(big.NewRat(m.Amount, minorUnits(m.Currency)).FloatString(digits))
}

// minorUnits returns how many minor units make one of the currency (ISO 4217).
func minorUnits(currency string) int64 {
	switch currency {
	case "JPY", "KRW", "VND", "CLP", "ISK", "UGX", "XAF", "XOF", "PYG", "RWF":
		return 1
	case "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND":
		return 1000
	}
	return 100
}
