package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// keySpec describes a key, as derived from its field in Config.
type keySpec struct {
	index []int // of the field
	kind  reflect.Type
	// secret is "all" if the value must not be shown, "url" if it may contain a password.
	secret string
	// min and max are the limits of a number or a duration, as text.
	min, max string
	// rule is what the text, or each text of a list, must be: one of checks, or text or oneof with what they need. An
	// optional text may be empty.
	rule     string
	optional bool
}

// maxDuration is the default limit of durations: ten years, so that sums of durations and times can't overflow.
const maxDuration = "87600h"

// keys holds every key, such as "http.addr".
var keys = keysOf("", reflect.TypeFor[Config]())

func keysOf(prefix string, t reflect.Type, above ...int) map[string]keySpec {
	found := map[string]keySpec{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, index := f.Tag.Get("koanf"), append(slices.Clip(above), i)
		switch {
		case name == "" || name == "-":
		case f.Type.Kind() == reflect.Struct:
			maps.Copy(found, keysOf(prefix+name+".", f.Type, index...))
		default:
			rule, optional := strings.CutPrefix(f.Tag.Get("rule"), "optional ")
			found[prefix+name] = keySpec{
				index: index, kind: f.Type, secret: f.Tag.Get("secret"),
				min: f.Tag.Get("min"), max: cmp.Or(f.Tag.Get("max"), maxDuration), rule: rule, optional: optional,
			}
		}
	}
	return found
}

// limits checks a value against the key's limits, if any.
func (s keySpec) limits(v reflect.Value) error {
	if s.min == "" {
		return nil
	}
	least, err := s.parseScalar(s.min)
	if err != nil {
		return err // a test checks every limit
	}
	most, err := s.parseScalar(s.max)
	if err != nil {
		return err
	}
	low, high := reflect.ValueOf(least), reflect.ValueOf(most)
	inside := v.CanInt() && low.Int() <= v.Int() && v.Int() <= high.Int() ||
		v.CanFloat() && low.Float() <= v.Float() && v.Float() <= high.Float() // false for NaN
	if !inside {
		return fmt.Errorf("must be between %v and %v and is %v", least, most, v)
	}
	return nil
}

// isSection reports whether the key has keys below it.
func isSection(key string) bool {
	for k := range keys {
		if strings.HasPrefix(k, key+".") {
			return true
		}
	}
	return false
}

// parse converts a source's value, text or YAML, to the key's type. Its errors name the
// expected form and do not repeat the value.
func (s keySpec) parse(v any) (any, error) {
	if v == nil {
		return nil, fmt.Errorf("has no value")
	}
	if s.kind == reflect.TypeFor[[]string]() {
		return parseList(v)
	}
	if s.kind.Kind() == reflect.String {
		text, ok := v.(string)
		if !ok {
			return nil, fmt.Errorf("must be text; put it in quotes")
		}
		return text, nil
	}
	switch v.(type) {
	case string, bool, int, int64, uint64, float64:
	default:
		return nil, fmt.Errorf("must be a single value")
	}
	return s.parseScalar(strings.TrimSpace(fmt.Sprint(v)))
}

func (s keySpec) parseScalar(text string) (any, error) {
	if s.kind == reflect.TypeFor[time.Duration]() {
		return scalar(text, "a duration with its unit, such as 30s or 720h", time.ParseDuration)
	}
	switch s.kind.Kind() {
	case reflect.Bool:
		return scalar(text, "true or false", strconv.ParseBool)
	case reflect.Int, reflect.Int64:
		return scalar(text, "a whole number", func(t string) (int64, error) { return strconv.ParseInt(t, 10, s.kind.Bits()) })
	case reflect.Float64:
		return scalar(text, "a number", func(t string) (float64, error) { return strconv.ParseFloat(t, 64) })
	}
	return nil, fmt.Errorf("has the unknown type %s", s.kind) // a test sets every key
}

// scalar parses text; its error names the expected form.
func scalar[T any](text, wanted string, parse func(string) (T, error)) (any, error) {
	v, err := parse(text)
	if err != nil {
		return nil, errors.New("must be " + wanted)
	}
	return v, nil
}

// parseList parses a YAML list of strings, or comma-separated text.
func parseList(v any) ([]string, error) {
	list := []string{}
	switch v := v.(type) {
	case string:
		for part := range strings.SplitSeq(v, ",") {
			if part = strings.TrimSpace(part); part != "" {
				list = append(list, part)
			}
		}
	case []any:
		for _, item := range v {
			text, ok := item.(string)
			if !ok {
				return nil, fmt.Errorf("must be a list of text; put its items in quotes")
			}
			list = append(list, strings.TrimSpace(text))
		}
	default:
		return nil, fmt.Errorf("must be a list")
	}
	return list, nil
}
