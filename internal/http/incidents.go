package httpserver

import (
	"context"

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
	handle(s, "openIncident", posting[imagesIn[domain.IncidentReport]](s.Orders.CheckIncident, repeated, s.Orders.OpenIncident))
	handle(s, "listIncidents", reading[OrderPath](func(incidents []domain.Incident, err error) (*bodyOnly[incidentList], error) {
		return bodyOf(incidentList{incidents}, err)
	}, s.Orders.Incidents))
	handle(s, "closeIncident", func(ctx context.Context, in *struct {
		IncidentPath
		Idempotent
		Sent[orders.IncidentResolution]
	},
	) (*repeatable[domain.Incident], error) {
		body, err := in.read(in.check(), s.Orders.CheckResolution)
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
