package httpserver

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/orders"
)

// IncidentPath is the path parameters of an incident.
type IncidentPath struct {
	OrderPath
	Incident string `path:"incident_id" format:"uuid" doc:"the incident's id"`
}

type incidentList struct {
	Incidents []domain.Incident `json:"incidents"`
}

// incidentRoutes registers problems with orders.
func (s *Server) incidentRoutes() {
	handle(s, operation{
		method: http.MethodPost, path: incidentsPath, id: "openIncident", tag: tagOrders, status: http.StatusCreated,
		body: domain.IncidentReport{}, form: true, codes: []domain.Code{domain.CodeOrderFinished},
	}, func(ctx context.Context, in *proofIn) (*repeatable[domain.Incident], error) {
		body, err := formRequest(in.JSONBody, in.check(), s.Orders.CheckIncident)
		if err != nil {
			return nil, err
		}
		return repeated(once(ctx, in.Idempotent, func(ctx context.Context) (domain.Incident, error) { return s.Orders.OpenIncident(ctx, in.ID, body) }))
	})
	handle(s, operation{
		method: http.MethodGet, path: incidentsPath, id: "listIncidents", tag: tagOrders,
	}, func(ctx context.Context, in *OrderPath) (*bodyOnly[incidentList], error) {
		incidents, err := s.Orders.Incidents(ctx, in.ID)
		return bodyOf(incidentList{incidents}, err)
	})
	handle(s, operation{
		method: http.MethodPost, path: incidentsPath + "/{incident_id}/close", id: "closeIncident", tag: tagOrders,
		body: orders.IncidentResolution{}, codes: []domain.Code{domain.CodeNotFound},
	}, func(ctx context.Context, in *struct {
		IncidentPath
		Idempotent
		JSONBody
	},
	) (*repeatable[domain.Incident], error) {
		body, err := request(in.JSONBody, in.check(), s.Orders.CheckResolution)
		if err != nil {
			return nil, err
		}
		return repeated(once(ctx, in.Idempotent, func(ctx context.Context) (domain.Incident, error) {
			return s.Orders.CloseIncident(ctx, in.ID, in.Incident, body)
		}))
	})
	plain[IncidentPath, struct{}](s, operation{
		method: http.MethodGet, path: incidentsPath + "/{incident_id}/photo", id: "getIncidentPhoto", tag: tagOrders,
		replies: imageType, codes: []domain.Code{domain.CodeNotFound},
	}, s.guarded(func(ctx context.Context, c *gin.Context) error {
		data, err := s.Orders.IncidentImage(ctx, c.Param("order_id"), c.Param("incident_id"))
		return sendImage(c, data, err)
	}))
}
