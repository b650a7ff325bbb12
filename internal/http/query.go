package httpserver

import (
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/transport"
)

// Moment is a time in a query parameter.
type Moment struct{ time.Time }

// UnmarshalText reads RFC 3339.
func (m *Moment) UnmarshalText(text []byte) (err error) {
	m.Time, err = domain.ParseTime(string(text))
	return err
}

// Schema is that of a date-time.
func (Moment) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time"}
}

// describeQueries documents that no query parameter may be empty.
func (s *Server) describeQueries() {
	for _, op := range s.everyOperation() {
		for _, p := range op.Parameters {
			schema := p.Schema
			if schema.Type == huma.TypeArray {
				schema = schema.Items
			}
			if p.In == "query" && schema.Type == huma.TypeString && len(schema.Enum) == 0 && schema.Format == "" {
				schema.MinLength = new(1)
			}
		}
	}
}

// headersOnce rejects headers that hold a condition or a key when they are empty or repeated:
// otherwise the change would be made without it.
func headersOnce(h http.Header) error {
	for _, name := range []string{"Idempotency-Key", "If-Match"} {
		values, there := h[name]
		switch {
		case !there:
		case len(values) > 1 && name != "If-Match": // which is a list
			return domain.Errorf(domain.CodeMalformed, "%s may come only once", name)
		case strings.Trim(values[0], " \t") == "":
			return domain.Errorf(domain.CodeMalformed, "%s is empty; leave it out where nothing is meant", name)
		}
	}
	return nil
}

// knownQuery reports everything wrong with a query at once: unknown, empty or repeated parameters (a filter with a typo
// would otherwise silently not apply) and values of the wrong type. Only if there are any does it also report other invalid
// values; otherwise the domain does.
func knownQuery(u *url.URL, op *huma.Operation) error {
	known := map[string]*huma.Schema{}
	for _, p := range op.Parameters {
		if p.In == "query" {
			known[p.Name] = p.Schema
		}
	}
	return checkQuery(u, known)
}

// onlyQuery is knownQuery for handlers that check the values themselves.
func onlyQuery(u *url.URL, names ...string) error {
	if u.RawQuery == "" { // the usual case on the hottest routes
		return nil
	}
	known := map[string]*huma.Schema{}
	for _, name := range names {
		known[name] = &huma.Schema{}
	}
	return checkQuery(u, known)
}

func checkQuery(u *url.URL, known map[string]*huma.Schema) error {
	if u.RawQuery == "" {
		return nil
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return domain.Errorf(domain.CodeMalformed, "the query can't be read: %v", err)
	}
	var f domain.Faults
	formed, readable := true, true
	for _, name := range slices.Sorted(maps.Keys(query)) {
		schema, ok := known[name]
		switch {
		case !ok:
			formed = false
			f.Add("/"+name, "unknown_parameter", "is not a parameter of this operation")
			continue
		case len(query[name]) > 1 && schema.Type != huma.TypeArray:
			formed = false
			f.Add("/"+name, "repeated", "may come only once")
		}
		if schema.Type == huma.TypeArray {
			schema = schema.Items
		}
		for _, value := range query[name] {
			if value == "" {
				formed = false
				f.Add("/"+name, "empty", "is empty; leave it out where nothing is meant")
			} else {
				readable = queryValue(&f, name, schema, value) && readable
			}
		}
	}
	if formed && readable {
		return nil
	}
	if e, ok := f.Err().(*domain.Error); ok && !readable { //nolint:errorlint // Err does not wrap
		e.Code, e.Message = domain.CodeMalformed, "the query can't be read"
		return e
	}
	return f.Err()
}

// queryValue checks a value against its schema; false if it does not even have the type.
func queryValue(f *domain.Faults, name string, s *huma.Schema, value string) bool {
	var err error
	var number float64
	what := ""
	switch {
	case s.Type == huma.TypeInteger:
		var n int64
		n, err = strconv.ParseInt(value, 10, 64)
		number, what = float64(n), "an integer"
	case s.Type == huma.TypeNumber:
		number, err = strconv.ParseFloat(value, 64)
		what = "a number"
	case s.Type == huma.TypeBoolean:
		_, err = strconv.ParseBool(value)
		what = "true or false"
	case s.Format == "date-time":
		_, err = domain.ParseTime(value)
		what = "a time such as 2026-05-04T12:30:00Z (RFC 3339)"
	case s.Format == "date":
		_, err = time.Parse(time.DateOnly, value)
		what = "a date such as 2026-05-04"
	}
	if err != nil {
		f.Add("/"+name, "invalid_type", "must be %s", what)
		return false
	}
	switch {
	case s.Minimum != nil && !(number >= *s.Minimum), s.Maximum != nil && !(number <= *s.Maximum):
		f.Add("/"+name, "out_of_range", "must be %s", rangeOf(s))
	case s.MaxLength != nil && utf8.RuneCountInString(value) > *s.MaxLength:
		f.Add("/"+name, "too_long", "must be at most %d characters", *s.MaxLength)
	case len(s.Enum) > 0 && !slices.Contains(s.Enum, any(value)):
		f.Add("/"+name, "unknown_"+name, "must be one of %v", s.Enum)
	case s.Format == "uuid":
		_, err := domain.ParseID("/"+name, value)
		f.Include("", err)
	}
	return true
}

func rangeOf(s *huma.Schema) string {
	text := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
	switch {
	case s.Maximum == nil:
		return text(*s.Minimum) + " or more"
	case s.Minimum == nil:
		return text(*s.Maximum) + " or less"
	}
	return "between " + text(*s.Minimum) + " and " + text(*s.Maximum)
}

// revalidating answers 304 without a body to a GET whose response has the ETag that the caller knows.
type revalidating struct {
	humaContext
	same bool
}

type humaContext huma.Context // which has a method Context

func (r *revalidating) Unwrap() huma.Context { return r.humaContext }

func (r *revalidating) SetHeader(name, value string) {
	r.same = r.same || name == "ETag" && (r.Method() == http.MethodGet || r.Method() == http.MethodHead) && transport.Unchanged(r.Header("If-None-Match"), value)
	r.humaContext.SetHeader(name, value)
}

func (r *revalidating) SetStatus(code int) {
	if r.same = r.same && code == http.StatusOK; r.same {
		code = http.StatusNotModified
	}
	r.humaContext.SetStatus(code)
}

func (r *revalidating) BodyWriter() io.Writer {
	if r.same {
		return io.Discard
	}
	return r.humaContext.BodyWriter()
}
