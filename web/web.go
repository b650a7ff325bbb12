// Package web holds what browsers get: the pages, the parts that they are built of and
// what both are made with. Nothing has to be built: the files run as they are.
package web

import "embed"

// Files are the pages. Folders are named, so that a new one is served on purpose.
//
//go:embed *.js *.css *.html *.svg i18n client parts vendor customer board courier
var Files embed.FS
