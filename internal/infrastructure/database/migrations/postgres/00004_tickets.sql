-- +goose Up
-- +goose StatementBegin
-- Tickets that each open one stream. Only a hash is kept: the ticket is shown once.
CREATE TABLE tickets (
    hash       bytea  NOT NULL PRIMARY KEY, -- SHA-256 of the ticket
    actor_kind text   NOT NULL,
    actor_id   text   NOT NULL,
    expires_at bigint NOT NULL
);
CREATE INDEX tickets_expires ON tickets (expires_at);
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DROP TABLE tickets;
-- +goose StatementEnd
