package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/order-tracking/order-tracking/config"
	"github.com/order-tracking/order-tracking/internal/infrastructure/database"
)

// Direction is what Migrate does.
type Direction string

// The directions. Starting the product migrates up automatically.
const (
	MigrateUp     Direction = "up"
	MigrateDown   Direction = "down"
	MigrateStatus Direction = "status"
)

// Migrate migrates the configured database in the direction and returns a line for each migration, oldest first.
func Migrate(ctx context.Context, cfg *config.Config, d Direction) (lines []string, err error) {
	m, err := migrations(cfg, d)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	switch d {
	case MigrateUp:
		err = m.Up(ctx)
	case MigrateDown:
		err = m.Down(ctx)
	case MigrateStatus:
	default:
		err = fmt.Errorf("unknown direction %q", string(d))
	}
	if err != nil {
		return nil, err
	}
	steps, err := m.Status(ctx)
	for _, s := range steps {
		when := "not applied"
		if !s.AppliedAt.IsZero() {
			when = "applied " + s.AppliedAt.UTC().Format("2006-01-02 15:04:05") + " UTC"
		}
		name := path.Base(s.Name)
		if s.Name == "" {
			name = fmt.Sprintf("%05d of a newer program", s.Version)
		}
		lines = append(lines, name+"  "+when)
	}
	return lines, err
}

func migrations(cfg *config.Config, d Direction) (*database.Migrations, error) {
	engine, target, err := cfg.Database.ParseURL()
	if err != nil {
		return nil, err
	}
	if engine == config.Postgres {
		return database.MigrationsPostgres(target)
	}
	if _, err := os.Stat(target); errors.Is(err, fs.ErrNotExist) && d != MigrateUp {
		return nil, fmt.Errorf("there is no database yet at %s", target)
	}
	return database.MigrationsSQLite(target)
}

// Backup writes the configured SQLite database to a file; a server may be using it.
func Backup(ctx context.Context, cfg *config.Config, file string) error {
	path, err := sqliteFile(cfg)
	if err != nil {
		return err
	}
	return database.BackupSQLite(ctx, path, file)
}

// Restore replaces the configured SQLite database, which no server may be using, with a
// backup and returns the path to which the old database was moved, "" if there was none.
func Restore(ctx context.Context, cfg *config.Config, file string) (kept string, err error) {
	path, err := sqliteFile(cfg)
	if err != nil {
		return "", err
	}
	return database.RestoreSQLite(ctx, path, file, time.Now())
}

func sqliteFile(cfg *config.Config) (path string, err error) {
	engine, target, err := cfg.Database.ParseURL()
	if err == nil && engine == config.Postgres {
		err = errors.New("the database is PostgreSQL: use its own tools, such as pg_dump and pg_restore")
	}
	return target, err
}
