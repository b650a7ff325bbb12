package httpserver

import (
	"context"
	"net/http"
	"net/http/pprof"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// readyWithin bounds the checks of /readyz.
const readyWithin = 2 * time.Second

// health is the response of /healthz and /readyz.
type health struct {
	Status string `json:"status" enum:"ok"`
}

// opsRoutes registers the endpoints for operators.
func (s *Server) opsRoutes() {
	ok := func(c *gin.Context) { c.Data(http.StatusOK, jsonType, []byte(`{"status":"ok"}`)) }
	plain[struct{}, bodyOnly[health]](s, "health", ok)
	plain[struct{}, bodyOnly[health]](s, "readiness", func(c *gin.Context) {
		ctx, cancel := context.WithTimeout(c.Request.Context(), readyWithin)
		defer cancel()
		if err := s.ready(ctx); err != nil {
			fail(c, err)
			return
		}
		ok(c)
	})
	exposition := promhttp.HandlerFor(s.Gatherer, promhttp.HandlerOpts{})
	plain[struct{}, struct{}](s, "metrics", s.guarded(func(_ context.Context, c *gin.Context) error {
		exposition.ServeHTTP(c.Writer, c.Request)
		return nil
	}))
	plain[struct{}, struct{}](s, "profile", s.guarded(func(_ context.Context, c *gin.Context) error {
		if err := knownQuery(c.Request.URL, s.api.OpenAPI().Paths["/debug/pprof/{profile}"].Get); err != nil {
			return err
		}
		if n, _ := strconv.Atoi(c.DefaultQuery("seconds", "1")); n < 1 || n > 600 {
			return domain.Invalid("/seconds", "out_of_range", "must be between 1 and 600")
		}
		switch name := c.Param("profile"); name {
		case "profile":
			pprof.Profile(c.Writer, c.Request)
		case "trace":
			pprof.Trace(c.Writer, c.Request)
		case "allocs", "block", "goroutine", "heap", "mutex", "threadcreate":
			pprof.Handler(name).ServeHTTP(c.Writer, c.Request)
		default:
			return domain.Errorf(domain.CodeNotFound, "there is no profile %q", name)
		}
		return nil
	}))
	s.docsRoutes()
}

// ready checks whether the server can work, without waiting for a check that hangs.
func (s *Server) ready(ctx context.Context) error {
	answer := make(chan error, 1)
	go func() { answer <- s.Ready(ctx) }()
	select {
	case err := <-answer:
		if err != nil {
			return domain.Unavailable("the service", err)
		}
		return nil
	case <-ctx.Done():
		return domain.Unavailable("the service", ctx.Err())
	}
}
