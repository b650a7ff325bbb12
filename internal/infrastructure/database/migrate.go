package database

import (
	"context"
	"database/sql"
	"embed"
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
	// lock and unlock keep other processes from migrating meanwhile; SQLite has its own lock.
	lock, unlock string
}

// Migration is one step of the schema.
type Migration struct {
	Version int64
	Name    string
	// AppliedAt is zero for a step that was not applied yet.
	AppliedAt time.Time
}

// MigrationsSQLite opens or creates the database file, without changing its schema.
func MigrationsSQLite(path string) (*Migrations, error) {
	db, err := sqliteWriter(path)
	if err != nil {
		return nil, err
	}
	return sqliteMigrations(db), nil
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

func sqliteMigrations(db *sql.DB) *Migrations {
	return &Migrations{db: db, dialect: goose.DialectSQLite3, folder: "migrations/sqlite"}
}

func postgresMigrations(c *pgx.ConnConfig) *Migrations {
	patient := c.Copy()
	patient.RuntimeParams["statement_timeout"], patient.RuntimeParams["lock_timeout"] = "0", "0"
	const key = `hashtextextended('order-tracking migrations of ' || current_schema(), 0)`
	return &Migrations{
		db: stdlib.OpenDB(*patient), dialect: goose.DialectPostgres, folder: "migrations/postgres",
		lock: `SELECT pg_advisory_lock(` + key + `)`, unlock: `SELECT pg_advisory_unlock(` + key + `)`,
	}
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

// Status lists every step, oldest first.
func (m *Migrations) Status(ctx context.Context) ([]Migration, error) {
	var out []Migration
	err := m.locked(ctx, func(ctx context.Context, p *goose.Provider) error {
		steps, err := p.Status(ctx)
		for _, s := range steps {
			out = append(out, Migration{Version: s.Source.Version, Name: s.Source.Path, AppliedAt: s.AppliedAt})
		}
		return err
	})
	return out, err
}

// locked works on the schema while nobody else does.
func (m *Migrations) locked(ctx context.Context, work func(context.Context, *goose.Provider) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("migrate the database: %w", err)
		}
	}()
	if m.lock != "" {
		conn, err := m.db.Conn(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		if _, err := conn.ExecContext(ctx, m.lock); err != nil {
			return err
		}
		defer func() { _, _ = conn.ExecContext(context.WithoutCancel(ctx), m.unlock) }()
	}
	files, err := fs.Sub(migrations, m.folder)
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(m.dialect, m.db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	return work(ctx, p)
}

// migrateUp brings the schema to this program's version. A database of a newer
// program is refused: this one does not know what its tables mean.
func migrateUp(ctx context.Context, p *goose.Provider) error {
	current, target, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	if current > target {
		return fmt.Errorf("it has schema version %d, this program knows up to %d", current, target)
	}
	_, err = p.Up(ctx)
	return err
}
