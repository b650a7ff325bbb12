package httpserver

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/orders"
)

const (
	formType  = "multipart/form-data"
	imageType = "image/jpeg"
	// maxImagesBytes is the largest body with images, maxParts the most parts of a form.
	maxImagesBytes = 18 << 20
	maxParts       = 32
)

// withImages are the routes with bodies that may be so large.
var withImages = map[string]bool{"/order/:order_id/proof": true, "/order/:order_id/incidents": true}

// imagesIn is a body with images, which a form can hold.
type imagesIn[B any] struct {
	OrderPath
	Idempotent
	DeviceTime
	Form[B]
}

// Form is a body that may be a form, whose parts are members by their names.
type Form[B any] struct{ Sent[B] }

func (Form[B]) body() (reflect.Type, bool) { return reflect.TypeFor[B](), true }

func (in Form[B]) read(idErr error, check func(B) error) (v B, err error) {
	kind, params, _ := mime.ParseMediaType(in.ContentType) // a wrong one is request's to refuse
	if kind == formType {
		if in.RawBody, err = formJSON[B](in.RawBody, params["boundary"]); err != nil {
			return v, err
		}
		in.ContentType = jsonType
	}
	return in.Sent.read(idErr, check)
}

type proofList struct {
	Proofs []domain.ProofRecord `json:"proofs"`
}

// proofRoutes registers proofs of delivery and problems with orders.
func (s *Server) proofRoutes() {
	handle(s, "addProof", posting[imagesIn[orders.ProofReport]](s.Orders.CheckProof, repeated, s.Orders.AddProof))
	handle(s, "listProofs", listing[OrderPath](func(list []domain.ProofRecord) proofList { return proofList{list} }, s.Orders.Proofs))
	plain[OrderPath, struct{}](s, "getProofImage", s.guarded(func(ctx context.Context, c *gin.Context) error {
		data, err := s.Orders.ProofImage(ctx, c.Param("order_id"), c.Param("proof_id"), c.Param("image"))
		return sendImage(c, data, err)
	}))
	handle(s, "openIncident", posting[imagesIn[domain.IncidentReport]](domain.Checked[domain.IncidentReport], repeated, s.Orders.OpenIncident))
	handle(s, "listIncidents", listing[OrderPath](func(list []domain.Incident) incidentList { return incidentList{list} }, s.Orders.Incidents))
	handle(s, "closeIncident", func(ctx context.Context, in *struct {
		IncidentPath
		Idempotent
		Sent[orders.IncidentResolution]
	},
	) (*repeatable[domain.Incident], error) {
		body, err := in.read(in.check(), domain.Checked[orders.IncidentResolution])
		if err != nil {
			return nil, err
		}
		return repeated(once(ctx, in.Idempotent, func(ctx context.Context) (domain.Incident, error) {
			return s.Orders.CloseIncident(ctx, in.ID, in.Incident, body)
		}))
	})
	plain[IncidentPath, struct{}](s, "getIncidentPhoto", s.guarded(func(ctx context.Context, c *gin.Context) error {
		data, err := s.Orders.IncidentImage(ctx, c.Param("order_id"), c.Param("incident_id"))
		return sendImage(c, data, err)
	}))
}

// sendImage responds with a JPEG, which only the caller's browser may keep for a while.
func sendImage(c *gin.Context, data []byte, err error) error {
	if err == nil {
		err = onlyQuery(c.Request.URL, "token")
	}
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "private, max-age=300")
	c.Header("X-Content-Type-Options", "nosniff")
	c.Data(http.StatusOK, imageType, data)
	return nil
}

// formJSON makes the JSON object that a form stands for; a T's images and truth values are no strings.
func formJSON[T any](body []byte, boundary string) ([]byte, error) {
	out := map[string]any{}
	fields := fieldsOf(reflect.TypeFor[T]())
	parts := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := parts.NextPart()
		if err == io.EOF { //nolint:errorlint // a wrapped one means that the form was cut off
			return json.Marshal(out)
		}
		var data []byte
		if err == nil {
			data, err = io.ReadAll(part)
		}
		if err != nil || len(out) == maxParts {
			return nil, domain.Errorf(domain.CodeMalformed, "the form can't be read, or has more than %d parts", maxParts)
		}
		name := part.FormName()
		if _, twice := out[name]; twice {
			return nil, domain.Errorf(domain.CodeMalformed, "the form has %q twice", name)
		}
		switch text := string(data); {
		case fields[name].Type == reflect.TypeFor[[]byte]():
			out[name] = data
		case fields[name].Type == reflect.TypeFor[bool]() && (text == "true" || text == "false"):
			out[name] = text == "true"
		default:
			out[name] = text
		}
	}
}

// formSchema is a body's schema as a form, in which images are not in base64.
func (s *Server) formSchema(body *huma.Schema) *huma.Schema {
	form := *s.schemas().SchemaFromRef(body.Ref)
	form.Properties = map[string]*huma.Schema{}
	for name, p := range s.schemas().SchemaFromRef(body.Ref).Properties {
		if p.ContentEncoding != "" {
			p = &huma.Schema{Type: huma.TypeString, Format: "binary", Description: p.Description}
		}
		form.Properties[name] = p
	}
	return &form
}

// IncidentPath is the path parameters of an incident.
type IncidentPath struct {
	OrderPath
	Incident string `path:"incident_id" format:"uuid" doc:"the incident's id"`
}

type incidentList struct {
	Incidents []domain.Incident `json:"incidents"`
}
