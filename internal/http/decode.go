package httpserver

import (
	"bytes"
	"errors"
	"maps"
	"math"
	"mime"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// JSONBody is the undecoded body of an operation's input.
type JSONBody struct {
	ContentType string `header:"Content-Type" hidden:"true"`
	RawBody     []byte `contentType:"application/json"`
}

// maxFaults bounds how many faults are reported for one body.
const maxFaults = 100

// strict decodes requests: member names are case-sensitive and unique, unknown members are
// rejected, an item's default quantity is 1 and required numbers must be present.
var strict = json.JoinOptions(
	json.RejectUnknownMembers(true),
	json.WithUnmarshalers(json.JoinUnmarshalers(
		needs(plainItem{Quantity: 1}, func(p plainItem) (domain.Item, bool) { return domain.Item(p), true }),
		needs(plainPoint{none, none}, func(p plainPoint) (domain.Point, bool) { return domain.Point(p), p.Lat+p.Lon < none }),
		needs(plainPosition{Lat: none, Lon: none}, func(p plainPosition) (domain.Position, bool) {
			return domain.Position(p), p.Lat+p.Lon < none
		}),
		needs(plainMoney{Amount: math.MinInt64}, func(p plainMoney) (domain.Money, bool) {
			return domain.Money(p), p.Amount != math.MinInt64
		}),
		json.UnmarshalFromFunc(func(dec *jsontext.Decoder, v *time.Time) error {
			if dec.PeekKind() != '"' {
				return json.SkipFunc
			}
			token, err := dec.ReadToken()
			if err == nil {
				*v, err = domain.ParseTime(token.String())
			}
			return err
		}),
	)),
)

// Domain types without their methods.
type (
	plainItem     domain.Item
	plainPoint    domain.Point
	plainPosition domain.Position
	plainMoney    domain.Money
)

// none stands for an absent coordinate; it is outside the valid range.
const none = 1e300

// needs decodes into a value preset with defaults; full checks what is required.
func needs[P, T any](absent P, full func(P) (T, bool)) *json.Unmarshalers {
	return json.UnmarshalFromFunc(func(dec *jsontext.Decoder, v *T) error {
		p := absent
		if err := json.UnmarshalDecode(dec, &p); err != nil {
			return err
		}
		var ok bool
		if *v, ok = full(p); !ok {
			return errMissing
		}
		return nil
	})
}

var errMissing = errors.New("a number is missing")

// exact keeps numbers as they are written in the document.
var exact = json.WithUnmarshalers(json.UnmarshalFromFunc(func(dec *jsontext.Decoder, v *any) error {
	if dec.PeekKind() != '0' {
		return json.SkipFunc
	}
	number, err := dec.ReadValue()
	*v = number.Clone()
	return err
}))

// decode reads a body as a T in one pass. Only if that fails does it look for all faults: wrongly typed and unknown members
// are returned as faults, along with a T of the other members, so that the domain can check those too; a body that is not
// JSON is malformed. An empty body is a zero T.
func decode[T any](in JSONBody) (v T, faults []domain.Fault, err error) {
	faults, err = decodeInto(in, &v)
	return v, faults, err
}

// decodeInto is decode for a pointer to a T.
func decodeInto(in JSONBody, v any) ([]domain.Fault, error) {
	body := in.RawBody
	if len(body) == 0 {
		return nil, nil
	}
	if !acceptable(in.ContentType) {
		return nil, domain.Errorf(domain.CodeUnsupportedMediaType, "the body must be %s, not %q; set the Content-Type header", jsonType, in.ContentType)
	}
	// the library treats some nulls differently
	if !bytes.Contains(body, []byte("null")) && json.Unmarshal(body, v, strict) == nil {
		return nil, nil
	}
	var tree any
	if err := json.Unmarshal(body, &tree, exact); err != nil {
		return nil, malformedJSON(err)
	}
	var w walker
	target := reflect.ValueOf(v).Elem()
	sound, ok := w.value(target.Type(), tree, "")
	target.SetZero()
	if !ok {
		return w.faults, nil
	}
	rest, err := json.Marshal(sound)
	if err == nil {
		err = json.Unmarshal(rest, v, strict)
	}
	return w.faults, err
}

// acceptable reports whether a content type is JSON. A missing one counts as JSON.
func acceptable(contentType string) bool {
	if contentType == "" || contentType == jsonType {
		return true
	}
	media, params, err := mime.ParseMediaType(contentType)
	charset := params["charset"]
	return err == nil && (media == jsonType || media == "application/merge-patch+json") &&
		(charset == "" || strings.EqualFold(charset, "utf-8"))
}

func malformedJSON(err error) error {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) && syntax.Err != nil {
		return domain.Errorf(domain.CodeMalformed, "the body is not JSON: %v at byte %d", syntax.Err, syntax.ByteOffset)
	}
	return domain.Errorf(domain.CodeMalformed, "the body is not JSON")
}

// walker finds everything in a document that has the wrong type.
type walker struct{ faults []domain.Fault }

func (w *walker) add(at, code, detail string) {
	if len(w.faults) < maxFaults {
		w.faults = append(w.faults, domain.Fault{Pointer: at, Code: code, Detail: detail})
	}
}

// value returns the valid part of a value, and false when there is none.
func (w *walker) value(t reflect.Type, v any, at string) (any, bool) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	isStruct := t.Kind() == reflect.Struct && t != reflect.TypeFor[time.Time]()
	if v == nil && at != "" && !isStruct {
		return nil, true // as if absent
	}
	switch is := v.(type) {
	case map[string]any:
		if isStruct {
			return w.object(t, is, at), true
		}
		if t.Kind() == reflect.Map {
			for name, member := range is {
				w.member(is, name, member, t.Elem(), at)
			}
			return is, true
		}
	case []any:
		if t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8 { // bytes are a text
			for i, entry := range is {
				pointer := at + "/" + strconv.Itoa(i)
				sound, ok := w.value(t.Elem(), entry, pointer)
				if entry == nil && ok {
					w.add(pointer, "invalid_type", "must be "+nameOf(t.Elem()))
				}
				if is[i] = sound; !ok {
					is[i] = nil // keeps the indices of the others
				}
			}
			return is, true
		}
	}
	if t.Kind() == reflect.Interface {
		return v, true
	}
	if number, ok := v.(jsontext.Value); ok && isInteger(t) {
		v = whole(number)
	}
	return v, w.scalar(t, v, at)
}

// member checks a member of an object and removes it when none of it is valid.
func (w *walker) member(of map[string]any, name string, v any, t reflect.Type, at string) {
	sound, ok := w.value(t, v, at+"/"+escape.Replace(name))
	if ok {
		of[name] = sound
	} else {
		delete(of, name)
	}
}

var escape = strings.NewReplacer("~", "~0", "/", "~1")

func (w *walker) object(t reflect.Type, members map[string]any, at string) any {
	fields := fieldsOf(t)
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if f, ok := fields[name]; ok {
			w.member(members, name, members[name], f.Type, at)
		} else {
			w.add(at+"/"+escape.Replace(name), "unknown_field", "is not a field of this request")
			delete(members, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if members[name] != nil || !mustBeThere(fields[name]) {
			continue
		}
		if !explained(w.faults, at+"/"+name) { // else it is present but wrong, as already reported
			w.add(at+"/"+name, "required", "is required")
		}
		members[name] = 0
	}
	return members
}

// mustBeThere reports whether a member is a number without a default.
func mustBeThere(f reflect.StructField) bool {
	_, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	return options == "" && f.Tag.Get("minimum") != "" && f.Tag.Get("required") != "false"
}

var knownFields sync.Map // map[string]reflect.StructField by type

// fieldsOf returns the fields of a struct, embedded ones included, by JSON name.
func fieldsOf(t reflect.Type) map[string]reflect.StructField {
	if known, ok := knownFields.Load(t); ok {
		return known.(map[string]reflect.StructField)
	}
	fields := map[string]reflect.StructField{}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if shallower, ok := fields[name]; name != "" && name != "-" && (!ok || len(f.Index) < len(shallower.Index)) {
			fields[name] = f
		}
	}
	knownFields.Store(t, fields)
	return fields
}

// scalar reports a value of the wrong type, in the API's terms.
func (w *walker) scalar(t reflect.Type, v any, at string) bool {
	encoded, err := json.Marshal(v)
	if err == nil && v != nil {
		err = json.Unmarshal(encoded, reflect.New(t).Interface(), strict)
	}
	_, isText := v.(string)
	_, isNumber := v.(jsontext.Value)
	switch {
	case err == nil && v != nil:
		return true
	case isText && t == reflect.TypeFor[time.Time]():
		w.add(at, "invalid_time", "must be a time such as 2026-05-04T12:30:00Z (RFC 3339)")
	case isNumber && (isInteger(t) || t.Kind() == reflect.Float64):
		w.add(at, "out_of_range", "must be "+nameOf(t)+" of a possible size")
	default:
		w.add(at, "invalid_type", "must be "+nameOf(t))
	}
	return false
}

// whole returns an integer that is written with a fraction or an exponent, such as 3.0, in plain digits.
func whole(number jsontext.Value) jsontext.Value {
	f, err := strconv.ParseFloat(string(number), 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) >= 1<<53 || !bytes.ContainsAny(number, ".eE") {
		return number
	}
	return strconv.AppendInt(nil, int64(f), 10)
}

func isInteger(t reflect.Type) bool { return t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64 }

func nameOf(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Time](), t.Kind() == reflect.String:
		return "a string"
	case isInteger(t):
		return "an integer"
	case t.Kind() == reflect.Float64:
		return "a number"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return "bytes in base64"
	case t.Kind() == reflect.Slice:
		return "an array"
	}
	return "an object"
}

// refusal joins the faults of a body with the domain's faults for the rest of the request; nil when there are none.
func refusal(faults []domain.Fault, checks ...error) error {
	for _, err := range checks {
		var e *domain.Error
		if err == nil {
			continue
		}
		if !errors.As(err, &e) || e.Code != domain.CodeValidationFailed {
			return err
		}
		found := len(faults)
		for _, f := range e.Faults {
			if !explained(faults[:found], f.Pointer) {
				faults = append(faults, f)
			}
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return &domain.Error{Code: domain.CodeValidationFailed, Message: "the request is not valid", Faults: faults}
}

// explained reports whether a fault at the pointer only follows from a wrongly typed value
// that was removed: at the same pointer, above it or below it.
func explained(faults []domain.Fault, pointer string) bool {
	return slices.ContainsFunc(faults, func(f domain.Fault) bool {
		return f.Code != "unknown_field" && (within(f.Pointer, pointer) || within(pointer, f.Pointer))
	})
}

func within(outer, pointer string) bool {
	return pointer == outer || strings.HasPrefix(pointer, outer+"/")
}
