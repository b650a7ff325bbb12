package httpserver

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/web"
)

// asset is a file that is the same for everyone, kept compressed.
type asset struct {
	contentType, tag string
	zipped           []byte
}

func newAsset(contentType string, content []byte) *asset {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // fails only for unknown levels
	_, _ = w.Write(content)                               // in memory
	_ = w.Close()
	return zippedAsset(contentType, b.Bytes())
}

func zippedAsset(contentType string, zipped []byte) *asset {
	sum := sha256.Sum256(zipped)
	return &asset{contentType, `W/"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`, zipped}
}

// serve sends the file, or 304 when the client's copy is current.
func (a *asset) serve(c *gin.Context) {
	h := c.Writer.Header()
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-cache") // clients must revalidate
	}
	h.Set("ETag", a.tag)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Add("Vary", "Accept-Encoding")
	switch {
	case strings.Contains(c.GetHeader("If-None-Match"), strings.TrimPrefix(a.tag, "W/")): // a hash in quotes
		c.Status(http.StatusNotModified)
	case acceptsGzip(c.GetHeader("Accept-Encoding")):
		h.Set("Content-Encoding", "gzip")
		c.Data(http.StatusOK, a.contentType, a.zipped)
	default:
		r, err := gzip.NewReader(bytes.NewReader(a.zipped))
		var content []byte
		if err == nil {
			content, err = io.ReadAll(r)
		}
		if err != nil {
			fail(c, err)
			return
		}
		c.Data(http.StatusOK, a.contentType, content)
	}
}

func acceptsGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		coding, weight, _ := strings.Cut(part, ";")
		if coding = strings.TrimSpace(coding); coding == "gzip" || coding == "*" {
			_, q, _ := strings.Cut(weight, "=")
			return strings.Trim(q, "0. ") != "" || q == ""
		}
	}
	return false
}

// assets are the files of the pages. Their URLs contain a hash of the whole folder, so
// browsers cache them forever and a new version gets new URLs.
type assets struct {
	source fs.FS
	hash   string
	files  map[string]func() *asset // compressed on first request
}

// webAssets reads the folder once, on first use.
var webAssets = sync.OnceValue(func() *assets { return newAssets(web.Files) })

var assetTypes = map[string]string{
	".js": javaScriptType, ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8", ".png": "image/png", ".webmanifest": "application/manifest+json",
}

func newAssets(source fs.FS) *assets {
	a := &assets{source: source, files: map[string]func() *asset{}}
	sum := sha256.New()
	err := fs.WalkDir(source, ".", func(name string, d fs.DirEntry, err error) error {
		contentType, served := assetTypes[path.Ext(name)]
		if err != nil || d.IsDir() || !served {
			return err
		}
		content, err := fs.ReadFile(source, name)
		_, _ = sum.Write([]byte(name + "\x00"))
		_, _ = sum.Write(content)
		a.files[name] = sync.OnceValue(func() *asset { return newAsset(contentType, content) })
		return err
	})
	if err != nil {
		panic(err) // the files are embedded in the binary
	}
	a.joinStyles()
	a.hash = hex.EncodeToString(sum.Sum(nil)[:8])
	return a
}

// pageStyles are shared by all pages; a page's own follow them, main.css first.
var pageStyles = []string{"tokens.css", "base.css", "parts/parts.css"}

// joinStyles joins all styles of each page (a folder with a main.css) into one file; pages with a map get the map's first.
func (a *assets) joinStyles() {
	for name := range maps.Clone(a.files) {
		if path.Base(name) != "main.css" {
			continue
		}
		a.files[path.Dir(name)+"/all.css"] = sync.OnceValue(func() *asset {
			var all []byte
			own, _ := fs.Glob(a.source, path.Dir(name)+"/*.css") // the pattern is valid
			styles := slices.Concat(pageStyles, []string{name}, slices.DeleteFunc(own, func(s string) bool { return s == name }))
			if slices.Contains(a.allModules(path.Dir(name)+"/main.js"), "vendor/leaflet.js") {
				styles = slices.Insert(styles, 0, "vendor/leaflet.css")
			}
			for _, style := range styles {
				content, err := fs.ReadFile(a.source, style)
				if err != nil {
					panic(err) // the file is embedded in the binary
				}
				all = append(append(all, content...), '\n')
			}
			return newAsset(assetTypes[".css"], all)
		})
	}
}

// url returns the URL of a file.
func (a *assets) url(name string) string { return "/assets/" + a.hash + "/" + name }

// serve sends a file. A URL of another version gets the current file and must be
// revalidated: a page left open during an update may still need it.
func (a *assets) serve(c *gin.Context) {
	name := strings.TrimPrefix(c.Param("file"), "/")
	if c.Param("hash") == a.hash && a.files[name] != nil {
		c.Header("Cache-Control", "public, max-age=31536000, immutable")
	}
	a.serveFile(c, name)
}

// serveFile sends a file, if there is one of that name.
func (a *assets) serveFile(c *gin.Context, name string) {
	if f, ok := a.files[name]; ok {
		f().serve(c)
		return
	}
	fail(c, domain.Errorf(domain.CodeNotFound, "there is nothing at %s", shownPath(c.Request.URL.Path)))
}

// imports matches a module's static imports; laterImports those that the first view does without.
var (
	imports      = regexp.MustCompile(`(?m)^(?:import|export)\b[^;"'()]*?["'](\.{1,2}/[^"']+)["']|\}\s*from\s*["'](\.{1,2}/[^"']+)["']`)
	laterImports = regexp.MustCompile(`(?:=>|await) import\("(\.{1,2}/[^"]+)"\)`)
)

// modules returns the given modules and all their imports, the given ones first, so that a page can request all of them at once.
func (a *assets) modules(names ...string) []string { return a.importedBy(names, imports) }

// allModules adds what they import later.
func (a *assets) allModules(names ...string) []string {
	return a.importedBy(names, imports, laterImports)
}

func (a *assets) importedBy(names []string, patterns ...*regexp.Regexp) []string {
	for i := 0; i < len(names); i++ {
		source, err := fs.ReadFile(a.source, names[i])
		if err != nil {
			panic(err) // a test checks every import
		}
		for _, pattern := range patterns {
			for _, m := range pattern.FindAllSubmatch(source, -1) {
				name := path.Join(path.Dir(names[i]), string(bytes.Join(m[1:], nil)))
				if !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
		}
	}
	return names
}
