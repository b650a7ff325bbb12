// Package cli is the command line: one binary that is the server and a client of
// running servers.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Build describes the build; values not set by the linker come from the build info of
// the Go toolchain.
type Build struct{ Version, Commit string }

func (b Build) withDefaults() Build {
	info, ok := debug.ReadBuildInfo()
	if b.Version == "" {
		b.Version = "dev"
		if ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
			b.Version = info.Main.Version
		}
	}
	if b.Commit == "" && ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				b.Commit = s.Value
			}
		}
	}
	return b
}

// env holds a command's inputs and outputs besides its arguments.
type env struct {
	build          Build
	environ        []string
	stdin          io.Reader
	stdout, stderr io.Writer
	// remoteServer and remoteKey are the server to call, from the environment.
	remoteServer, remoteKey string
}

// newEnv reads the environment variables that are not the server's configuration.
func newEnv(build Build, environ []string, stdin io.Reader, stdout, stderr io.Writer) *env {
	e := &env{build: build.withDefaults(), stdin: stdin, stdout: stdout, stderr: stderr}
	for _, entry := range environ {
		switch name, value, _ := strings.Cut(entry, "="); name {
		case envServer:
			e.remoteServer = value
		case envKey:
			e.remoteKey = value
		default:
			e.environ = append(e.environ, entry)
		}
	}
	return e
}

// Main runs the command given by args (without the program's name) until it is done
// or interrupted, and returns the exit code: 0, or that of the error, which it has
// printed.
func Main(build Build, args, environ []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once if stopping takes too long.
	context.AfterFunc(ctx, stop)

	return newEnv(build, environ, os.Stdin, stdout, stderr).run(ctx, args)
}

func (e *env) run(ctx context.Context, args []string) int {
	root := newRoot(e)
	root.SetArgs(args)
	root.SetOut(e.stdout)
	root.SetErr(e.stderr)
	err := root.ExecuteContext(ctx)
	if err == nil || errors.Is(err, pflag.ErrHelp) {
		return 0
	}
	return e.fail(err, wantsJSON(args))
}

func newRoot(e *env) *cobra.Command {
	root := serveCommand(e)
	root.Use = "order-tracking"
	root.Short = "Self-hosted, real-time order and courier tracking"
	root.SilenceErrors, root.SilenceUsage = true, true
	serve := serveCommand(e)
	serve.Use = "serve"
	serve.Short = "Start the server (the default without a command)"
	root.AddCommand(serve, orderCommand(e), courierCommand(e), customerCommand(e), watchCommand(e), importCommand(e), exportCommand(e),
		demoCommand(e), simulateCommand(e), replayCommand(e), backupCommand(e), restoreCommand(e),
		carrierCommand(e), reportCommand(e), keyCommand(e), auditCommand(e), migrateCommand(e), configCommand(e), mapCommand(e), healthcheckCommand(e), versionCommand(e))
	checkUsage(root)
	return root
}

// group builds a command that only has subcommands.
func group(name, short string) *cobra.Command {
	return &cobra.Command{
		Use: name, Short: short, Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("unknown command %q for %q", args[0], cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
}

func versionCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version",
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(e.stdout, "order-tracking %s %s\n", e.build.Version, e.build.Commit)
			return err
		},
	}
}
