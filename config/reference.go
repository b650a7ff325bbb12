package config

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

//go:generate go run ../cmd/main.go config reference --output ../docs/configuration.md

// tree returns the built-in file with its comments, in its order.
func tree() (*yaml.Node, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(defaults, &doc); err != nil {
		return nil, err
	}
	return doc.Content[0], nil
}

// eachKey calls fn for every key below a mapping: the nodes of its name and value.
func eachKey(prefix string, mapping *yaml.Node, fn func(key string, name, value *yaml.Node) error) error {
	for i := 0; i < len(mapping.Content); i += 2 {
		name, value := mapping.Content[i], mapping.Content[i+1]
		key := prefix + name.Value
		if err := fn(key, name, value); err != nil {
			return err
		}
		if value.Kind == yaml.MappingNode {
			if err := eachKey(key+".", value, fn); err != nil {
				return err
			}
		}
	}
	return nil
}

// YAML returns the whole configuration with the source of each value and secrets
// hidden. Apart from the secrets it can be loaded as a file.
func (c *Config) YAML() (string, error) {
	root, err := tree()
	if err != nil {
		return "", err
	}
	shown := reflect.ValueOf(c.Redacted()).Elem()
	err = eachKey("", root, func(key string, name, value *yaml.Node) error {
		name.HeadComment, name.LineComment, name.FootComment = "", "", ""
		if value.Kind == yaml.MappingNode {
			return nil
		}
		fresh := yaml.Node{}
		if err := fresh.Encode(plain(valueAt(shown, key))); err != nil {
			return err
		}
		fresh.LineComment = c.Origin(key)
		if fresh.Kind == yaml.SequenceNode {
			fresh.Style = yaml.FlowStyle
		}
		*value = fresh
		return nil
	})
	if err != nil {
		return "", err
	}
	root.HeadComment = ""
	var b strings.Builder
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(root); err != nil {
		return "", err
	}
	return b.String(), enc.Close()
}

// valueAt finds the field of a key.
func valueAt(config reflect.Value, key string) reflect.Value {
	return config.FieldByIndex(keys[key].index)
}

// plain returns a value as people write it.
func plain(v reflect.Value) any {
	if d, ok := v.Interface().(time.Duration); ok {
		return shortDuration(d)
	}
	return v.Interface()
}

// shortDuration drops trailing zero units: 24h, not 24h0m0s.
func shortDuration(d time.Duration) string {
	text := d.String()
	for _, zero := range []struct{ suffix, cut string }{{"m0s", "0s"}, {"h0m", "0m"}} {
		if strings.HasSuffix(text, zero.suffix) {
			text = strings.TrimSuffix(text, zero.cut)
		}
	}
	return text
}

// Reference returns the documentation of every key as Markdown, generated from Config and the comments of config.yaml.
func Reference() (string, error) {
	root, err := tree()
	if err != nil {
		return "", err
	}
	c, err := Load(nil, nil)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(referenceHead)
	values := reflect.ValueOf(c).Elem()
	err = eachKey("", root, func(key string, name, value *yaml.Node) error {
		if value.Kind == yaml.MappingNode {
			level := strings.Repeat("#", 2+strings.Count(key, "."))
			fmt.Fprintf(&b, "\n%s %s\n", level, key)
			if text := prose(name.HeadComment); text != "" && strings.Contains(key, ".") {
				b.WriteString("\n" + text + "\n")
			}
			return nil
		}
		fmt.Fprintf(&b, "\n**`%s`** (%s, default %s)\n\n%s\n\nSet by %s.\n",
			key, kindOf(keys[key].kind), shownDefault(valueAt(values, key)), prose(name.HeadComment), strings.Join(settersOf(key), ", "))
		return nil
	})
	return b.String(), err
}

const referenceHead = `<!-- Generated from config/config.go and config/config.yaml by: go generate ./config -->

# Configuration

With nothing configured the product is a whole system in one process. Everything can be set in four places; the later one
wins:

1. the defaults below, which are built in
2. a YAML file named by ` + "`--config`" + `, which holds only what differs
3. the environment: ` + "`OT_<SECTION>__<KEY>`" + `; some keys have a short name as well. Lists are separated by commas. An empty
   variable counts as absent, but for a list it is the empty list
4. flags of ` + "`serve`" + `: ` + "`--http-addr`" + ` and so on, or ` + "`--set section.key=value`" + ` for any key

Durations are written with their unit: ` + "`500ms`, `30s`, `15m`, `720h`" + `. An unknown key or an impossible value stops the start with
a line that names it. ` + "`order-tracking config check`" + ` says so beforehand, and ` + "`order-tracking config print`" + ` shows what holds and why.
`

func kindOf(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "duration"
	case t.Kind() == reflect.Slice:
		return "list"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Float64:
		return "number"
	case t.Kind() == reflect.String:
		return "text"
	}
	return "whole number"
}

func shownDefault(v reflect.Value) string {
	if text := fmt.Sprint(plain(v)); text != "" && text != "[]" {
		return "`" + text + "`"
	}
	return "empty"
}

// settersOf lists the variables and flags that set a key.
func settersOf(key string) []string {
	var out []string
	for name, k := range shortNames {
		if k == key {
			out = append(out, "`"+name+"`")
		}
	}
	out = append(out, "`"+envPrefix+strings.ToUpper(strings.ReplaceAll(key, ".", "__"))+"`")
	for _, f := range flagNames {
		if f.key == key {
			out = append(out, "`--"+f.name+"`")
		}
	}
	return out
}

// alsoNamed matches the short name and flag at the end of a key's comment.
var alsoNamed = regexp.MustCompile(`\s*(\b[A-Z]+_[A-Z_]+)?(, )?(--[a-z-]+)?$`)

// examples matches the indented lines of a comment.
var examples = regexp.MustCompile(`(?m)(^  .*\n)+`)

// prose converts a comment to Markdown: indented lines are examples.
func prose(comment string) string {
	var b strings.Builder
	for line := range strings.Lines(comment) {
		line = strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(line), "#"), " ")
		if m := alsoNamed.FindStringSubmatch(line); shortNames[m[1]] != "" || m[1] == "" && m[3] != "" {
			line = strings.TrimSuffix(line, m[0])
		}
		if line != "" {
			b.WriteString(line + "\n")
		}
	}
	return strings.TrimSpace(examples.ReplaceAllStringFunc(b.String(), func(lines string) string {
		return "\n```\n" + strings.ReplaceAll("\n"+lines, "\n  ", "\n")[1:] + "```\n\n"
	}))
}
