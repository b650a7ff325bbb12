package tests

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

// page is one document, named by its path from the project's root.
type page struct{ name, text string }

// pages returns the documents in the root and in docs.
func pages(t *testing.T) []page {
	var out []page
	for _, pattern := range []string{"../*.md", "../docs/*.md"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, name := range found {
			text, err := os.ReadFile(name)
			require.NoError(t, err)
			out = append(out, page{
				strings.TrimPrefix(filepath.ToSlash(name), "../"), strings.ReplaceAll(string(text), "\r\n", "\n"),
			})
		}
	}
	require.Greater(t, len(out), 7)
	return out
}

var (
	fenced = regexp.MustCompile("(?ms)^```.*?^```$")
	link   = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	quoted = regexp.MustCompile("`([^`\n]+)`")
	title  = regexp.MustCompile(`(?m)^#+ (.*)$`)
)

// anchors returns a document's link anchors, named as GitHub does.
func anchors(text string) []string {
	var out []string
	for _, m := range title.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, m[1])
		out = append(out, name)
	}
	return out
}

func TestLinksOfTheDocumentsLeadSomewhere(t *testing.T) {
	followed := 0
	for _, p := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(fenced.ReplaceAllString(p.text, ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			followed++
			target, anchor, _ := strings.Cut(m[1], "#")
			text := p.text
			if target != "" {
				file := path.Join(path.Dir(p.name), target)
				raw, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(file)))
				if err != nil {
					_, err = os.Stat(filepath.Join("..", filepath.FromSlash(file)))
				}
				require.NoError(t, err, "%s links to %s", p.name, m[1])
				text = string(raw)
			}
			if anchor != "" {
				require.Contains(t, anchors(text), anchor, "%s links to %s", p.name, m[1])
			}
		}
	}
	require.Greater(t, followed, 30)
}

// files returns the paths of all files of the project.
func files(t *testing.T) []string {
	var out []string
	require.NoError(t, filepath.WalkDir("..", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel := strings.TrimPrefix(filepath.ToSlash(name), "../")
		if d.IsDir() && (rel == ".git" || rel == "data" || d.Name() == "node_modules") {
			return fs.SkipDir
		}
		out = append(out, rel)
		return nil
	}))
	return out
}

// alternatives expands {a,b}.
func alternatives(name string) []string {
	before, rest, ok := strings.Cut(name, "{")
	if !ok {
		return []string{name}
	}
	inside, after, _ := strings.Cut(rest, "}")
	var out []string
	for one := range strings.SplitSeq(inside, ",") {
		out = append(out, alternatives(before+one+after)...)
	}
	return out
}

// Files and folders named in the documents exist. Leading folders of a path may be
// omitted, as in outbox/relay.go.
func TestFilesOfTheDocumentsExist(t *testing.T) {
	looksLike := regexp.MustCompile(`^[\w.*{},/-]+(\.(go|md|sql|proto|ya?ml|sh|txt)|/)$`)
	running := []string{"data/", "kafka/"} // folders of a running server
	all := files(t)
	named := 0
	for _, p := range pages(t) {
		for _, m := range quoted.FindAllStringSubmatch(fenced.ReplaceAllString(p.text, ""), -1) {
			if !looksLike.MatchString(m[1]) || slices.Contains(running, m[1]) || strings.HasPrefix(m[1], "/") {
				continue
			}
			for _, name := range alternatives(m[1]) {
				named++
				want := strings.TrimSuffix(strings.TrimPrefix(name, "./"), "/")
				require.True(t, slices.ContainsFunc(all, func(file string) bool {
					steps := strings.Split(file, "/")
					depth := strings.Count(want, "/") + 1
					if len(steps) < depth {
						return false
					}
					ok, err := path.Match(want, strings.Join(steps[len(steps)-depth:], "/"))
					return ok && err == nil
				}), "%s names %s, which is nowhere", p.name, name)
			}
		}
	}
	require.Greater(t, named, 80)
}

// Operations, metrics, make targets and configuration keys named in the documents exist,
// and every metric is documented.
func TestNamesOfTheDocumentsExist(t *testing.T) {
	s := start(t, "--sandbox-carriers")
	create(t, s.api("REST"))
	_, exposition := s.rest(t, "GET", "/metrics", nil, nil)
	makefile, err := os.ReadFile("../Makefile")
	require.NoError(t, err)
	settings, err := os.ReadFile("../config/config.yaml")
	require.NoError(t, err)
	operation := regexp.MustCompile(`\b(GET|POST|PATCH|DELETE) (/[\w/{}.-]*)`)
	metric := regexp.MustCompile(`\b((?:ordertracking|http)_\w+_?\w*)`)
	setting := regexp.MustCompile("`(database|redis|kafka|http|grpc|log|access|orders|tracking|arrival|routing|estimate|live|shutdown|carriers)\\.([a-z_.]+)`")
	paths, _ := s.contract(t).openapi["paths"].(object)
	documented := map[string]bool{}
	for _, p := range pages(t) {
		for _, m := range operation.FindAllStringSubmatch(p.text, -1) {
			if m[2] != "/" && m[2] != "/docs" {
				require.NotNil(t, get(paths, m[2], strings.ToLower(m[1])), "%s names %s", p.name, m[0])
			}
		}
		for _, m := range regexp.MustCompile("`make ([a-z-]+)`").FindAllStringSubmatch(p.text, -1) {
			require.Contains(t, string(makefile), "\n"+m[1]+":", p.name)
		}
		for _, m := range setting.FindAllStringSubmatch(p.text, -1) {
			last := m[2][strings.LastIndex(m[2], ".")+1:]
			require.Regexp(t, `(?m)^\s+`+last+`:`, string(settings), "%s names %s", p.name, m[0])
		}
		for _, m := range metric.FindAllStringSubmatch(p.text, -1) {
			documented[m[1]] = true
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\w+) `).FindAllStringSubmatch(string(exposition), -1) {
		if !strings.HasPrefix(m[1], "go_") && !strings.HasPrefix(m[1], "process_") && !strings.HasPrefix(m[1], "promhttp_") {
			require.True(t, documented[m[1]], "docs/operations.md does not have %s", m[1])
		}
	}
}

// Every metric in the alerts exists.
func TestMetricsOfTheAlertsExist(t *testing.T) {
	s := start(t, "--sandbox-carriers")
	create(t, s.api("REST"))
	var exposition []byte
	eventually(t, "the delivery company was called", func() bool {
		_, exposition = s.rest(t, "GET", "/metrics", nil, nil)
		return bytes.Contains(exposition, []byte("ordertracking_carrier_suspended"))
	})
	alerts, err := os.ReadFile("../deploy/alerts.yml")
	require.NoError(t, err)
	source, err := os.ReadFile("../internal/app/metrics.go")
	require.NoError(t, err)
	found := regexp.MustCompile(`\b(?:ordertracking|http|process)_\w+`).FindAllString(string(alerts), -1)
	require.Greater(t, len(found), 9)
	for _, name := range found {
		if short, ok := strings.CutPrefix(name, "ordertracking_eta_"); ok { // shown only after deliveries
			require.Contains(t, string(source), `desc("eta_`+short+`"`, "deploy/alerts.yml")
			continue
		}
		require.Contains(t, string(exposition), "\n"+name, "deploy/alerts.yml")
	}
}
