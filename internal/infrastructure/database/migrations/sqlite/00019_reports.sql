-- +goose Up
-- +goose StatementBegin
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
CREATE INDEX orders_open ON orders (status, exception, late_at, merchant_id, courier_id, promised_at, created_at, incident) WHERE NOT finished;

-- The summary of days that reports are read from, see reports.go: scope is a merchant or '' for
-- all, day counts from 1970. Times are seconds.
CREATE TABLE report_days (
    scope     TEXT NOT NULL,
    dimension TEXT NOT NULL,
    day       INTEGER NOT NULL,
    name      TEXT NOT NULL,
    delivered INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    returned INTEGER NOT NULL,
    cancelled INTEGER NOT NULL,
    promised INTEGER NOT NULL,
    on_time INTEGER NOT NULL,
    first_try INTEGER NOT NULL,
    carried INTEGER NOT NULL,
    carrying INTEGER NOT NULL,
    waiting INTEGER NOT NULL,
    windows INTEGER NOT NULL,
    held INTEGER NOT NULL,
    off INTEGER NOT NULL,
    ratings INTEGER NOT NULL,
    stars INTEGER NOT NULL,
    parcels INTEGER NOT NULL,
    kept INTEGER NOT NULL,
    offers INTEGER NOT NULL,
    accepted INTEGER NOT NULL,
    declined INTEGER NOT NULL,
    expired INTEGER NOT NULL,
    withdrawn INTEGER NOT NULL,
    PRIMARY KEY (scope, dimension, day, name)
) WITHOUT ROWID;
-- What each order added, JSON, and the orders that changed since.
CREATE TABLE report_orders (order_id TEXT NOT NULL PRIMARY KEY, shares TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE report_queue (pos INTEGER PRIMARY KEY AUTOINCREMENT, order_id TEXT NOT NULL);
INSERT INTO report_queue (order_id) SELECT id FROM orders WHERE finished;
INSERT INTO leases (name, holder, until) VALUES ('reports', '', 0);

-- When couriers were on duty; from now on where it is not known.
CREATE TABLE courier_duty (
    courier_id TEXT NOT NULL,
    began_at   INTEGER NOT NULL,
    ended_at   INTEGER,
    PRIMARY KEY (courier_id, began_at)
);
CREATE INDEX courier_duty_ended ON courier_duty (ended_at);
INSERT INTO courier_duty (courier_id, began_at) SELECT id, CAST(unixepoch('subsec') * 1000000 AS INTEGER) FROM couriers WHERE on_duty;

-- GET /reports/eta reads no table row.
DROP INDEX lessons_at;
CREATE INDEX lessons_at ON lessons (at, merchant_id, carrier, zone, error_s, early, late) WHERE error_s IS NOT NULL;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DROP INDEX lessons_at;
CREATE INDEX lessons_at ON lessons (at) WHERE error_s IS NOT NULL;
DROP TABLE courier_duty;
DELETE FROM leases WHERE name = 'reports';
DROP TABLE report_queue;
DROP TABLE report_orders;
DROP TABLE report_days;
DROP INDEX orders_open;
DROP INDEX orders_late;
DROP INDEX orders_promised;
DROP INDEX orders_exception;
ALTER TABLE orders DROP COLUMN late_at;
ALTER TABLE orders DROP COLUMN promised_at;
ALTER TABLE orders DROP COLUMN exception;
-- +goose StatementEnd
