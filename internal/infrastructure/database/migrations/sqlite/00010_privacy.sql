-- +goose Up
-- +goose StatementBegin
-- Whether the customer's data was erased, and which final orders still have theirs.
ALTER TABLE orders ADD COLUMN erased BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX orders_unerased ON orders (created_at, id) WHERE finished AND NOT erased;

-- Orders to be erased at their end.
CREATE TABLE erasures (
    order_id TEXT NOT NULL PRIMARY KEY,
    mark     TEXT NOT NULL -- keyed hash of the customer's phone number
);
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DROP TABLE erasures;
DROP INDEX orders_unerased;
ALTER TABLE orders DROP COLUMN erased;
-- +goose StatementEnd
