-- +goose Up
-- +goose StatementBegin
-- Pictures of proofs and incidents, which are in their order.
CREATE TABLE order_images (
    order_id   uuid NOT NULL,
    owner_id   uuid NOT NULL,
    kind       text NOT NULL,
    data       bytea NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (order_id, owner_id, kind)
);

-- Wrong PINs of orders.
CREATE TABLE order_pins (
    order_id     uuid NOT NULL PRIMARY KEY,
    wrong        integer NOT NULL,
    locked_until bigint
);

-- Whether an incident is open.
ALTER TABLE orders ADD COLUMN incident boolean NOT NULL DEFAULT false;
CREATE INDEX orders_incident ON orders (created_at, id) WHERE incident;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DROP INDEX orders_incident;
ALTER TABLE orders DROP COLUMN incident;
DROP TABLE order_pins;
DROP TABLE order_images;
-- +goose StatementEnd
