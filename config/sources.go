package config

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/spf13/pflag"
)

const originDefault = "default"

// maxFileBytes is far above the size of any real configuration file.
const maxFileBytes = 1 << 20

// setting is a value and where it came from.
type setting struct {
	value  any
	origin string
}

// layer holds the values of one source by key.
type layer map[string]setting

// set stores a value. The same key twice in one source is an error, as it is ambiguous.
func (l layer) set(key, origin string, raw any) error {
	spec, known := keys[key]
	if !known {
		return fmt.Errorf("unknown key %q (%s)", key, origin)
	}
	value, err := spec.parse(raw)
	if err != nil {
		return fmt.Errorf("%s (%s) %w", key, origin, err)
	}
	if before, twice := l[key]; twice {
		return fmt.Errorf("%s is set by %s and again by %s", key, before.origin, origin)
	}
	l[key] = setting{value, origin}
	return nil
}

// shortNames are the environment variables without a section.
var shortNames = map[string]string{
	"DATABASE_URL":             "database.url",
	"REDIS_URL":                "redis.url",
	"KAFKA_BROKERS":            "kafka.brokers",
	"KAFKA_LISTEN":             "kafka.listen",
	"HTTP_ADDR":                "http.addr",
	"GRPC_ADDR":                "grpc.addr",
	"LOG_LEVEL":                "log.level",
	"BOOTSTRAP_ADMIN_KEY":      "access.bootstrap_admin_key",
	"BOOTSTRAP_ADMIN_KEY_FILE": "access.bootstrap_admin_key_file",
	"SECRET_KEY":               "access.secret_key",
}

const envPrefix = "OT_"

// envLayer reads the environment. An empty variable counts as unset, as Compose and
// shells pass it, except for lists, where empty is a value.
func envLayer(environ []string) (layer, error) {
	l := layer{}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		key, known := shortNames[name]
		if !known {
			rest, ours := strings.CutPrefix(name, envPrefix)
			if !ours {
				continue
			}
			key = strings.ToLower(strings.ReplaceAll(rest, "__", "."))
		}
		if value == "" && keys[key].kind != nil && keys[key].kind.Kind() != reflect.Slice {
			continue
		}
		if err := l.set(key, "environment "+printable(name), value); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// flagNames are the flags besides --config and --set, in the order of the help.
var flagNames = []struct{ name, key, usage string }{
	{"http-addr", "http.addr", "address of REST and streams, `host:port`"},
	{"grpc-addr", "grpc.addr", "address of gRPC, `host:port`"},
	{"database-url", "database.url", "sqlite:// or postgres:// `URL`"},
	{"redis-url", "redis.url", "memory:// or redis:// `URL`"},
	{"kafka-brokers", "kafka.brokers", "`host:port,...`; empty for the embedded broker"},
	{"kafka-listen", "kafka.listen", "where the embedded broker listens, `host:port`"},
	{"sandbox-carriers", "carriers.sandbox", "emulate delivery companies, to try shipments"},
	{"log-level", "log.level", "minimum log `level`: debug, info, warn or error"},
}

func flagSet() (fs *pflag.FlagSet, file *string, sets *[]string) {
	fs = pflag.NewFlagSet("order-tracking", pflag.ContinueOnError)
	fs.SortFlags = false
	fs.SetOutput(io.Discard)
	file = fs.String("config", "", "YAML `file` with the keys that differ from the defaults")
	for _, f := range flagNames {
		fs.String(f.name, "", f.usage)
		if keys[f.key].kind.Kind() == reflect.Bool { // the flag alone means yes
			fs.Lookup(f.name).NoOptDefVal = "true"
		}
	}
	sets = fs.StringArray("set", nil, "any key of the configuration, `section.key=value`; may be repeated")
	return fs, file, sets
}

// Usage returns the text for --help.
func Usage() string {
	fs, _, _ := flagSet()
	return "Usage: order-tracking [flags]\n\n" + fs.FlagUsages() +
		"\nEvery key is explained in config/config.yaml and can also be set in the environment:\n" +
		"OT_<SECTION>__<KEY>, such as OT_HTTP__MAX_BODY_BYTES.\n"
}

// flagLayer reads the flags, including the name of the configuration file.
func flagLayer(args []string) (l layer, path string, err error) {
	fs, file, sets := flagSet()
	if err := fs.Parse(args); err != nil {
		return nil, "", flagError(err)
	}
	if fs.NArg() > 0 {
		return nil, "", fmt.Errorf("argument %d is not a flag; see --help", len(args)-fs.NArg()+1)
	}
	l = layer{}
	for _, f := range flagNames {
		if flag := fs.Lookup(f.name); flag.Changed {
			if err := l.set(f.key, "flag --"+f.name, flag.Value.String()); err != nil {
				return nil, "", err
			}
		}
	}
	for _, text := range *sets {
		key, value, ok := strings.Cut(text, "=")
		if !ok {
			return nil, "", errors.New("flag --set wants section.key=value")
		}
		if err := l.set(key, "flag --set", value); err != nil {
			return nil, "", err
		}
	}
	if fs.Changed("config") && *file == "" {
		return nil, "", errors.New("flag --config wants the name of a file")
	}
	return l, *file, nil
}

// flagError describes an error in the flags without repeating their values, as pflag's own messages do.
func flagError(err error) error {
	var unknown *pflag.NotExistError
	var noValue *pflag.ValueRequiredError
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return err
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "":
		return fmt.Errorf("unknown flag %q; see --help", "--"+unknown.GetSpecifiedName())
	case errors.As(err, &noValue):
		return fmt.Errorf("flag --%s needs a value", noValue.GetSpecifiedName())
	default:
		return errors.New("flags are written --name=value; see --help")
	}
}

// fileLayer reads the file named by --config, if any.
func fileLayer(path string) (layer, error) {
	if path == "" {
		return nil, nil
	}
	text, err := readFile(path, maxFileBytes)
	if err != nil {
		return nil, fmt.Errorf("flag --config: %w", err)
	}
	return yamlLayer("file "+printable(path), text)
}

var yamlLine = regexp.MustCompile(`line (\d+)`)

// yamlLayer reads YAML. For syntax errors it reports only the line: the parser's
// messages quote the text, which may contain a secret.
func yamlLayer(origin string, text []byte) (layer, error) {
	tree, err := yaml.Parser().Unmarshal(text)
	if err != nil {
		where := ""
		if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
			where = " at line " + m[1]
		}
		return nil, fmt.Errorf("%s is not valid YAML%s, or sets a key twice", origin, where)
	}
	l := layer{}
	return l, l.walk(origin, "", tree)
}

// printable keeps a name on one line.
func printable(name string) string {
	quoted := strconv.Quote(name)
	return quoted[1 : len(quoted)-1]
}

// walk sets every key of a YAML mapping, in order, so that of several errors always the same one is reported.
func (l layer) walk(origin, prefix string, tree map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		key, value := prefix+name, tree[name]
		var err error
		switch below, isMap := value.(map[string]any); {
		case isSection(key) && value == nil: // every key below it is commented out
		case isSection(key) && isMap:
			err = l.walk(origin, key+".", below)
		case isSection(key):
			err = fmt.Errorf("%s (%s) is a section and must hold keys", key, origin)
		default:
			err = l.set(key, origin, value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readFile reads a small file; its errors name the file once.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, oneLine(err)
	}
	defer func() { _ = f.Close() }() // only read
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, oneLine(err)
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("%q is larger than %d bytes", path, limit)
	}
	return text, nil
}

// oneLine quotes the file name in an error, which may contain any characters.
func oneLine(err error) error {
	var pathErr *os.PathError
	if errors.As(err, &pathErr) {
		return fmt.Errorf("can't read %q: %w", pathErr.Path, pathErr.Err)
	}
	return err
}
