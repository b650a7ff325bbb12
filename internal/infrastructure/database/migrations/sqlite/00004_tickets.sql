-- +goose Up
-- +goose StatementBegin
-- Tickets that each open one stream. Only a hash is kept: the ticket is shown once.
CREATE TABLE tickets (
    hash       BLOB    NOT NULL PRIMARY KEY, -- SHA-256 of the ticket
    actor_kind TEXT    NOT NULL,
    actor_id   TEXT    NOT NULL,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX tickets_expires ON tickets (expires_at);
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DROP TABLE tickets;
-- +goose StatementEnd
