-- +goose Up
-- +goose StatementBegin
-- What lists are filtered by beside the status: the exception's code, the promise, and from
-- when on an unfinished order is late or may well become so; 0 for already.
ALTER TABLE orders ADD COLUMN exception text;
ALTER TABLE orders ADD COLUMN promised_at bigint;
ALTER TABLE orders ADD COLUMN late_at bigint;
UPDATE orders SET exception = data::jsonb -> 'exception' ->> 'code',
    promised_at = (extract(epoch FROM (data::jsonb ->> 'promised_at')::timestamptz) * 1000000)::bigint
    WHERE data::jsonb ?| '{exception,promised_at}';
UPDATE orders SET late_at = CASE WHEN data::jsonb -> 'eta' ->> 'method' NOT IN ('promised', 'default')
    AND extract(epoch FROM (data::jsonb -> 'eta' ->> 'latest')::timestamptz) * 1000000 > promised_at THEN 0 ELSE promised_at END
    WHERE NOT finished AND promised_at IS NOT NULL;
CREATE INDEX orders_exception ON orders (exception, created_at, id, status, merchant_id) WHERE exception IS NOT NULL;
CREATE INDEX orders_promised ON orders (promised_at, created_at, id, status, merchant_id) WHERE promised_at IS NOT NULL;
CREATE INDEX orders_late ON orders (late_at) WHERE late_at IS NOT NULL;
-- Counted by.
CREATE INDEX orders_open ON orders (status, exception, late_at, merchant_id, courier_id, promised_at, created_at, incident) WHERE NOT finished;

-- The summary of days that reports are read from, see reports.go: scope is a merchant or '' for
-- all, day counts from 1970. Times are seconds.
CREATE TABLE report_days (
    scope     text NOT NULL,
    dimension text NOT NULL,
    day       bigint NOT NULL,
    name      text NOT NULL,
    delivered bigint NOT NULL,
    failed bigint NOT NULL,
    returned bigint NOT NULL,
    cancelled bigint NOT NULL,
    promised bigint NOT NULL,
    on_time bigint NOT NULL,
    first_try bigint NOT NULL,
    carried bigint NOT NULL,
    carrying bigint NOT NULL,
    waiting bigint NOT NULL,
    windows bigint NOT NULL,
    held bigint NOT NULL,
    off bigint NOT NULL,
    ratings bigint NOT NULL,
    stars bigint NOT NULL,
    parcels bigint NOT NULL,
    kept bigint NOT NULL,
    offers bigint NOT NULL,
    accepted bigint NOT NULL,
    declined bigint NOT NULL,
    expired bigint NOT NULL,
    withdrawn bigint NOT NULL,
    PRIMARY KEY (scope, dimension, day, name)
);
-- What each order added, JSON, and the orders that changed since.
CREATE TABLE report_orders (order_id uuid NOT NULL PRIMARY KEY, shares text NOT NULL);
CREATE TABLE report_queue (pos bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, order_id uuid NOT NULL);
INSERT INTO report_queue (order_id) SELECT id FROM orders WHERE finished;
INSERT INTO leases (name, holder, until) VALUES ('reports', '', 0);

-- When couriers were on duty; from now on where it is not known.
CREATE TABLE courier_duty (
    courier_id uuid NOT NULL,
    began_at   bigint NOT NULL,
    ended_at   bigint,
    PRIMARY KEY (courier_id, began_at)
);
CREATE INDEX courier_duty_ended ON courier_duty (ended_at);
INSERT INTO courier_duty (courier_id, began_at) SELECT id, (extract(epoch FROM now()) * 1000000)::bigint FROM couriers WHERE on_duty;

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
