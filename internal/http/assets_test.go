package httpserver

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

func TestAssetsHaveTheirHashInTheAddress(t *testing.T) {
	one := newAssets(fstest.MapFS{"a.js": {Data: []byte("1")}, "x/b.css": {Data: []byte("2")}})
	same := newAssets(fstest.MapFS{"x/b.css": {Data: []byte("2")}, "a.js": {Data: []byte("1")}})
	other := newAssets(fstest.MapFS{"a.js": {Data: []byte("1")}, "x/b.css": {Data: []byte("3")}})
	moved := newAssets(fstest.MapFS{"a.js": {Data: []byte("1")}, "b.css": {Data: []byte("2")}})
	require.Equal(t, one.hash, same.hash)
	require.NotEqual(t, one.hash, other.hash)
	require.NotEqual(t, one.hash, moved.hash)
	require.Equal(t, "/assets/"+one.hash+"/x/b.css", one.url("x/b.css"))
}

func TestModulesAreListedWithAllThatTheyImport(t *testing.T) {
	a := newAssets(fstest.MapFS{
		"page/main.js":     {Data: []byte("import { a,\n b } from \"../parts/a.js\";\nimport \"./own.js\";\nconst later = () => import(\"../parts/later.js\");")},
		"page/own.js":      {Data: []byte("export { x } from '../parts/x.js';")},
		"parts/a.js":       {Data: []byte("import*as l from\"../vendor/l.js\";import { x } from \"./x.js\"; // from \"./no.js\"")},
		"parts/x.js":       {Data: []byte("export const x = 'import y from \"./y.js\"';")},
		"parts/later.js":   {Data: []byte("")},
		"vendor/l.js":      {Data: []byte("")},
		"vendor/unused.js": {Data: []byte("")},
	})
	first := []string{"page/main.js", "page/own.js", "parts/a.js", "parts/x.js", "vendor/l.js"}
	require.ElementsMatch(t, first, a.modules("page/main.js"))
	require.ElementsMatch(t, append(first, "parts/later.js"), a.allModules("page/main.js"))
}

// Every imported module exists: one typo and the page stays empty.
func TestEveryImportOfThePagesExists(t *testing.T) {
	a := webAssets()
	asked := regexp.MustCompile(`(?:from\s*|import\s*\(?\s*)["'](\.{1,2}/[^"'$]+)["']`)
	n := 0
	for name := range a.files {
		if path.Ext(name) != ".js" {
			continue
		}
		source, err := fs.ReadFile(a.source, name)
		require.NoError(t, err)
		for _, m := range asked.FindAllSubmatch(source, -1) {
			target := path.Join(path.Dir(name), string(m[1]))
			require.Contains(t, a.files, target, "%s imports it", name)
			n++
		}
	}
	require.Greater(t, n, 30, "too few imports were read for this test to mean anything")
}

func TestPagesAreServedWithAllTheyNeed(t *testing.T) {
	s := open(t)
	page := s.do(http.MethodGet, "/parts?lang=ru", nil, "Accept-Language", "en")
	require.Equal(t, http.StatusOK, page.StatusCode)
	require.Contains(t, string(page.body), `<html lang="ru">`)
	csp := page.Header.Get("Content-Security-Policy")
	require.Contains(t, csp, "default-src 'self'")
	require.NotContains(t, csp, "unsafe")
	require.Contains(t, csp, "require-trusted-types-for 'script'")
	require.Equal(t, "no-referrer", page.Header.Get("Referrer-Policy"))
	require.NotRegexp(t, `<script[^>]*>[^<]|<style|\sstyle=|\son[a-z]+=`, string(page.body), "nothing inline")

	links := regexp.MustCompile(`(?:href|src)="(/assets/[^"]+)"`).FindAllStringSubmatch(string(page.body), -1)
	require.Greater(t, len(links), 20)
	for _, link := range links {
		plain := s.do(http.MethodGet, link[1], nil, "Accept-Encoding", "identity")
		require.Equal(t, http.StatusOK, plain.StatusCode, link[1])
		require.Equal(t, "public, max-age=31536000, immutable", plain.Header.Get("Cache-Control"))
		require.Equal(t, "nosniff", plain.Header.Get("X-Content-Type-Options"))
		packed := s.do(http.MethodGet, link[1], nil, "Accept-Encoding", "br, gzip;q=0.8")
		if packed.Header.Get("Content-Encoding") == "gzip" {
			r, err := gzip.NewReader(bytes.NewReader(packed.body))
			require.NoError(t, err)
			unpacked, err := io.ReadAll(r)
			require.NoError(t, err)
			require.Equal(t, plain.body, unpacked)
		}
	}
	require.Empty(t, s.do(http.MethodGet, links[0][1], nil, "Accept-Encoding", "gzip;q=0").Header.Get("Content-Encoding"))
}

func TestOldAddressesOfAssetsAreAnsweredAndNotKept(t *testing.T) {
	s := open(t)
	old := s.do(http.MethodGet, "/assets/0000000000000000/tokens.css", nil)
	require.Equal(t, http.StatusOK, old.StatusCode)
	require.Equal(t, "no-cache", old.Header.Get("Cache-Control"))
	for _, missing := range []string{"nothing.js", "../web.go", "vendor/preact.d.ts", "page.html", ""} {
		require.Equal(t, http.StatusNotFound, s.do(http.MethodGet, "/assets/"+webAssets().hash+"/"+missing, nil).StatusCode, missing)
	}
	licences := s.do(http.MethodGet, "/licences", nil)
	require.Equal(t, "text/plain; charset=utf-8", licences.Header.Get("Content-Type"))
	require.Contains(t, string(licences.body), "leaflet 1.9.4 (BSD-2-Clause)")
}
