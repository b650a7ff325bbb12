-- +goose Up
-- +goose StatementBegin
-- The tokens of couriers' phones. Only a hash is kept: the token is shown once.
CREATE TABLE courier_tokens (
    id         uuid   NOT NULL PRIMARY KEY,
    courier_id uuid   NOT NULL,
    hash       bytea  NOT NULL UNIQUE, -- SHA-256 of the token
    created_at bigint NOT NULL
);
CREATE INDEX courier_tokens_courier ON courier_tokens (courier_id);

-- What a device said beside its position: JSON; NULL for nothing.
ALTER TABLE courier_positions ADD COLUMN attributes text;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
ALTER TABLE courier_positions DROP COLUMN attributes;
DROP TABLE courier_tokens;
-- +goose StatementEnd
