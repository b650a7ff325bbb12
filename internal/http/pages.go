package httpserver

import (
	"encoding/json"
	"html"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/text/language"

	"github.com/order-tracking/order-tracking/web"
)

const (
	htmlType       = "text/html; charset=utf-8"
	javaScriptType = "text/javascript; charset=utf-8"
)

// Pages is who the pages speak for and what their maps are drawn on.
type Pages struct {
	// Name is the operator's and Accent its colour, #rrggbb; both may be empty.
	Name, Accent string
	// Logo is a picture of the type LogoType, nil for none.
	Logo     []byte
	LogoType string
	// Map is a PMTiles archive, nil for none; Tiles a template with {z}, {x} and {y} in its place.
	Map                MapFile
	Tiles, Attribution string
}

// MapFile is an open archive.
type MapFile interface {
	io.ReaderAt
	Size() int64
	Version() string
}

// brand and ground are what pages are told of Pages.
type brand struct {
	Name   string `json:"name,omitempty"`
	Logo   string `json:"logo,omitempty"`
	Accent string `json:"accent,omitempty"`
}

type ground struct {
	PMTiles     string `json:"pmtiles,omitempty"`
	Tiles       string `json:"tiles,omitempty"`
	Attribution string `json:"attribution,omitempty"`
}

// boot is what a page knows from the start.
type boot struct {
	Lang    string    `json:"lang"`
	Brand   brand     `json:"brand"`
	Map     ground    `json:"map"`
	Now     time.Time `json:"now"` // the phone's clock may be wrong
	Token   string    `json:"token,omitempty"`
	OrderID string    `json:"order_id,omitempty"`
	Can     []string  `json:"can,omitempty"` // calls that customers may make
	// Order and Track save a page its first calls.
	Order any `json:"order,omitempty"`
	Track any `json:"track,omitempty"`
}

// page is what one page has of its own: its folder in web/, its title and what a
// preview in a messenger says.
type page struct {
	name, title, about string
	later              []string // modules that main.js imports when it has shown something
}

// languages of the pages; the first is for those who speak none.
var languages = language.NewMatcher([]language.Tag{language.English, language.Russian})

// pageShell is the document that every page begins with, and the icons inside it.
var pageShell, pageIcons = webText("page.html"), webText("icons.svg")

func webText(name string) string {
	text, err := web.Files.ReadFile(name)
	if err != nil {
		panic(err) // it is part of the binary
	}
	return string(text)
}

// withoutScript is what a page says to who runs no scripts.
var withoutScript = map[string]string{
	"en": "Please turn on JavaScript to see this page.", "ru": "Чтобы увидеть эту страницу, включите JavaScript.",
}

// pageRoutes serve what browsers get. Pages of other sites may load the client: it holds
// no secrets, and their calls are still asked where they come from.
func (s *Server) pageRoutes() {
	a := webAssets()
	s.engine.GET("/client.js", func(c *gin.Context) {
		c.Header("Access-Control-Allow-Origin", "*")
		a.files["client.js"]().serve(c)
	})
	s.engine.GET("/assets/:hash/*file", a.serve)
	s.engine.GET("/licences", func(c *gin.Context) { a.files["vendor/licences.txt"]().serve(c) })
	s.landingRoute()
	s.brandRoutes()
	s.engine.GET("/t/:token", s.customerPage)
	s.engine.GET("/parts", func(c *gin.Context) {
		s.showPage(c, http.StatusOK, page{name: "parts/gallery", title: "Parts"}, boot{Lang: languageOf(c, "")})
	})
}

// languageOf is the language of a page: what its address says, else what the customer
// speaks, else what the browser asks for.
func languageOf(c *gin.Context, locale string) string {
	tag, _ := language.MatchStrings(languages, c.Query("lang"), locale, c.GetHeader("Accept-Language"))
	base, _ := tag.Base()
	return base.String()
}

// showPage answers with a page. All that it needs at first is asked for at once.
func (s *Server) showPage(c *gin.Context, status int, p page, b boot) {
	a := webAssets()
	b.Brand, b.Map, b.Now = s.brand(), s.ground(), s.Clock.Now().UTC()
	encoded, err := json.Marshal(b)
	if err != nil {
		fail(c, err)
		return
	}
	var links strings.Builder
	links.WriteString(`<link rel="stylesheet" href="` + a.url(p.name+"/all.css") + "\">\n")
	for _, module := range s.modulesOf(p, b) {
		links.WriteString(`<link rel="modulepreload" href="` + a.url(module) + "\">\n")
	}
	s.pageHeaders(c)
	body := []byte(strings.NewReplacer("{{lang}}", b.Lang, "{{title}}", html.EscapeString(p.title),
		"{{about}}", html.EscapeString(p.about), "{{links}}", links.String(), "{{main}}", a.url(p.name+"/main.js"),
		"{{boot}}", html.EscapeString(string(encoded)), "{{icons}}", pageIcons, "{{noscript}}", withoutScript[b.Lang]).Replace(pageShell))
	if acceptsGzip(c.GetHeader("Accept-Encoding")) {
		c.Header("Content-Encoding", "gzip")
		body = newAsset(htmlType, body).zipped
	}
	c.Data(status, htmlType, body)
}

// modulesOf are the modules of a page's first view, the map's last: words come first.
func (s *Server) modulesOf(p page, b boot) []string {
	a := webAssets()
	all := a.modules(p.name+"/main.js", "i18n/"+b.Lang+".js")
	if b.Brand.Accent != "" {
		all = a.modules(append(all, "parts/color.js")...)
	}
	all = a.modules(append(all, p.later...)...)
	if b.Map.PMTiles != "" && slices.Contains(all, "parts/map/map.js") {
		all = a.modules(append(all, "parts/map/ground.js")...)
	}
	return all
}

// pageHeaders keep a page to what this server sends, and its address to itself.
func (s *Server) pageHeaders(c *gin.Context) {
	images := "'self' data:"
	if origin := tileOrigin(s.ground().Tiles); origin != "" {
		images += " " + origin
	}
	h := c.Writer.Header()
	h.Set("Content-Security-Policy", "default-src 'self'; img-src "+images+"; object-src 'none'; base-uri 'none'; "+
		"form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Robots-Tag", "noindex")
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "Accept-Encoding, Accept-Language")
	h.Set("Permissions-Policy", "camera=(self), geolocation=(self), microphone=()")
}

// tileOrigin is where the tiles of a template come from, as a CSP names it.
func tileOrigin(template string) string {
	scheme, rest, found := strings.Cut(template, "://")
	if !found {
		return ""
	}
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + strings.Replace(host, "{s}", "*", 1)
}
