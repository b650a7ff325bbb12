package domain

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

//go:generate go run ../../tools/jsongen json_gen.go Order Event

// AppendJSON appends the JSON that json.Marshal makes of the event, several times as fast:
// each change of an order is encoded, and encoding is most of the cost of publishing a status.
func (e *Event) AppendJSON(b []byte) []byte { return appendEvent(b, e) }

// appendString quotes a string; escaping is left to the library.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return appendAny(b, s)
		}
	}
	if !utf8.ValidString(s) || strings.ContainsAny(s, "\u2028\u2029") {
		return appendAny(b, s)
	}
	return append(append(append(b, '"'), s...), '"')
}

func appendTime(b []byte, t time.Time) []byte {
	return append(t.AppendFormat(append(b, '"'), time.RFC3339Nano), '"')
}

func appendAny(b []byte, v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		raw = []byte("null") // can't happen for validated data
	}
	return append(b, raw...)
}

// appendFloat formats numbers like the library where that needs no exponent.
func appendFloat(b []byte, f float64) []byte {
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		return appendAny(b, f)
	}
	return strconv.AppendFloat(b, f, 'f', -1, 64)
}
