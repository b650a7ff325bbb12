package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/order-tracking/order-tracking/pkg/client"
)

// Exit codes. Any other failure is exitFailed.
const (
	exitFailed      = 1
	exitUsage       = 2 // the command line or the configuration is wrong
	exitRefused     = 3 // the server answered and refused
	exitUnavailable = 4 // the server can't be reached or can't work: try again later
)

// exitError is an error with its exit code.
type exitError struct {
	error
	code int
}

func (e exitError) Unwrap() error { return e.error }

// usagef returns a usage error.
func usagef(format string, args ...any) error {
	return exitError{fmt.Errorf(format, args...), exitUsage}
}

// exitCode returns the exit code of an error.
func exitCode(err error) int {
	var p *client.Problem
	var known exitError
	var call *url.Error
	var network *net.OpError
	switch {
	case errors.As(err, &known):
		return known.code
	case strings.HasPrefix(err.Error(), "unknown command "): // cobra's untyped error
		return exitUsage
	case errors.As(err, &p):
		switch p.Status {
		case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return exitUnavailable
		case http.StatusInternalServerError:
			return exitFailed
		}
		return exitRefused
	case errors.As(err, &call), errors.As(err, &network), errors.Is(err, context.DeadlineExceeded):
		return exitUnavailable
	}
	return exitFailed
}

// fail prints an error, as one line for people or as one object, and returns the exit code.
func (e *env) fail(err error, asJSON bool) int {
	code := exitCode(err)
	if !asJSON {
		_, _ = fmt.Fprintf(e.stderr, "order-tracking: %s\n", explain(err))
		return code
	}
	kinds := map[int]string{exitFailed: "failed", exitUsage: "usage", exitRefused: "refused", exitUnavailable: "unavailable"}
	failure := struct {
		Kind    string          `json:"kind"`
		Message string          `json:"message"`
		Problem *client.Problem `json:"problem,omitempty"`
	}{Kind: kinds[code], Message: explain(err)}
	errors.As(err, &failure.Problem)
	enc := json.NewEncoder(e.stderr)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(map[string]any{"error": failure}) // nowhere to report it
	return code
}

// wantsJSON reports whether a command line, perhaps an invalid one, asks for JSON.
func wantsJSON(args []string) bool {
	if i := slices.Index(args, "--"); i >= 0 {
		args = args[:i]
	}
	return slices.Contains(args, "--json") || slices.Contains(args, "--json=true")
}

// checkUsage makes commands name missing or extra arguments as in their usage, where
// words in brackets are optional.
func checkUsage(cmd *cobra.Command) {
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w; %s --help lists the flags", err, cmd.CommandPath())
	})
	for _, c := range cmd.Commands() {
		if !c.DisableFlagParsing && !c.HasSubCommands() {
			c.Args = positional
			if c.ValidArgsFunction == nil && !strings.Contains(c.Use, "FILE") {
				c.ValidArgsFunction = cobra.NoFileCompletions
			}
		}
		checkUsage(c)
	}
}

func positional(cmd *cobra.Command, args []string) error {
	names := strings.Fields(cmd.Use)[1:]
	for i, name := range names {
		if i >= len(args) && !strings.HasPrefix(name, "[") {
			return usagef("%s is missing; usage: %s", strings.Join(names[i:], " "), cmd.UseLine())
		}
	}
	if len(args) > len(names) {
		return usagef("unexpected argument %q; usage: %s", args[len(names)], cmd.UseLine())
	}
	return nil
}
