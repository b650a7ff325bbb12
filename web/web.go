// Package web holds what browsers get.
package web

import _ "embed"

// Client is the browser's client of the live streams, an ES module without dependencies.
//
//go:embed client.js
var Client []byte
