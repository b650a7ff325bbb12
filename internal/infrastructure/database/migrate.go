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

// Migrations is the schema of a database, for who looks after it by hand. Opening a
// store brings the schema up to date by itself.
type Migrations struct {
	db      *sql.DB
	dialect goose.Dialect
	folder  string
	// hold keeps other processes away while the schema changes.
	hold func(context.Context) (release func() error, err error)
}

// Migration is one step of the schema.
type Migration struct {
	Version int64
	// Name is empty for a step that this program does not know.
	Name string
	// AppliedAt is zero for a step that was not applied yet.
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

// MigrationsPostgres connects to PostgreSQL when it is first used.
func MigrationsPostgres(url string) (*Migrations, error) {
	c, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	// What begins with pool_ speaks to a pool and not to the server.
	maps.DeleteFunc(c.RuntimeParams, func(name, _ string) bool { return strings.HasPrefix(name, "pool_") })
	tune(c)
	return postgresMigrations(c), nil
}

// sqliteMigrations are those of a file that this process has.
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

// Close lets go of the database.
func (m *Migrations) Close() error { return m.db.Close() }

// Up applies what is missing.
func (m *Migrations) Up(ctx context.Context) error { return m.locked(ctx, migrateUp) }

// Down takes the newest step back, with all that it keeps.
func (m *Migrations) Down(ctx context.Context) error {
	return m.locked(ctx, func(ctx context.Context, p *goose.Provider) error {
		_, err := p.Down(ctx)
		return err
	})
}

// Status lists every step, oldest first, those of a newer program too.
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

// locked changes the schema while nobody else does.
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

// migrateUp brings the schema to this program's version. A database of a newer
// program is refused: this one does not know what its tables mean.
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
