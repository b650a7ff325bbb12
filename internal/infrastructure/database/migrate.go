package database

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrations embed.FS

// Migrations manages the schema of a database by hand. Opening a store migrates it automatically.
type Migrations struct {
	db      *sql.DB
	dialect goose.Dialect
	folder  string
	// hold locks out other processes while the schema changes.
	hold func(context.Context) (release func() error, err error)
}

// Migration is one schema migration.
type Migration struct {
	Version int64
	// Name is empty for a migration unknown to this version of the program.
	Name string
	// AppliedAt is zero if the migration is not applied yet.
	AppliedAt time.Time
}

// MigrationsSQLite opens or creates the database file, without changing its schema.
func MigrationsSQLite(path string) (*Migrations, error) {
	db, err := sqliteWriter(path)
	if err != nil {
		return nil, err
	}
	m := sqliteMigrations(db)
	m.hold = func(context.Context) (func() error, error) { return LockSQLite(path) }
	return m, nil
}

// MigrationsPostgres connects to PostgreSQL on first use.
func MigrationsPostgres(url string) (*Migrations, error) {
	c, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	// Parameters that begin with pool_ configure the pool, not the server.
	maps.DeleteFunc(c.RuntimeParams, func(name, _ string) bool { return strings.HasPrefix(name, "pool_") })
	tune(c)
	return postgresMigrations(c), nil
}

// sqliteMigrations are the migrations of a file that this process has locked.
func sqliteMigrations(db *sql.DB) *Migrations {
	return &Migrations{
		db: db, dialect: goose.DialectSQLite3, folder: "migrations/sqlite",
		hold: func(context.Context) (func() error, error) { return func() error { return nil }, nil },
	}
}

func postgresMigrations(c *pgx.ConnConfig) *Migrations {
	patient := c.Copy()
	patient.RuntimeParams["statement_timeout"], patient.RuntimeParams["lock_timeout"] = "0", "0"
	m := &Migrations{db: stdlib.OpenDB(*patient), dialect: goose.DialectPostgres, folder: "migrations/postgres"}
	m.hold = func(ctx context.Context) (func() error, error) {
		const key = `hashtextextended('order-tracking migrations of ' || current_schema(), 0)`
		conn, err := m.db.Conn(ctx)
		if err != nil {
			return nil, err
		}
		if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock(`+key+`)`); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		return func() error {
			_, err := conn.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock(`+key+`)`)
			return errors.Join(err, conn.Close())
		}, nil
	}
	return m
}

// Close closes the database.
func (m *Migrations) Close() error { return m.db.Close() }

// Up applies the missing migrations.
func (m *Migrations) Up(ctx context.Context) error { return m.locked(ctx, migrateUp) }

// Down reverts the newest migration and deletes the data it holds.
func (m *Migrations) Down(ctx context.Context) error {
	return m.locked(ctx, func(ctx context.Context, p *goose.Provider) error {
		_, err := p.Down(ctx)
		return err
	})
}

// Status lists every migration, oldest first, including those of a newer program.
func (m *Migrations) Status(ctx context.Context) ([]Migration, error) {
	p, err := m.provider()
	if err != nil {
		return nil, err
	}
	steps, err := p.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("look at the schema: %w", err)
	}
	var out []Migration
	newest := int64(0)
	for _, s := range steps {
		newest = s.Source.Version
		out = append(out, Migration{Version: newest, Name: s.Source.Path, AppliedAt: s.AppliedAt})
	}
	unknown, err := m.db.QueryContext(ctx, `SELECT version_id, tstamp FROM goose_db_version WHERE version_id > $1 AND is_applied ORDER BY id`, newest)
	more, err := collect(unknown, err, func(r *sql.Rows) (s Migration, err error) {
		err = r.Scan(&s.Version, &s.AppliedAt)
		return s, err
	})
	return append(out, more...), err
}

// locked changes the schema under the lock.
func (m *Migrations) locked(ctx context.Context, work func(context.Context, *goose.Provider) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("migrate the database: %w", err)
		}
	}()
	release, err := m.hold(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	p, err := m.provider()
	if err != nil {
		return err
	}
	return work(ctx, p)
}

func (m *Migrations) provider() (*goose.Provider, error) {
	files, err := fs.Sub(migrations, m.folder)
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(m.dialect, m.db, files, goose.WithDisableGlobalRegistry(true))
}

// migrateUp migrates the schema to this program's version. It refuses the database of a
// newer program, whose tables it does not know.
func migrateUp(ctx context.Context, p *goose.Provider) error {
	current, target, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	if current > target {
		return fmt.Errorf("it has schema version %d, this program knows up to %d: start the newer program", current, target)
	}
	_, err = p.Up(ctx)
	return err
}
