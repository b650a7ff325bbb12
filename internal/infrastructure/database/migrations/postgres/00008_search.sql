-- +goose Up
-- +goose StatementBegin
-- The search index: segments of consecutive orders and their parts, see searchparts.go.
-- A segment covers the keys after from up to to.
CREATE TABLE search_segments (
    id      bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    live    boolean NOT NULL, -- else it is being built, or was replaced
    docs    bigint  NOT NULL,
    from_at bigint  NOT NULL,
    from_id uuid    NOT NULL,
    to_at   bigint  NOT NULL,
    to_id   uuid    NOT NULL
);
CREATE TABLE search_parts (
    segment bigint NOT NULL,
    part    bigint NOT NULL,
    data    bytea  NOT NULL,
    PRIMARY KEY (segment, part)
);
ALTER TABLE search_parts ALTER COLUMN data SET STORAGE EXTERNAL; -- it hardly compresses
-- One row: the last key of the newest segment.
CREATE TABLE search_state (sealed_at bigint NOT NULL, sealed_id uuid NOT NULL);
INSERT INTO search_state (sealed_at, sealed_id) VALUES (-9223372036854775808, '00000000-0000-0000-0000-000000000000');
-- Orders whose text changed, or that came late, and that their segment does not have yet.
CREATE TABLE search_queue (
    pos        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id   uuid   NOT NULL,
    created_at bigint NOT NULL, -- of the order
    queued_at  bigint NOT NULL
);

-- When an order is to be looked at next: its promise, while it may be broken.
ALTER TABLE orders ADD COLUMN watch_at bigint;
UPDATE orders SET watch_at = (extract(epoch FROM (data::jsonb ->> 'promised_at')::timestamptz) * 1000000)::bigint
    WHERE NOT finished AND data::jsonb ? 'promised_at' AND NOT coalesce(ledger::jsonb -> 'told', '{}') ? 'order.late';
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
