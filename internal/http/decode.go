package httpserver

import (
	"errors"
	"mime"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// JSONBody is the body of an operation's input, still encoded.
type JSONBody struct {
	ContentType string `header:"Content-Type" hidden:"true"`
	RawBody     []byte `contentType:"application/json"`
}

// maxFaults bounds how many wrong values are looked for in one body, and maxRereads
// how many bytes are read again for that.
const (
	maxFaults  = 100
	maxRereads = 1 << 20
)

// strict is how requests are read: names in their exact case and only once, no
// unknown members, an item without a quantity is one, a point has both coordinates.
var strict = json.JoinOptions(
	json.RejectUnknownMembers(true),
	json.WithUnmarshalers(json.JoinUnmarshalers(json.UnmarshalFromFunc(readItem), json.UnmarshalFromFunc(readPoint))),
)

func readItem(dec *jsontext.Decoder, item *domain.Item) error {
	type plain domain.Item // without its methods
	v := plain{Quantity: 1}
	err := json.UnmarshalDecode(dec, &v)
	*item = domain.Item(v)
	return err
}

// readPoint tells an absent coordinate from 0, which is a place like any other.
func readPoint(dec *jsontext.Decoder, p *domain.Point) error {
	var v struct {
		Lat *float64 `json:"lat"`
		Lon *float64 `json:"lon"`
	}
	if err := json.UnmarshalDecode(dec, &v); err != nil {
		return err
	}
	switch {
	case v.Lat == nil:
		return missing("lat")
	case v.Lon == nil:
		return missing("lon")
	}
	*p = domain.Point{Lat: *v.Lat, Lon: *v.Lon}
	return nil
}

// missing is the name of a member that must be there.
type missing string

func (m missing) Error() string { return string(m) + " is missing" }

// exact keeps the numbers of a document as they are written.
var exact = json.WithUnmarshalers(json.UnmarshalFromFunc(func(dec *jsontext.Decoder, v *any) error {
	if dec.PeekKind() != '0' {
		return json.SkipFunc
	}
	number, err := dec.ReadValue()
	*v = number.Clone()
	return err
}))

// decode reads a body as a T. Members of a wrong type and unknown ones are all
// returned as faults, beside a T of the others, so that the domain can say what is
// wrong with those; a body that is no JSON is malformed. An empty body is a zero T.
func decode[T any](in JSONBody) (v T, faults []domain.Fault, err error) {
	body := in.RawBody
	if len(body) == 0 {
		return v, nil, nil
	}
	if !acceptable(in.ContentType) {
		return v, nil, domain.Errorf(domain.CodeUnsupportedMediaType, "the body must be %s, not %q; say so with the header Content-Type", jsonType, in.ContentType)
	}
	var tree any // the document, once something is wrong with it
	for budget := maxRereads; ; {
		var fresh T
		err := json.Unmarshal(body, &fresh, strict)
		if err == nil {
			return fresh, faults, nil
		}
		if tree == nil { // what comes after the first fault may be no JSON at all
			if broken := json.Unmarshal(body, &tree, exact); broken != nil {
				err = broken
			}
		}
		var wrong *json.SemanticError
		if !errors.As(err, &wrong) {
			return v, nil, malformedJSON(err)
		}
		fault := faultOf(wrong)
		budget -= len(body)
		if fault.Code != "required" {
			faults = append(faults, fault)
			body = without(tree, wrong.JSONPointer)
		} else {
			if !explained(faults, fault.Pointer) { // it may be missing because it was taken out
				faults = append(faults, fault)
			}
			body = withZero(tree, jsontext.Pointer(fault.Pointer))
		}
		if body == nil || budget < 0 || len(faults) == maxFaults {
			return fresh, faults, nil
		}
	}
}

// acceptable says whether a content type is JSON. A missing one is taken for it.
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

// faultOf says in the API's words what the decoder found.
func faultOf(e *json.SemanticError) domain.Fault {
	f := domain.Fault{Pointer: string(e.JSONPointer), Code: "invalid_type"}
	var absent missing
	switch {
	case errors.As(e.Err, &absent):
		f.Pointer, f.Code, f.Detail = f.Pointer+"/"+string(absent), "required", "is required"
	case errors.Is(e.Err, json.ErrUnknownName):
		f.Code, f.Detail = "unknown_field", "is not a field of this request"
	case e.GoType == nil:
		f.Detail = "has the wrong type"
	case e.GoType == reflect.TypeFor[time.Time]() && e.JSONKind == '"':
		f.Code, f.Detail = "invalid_time", "must be a time such as 2026-05-04T12:30:00Z (RFC 3339)"
	case e.JSONKind == '0' && (isInteger(e.GoType) || isFloat(e.GoType)):
		f.Code, f.Detail = "out_of_range", "must be "+nameOf(e.GoType)+" of a possible size"
	default:
		f.Detail = "must be " + nameOf(e.GoType)
	}
	return f
}

func isInteger(t reflect.Type) bool { return t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64 }

func isFloat(t reflect.Type) bool { return t.Kind() == reflect.Float64 }

func nameOf(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Time](), t.Kind() == reflect.String:
		return "a string"
	case isInteger(t):
		return "an integer"
	case isFloat(t):
		return "a number"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Slice:
		return "an array"
	}
	return "an object"
}

// without takes the value at a pointer out of a document and returns what is left,
// or nil when there is no such value. Elements of arrays become null, so that the
// others keep their place.
func without(tree any, at jsontext.Pointer) []byte {
	if at == "" {
		return nil
	}
	last := at.LastToken()
	switch parent := nodeAt(tree, at.Parent()).(type) {
	case map[string]any:
		if _, ok := parent[last]; !ok {
			return nil
		}
		delete(parent, last)
	case []any:
		i, err := strconv.Atoi(last)
		if err != nil || i < 0 || i >= len(parent) || parent[i] == nil {
			return nil
		}
		parent[i] = nil
	default:
		return nil
	}
	return encoded(tree)
}

// withZero puts a 0 where a number is missing, so that what is beside it is looked at
// too.
func withZero(tree any, at jsontext.Pointer) []byte {
	parent, ok := nodeAt(tree, at.Parent()).(map[string]any)
	if !ok {
		return nil
	}
	parent[at.LastToken()] = jsontext.Value("0")
	return encoded(tree)
}

func encoded(tree any) []byte {
	out, err := json.Marshal(tree, json.Deterministic(true))
	if err != nil {
		return nil
	}
	return out
}

func nodeAt(node any, at jsontext.Pointer) any {
	for token := range at.Tokens() {
		node = child(node, token)
	}
	return node
}

func child(node any, token string) any {
	switch n := node.(type) {
	case map[string]any:
		return n[token]
	case []any:
		if i, err := strconv.Atoi(token); err == nil && i >= 0 && i < len(n) {
			return n[i]
		}
	}
	return nil
}

// nullMembers returns the names of the object's members that are null, in order.
func nullMembers(body []byte) []string {
	var members map[string]jsontext.Value
	if len(body) == 0 || json.Unmarshal(body, &members) != nil {
		return nil
	}
	var names []string
	for name, value := range members {
		if value.Kind() == 'n' {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// refusal joins the faults of a body with what the domain says about the rest of
// the request; nil when there is nothing to refuse.
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

// explained says whether a fault at the pointer only follows from a value of a wrong
// type, which was left out: the same one, one around it or one in it.
func explained(faults []domain.Fault, pointer string) bool {
	for _, f := range faults {
		if f.Code != "unknown_field" && (within(f.Pointer, pointer) || within(pointer, f.Pointer)) {
			return true
		}
	}
	return false
}

func within(outer, pointer string) bool {
	return pointer == outer || strings.HasPrefix(pointer, outer+"/")
}
