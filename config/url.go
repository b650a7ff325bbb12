package config

import (
	"errors"
	"net/url"
	"path/filepath"
	"reflect"
	"strings"
)

// Engine is a kind of database.
type Engine string

// The engines that a database URL can name.
const (
	SQLite   Engine = "sqlite"
	Postgres Engine = "postgres"
)

// ParseURL parses the database URL. For SQLite target is the path of the file, for PostgreSQL the unchanged URL. Its errors
// do not repeat the URL, which may contain a password.
func (d Database) ParseURL() (engine Engine, target string, err error) {
	scheme, rest, ok := strings.Cut(d.URL, "://")
	switch {
	case ok && scheme == "sqlite":
		target, err = sqlitePath(rest)
		return SQLite, target, err
	case ok && (scheme == "postgres" || scheme == "postgresql"):
		return Postgres, d.URL, checkURL(d.URL)
	default:
		return "", "", errors.New("must be a URL that starts with sqlite:// or postgres://")
	}
}

func sqlitePath(rest string) (string, error) {
	if strings.ContainsAny(rest, "?#") {
		return "", errors.New("takes no parameters after the file's name; write ? as %3F and # as %23")
	}
	path, err := url.PathUnescape(rest)
	switch {
	case err != nil:
		return "", errors.New("is not a valid URL; write % as %25")
	case strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "", errors.New("holds a control character")
	case path == "" || strings.HasSuffix(path, "/") || strings.HasPrefix(path, ":memory:"):
		return "", errors.New("must name a file, such as sqlite://data/order-tracking.db")
	}
	return filepath.FromSlash(path), nil
}

// InMemory reports whether the cache is in this process.
func (r Redis) InMemory() bool { return r.URL == "memory://" }

func (r Redis) check() error {
	if r.InMemory() {
		return nil
	}
	scheme, _, ok := strings.Cut(r.URL, "://")
	if !ok || scheme != "redis" && scheme != "rediss" {
		return errors.New("must be memory:// or a URL that starts with redis:// or rediss://")
	}
	if err := checkURL(r.URL); err != nil {
		return err
	}
	if u, err := url.Parse(r.URL); err != nil || u.Hostname() == "" {
		return errors.New("must name a host, such as redis://localhost:6379")
	}
	return nil
}

// checkURL reports a URL that can't be parsed or is cut short by a # in its password; net/url's own errors would repeat it.
func checkURL(s string) error {
	if u, err := url.Parse(s); err != nil || u.Fragment != "" {
		return errors.New("is not a valid URL; in a password write special characters in %XX form, such as %23 for #")
	}
	return nil
}

// hidden stands for a secret that is set.
const hidden = "xxxxx"

// redactURL returns the URL with its passwords replaced.
func redactURL(s string) string {
	if strings.HasPrefix(s, "sqlite://") {
		return s // a file name has no password and need not be a valid URL
	}
	u, err := url.Parse(s)
	if err != nil {
		return hidden
	}
	_, changed := u.User.Password()
	q := u.Query()
	for name := range q {
		if strings.Contains(strings.ToLower(name), "password") {
			q.Set(name, hidden)
			u.RawQuery, changed = q.Encode(), true
		}
	}
	if !changed {
		return s
	}
	return u.Redacted()
}

// Redacted returns a copy with secrets and passwords replaced, safe to show.
func (c *Config) Redacted() *Config {
	shown := *c
	values := reflect.ValueOf(&shown).Elem()
	for key, spec := range keys {
		switch v := valueAt(values, key); {
		case spec.secret == "url":
			v.SetString(redactURL(v.String()))
		case spec.secret == "all" && v.String() != "":
			v.SetString(hidden)
		}
	}
	return &shown
}
