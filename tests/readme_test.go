package tests

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/config"
)

// block is a code block of the README's tour with its output.
type block struct{ code, prints string }

// tour reads the blocks between the tour's markers.
func tour(t *testing.T, file string) []block {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	_, rest, ok := strings.Cut(strings.ReplaceAll(string(text), "\r\n", "\n"), "<!-- tour -->")
	require.True(t, ok, file)
	rest, _, ok = strings.Cut(rest, "<!-- /tour -->")
	require.True(t, ok, file)
	var blocks []block
	for _, m := range regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$").FindAllStringSubmatch(rest, -1) {
		switch m[1] {
		case "sh":
			blocks = append(blocks, block{code: m[2]})
		case "text":
			require.NotEmpty(t, blocks, "output before any code")
			blocks[len(blocks)-1].prints = m[2]
		}
	}
	return blocks
}

// printed converts output shown in a README to a regular expression: an ellipsis matches
// anything, and on its own line any number of lines.
func printed(shown string) *regexp.Regexp {
	var b strings.Builder
	for line := range strings.Lines(shown) {
		if strings.TrimSpace(line) == "…" {
			b.WriteString(`(?:.*\n)*?`)
			continue
		}
		parts := strings.Split(strings.TrimRight(line, "\n"), "…")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		b.WriteString(strings.Join(parts, `.*`) + `\n`)
	}
	return regexp.MustCompile(`\A` + b.String() + `\z`)
}

// The README's tour works unchanged, except for the addresses, which are those of the
// test's server.
func TestTourOfTheReadme(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("skipped: the tour is for a Unix shell")
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("skipped: bash is not installed")
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("skipped: curl is not installed")
	}
	blocks := tour(t, "../README.md")
	require.Greater(t, len(blocks), 5)
	s := start(t)
	addresses := strings.NewReplacer("127.0.0.1:8080", s.http, "127.0.0.1:9090", s.grpc, "127.0.0.1:9092", s.kafka[0])
	const mark = "\x1e\n" // between the outputs of two blocks
	var script strings.Builder
	var run []block
	script.WriteString("set -euo pipefail\n")
	for _, b := range blocks {
		if tool := missing(b.code); tool != "" {
			t.Logf("skipped, %s is not installed:\n%s", tool, b.code)
			continue
		}
		run = append(run, b)
		script.WriteString(addresses.Replace(b.code) + "printf '\\n\\x1e\\n'\n")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, bash, "-c", script.String())
	cmd.Dir = t.TempDir()
	cmd.WaitDelay = time.Second
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	require.NoError(t, err, "%s\n%s", out, problems.String())
	outputs := strings.Split(string(out), mark)
	require.Len(t, outputs, len(run)+1)
	for i, b := range run {
		if b.prints != "" {
			got := strings.TrimRight(outputs[i], "\n") + "\n"
			require.Regexp(t, printed(strings.TrimRight(b.prints, "\n")+"\n"), got, "%s\nprinted:\n%s", b.code, got)
		}
	}
}

// missing returns a program that the block needs and that is not installed.
func missing(code string) string {
	for _, tool := range []string{"grpcurl", "kcat", "websocat"} {
		if strings.HasPrefix(code, tool+" ") || strings.Contains(code, "\n"+tool+" ") {
			if _, err := exec.LookPath(tool); err != nil {
				return tool
			}
		}
	}
	return ""
}

func TestReadmesAgree(t *testing.T) {
	english, russian := tour(t, "../README.md"), tour(t, "../README.ru.md")
	require.Equal(t, english, russian, "both readers are told to type the same")
	defaults, err := config.Load(nil, nil)
	require.NoError(t, err)
	for _, b := range english {
		for _, address := range regexp.MustCompile(`127\.0\.0\.1:\d+`).FindAllString(b.code, -1) {
			require.Contains(t, []string{defaults.HTTP.Addr, defaults.GRPC.Addr, defaults.Kafka.Listen}, address)
		}
	}
}

func TestPrintedIsStrict(t *testing.T) {
	shown := "{\"id\":\"…\",\"a\":1,…}\n…\nend\n"
	require.Regexp(t, printed(shown), "{\"id\":\"7\",\"a\":1,\"b\":2}\nmore\nmore\nend\n")
	require.Regexp(t, printed(shown), "{\"id\":\"\",\"a\":1,}\nend\n")
	require.NotRegexp(t, printed(shown), "{\"id\":\"7\",\"a\":2,\"b\":2}\nend\n")
	require.NotRegexp(t, printed(shown), "{\"id\":\"7\",\"a\":1,}\nend\nafter\n")
}
