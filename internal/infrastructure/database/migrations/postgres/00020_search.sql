-- +goose Up
-- How many orders of a segment had not ended when it was built, and when that was; NULL until it
-- is built again, since its parts do not say how orders ended.
ALTER TABLE search_segments ADD COLUMN open bigint;
ALTER TABLE search_segments ADD COLUMN built_at bigint NOT NULL DEFAULT 0;

-- The few orders that were promised for a time before they were created.
CREATE INDEX orders_overdue ON orders (created_at, id) WHERE promised_at < created_at;
-- In the order of lists.
DROP INDEX orders_exception;
CREATE INDEX orders_exception ON orders (created_at, id, exception, status, merchant_id) WHERE exception IS NOT NULL;

-- +goose Down
DROP INDEX orders_exception;
CREATE INDEX orders_exception ON orders (exception, created_at, id, status, merchant_id) WHERE exception IS NOT NULL;
DROP INDEX orders_overdue;
ALTER TABLE search_segments DROP COLUMN built_at;
ALTER TABLE search_segments DROP COLUMN open;
