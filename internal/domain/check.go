package domain

import (
	"cmp"
	"net/mail"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The tags of a struct's fields are its validation rules. Check applies them, and the
// OpenAPI and AsyncAPI documents show the same ones:
//
//	minLength, maxLength    of a string, in characters; with minLength it must not be blank
//	format                  email, locale, currency or timezone
//	enum                    allowed values; types with Valid know them themselves
//	minimum, maximum        of a number
//	maxItems, maxProperties entries of a list or map
//	readOnly                not checked
//
// An empty field with omitempty counts as absent. Times are checked without a tag.

// rule is the validation rule of one value.
type rule struct {
	pointer   string // relative to the checked struct or list entry
	index     int    // of the field
	kind      reflect.Kind
	name      string // of its type, for the code unknown_name
	optional  bool
	isPointer bool
	isTime    bool
	hasValid  bool
	notBlank  bool
	limit     int // of characters or entries; 0 for none
	low, high string
	min, max  float64
	format    string
	enum      []string
	fields    []rule // of a struct
	entry     *rule  // of a list
}

var (
	timeType  = reflect.TypeFor[time.Time]()
	validType = reflect.TypeFor[interface{ Valid() bool }]()
	plans     sync.Map // of *rule by the type of the struct
)

// Check records the faults in the fields of the struct that v points to.
func (f *Faults) Check(pointer string, v any) {
	value := reflect.ValueOf(v).Elem()
	plan, ok := plans.Load(value.Type())
	if !ok {
		r := rule{}
		r.of(value.Type(), "")
		plan, _ = plans.LoadOrStore(value.Type(), &r)
	}
	before := len(f.list)
	f.value(plan.(*rule), value)
	f.below(pointer, before)
}

// Checked is Check of a whole input.
func Checked[T any](v T) error {
	var f Faults
	f.Check("", &v)
	return f.Err()
}

// below prefixes the pointers of the faults from the given one on.
func (f *Faults) below(pointer string, from int) {
	for i := from; i < len(f.list); i++ {
		f.list[i].Pointer = pointer + f.list[i].Pointer
	}
}

// of completes a rule from the value's type.
func (r *rule) of(t reflect.Type, tag reflect.StructTag) {
	if t.Kind() == reflect.Pointer {
		r.isPointer, t = true, t.Elem()
	}
	number := func(name string) (n int) { n, _ = strconv.Atoi(tag.Get(name)); return n }
	r.kind, r.isTime = t.Kind(), t == timeType
	r.hasValid = r.kind == reflect.String && t.Implements(validType)
	r.notBlank = tag.Get("minLength") != ""
	r.limit = cmp.Or(number("maxLength"), number("maxItems"), number("maxProperties"))
	r.low, r.high, r.format = tag.Get("minimum"), tag.Get("maximum"), tag.Get("format")
	r.min, _ = strconv.ParseFloat(r.low, 64)
	r.max, _ = strconv.ParseFloat(r.high, 64)
	if values := tag.Get("enum"); values != "" {
		r.enum = strings.Split(values, ",")
	}
	switch {
	case r.hasValid:
		r.name = strings.ToLower(t.Name())
	case r.kind == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		r.entry = &rule{}
		r.entry.of(t.Elem(), "")
	case r.kind == reflect.Slice && t.Elem().Kind() == reflect.String:
		r.entry = &rule{}
		r.entry.of(t.Elem(), listedText)
	case r.kind == reflect.Struct && !r.isTime:
		for i := range t.NumField() {
			r.field(t.Field(i))
		}
	}
}

// listedText is the rule of strings in lists.
const listedText reflect.StructTag = `minLength:"1" maxLength:"128"`

// field adds the rule of a struct's field.
func (r *rule) field(f reflect.StructField) {
	name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	if !f.IsExported() || name == "-" || f.Tag.Get("readOnly") == "true" {
		return
	}
	one := rule{pointer: r.pointer, index: f.Index[0], name: name, optional: options != ""}
	if !f.Anonymous {
		one.pointer += "/" + name
	}
	one.of(f.Type, f.Tag)
	r.fields = append(r.fields, one)
}

func (f *Faults) value(r *rule, v reflect.Value) {
	switch {
	case r.isPointer && v.IsNil(), r.optional && v.IsZero():
		return
	case r.isPointer:
		v = v.Elem()
	}
	switch r.kind {
	case reflect.String:
		f.text(r, v)
	case reflect.Int, reflect.Int64:
		r.within(f, float64(v.Int()))
	case reflect.Float64:
		r.within(f, v.Float())
	case reflect.Map:
		if m, ok := v.Interface().(map[string]string); ok && r.limit > 0 {
			f.texts(r.pointer, m, r.limit)
		}
	case reflect.Slice:
		f.entries(r, v)
	case reflect.Struct:
		if r.isTime {
			f.year(r.pointer, *v.Addr().Interface().(*time.Time))
		}
		for i := range r.fields {
			f.value(&r.fields[i], v.Field(r.fields[i].index))
		}
	}
}

func (r *rule) within(f *Faults, v float64) {
	if r.high != "" && !(v >= r.min && v <= r.max) { // NaN fails
		f.Add(r.pointer, "out_of_range", "must be between %s and %s", r.low, r.high)
	}
}

func (f *Faults) entries(r *rule, list reflect.Value) {
	if r.limit > 0 && list.Len() > r.limit {
		f.Add(r.pointer, "too_many", "must have at most %d entries", r.limit)
		return
	}
	for i := 0; r.entry != nil && i < list.Len(); i++ {
		before := len(f.list)
		if f.value(r.entry, list.Index(i)); len(f.list) > before {
			f.below(r.pointer+"/"+strconv.Itoa(i), before)
		}
	}
}

func (f *Faults) text(r *rule, v reflect.Value) {
	s := v.String()
	switch {
	case r.hasValid:
		if !v.Interface().(interface{ Valid() bool }).Valid() {
			f.Add(r.pointer, "unknown_"+r.name, "is not a known %s", r.name)
		}
		return
	case r.enum != nil:
		if !slices.Contains(r.enum, s) {
			f.Add(r.pointer, "unknown_"+r.name, "must be %s", strings.Join(r.enum, " or "))
		}
		return
	case r.notBlank && strings.TrimSpace(s) == "":
		f.Add(r.pointer, "required", "is required")
		return
	case r.limit > 0:
		f.Text(r.pointer, s, r.limit)
	}
	if shape, ok := formats[r.format]; ok && !shape.fits(s) {
		f.Add(r.pointer, "invalid_"+r.format, "%s", shape.text)
	}
}

// localeShape matches a BCP 47 tag: letters and digits joined by hyphens.
var localeShape = regexp.MustCompile(`^[[:alnum:]]{1,8}(-[[:alnum:]]{1,8})*$`)

// formats are the patterns of strings, each with the error message for a mismatch.
var formats = map[string]struct {
	fits func(string) bool
	text string
}{
	"email":    {isEmail, "must be an e-mail address"},
	"locale":   {localeShape.MatchString, "must be a language tag such as ru or en-GB"},
	"timezone": {isTimezone, "must be a time zone such as Europe/Moscow (IANA)"},
	"currency": {isCurrency, "must be an ISO 4217 code such as RUB or EUR"},
}

func isEmail(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s
}

// texts checks metadata, whose keys and values have their own limits.
func (f *Faults) texts(pointer string, m map[string]string, limit int) {
	if len(m) > limit {
		f.Add(pointer, "too_many", "must have at most %d entries", limit)
		return
	}
	for k, v := range m {
		at := pointer + "/" + escapePointer(k)
		f.Required(at, k, MaxKey)
		f.Text(at, v, MaxValue)
	}
}

func escapePointer(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "~", "~0"), "/", "~1")
}
