// Command order-tracking is the whole product in one binary: without arguments it
// serves, on parts inside the process as long as nothing else is configured.
package main

import (
	"os"

	"github.com/order-tracking/order-tracking/internal/cli"
)

// Stamped by the build: -ldflags "-X main.version=… -X main.commit=…".
var version, commit string

func main() {
	os.Exit(cli.Main(cli.Build{Version: version, Commit: commit}, os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}
