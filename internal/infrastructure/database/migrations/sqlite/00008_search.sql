-- +goose Up
-- +goose StatementBegin
-- The search index: segments of consecutive orders and their parts, see searchparts.go.
-- A segment covers the keys after from up to to.
CREATE TABLE search_segments (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    live    BOOLEAN NOT NULL, -- else it is being built, or was replaced
    docs    INTEGER NOT NULL,
    from_at INTEGER NOT NULL,
    from_id TEXT    NOT NULL,
    to_at   INTEGER NOT NULL,
    to_id   TEXT    NOT NULL
);
CREATE TABLE search_parts (
    segment INTEGER NOT NULL,
    part    INTEGER NOT NULL,
    data    BLOB    NOT NULL,
    PRIMARY KEY (segment, part)
) WITHOUT ROWID;
-- One row: the last key of the newest segment.
CREATE TABLE search_state (sealed_at INTEGER NOT NULL, sealed_id TEXT NOT NULL);
INSERT INTO search_state (sealed_at, sealed_id) VALUES (-9223372036854775808, '00000000-0000-0000-0000-000000000000');
-- Orders whose text changed, or that came late, and that their segment does not have yet.
CREATE TABLE search_queue (
    pos        INTEGER PRIMARY KEY AUTOINCREMENT,
    order_id   TEXT    NOT NULL,
    created_at INTEGER NOT NULL, -- of the order
    queued_at  INTEGER NOT NULL
);

-- When an order is to be looked at next: its promise, while it may be broken.
ALTER TABLE orders ADD COLUMN watch_at INTEGER;
UPDATE orders SET watch_at = CAST(unixepoch(json_extract(data, '$.promised_at'), 'subsec') * 1000000 AS INTEGER)
    WHERE NOT finished AND json_extract(data, '$.promised_at') IS NOT NULL AND json_extract(ledger, '$.told."order.late"') IS NULL;
CREATE INDEX orders_watch ON orders (watch_at) WHERE watch_at IS NOT NULL;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DROP INDEX orders_watch;
ALTER TABLE orders DROP COLUMN watch_at;
DROP TABLE search_queue;
DROP TABLE search_state;
DROP TABLE search_parts;
DROP TABLE search_segments;
-- +goose StatementEnd
