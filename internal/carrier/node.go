package carrier

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Node is a value of untrusted JSON: a field may be a string in one answer and a number in
// the next, or missing. A Node that is absent or of another kind reads as empty.
type Node struct{ value any }

// Parse parses JSON; it fails only if the data is not JSON.
func Parse(data []byte) (Node, error) {
	dec := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))))
	dec.UseNumber()
	var n Node
	if err := dec.Decode(&n.value); err != nil {
		return Node{}, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return Node{}, errors.New("something follows the JSON")
	}
	return n, nil
}

// At follows a path of object members.
func (n Node) At(names ...string) Node {
	for _, name := range names {
		object, _ := n.value.(map[string]any)
		n = Node{object[name]}
	}
	return n
}

// List returns the elements of an array.
func (n Node) List() []Node {
	array, _ := n.value.([]any)
	out := make([]Node, len(array))
	for i, v := range array {
		out[i] = Node{v}
	}
	return out
}

// Each converts the elements of an array.
func Each[T any](array Node, convert func(Node) T) []T {
	var out []T
	for _, n := range array.List() {
		out = append(out, convert(n))
	}
	return out
}

// Text returns a scalar as trimmed text, "" for everything else.
func (n Node) Text(names ...string) string {
	switch v := n.At(names...).value.(type) {
	case string:
		return strings.TrimSpace(v)
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

// Float returns a number, also if written as text, or 0.
func (n Node) Float(names ...string) float64 {
	f, err := strconv.ParseFloat(n.Text(names...), 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return 0
	}
	return f
}

// Int returns a number rounded towards zero, or 0.
func (n Node) Int(names ...string) int {
	if f := n.Float(names...); math.Abs(f) < 1<<53 {
		return int(f)
	}
	return 0
}

// True reports whether it is true, also if written as text.
func (n Node) True(names ...string) bool { return strings.EqualFold(n.Text(names...), "true") }

// Time returns a date-time, or false.
func (n Node) Time(names ...string) (time.Time, bool) { return ParseTime(n.Text(names...)) }

// Money returns an amount given in currency units, or nil.
func (n Node) Money(currency string, names ...string) *domain.Money {
	return ParseMoney(n.Text(names...), currency)
}

// Body is a JSON object to send.
type Body map[string]any

// MarshalJSON omits empty values: "", 0, nil. A json.Number is always sent.
func (b Body) MarshalJSON() ([]byte, error) {
	filled := maps.Clone(map[string]any(b))
	maps.DeleteFunc(filled, func(_ string, v any) bool {
		return v == nil || v == "" || v == 0
	})
	return json.Marshal(filled)
}
