-- Who may do what. Only hashes of secrets are kept: a secret is shown once.

-- +goose Up
-- +goose StatementBegin
CREATE TABLE credentials (
    id           TEXT NOT NULL PRIMARY KEY,
    kind         TEXT NOT NULL, -- key, link, session, code
    hash         BLOB NOT NULL UNIQUE, -- SHA-256 of the secret
    parent_id    TEXT, -- what a session was opened with
    prefix       TEXT NOT NULL,
    name         TEXT NOT NULL,
    role         TEXT NOT NULL,
    merchant_id  TEXT NOT NULL,
    courier_id   TEXT NOT NULL,
    order_id     TEXT, -- of a link
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    last_used_at INTEGER
);
CREATE INDEX credentials_kind ON credentials (kind, created_at, id) WHERE kind <> 'link';
CREATE INDEX credentials_order ON credentials (order_id) WHERE order_id IS NOT NULL;
CREATE INDEX credentials_parent ON credentials (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX credentials_expires ON credentials (expires_at) WHERE expires_at IS NOT NULL;

-- One row: epoch grows when something is taken away from somebody, audited counts the
-- audit's entries and puts them in one order.
CREATE TABLE access_state (epoch INTEGER NOT NULL, audited INTEGER NOT NULL);
INSERT INTO access_state (epoch, audited) VALUES (1, 0);

-- What staff set up while the product runs: merchants, settings.
CREATE TABLE documents (
    kind       TEXT NOT NULL,
    id         TEXT NOT NULL,
    version    INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    changed_by TEXT NOT NULL, -- JSON
    data       TEXT NOT NULL, -- JSON
    PRIMARY KEY (kind, id)
);

CREATE TABLE secrets (name TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL);

-- Append-only.
CREATE TABLE audit (
    position INTEGER NOT NULL PRIMARY KEY,
    at       INTEGER NOT NULL,
    actor_id TEXT NOT NULL,
    object   TEXT NOT NULL,
    data     TEXT NOT NULL -- the entry's JSON
);
CREATE INDEX audit_object ON audit (object, position);
CREATE INDEX audit_actor ON audit (actor_id, position);
CREATE TABLE audit_seals (
    number        INTEGER NOT NULL PRIMARY KEY,
    last_position INTEGER NOT NULL,
    hash          BLOB NOT NULL,
    sealed_at     INTEGER NOT NULL
);

-- Tickets remember all of who asked for them. Those that there are expire in seconds.
DROP TABLE tickets;
CREATE TABLE tickets (
    hash       BLOB NOT NULL PRIMARY KEY, -- SHA-256 of the ticket
    caller     TEXT NOT NULL, -- JSON
    expires_at INTEGER NOT NULL
);
CREATE INDEX tickets_expires ON tickets (expires_at);
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DROP TABLE tickets;
CREATE TABLE tickets (
    hash       BLOB NOT NULL PRIMARY KEY,
    actor_kind TEXT NOT NULL,
    actor_id   TEXT NOT NULL,
    expires_at INTEGER NOT NULL
);
CREATE INDEX tickets_expires ON tickets (expires_at);
DROP TABLE audit_seals;
DROP TABLE audit;
DROP TABLE secrets;
DROP TABLE documents;
DROP TABLE access_state;
DROP TABLE credentials;
-- +goose StatementEnd
