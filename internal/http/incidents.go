package httpserver

import (
	"github.com/order-tracking/order-tracking/internal/domain"
)

// IncidentPath is the path parameters of an incident.
type IncidentPath struct {
	OrderPath
	Incident string `path:"incident_id" format:"uuid" doc:"the incident's id"`
}

type incidentList struct {
	Incidents []domain.Incident `json:"incidents"`
}
