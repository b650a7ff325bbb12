-- +goose Up
-- +goose StatementBegin
-- Messages that cost money, counted by day.
CREATE TABLE message_counts (
    merchant_id TEXT    NOT NULL,
    channel     TEXT    NOT NULL,
    day         TEXT    NOT NULL,
    messages    INTEGER NOT NULL,
    PRIMARY KEY (merchant_id, channel, day)
);

-- Keyed hashes of addresses that get no messages; they stay when the person is erased.
CREATE TABLE opt_outs (
    mark TEXT    NOT NULL PRIMARY KEY,
    at   INTEGER NOT NULL
);
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DROP TABLE opt_outs;
DROP TABLE message_counts;
-- +goose StatementEnd
