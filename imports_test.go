package ordertracking_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

const module = "github.com/order-tracking/order-tracking"

// arrow says what one part of the tree may import of the others. A part is a folder
// with what lies below it; "*" stands for one folder, and the first arrow that fits
// a folder is the one that counts.
type arrow struct {
	part string
	may  []string
}

// arrows is "Who may import whom" of docs/ARCHITECTURE.md. Test files may import
// anything. .golangci.yml repeats it for the editor.
var arrows = []arrow{
	{"internal/domain/domaintest", []string{"internal/domain"}},
	{"internal/domain", nil},
	{"internal/background", nil},
	{"internal/idempotency", []string{"internal/domain"}},
	{"internal/paging", []string{"internal/domain", "internal/idempotency"}},
	{"internal/orders", []string{"internal/domain", "internal/eta", "internal/idempotency", "internal/paging", "internal/background"}},
	{"internal/tracking", []string{"internal/domain", "internal/eta", "internal/idempotency", "internal/paging", "internal/background", "internal/orders"}},
	{"internal/shipping", []string{"internal/domain", "internal/idempotency", "internal/paging", "internal/background", "internal/orders"}},
	{"internal/access", []string{"internal/domain", "internal/idempotency", "internal/paging", "internal/background"}},
	{"internal/dispatch", []string{"internal/domain", "internal/eta", "internal/idempotency", "internal/paging", "internal/background", "internal/orders", "internal/tracking"}},
	{"internal/privacy", []string{"internal/domain", "internal/idempotency", "internal/paging", "internal/background", "internal/orders"}},
	{"internal/eta", []string{"internal/domain"}},
	{"internal/outbox", []string{"internal/domain", "internal/background"}},
	{"internal/push", []string{"internal/domain", "internal/background"}},
	{"internal/transport", []string{"internal/domain", "internal/push"}},

	{"internal/infrastructure/*", []string{"internal/domain", "internal/background"}},
	{"internal/carrier/*/sandbox", []string{"internal/carrier/emulator"}},
	{"internal/carrier/emulator", nil},
	{"internal/carrier/carriertest", []string{"internal/domain", "internal/carrier/emulator"}},
	{"internal/carrier/*", []string{"internal/domain", "internal/carrier"}},
	{"internal/carrier", []string{"internal/domain"}},
	{"internal/notify", []string{"internal/domain", "internal/idempotency", "internal/paging", "internal/background", "internal/infrastructure/outbound"}},

	{"internal/http", []string{"internal/domain", "internal/notify", "internal/orders", "internal/tracking", "internal/shipping", "internal/dispatch", "internal/access", "internal/privacy", "internal/idempotency", "internal/paging", "internal/background", "internal/push", "internal/transport", "web"}},
	{"internal/grpc", []string{"internal/domain", "internal/orders", "internal/tracking", "internal/shipping", "internal/dispatch", "internal/access", "internal/idempotency", "internal/paging", "internal/push", "internal/transport", "proto"}},

	{"internal/app", []string{
		"internal/domain", "internal/orders", "internal/tracking", "internal/shipping", "internal/dispatch", "internal/access", "internal/privacy", "internal/idempotency", "internal/paging", "internal/background", "internal/eta", "internal/outbox", "internal/push",
		"internal/infrastructure/*", "internal/carrier", "internal/carrier/*", "internal/carrier/*/sandbox",
		"internal/notify",
		"internal/http", "internal/grpc", "config", "pkg/*", "proto", "web",
	}},
	{"internal/demo", []string{"pkg/client"}},
	{"internal/cli", []string{"internal/app", "internal/demo", "config", "pkg/*"}},
	{"cmd", []string{"internal/cli"}},

	{"config", nil},
	{"proto", nil},
	{"web", nil},
	{"pkg/client", []string{"proto"}},
	{"pkg/*", nil},

	// What a user sees, from outside; estimates and plans are also measured without a server.
	{"tests", []string{"internal/app", "config", "pkg/*", "proto"}},
	{"tools/realdata", []string{"internal/domain", "internal/eta", "internal/dispatch", "internal/app", "config", "pkg/*", "proto", "tools/proc"}},
	{"tools/accessdoc", []string{"internal/domain", "internal/access"}},
	{"tools/statusdoc", []string{"internal/domain"}},
	{"tools/*", []string{"pkg/*", "proto", "tools/proc"}},
}

// outside is what the domain may import that is neither its own nor the standard library's.
var outside = map[string][]string{
	"internal/domain": {"github.com/google/uuid", "github.com/nyaruka/phonenumbers"},
}

// weighty is what nothing in the binary may import: templates call methods by their names, so
// the linker would keep every method of every type, a third of the binary.
var weighty = []string{"text/template", "html/template"}

func TestImports(t *testing.T) {
	broken, seen, err := brokenArrows(os.DirFS("."))
	require.NoError(t, err)
	require.Greater(t, seen, 5, "too few packages were read for this test to mean anything")
	require.Empty(t, broken, "imports that the architecture does not allow:\n%s", strings.Join(broken, "\n"))
}

func TestImportsCheckerSeesBrokenArrows(t *testing.T) {
	const rapid = "pgregory.net/rapid"
	for name, c := range map[string]struct {
		file    string
		imports []string
		broken  string
	}{
		"domain may use the standard library":    {"internal/domain/a.go", []string{"encoding/json"}, ""},
		"domain may use ids and phone numbers":   {"internal/domain/a.go", []string{"github.com/google/uuid", "github.com/nyaruka/phonenumbers"}, ""},
		"domain may not use another library":     {"internal/domain/a.go", []string{"go.uber.org/zap"}, "internal/domain/a.go imports go.uber.org/zap"},
		"domain may not use a longer name":       {"internal/domain/a.go", []string{"github.com/google/uuidx"}, "internal/domain/a.go imports github.com/google/uuidx"},
		"domain may not use a use case":          {"internal/domain/a.go", ours("internal/orders"), "internal/domain/a.go imports internal/orders"},
		"tests of the domain may use anything":   {"internal/domain/a_test.go", append(ours("internal/infrastructure/database"), rapid), ""},
		"suites of the domain may use libraries": {"internal/domain/domaintest/a.go", append(ours("internal/domain"), rapid), ""},
		"suites are for tests":                   {"internal/infrastructure/cache/a.go", ours("internal/domain/domaintest"), "internal/infrastructure/cache/a.go imports internal/domain/domaintest"},

		"orders may use estimates":        {"internal/orders/a.go", ours("internal/domain", "internal/eta"), ""},
		"orders may not use an adapter":   {"internal/orders/a.go", ours("internal/infrastructure/cache"), "internal/orders/a.go imports internal/infrastructure/cache"},
		"orders may not see the hub":      {"internal/orders/a.go", ours("internal/push"), "internal/orders/a.go imports internal/push"},
		"tracking is above orders":        {"internal/tracking/a.go", ours("internal/orders"), ""},
		"orders are below tracking":       {"internal/orders/a.go", ours("internal/tracking"), "internal/orders/a.go imports internal/tracking"},
		"parcels do not see positions":    {"internal/shipping/a.go", ours("internal/tracking"), "internal/shipping/a.go imports internal/tracking"},
		"estimates may not use use cases": {"internal/eta/a.go", ours("internal/orders"), "internal/eta/a.go imports internal/orders"},
		"the hub knows no servers":        {"internal/push/a.go", ours("internal/http"), "internal/push/a.go imports internal/http"},

		"an adapter has packages of its own":         {"internal/infrastructure/database/a.go", ours("internal/infrastructure/database/migrations"), ""},
		"an adapter may not use another":             {"internal/infrastructure/database/a.go", ours("internal/infrastructure/cache"), "internal/infrastructure/database/a.go imports internal/infrastructure/cache"},
		"an adapter may not use a use case":          {"internal/infrastructure/messaging/deep/a.go", ours("internal/orders"), "internal/infrastructure/messaging/deep/a.go imports internal/orders"},
		"an adapter does not read the configuration": {"internal/notify/a.go", ours("config"), "internal/notify/a.go imports config"},
		"users' addresses are called guarded":        {"internal/notify/a.go", ours("internal/infrastructure/outbound"), ""},
		"a carrier may use what carriers share":      {"internal/carrier/cdek/a.go", ours("internal/carrier", "internal/domain"), ""},
		"a carrier may not use another":              {"internal/carrier/cdek/a.go", ours("internal/carrier/dpd"), "internal/carrier/cdek/a.go imports internal/carrier/dpd"},
		"what carriers share knows none of them":     {"internal/carrier/a.go", ours("internal/carrier/cdek"), "internal/carrier/a.go imports internal/carrier/cdek"},

		"REST may use the pages":         {"internal/http/a.go", ours("internal/orders", "internal/push", "web"), ""},
		"REST may not use the proto":     {"internal/http/a.go", ours("proto/ordertracking/v1"), "internal/http/a.go imports proto/ordertracking/v1"},
		"gRPC may use the proto":         {"internal/grpc/a.go", ours("proto/ordertracking/v1"), ""},
		"gRPC may not use REST":          {"internal/grpc/a.go", ours("internal/http"), "internal/grpc/a.go imports internal/http"},
		"a server may not use a store":   {"internal/grpc/a.go", ours("internal/infrastructure/database"), "internal/grpc/a.go imports internal/infrastructure/database"},
		"a server may not use estimates": {"internal/http/a.go", ours("internal/eta"), "internal/http/a.go imports internal/eta"},

		"app sees the parts":              {"internal/app/a.go", ours("internal/infrastructure/cache", "internal/carrier/cdek", "config", "pkg/logger"), ""},
		"app does not see the commands":   {"internal/app/a.go", ours("internal/cli"), "internal/app/a.go imports internal/cli"},
		"commands see app":                {"internal/cli/a.go", ours("internal/app", "config", "pkg/client"), ""},
		"commands may not see a part":     {"internal/cli/a.go", ours("internal/domain"), "internal/cli/a.go imports internal/domain"},
		"the demo is a client":            {"internal/demo/a.go", ours("internal/app"), "internal/demo/a.go imports internal/app"},
		"the client is for everyone":      {"pkg/client/a.go", ours("internal/domain"), "pkg/client/a.go imports internal/domain"},
		"tools look from outside":         {"tools/faults/a.go", ours("internal/orders"), "tools/faults/a.go imports internal/orders"},
		"tools may use the client":        {"tools/faults/a.go", ours("pkg/client", "tools/proc"), ""},
		"real data may measure estimates": {"tools/realdata/a.go", ours("internal/eta"), ""},
		"no other tool may":               {"tools/bench/a.go", ours("internal/eta"), "tools/bench/a.go imports internal/eta"},
		"templates keep methods":          {"internal/notify/a.go", []string{"text/template"}, "internal/notify/a.go imports text/template"},
		"a folder that nobody placed":     {"internal/util/a.go", nil, "internal/util/a.go is in a folder that the architecture does not name"},
		"files that Go ignores are left":  {"internal/domain/testdata/a.go", ours("internal/orders"), ""},
		"and hidden folders":              {".cache/a.go", nil, ""},
		"the same name in another module": {"internal/domain/a.go", []string{module + "x/config"}, "internal/domain/a.go imports " + module + "x/config"},
	} {
		t.Run(name, func(t *testing.T) {
			var want []string
			if c.broken != "" {
				want = []string{c.broken}
			}
			broken, _, err := brokenArrows(fstest.MapFS{c.file: source(c.imports...)})
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(want, broken))
		})
	}
}

func TestImportsCheckerLeavesOtherModulesAlone(t *testing.T) {
	broken, seen, err := brokenArrows(fstest.MapFS{
		"go.mod":            &fstest.MapFile{Data: []byte("module " + module)},
		"tools/lint/go.mod": &fstest.MapFile{Data: []byte("module " + module + "/tools/lint")},
		"tools/lint/a.go":   source(ours("internal/orders")...),
		"config/a.go":       source(ours("internal/domain", "internal/access")...),
	})
	require.NoError(t, err)
	require.Equal(t, 1, seen)
	require.Equal(t, []string{"config/a.go imports internal/domain", "config/a.go imports internal/access"}, broken)
}

func TestImportsCheckerRefusesWhatItCannotRead(t *testing.T) {
	_, _, err := brokenArrows(fstest.MapFS{"config/a.go": &fstest.MapFile{Data: []byte("package")}})
	require.Error(t, err)
}

// brokenArrows reads every Go file that is not a test and returns the imports that no
// arrow allows, in the order of the files, and how many folders hold Go files.
func brokenArrows(tree fs.FS) (broken []string, folders int, err error) {
	seen := map[string]bool{}
	err = fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if skipped(tree, name) {
				return fs.SkipDir
			}
			return nil
		case !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		seen[path.Dir(name)] = true
		found, err := brokenIn(tree, name)
		broken = append(broken, found...)
		return err
	})
	return broken, len(seen), err
}

// skipped is whether the go command would not look into the folder either.
func skipped(tree fs.FS, dir string) bool {
	if dir == "." {
		return false
	}
	base := path.Base(dir)
	if base == "testdata" || base == "node_modules" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return true
	}
	_, err := fs.Stat(tree, path.Join(dir, "go.mod"))
	return err == nil
}

func brokenIn(tree fs.FS, name string) ([]string, error) {
	from, part := arrowOf(path.Dir(name))
	if from == nil {
		return []string{name + " is in a folder that the architecture does not name"}, nil
	}
	source, err := fs.ReadFile(tree, name)
	if err != nil {
		return nil, err
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	var broken []string
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		if !allowed(from, part, imported) {
			broken = append(broken, fmt.Sprintf("%s imports %s", name, strings.TrimPrefix(imported, module+"/")))
		}
	}
	return broken, nil
}

// allowed is whether the part, which the arrow is about, may import the package.
func allowed(from *arrow, part, imported string) bool {
	dir, own := strings.CutPrefix(imported, module+"/")
	if !own {
		if slices.Contains(weighty, imported) && !strings.HasPrefix(part, "tools/") {
			return false
		}
		libraries, limited := outside[part]
		standard := !strings.Contains(strings.SplitN(imported, "/", 2)[0], ".")
		return !limited || standard || slices.Contains(libraries, imported)
	}
	to, target := arrowOf(dir)
	return to != nil && (target == part || slices.ContainsFunc(from.may, func(may string) bool {
		return may == to.part || fits(may, target)
	}))
}

// arrowOf finds the arrow of a folder and the part that the folder belongs to.
func arrowOf(dir string) (found *arrow, part string) {
	for i, a := range arrows {
		steps := strings.Split(dir, "/")
		if depth := strings.Count(a.part, "/") + 1; len(steps) >= depth {
			if part := strings.Join(steps[:depth], "/"); fits(a.part, part) {
				return &arrows[i], part
			}
		}
	}
	return nil, ""
}

func fits(pattern, part string) bool {
	ok, err := path.Match(pattern, part)
	return ok && err == nil
}

func ours(dirs ...string) []string {
	for i, dir := range dirs {
		dirs[i] = module + "/" + dir
	}
	return dirs
}

func source(imports ...string) *fstest.MapFile {
	var b strings.Builder
	b.WriteString("package p\n")
	for _, i := range imports {
		fmt.Fprintf(&b, "import _ %q\n", i)
	}
	return &fstest.MapFile{Data: []byte(b.String())}
}
