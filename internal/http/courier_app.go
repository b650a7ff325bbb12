package httpserver

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"
)

const (
	courierApp      = "/courier-app"
	courierManifest = courierApp + "/manifest.json"
)

// courierAppRoutes serve the couriers' app: the page, what makes it installable, and its
// service worker, whose script changes with every version of the pages.
func (s *Server) courierAppRoutes() {
	a := webAssets()
	head := fmt.Sprintf(`<link rel="manifest" href=%q>
<link rel="apple-touch-icon" href=%q>
<meta name="theme-color" media="(prefers-color-scheme: light)" content=%q>
<meta name="theme-color" media="(prefers-color-scheme: dark)" content=%q>
`, courierManifest, a.url("courier/icon-180.png"), paperByDay, paperAtNight)
	s.engine.GET(courierApp, func(c *gin.Context) {
		s.showPage(c, http.StatusOK, page{
			name: "courier", title: s.courierAppName(), texts: true, head: head, policy: "courier-app",
		}, boot{Lang: languageOf(c, "")})
	})
	s.engine.GET(courierManifest, func(c *gin.Context) {
		c.Header("Cache-Control", "no-cache")
		c.JSON(http.StatusOK, s.courierManifest())
	})
	s.engine.GET(courierApp+"/worker.js", func(c *gin.Context) {
		shell, err := json.Marshal(courierShell())
		if err != nil {
			fail(c, err)
			return
		}
		c.Header("Cache-Control", "no-cache")
		c.Header("Service-Worker-Allowed", courierApp)
		script := fmt.Sprintf("import { serve } from %q;\nserve(%s);\n", a.url("courier/worker.js"), shell)
		c.Data(http.StatusOK, javaScriptType, []byte(script))
	})
}

// --paper of tokens.css, for what doesn't read it.
const paperByDay, paperAtNight = "#f8f6f2", "#14110e"

func (s *Server) courierAppName() string { return cmp.Or(s.Config.Pages.Name, "Courier") }

// shell is what the service worker keeps of a version.
type shell struct {
	Hash  string   `json:"hash"`
	Files []string `json:"files"`
	Pages []string `json:"pages"`
}

// courierShell lists all that the app needs without a network, in both languages.
func courierShell() shell {
	a := webAssets()
	out := shell{Hash: a.hash, Files: []string{a.url("courier/all.css")}}
	names := []string{"courier/main.js"}
	for _, lang := range []string{"en", "ru"} {
		out.Pages = append(out.Pages, courierApp+"?lang="+lang)
		names = append(names, "i18n/"+lang+".js", "i18n/courier/"+lang+".js")
	}
	for _, name := range a.allModules(names...) {
		out.Files = append(out.Files, a.url(name))
	}
	return out
}

func (s *Server) courierManifest() map[string]any {
	a, name := webAssets(), s.courierAppName()
	icon := func(file, sizes, kind, purpose string) map[string]string {
		return map[string]string{"src": a.url("courier/" + file), "sizes": sizes, "type": assetTypes[kind], "purpose": purpose}
	}
	return map[string]any{
		"id": courierApp, "name": name, "short_name": name, "start_url": courierApp, "scope": courierApp, "display": "standalone",
		"background_color": paperByDay, "theme_color": paperByDay,
		"icons": []map[string]string{
			icon("icon.svg", "any", ".svg", "any"), icon("icon-192.png", "192x192", ".png", "any"),
			icon("icon-512.png", "512x512", ".png", "maskable"),
		},
	}
}
