-- +goose Up
-- +goose StatementBegin
-- Messages that cost money, counted by day.
CREATE TABLE message_counts (
    merchant_id text    NOT NULL,
    channel     text    NOT NULL,
    day         text    NOT NULL,
    messages    bigint NOT NULL,
    PRIMARY KEY (merchant_id, channel, day)
);

-- Keyed hashes of addresses that get no messages; they stay when the person is erased.
CREATE TABLE opt_outs (
    mark text    NOT NULL PRIMARY KEY,
    at   bigint NOT NULL
);
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DROP TABLE opt_outs;
DROP TABLE message_counts;
-- +goose StatementEnd
