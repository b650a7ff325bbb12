-- +goose Up
-- What lists are filtered by beside the status: the exception's code, the promise, and from
-- when on an unfinished order is late or may well become so; 0 for already.
ALTER TABLE orders ADD COLUMN exception TEXT;
ALTER TABLE orders ADD COLUMN promised_at INTEGER;
ALTER TABLE orders ADD COLUMN late_at INTEGER;
UPDATE orders SET exception = json_extract(data, '$.exception.code'),
    promised_at = CAST(unixepoch(json_extract(data, '$.promised_at'), 'subsec') * 1000000 AS INTEGER)
    WHERE json_extract(data, '$.exception.code') IS NOT NULL OR json_extract(data, '$.promised_at') IS NOT NULL;
UPDATE orders SET late_at = CASE WHEN json_extract(data, '$.eta.method') NOT IN ('promised', 'default')
    AND unixepoch(json_extract(data, '$.eta.latest'), 'subsec') * 1000000 > promised_at THEN 0 ELSE promised_at END
    WHERE NOT finished AND promised_at IS NOT NULL;
CREATE INDEX orders_exception ON orders (exception, created_at, id, status, merchant_id) WHERE exception IS NOT NULL;
CREATE INDEX orders_promised ON orders (promised_at, created_at, id, status, merchant_id) WHERE promised_at IS NOT NULL;
CREATE INDEX orders_late ON orders (late_at) WHERE late_at IS NOT NULL;
-- Counted by.
CREATE INDEX orders_open ON orders (status, exception, late_at, merchant_id, courier_id, promised_at, created_at) WHERE NOT finished;

-- +goose Down
DROP INDEX orders_open;
DROP INDEX orders_late;
DROP INDEX orders_promised;
DROP INDEX orders_exception;
ALTER TABLE orders DROP COLUMN late_at;
ALTER TABLE orders DROP COLUMN promised_at;
ALTER TABLE orders DROP COLUMN exception;
