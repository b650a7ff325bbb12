package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// keySpec is what is known of one key from its field in Config.
type keySpec struct {
	kind reflect.Type
	// secret is "all" when the value must not be shown, "url" when it may hold a password.
	secret string
}

// keys holds every key, such as "http.addr".
var keys = keysOf("", reflect.TypeFor[Config]())

func keysOf(prefix string, t reflect.Type) map[string]keySpec {
	found := map[string]keySpec{}
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Tag.Get("koanf")
		switch {
		case name == "" || name == "-":
		case f.Type.Kind() == reflect.Struct:
			for k, spec := range keysOf(prefix+name+".", f.Type) {
				found[k] = spec
			}
		default:
			found[prefix+name] = keySpec{kind: f.Type, secret: f.Tag.Get("secret")}
		}
	}
	return found
}

// isSection is whether the key has keys below it.
func isSection(key string) bool {
	for k := range keys {
		if strings.HasPrefix(k, key+".") {
			return true
		}
	}
	return false
}

// parse turns what a source holds, text or a YAML value, into the key's type. Its
// errors say what is wanted and do not repeat the value.
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
		d, err := time.ParseDuration(text)
		if err != nil {
			return nil, fmt.Errorf("must be a duration with its unit, such as 30s or 720h")
		}
		return d, nil
	}
	switch s.kind.Kind() {
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return nil, fmt.Errorf("must be true or false")
		}
		return b, nil
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(text, 10, s.kind.Bits())
		if err != nil {
			return nil, fmt.Errorf("must be a whole number")
		}
		return n, nil
	case reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("must be a number")
		}
		return f, nil
	}
	return nil, fmt.Errorf("has the unknown type %s", s.kind) // a test sets every key
}

// parseList reads a YAML list of text, or text with commas.
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
