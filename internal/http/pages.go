package httpserver

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/text/language"

	"github.com/order-tracking/order-tracking/internal/access"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/tracking"
	"github.com/order-tracking/order-tracking/web"
)

const (
	htmlType       = "text/html; charset=utf-8"
	javaScriptType = "text/javascript; charset=utf-8"
)

// Pages configures the pages: the operator's brand and the background of maps.
type Pages struct {
	// Name is the operator's name and Accent its colour, #rrggbb; both may be empty.
	Name, Accent string
	// Logo is an image of type LogoType, nil for none.
	Logo     []byte
	LogoType string
	// Map is a PMTiles archive, nil for none; Tiles is a template with {z}, {x} and {y}, used if Map is nil.
	Map                MapFile
	Tiles, Attribution string
	// CallURL is the template of the link by which customers and couriers call each other, empty for none.
	CallURL string
}

// MapFile is an open map archive.
type MapFile interface {
	io.ReaderAt
	Size() int64
	Version() string
}

// brand and ground are the parts of Pages that pages receive.
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

// boot is the data embedded in a page.
type boot struct {
	Lang    string    `json:"lang"`
	Brand   brand     `json:"brand"`
	Map     ground    `json:"map"`
	Now     time.Time `json:"now"` // the phone's clock may be wrong
	Token   string    `json:"token,omitempty"`
	OrderID string    `json:"order_id,omitempty"`
	// Timezone is the merchant's, for orders without one.
	Timezone string   `json:"timezone,omitempty"`
	Can      []string `json:"can,omitempty"` // operations that customers may call
	// Login: there is an identity provider to sign in at.
	Login bool `json:"login,omitempty"`
	// Call is Pages.CallURL.
	Call string `json:"call,omitempty"`
	// OptOut is ask or done on the page that ends messages.
	OptOut string `json:"opt_out,omitempty"`
	// Order and Track spare a page its first calls.
	Order any `json:"order,omitempty"`
	Track any `json:"track,omitempty"`
}

// page is the part specific to one page: its folder in web/, its title and the description for previews in messengers.
type page struct {
	name, title, about string
	later              []string // modules that main.js imports after the first view
	texts              bool     // it has texts of its own, in i18n/<name>
	head               string   // more of its head
	policy             string   // the Trusted Types policy that its scripts may make; default: none
}

// languages of the pages; the first is the default.
var languages = language.NewMatcher([]language.Tag{language.English, language.Russian})

// pageShell is the document of every page, and pageIcons the icons in it.
var pageShell, pageIcons = webText("page.html"), webText("icons.svg")

func webText(name string) string {
	text, err := web.Files.ReadFile(name)
	if err != nil {
		panic(err) // the file is embedded in the binary
	}
	return string(text)
}

// withoutScript is shown when scripts are disabled.
var withoutScript = map[string]string{
	"en": "Please turn on JavaScript to see this page.", "ru": "Чтобы увидеть эту страницу, включите JavaScript.",
}

// pageRoutes serve the browser's files. Pages of other sites may load the client: it holds
// no secrets, and the origin of its calls is still checked.
func (s *Server) pageRoutes() {
	a := webAssets()
	s.engine.GET("/client.js", func(c *gin.Context) {
		c.Header("Access-Control-Allow-Origin", "*")
		a.files["client.js"]().serve(c)
	})
	s.engine.GET("/client/:part", func(c *gin.Context) { // what it imports
		c.Header("Access-Control-Allow-Origin", "*")
		a.serveFile(c, "client/"+c.Param("part"))
	})
	s.engine.GET("/assets/:hash/*file", a.serve)
	s.engine.GET("/licences", func(c *gin.Context) { a.files["vendor/licences.txt"]().serve(c) })
	s.landingRoute()
	s.engine.GET("/", func(c *gin.Context) {
		title := cmp.Or(s.Config.Pages.Name, "Order tracking")
		s.showPage(c, http.StatusOK, page{name: "board", title: title, texts: true, later: []string{"parts/map/map.js"}}, boot{Lang: languageOf(c, ""), Login: s.Sessions.HasProvider()})
	})
	s.brandRoutes()
	s.engine.GET("/t/:token", s.customerPage)
	s.engine.GET("/t/worker.js", func(c *gin.Context) { a.files["customer/worker.js"]().serve(c) })
	s.courierAppRoutes()
	s.engine.GET("/parts", func(c *gin.Context) {
		s.showPage(c, http.StatusOK, page{name: "parts/gallery", title: "Parts"}, boot{Lang: languageOf(c, "")})
	})
}

// languageOf returns a page's language: from its URL, else the customer's, else from Accept-Language.
func languageOf(c *gin.Context, locale string) string {
	tag, _ := language.MatchStrings(languages, c.Query("lang"), locale, c.GetHeader("Accept-Language"))
	base, _ := tag.Base()
	return base.String()
}

// showPage responds with a page, which preloads everything for its first view.
func (s *Server) showPage(c *gin.Context, status int, p page, b boot) {
	a := webAssets()
	b.Map, b.Now, b.Call = s.ground(), s.Clock.Now().UTC(), s.Config.Pages.CallURL
	if b.Brand == (brand{}) {
		b.Brand = s.brand(c.Request.Context(), "")
	}
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
	s.pageHeaders(c, p.policy)
	body := []byte(strings.NewReplacer("{{lang}}", b.Lang, "{{title}}", html.EscapeString(p.title),
		"{{about}}", html.EscapeString(p.about), "{{links}}", p.head+links.String(), "{{main}}", a.url(p.name+"/main.js"),
		"{{boot}}", html.EscapeString(string(encoded)), "{{icons}}", pageIcons, "{{noscript}}", withoutScript[b.Lang]).Replace(pageShell))
	if acceptsGzip(c.GetHeader("Accept-Encoding")) {
		c.Header("Content-Encoding", "gzip")
		body = newAsset(htmlType, body).zipped
	}
	c.Data(status, htmlType, body)
}

// modulesOf returns the modules of a page's first view; the map's come last, text first.
func (s *Server) modulesOf(p page, b boot) []string {
	a := webAssets()
	all := a.modules(p.name+"/main.js", "i18n/"+b.Lang+".js")
	if p.texts {
		all = append(all, "i18n/"+p.name+"/"+b.Lang+".js")
	}
	if b.Brand.Accent != "" {
		all = a.modules(append(all, "parts/color.js")...)
	}
	all = a.modules(append(all, p.later...)...)
	if b.Map.PMTiles != "" && slices.Contains(all, "parts/map/map.js") {
		all = a.modules(append(all, "parts/map/ground.js")...)
	}
	return all
}

// pageHeaders restrict a page to this server's content and keep its URL out of Referer.
func (s *Server) pageHeaders(c *gin.Context, policy string) {
	images := "'self' data:"
	if origin := tileOrigin(s.ground().Tiles); origin != "" {
		images += " " + origin
	}
	h := c.Writer.Header()
	h.Set("Content-Security-Policy", "default-src 'self'; img-src "+images+"; object-src 'none'; base-uri 'none'; "+
		"form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types "+cmp.Or(policy, "'none'"))
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Robots-Tag", "noindex")
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "Accept-Encoding, Accept-Language")
	h.Set("Permissions-Policy", "camera=(self), geolocation=(self), microphone=()")
}

// tileOrigin returns the origin of a tile template for the CSP.
func tileOrigin(template string) string {
	scheme, rest, found := strings.Cut(template, "://")
	if !found {
		return ""
	}
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + strings.Replace(host, "{s}", "*", 1)
}

const (
	mapPath  = "/map.pmtiles"
	logoPath = "/brand/logo"
	// kept is for URLs that contain a version of their content.
	kept = "public, max-age=31536000, immutable"
)

// brand returns the brand of a merchant, or with "" that of the installation: what was set
// up at run time, else the configuration.
func (s *Server) brand(ctx context.Context, merchantID string) brand {
	b := s.ownBrand()
	stored, err := s.Documents.BrandOf(ctx, merchantID)
	if err != nil { // the page works without
		return b
	}
	for _, text := range []struct {
		from *string
		to   *string
	}{{stored.Name, &b.Name}, {stored.Accent, &b.Accent}, {stored.Logo, &b.Logo}} {
		if text.from != nil {
			*text.to = *text.from
		}
	}
	return b
}

// ownBrand is the brand of the configuration.
func (s *Server) ownBrand() brand {
	b := brand{Name: s.Config.Pages.Name, Accent: s.Config.Pages.Accent}
	if logo := s.Config.Pages.Logo; logo != nil {
		sum := sha256.Sum256(logo)
		b.Logo = logoPath + "?v=" + hex.EncodeToString(sum[:6])
	}
	return b
}

// ground is the background of maps: the operator's file, else tiles, else nothing.
func (s *Server) ground() ground {
	p := s.Config.Pages
	if p.Map != nil {
		return ground{PMTiles: mapPath + "?v=" + p.Map.Version(), Attribution: p.Attribution}
	}
	return ground{Tiles: p.Tiles, Attribution: p.Attribution}
}

// brandRoutes serve the operator's own files: the logo and, in ranges, the map.
func (s *Server) brandRoutes() {
	p := s.Config.Pages
	serve := func(path, contentType, version string, content func() io.ReadSeeker) {
		s.engine.GET(path, func(c *gin.Context) {
			h := c.Writer.Header()
			h.Set("Cache-Control", kept)
			h.Set("Content-Type", contentType)
			h.Set("X-Content-Type-Options", "nosniff")
			h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox") // for an image opened directly
			h.Set("ETag", `"`+version+`"`)
			http.ServeContent(c.Writer, c.Request, "", time.Time{}, content())
		})
	}
	if p.Logo != nil {
		serve(logoPath, p.LogoType, s.ownBrand().Logo, func() io.ReadSeeker { return bytes.NewReader(p.Logo) })
	}
	if p.Map != nil {
		serve(mapPath, "application/vnd.pmtiles", p.Map.Version(), func() io.ReadSeeker { return io.NewSectionReader(p.Map, 0, p.Map.Size()) })
	}
}

// previews are shown by messengers for a customer's link; they reveal nothing of the order.
var previews = map[string]page{
	"en": {name: "customer", title: "Your order", about: "Where it is and when it arrives."},
	"ru": {name: "customer", title: "Ваш заказ", about: "Где он сейчас и когда приедет."},
}

// customerPage shows one order to the holder of its link. A revoked, expired or forged link gets a 404 page that reveals nothing.
func (s *Server) customerPage(c *gin.Context) {
	token := c.Param("token")
	ctx, order, track, err := s.linked(c.Request.Context(), token)
	b := boot{}
	var channels []string
	status := http.StatusNotFound
	switch {
	case err == nil:
		status = http.StatusOK
		merchant := s.Documents.Profile(order.MerchantID)
		channels = s.Notify.Offered(order.MerchantID)
		track.Trail = track.Trail[:0] // the page draws the polyline
		b.Lang = languageOf(c, cmp.Or(order.Customer.Locale, merchant.Locale))
		b.Brand, b.Timezone = s.brand(ctx, order.MerchantID), merchant.Timezone
		b.Token, b.OrderID, b.Order, b.Track, b.Can = token, order.ID, order, track, append(s.offers(), channels...)
	case domain.CodeOf(err) == domain.CodeUnavailable || ctx.Err() != nil:
		fail(c, err)
		return
	default:
		b.Lang = languageOf(c, "")
	}
	p := previews[b.Lang]
	if err == nil {
		p.later = []string{"client/order.js", "parts/map/map.js"}
		if order.Status == domain.StatusDelivered {
			p.later = append([]string{"customer/after.js"}, p.later...)
		}
	}
	if len(channels) > 0 {
		p.later = append([]string{"customer/messages.js"}, p.later...)
		p.policy, p.head = "messages", fmt.Sprintf("<link rel=\"manifest\" href=%q>\n", webAssets().url("customer/page.webmanifest"))
	}
	if b.Brand == (brand{}) {
		b.Brand = s.brand(ctx, "")
	}
	if b.Brand.Name != "" {
		p.title += " · " + b.Brand.Name
	}
	s.showPage(c, status, p, b)
}

// linked returns a link's order and its history, as customers see them.
func (s *Server) linked(ctx context.Context, token string) (context.Context, *domain.Order, *tracking.Track, error) {
	caller, err := s.Guard.Authorize(ctx, access.Request{Credential: token})
	if err != nil {
		return ctx, nil, nil, err
	}
	if caller.Kind != domain.RoleCustomer { // an API key is not a link
		return ctx, nil, nil, domain.Errorf(domain.CodeNotFound, "there is no such link")
	}
	ctx = domain.WithCaller(ctx, caller)
	order, err := s.Orders.Get(ctx, caller.OrderID)
	if err != nil {
		return ctx, nil, nil, err
	}
	track, err := s.Tracking.Track(ctx, caller.OrderID)
	return ctx, order, track, err
}

// offers lists what customers can do besides viewing, as far as this server supports it.
func (s *Server) offers() (can []string) {
	for _, what := range []string{"instructions", "rating", "proof"} {
		if s.api.OpenAPI().Paths["/order/{order_id}/"+what] != nil {
			can = append(can, what)
		}
	}
	return can
}
