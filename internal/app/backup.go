package app

import (
	"context"
	"errors"
	"time"

	"github.com/order-tracking/order-tracking/config"
	"github.com/order-tracking/order-tracking/internal/infrastructure/database"
)

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
