package httpserver

import (
	"cmp"
	"context"
	_ "embed" // for operations.yaml
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"
	"go.yaml.in/yaml/v3"

	"github.com/order-tracking/order-tracking/internal/access"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/transport"
)

//go:embed openapi.yaml
var openAPIFile []byte

// openAPIBase is what openapi.yaml says.
type openAPIBase struct {
	Info     huma.Info
	Servers  []*huma.Server
	Tags     []*huma.Tag
	Security map[string]*huma.SecurityScheme
	Schemas  map[string]yaml.Node
}

//go:embed operations.yaml
var operationsFile []byte

// operation is what operations.yaml says of an operation.
type operation struct {
	Route            string // method and path, such as GET /order/{order_id}
	Tag              string
	Summary, About   string
	Status           int               // of success, 0 for 200
	Errors           []domain.Code     // besides those of every operation
	Params           []*huma.Param     // of a plain handler, besides those of its input
	Required         bool              // the body, though none of its fields is
	Lenient          bool              // the body is never rejected
	ETag             bool              `yaml:"etag"` // may answer 304 although nothing here has a version
	Live             bool              // changes without its version, so that it never answers 304
	Takes, Replies   map[string]string // examples of bodies and responses that aren't JSON of some type, by media type
	id, method, path string
}

// operations are those of operations.yaml, by operationId.
var operations = sync.OnceValue(func() (all map[string]*operation) {
	mustParse(operationsFile, &all)
	for id, op := range all {
		op.id = id
		op.method, op.path, _ = strings.Cut(op.Route, " ")
	}
	return all
})

// mustParse parses a YAML file that is embedded in the binary.
func mustParse(file []byte, into any) {
	if err := yaml.Unmarshal(file, into); err != nil {
		panic(err)
	}
}

// handle serves an operation with a typed handler.
func handle[I, O any](s *Server, id string, h func(context.Context, *I) (*O, error)) {
	describeOperation(s, s.api, operations()[id], h)
}

// plain serves an operation with a Gin handler; I and O only describe it.
func plain[I, O any](s *Server, id string, h gin.HandlerFunc) {
	op := operations()[id]
	describeOperation(s, documentOnly{s.api}, op, func(context.Context, *I) (*O, error) { return nil, nil })
	s.engine.Handle(op.method, ginPath(op.path), h)
}

func describeOperation[I, O any](s *Server, api huma.API, op *operation, h func(context.Context, *I) (*O, error)) {
	in, hasBody := any(*new(I)).(interface{ body() (reflect.Type, bool) })
	ho := op.huma(s, hasBody, refusalsOf(reflect.TypeFor[I]()))
	may := access.OperationOf(op.id)
	if s.operations[route{op.method, ginPath(op.path)}] = may; may.Shared() {
		ho.Parameters = append(ho.Parameters, shareToken())
	}
	huma.Register(api, ho, h)
	if hasBody {
		of, form := in.body()
		op.describeBody(s, ho.RequestBody, of, form)
	}
}

// shareToken is the query parameter of a share link's token.
func shareToken() *huma.Param {
	return &huma.Param{
		Name: "token", In: "query", Description: "a share link's token, in place of the Authorization header",
		Schema: &huma.Schema{Type: huma.TypeString, MinLength: new(1)},
	}
}

// refusals are the errors that an operation can return because of its inputs.
var refusals = map[reflect.Type][]domain.Code{
	reflect.TypeFor[OrderPath]():   {domain.CodeOrderNotFound, domain.CodeOrderReassigned},
	reflect.TypeFor[CourierPath](): {domain.CodeCourierNotFound},
	reflect.TypeFor[IfMatch]():     {domain.CodeVersionConflict},
	reflect.TypeFor[Idempotent]():  {domain.CodeIdempotencyRunning, domain.CodeIdempotencyReused},
}

func refusalsOf(input reflect.Type) []domain.Code {
	codes := slices.Clone(refusals[input])
	for _, f := range reflect.VisibleFields(input) {
		codes = append(codes, refusals[f.Type]...)
	}
	return codes
}

// documentOnly is an API whose operations are documented but not served.
type documentOnly struct{ huma.API }

func (documentOnly) Adapter() huma.Adapter { return noAdapter{} }

type noAdapter struct{ http.Handler }

func (noAdapter) Handle(*huma.Operation, func(huma.Context)) {}

func ginPath(path string) string {
	return strings.ReplaceAll(strings.ReplaceAll(path, "{", ":"), "}", "")
}

// newAPI creates the API that operations are added to.
func (s *Server) newAPI() {
	var base openAPIBase
	mustParse(openAPIFile, &base)
	base.Info.Version = cmp.Or(s.Config.Version, "dev")
	doc := &huma.OpenAPI{
		OpenAPI: "3.1.0", Info: &base.Info, Servers: base.Servers, Tags: base.Tags,
		Components:     &huma.Components{Schemas: newSchemas(), SecuritySchemes: base.Security},
		OnAddOperation: []huma.AddOpFunc{addParams},
	}
	s.rules = base.Schemas
	format := huma.Format{Marshal: writeJSON, Unmarshal: json.Unmarshal}
	s.api = humagin.New(s.engine, huma.Config{
		OpenAPI:       doc,
		Formats:       map[string]huma.Format{jsonType: format, "json": format}, // the second for +json
		DefaultFormat: jsonType,
	})
	s.api.UseMiddleware(func(hc huma.Context, next func(huma.Context)) {
		c := humagin.Unwrap(hc)
		ctx, err := s.enter(c)
		if err == nil {
			err = knownQuery(c.Request.URL, hc.Operation())
		}
		if err != nil {
			fail(c, err)
			return
		}
		hc = huma.WithContext(hc, ctx)
		if hc.Operation().Responses["304"] != nil {
			hc = &revalidating{humaContext: hc}
		}
		next(hc)
	})
}

// addParams completes the parameters of an operation, and its responses by one without a body where it has a version.
func addParams(_ *huma.OpenAPI, ho *huma.Operation) {
	op := operations()[ho.OperationID]
	for _, p := range op.Params {
		p := *p
		p.Required = p.In == "path"
		if p.Schema == nil {
			p.Schema = &huma.Schema{Type: huma.TypeString}
		}
		schema := *p.Schema
		if p.Schema = &schema; p.In == "query" && p.Explode == nil {
			p.Explode = new(false)
		}
		schema.Description = p.Description
		ho.Parameters = append(ho.Parameters, &p)
	}
	if op.method == http.MethodGet && !op.Live && (op.ETag || ho.Responses["200"] != nil && ho.Responses["200"].Headers["ETag"] != nil) {
		ho.Responses["304"] = &huma.Response{Description: "it still has the ETag in If-None-Match"}
		ho.Parameters = append(ho.Parameters, &huma.Param{
			Name: "If-None-Match", In: "header", Description: "Return 304 if it still has this ETag.", Example: `"v3"`, Schema: &huma.Schema{Type: huma.TypeString},
		})
	}
}

// writeJSON encodes responses. Orders are already encoded.
func writeJSON(w io.Writer, v any) error {
	var b []byte
	var err error
	switch v := v.(type) {
	case *domain.Order:
		b, err = v.Freeze()
	case *orderPage:
		b, err = v.encode()
	default:
		b, err = json.Marshal(v)
	}
	if err == nil {
		_, err = w.Write(b)
	}
	return err
}

// huma converts the operation to huma's type and adds its possible errors.
func (op *operation) huma(s *Server, hasBody bool, refusals []domain.Code) huma.Operation {
	status := cmp.Or(op.Status, http.StatusOK)
	ho := huma.Operation{
		Method: op.method, Path: op.path, OperationID: op.id, Tags: []string{op.Tag},
		Summary: op.Summary, Description: op.About, DefaultStatus: status,
		MaxBodyBytes: -1, BodyReadTimeout: s.Config.ReadTimeout, // takeBody enforces the limit
		SkipValidateParams: true, SkipValidateBody: true, // the domain validates
		Responses: map[string]*huma.Response{},
	}
	codes := slices.Concat(op.Errors, refusals, []domain.Code{domain.CodeInternal, domain.CodeHeadersTooLarge})
	if access.OperationOf(op.id).Open {
		ho.Extensions = map[string]any{"security": []any{}} // huma omits Security when it is empty
	} else {
		ho.Security = []map[string][]string{{"bearer": {}}}
		codes = append(codes, domain.CodeUnauthenticated, domain.CodeForbidden, domain.CodeUnavailable, domain.CodeRateLimited,
			domain.CodeMalformed, domain.CodeValidationFailed) // at least the query can be wrong
	}
	if hasBody {
		ho.RequestBody = &huma.RequestBody{}
	}
	if hasBody && !op.Lenient {
		codes = append(codes, domain.CodeTooLarge, domain.CodeUnsupportedMediaType, domain.CodeRequestTimeout)
	}
	for _, code := range codes {
		s.describeProblem(ho.Responses, code)
	}
	if op.Takes != nil {
		ho.RequestBody = &huma.RequestBody{Required: true, Content: mediaTypes(op.Takes)}
	}
	if op.Replies != nil { // otherwise huma derives the response from the output
		ho.Responses[strconv.Itoa(status)] = &huma.Response{Description: http.StatusText(status), Content: mediaTypes(op.Replies)}
	}
	return ho
}

// mediaTypes describes content that isn't JSON of some type by its examples.
func mediaTypes(examples map[string]string) map[string]*huma.MediaType {
	content := map[string]*huma.MediaType{}
	for name, example := range examples {
		media := &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
		if name == jsonType || name == yamlType {
			media.Schema.Type = huma.TypeObject
		}
		if example != "" {
			media.Example = example
		}
		content[name] = media
	}
	return content
}

// describeBody documents the body, which the handler gets undecoded. It is required when one
// of its fields is: the domain reports what is missing in an empty one, which counts as {}.
func (op *operation) describeBody(s *Server, body *huma.RequestBody, of reflect.Type, form bool) {
	body.Required = false
	schema := s.schemas().Schema(of, true, op.id+"Body")
	named := s.schemas().SchemaFromRef(schema.Ref)
	s.bodies[op.id] = op.Required || named != nil && len(named.Required) > 0 && !op.Lenient
	body.Content = map[string]*huma.MediaType{jsonType: {Schema: schema}}
	if form {
		body.Content[formType] = &huma.MediaType{Schema: s.formSchema(schema)}
	}
}

func (s *Server) schemas() huma.Registry { return s.api.OpenAPI().Components.Schemas }

// describeProblem adds a problem to the response of its status, with an example.
func (s *Server) describeProblem(responses map[string]*huma.Response, code domain.Code) {
	as := transport.StatusOf(code)
	r := responses[strconv.Itoa(as.HTTP)]
	if r == nil {
		r = &huma.Response{Description: http.StatusText(as.HTTP), Headers: map[string]*huma.Param{}, Content: map[string]*huma.MediaType{
			problemType: {Schema: s.schemas().Schema(reflect.TypeFor[problem](), true, ""), Examples: map[string]*huma.Example{}},
		}}
		responses[strconv.Itoa(as.HTTP)] = r
	}
	r.Content[problemType].Examples[string(code)] = &huma.Example{Summary: as.Title, Value: problemExample(code)}
	switch as.HTTP {
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		r.Headers["Retry-After"] = &huma.Param{Description: "seconds", Schema: &huma.Schema{Type: "integer"}}
	case http.StatusUnauthorized:
		r.Headers["WWW-Authenticate"] = &huma.Param{Schema: &huma.Schema{Type: "string"}}
	}
}

func problemExample(code domain.Code) *problem {
	e := domain.Errorf(code, "%s", transport.StatusOf(code).Title)
	switch code {
	case domain.CodeValidationFailed:
		e.Message = "the request is not valid"
		e.Faults = []domain.Fault{{Pointer: "/dropoff/location/lat", Code: "out_of_range", Detail: "must be between -90 and 90 degrees"}}
	case domain.CodeIllegalTransition:
		e.Message, e.Allowed = "an order that is created can't become delivered", domain.StatusCreated.Next()
	case domain.CodeCancelAfterPickup:
		e.Allowed = domain.StatusPickedUp.Next()
	case domain.CodePaidCancelRequired:
		e.Message, e.Terms = "cdek cancels it for money only: it has moved", &domain.CancelTerms{Kind: domain.CancelUnknown, Detail: "it has moved"}
	case domain.CodeVersionConflict:
		e.Conflict = &domain.Conflict{
			CurrentVersion: 4, ChangedBy: domain.Actor{Kind: domain.RoleDispatcher, ID: exampleCourier}, ChangedAt: exampleTime, Changed: []string{"notes"},
		}
	case domain.CodeProofRequired:
		e.Missing = []string{domain.ProofPhoto}
	case domain.CodeOrderReassigned:
		e.Reassigned = &domain.Reassigned{To: "Ivan", At: exampleTime}
	}
	p := describe(e)
	p.RequestID = exampleRequestID
	return p
}

// Values used in the document's examples.
const (
	exampleRequestID = "5f2b8c1de0a7000000000001"
	exampleCourier   = "0190b7a1-8f00-7a51-8d6e-1a2b3c4d5e6f"
)

var exampleTime = time.Date(2026, 5, 4, 12, 30, 0, 0, time.UTC)

// finishAPI completes the schemas once all operations are registered, and sets up encoding the document on first request.
func (s *Server) finishAPI() {
	s.completeSchemas()
	s.addExamples()
	s.describeQueries()
	id := &huma.Param{Description: "identifies this request in the log", Schema: &huma.Schema{Type: huma.TypeString}}
	for _, op := range s.everyOperation() {
		for _, response := range op.Responses {
			if response.Headers == nil {
				response.Headers = map[string]*huma.Param{}
			}
			response.Headers[headerRequestID] = id
		}
	}
	s.spec = s.document
}

// everyOperation lists the document's operations.
func (s *Server) everyOperation() (ops []*huma.Operation) {
	for _, item := range s.api.OpenAPI().Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op != nil {
				ops = append(ops, op)
			}
		}
	}
	return ops
}
