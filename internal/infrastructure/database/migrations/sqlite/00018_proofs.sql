-- +goose Up
-- +goose StatementBegin
-- Pictures of proofs and incidents, which are in their order.
CREATE TABLE order_images (
    order_id   TEXT NOT NULL,
    owner_id   TEXT NOT NULL,
    kind       TEXT NOT NULL,
    data       BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (order_id, owner_id, kind)
);

-- Wrong PINs of orders.
CREATE TABLE order_pins (
    order_id     TEXT NOT NULL PRIMARY KEY,
    wrong        INTEGER NOT NULL,
    locked_until INTEGER
);

-- Whether an incident is open.
ALTER TABLE orders ADD COLUMN incident BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX orders_incident ON orders (created_at, id) WHERE incident;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DROP INDEX orders_incident;
ALTER TABLE orders DROP COLUMN incident;
DROP TABLE order_pins;
DROP TABLE order_images;
-- +goose StatementEnd
