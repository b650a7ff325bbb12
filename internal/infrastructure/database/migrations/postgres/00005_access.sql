-- Who may do what. Only hashes of secrets are kept: a secret is shown once.

-- +goose Up
-- +goose StatementBegin
CREATE TABLE credentials (
    id           text NOT NULL PRIMARY KEY,
    kind         text NOT NULL, -- key, link, session, code
    hash         bytea NOT NULL UNIQUE, -- SHA-256 of the secret
    parent_id    text, -- what a session was opened with
    prefix       text NOT NULL,
    name         text NOT NULL,
    role         text NOT NULL,
    merchant_id  text NOT NULL,
    courier_id   text NOT NULL,
    order_id     text, -- of a link
    created_at   bigint NOT NULL,
    expires_at   bigint,
    last_used_at bigint
);
CREATE INDEX credentials_kind ON credentials (kind, created_at, id) WHERE kind <> 'link';
CREATE INDEX credentials_order ON credentials (order_id) WHERE order_id IS NOT NULL;
CREATE INDEX credentials_parent ON credentials (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX credentials_expires ON credentials (expires_at) WHERE expires_at IS NOT NULL;

-- One row: epoch grows when something is taken away from somebody, audited counts the
-- audit's entries and puts them in one order.
CREATE TABLE access_state (epoch bigint NOT NULL, audited bigint NOT NULL);
INSERT INTO access_state (epoch, audited) VALUES (1, 0);

-- What staff set up while the product runs: merchants, settings.
CREATE TABLE documents (
    kind       text NOT NULL,
    id         text NOT NULL,
    version    bigint NOT NULL,
    updated_at bigint NOT NULL,
    changed_by text NOT NULL, -- JSON
    data       text NOT NULL, -- JSON
    PRIMARY KEY (kind, id)
);

CREATE TABLE secrets (name text NOT NULL PRIMARY KEY, value bytea NOT NULL);

-- Append-only.
CREATE TABLE audit (
    position bigint NOT NULL PRIMARY KEY,
    at       bigint NOT NULL,
    actor_id text NOT NULL,
    object   text NOT NULL,
    data     text NOT NULL -- the entry's JSON
);
CREATE INDEX audit_object ON audit (object, position);
CREATE INDEX audit_actor ON audit (actor_id, position);
CREATE TABLE audit_seals (
    number        bigint NOT NULL PRIMARY KEY,
    last_position bigint NOT NULL,
    hash          bytea NOT NULL,
    sealed_at     bigint NOT NULL
);

-- Tickets remember all of who asked for them. Those that there are expire in seconds.
DROP TABLE tickets;
CREATE TABLE tickets (
    hash       bytea NOT NULL PRIMARY KEY, -- SHA-256 of the ticket
    caller     text NOT NULL, -- JSON
    expires_at bigint NOT NULL
);
CREATE INDEX tickets_expires ON tickets (expires_at);
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DROP TABLE tickets;
CREATE TABLE tickets (
    hash       bytea NOT NULL PRIMARY KEY,
    actor_kind text NOT NULL,
    actor_id   text NOT NULL,
    expires_at bigint NOT NULL
);
CREATE INDEX tickets_expires ON tickets (expires_at);
DROP TABLE audit_seals;
DROP TABLE audit;
DROP TABLE secrets;
DROP TABLE documents;
DROP TABLE access_state;
DROP TABLE credentials;
-- +goose StatementEnd
