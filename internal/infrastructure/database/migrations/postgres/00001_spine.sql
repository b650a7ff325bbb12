-- Times are microseconds since 1970 in UTC, as in SQLite.

-- +goose Up
-- +goose StatementBegin
CREATE TABLE couriers (
    id            uuid    NOT NULL PRIMARY KEY,
    created_at    bigint  NOT NULL,
    on_duty       boolean NOT NULL,
    capacity      integer NOT NULL,
    active_orders integer NOT NULL DEFAULT 0,
    search        text    NOT NULL, -- name and phone in lower case
    data          text    NOT NULL  -- the courier's JSON
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05); -- the load changes often, in place
CREATE INDEX couriers_created ON couriers (created_at, id);

CREATE TABLE orders (
    id             uuid    NOT NULL PRIMARY KEY,
    created_at     bigint  NOT NULL,
    status         text    NOT NULL,
    finished       boolean NOT NULL,
    version        bigint  NOT NULL,
    courier_id     uuid,
    merchant_id    text    NOT NULL, -- '' is the merchant without a name
    external_id    text,
    customer_phone text,
    ledger         text    NOT NULL, -- what the order remembers and never shows, JSON
    search         text    NOT NULL, -- what people search by, in lower case
    data           text    NOT NULL  -- the order's JSON as the product shows it
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
-- Also walked for a search: a quarter of a second for a million orders, where
-- trigrams doubled the cost of every new one.
CREATE INDEX orders_created ON orders (created_at, id) INCLUDE (status, merchant_id, search);
CREATE INDEX orders_status ON orders (status, created_at, id);
CREATE INDEX orders_merchant ON orders (merchant_id, status, created_at, id) WHERE merchant_id <> '';
CREATE INDEX orders_courier ON orders (courier_id, finished, created_at, id) WHERE courier_id IS NOT NULL;
CREATE INDEX orders_phone ON orders (customer_phone, created_at, id) WHERE customer_phone IS NOT NULL;
CREATE UNIQUE INDEX orders_external ON orders (external_id, merchant_id) WHERE external_id IS NOT NULL;

-- Append-only: history, timeline, source of live streams and of the outbox.
CREATE TABLE order_events (
    pos        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id   uuid   NOT NULL,
    seq        bigint NOT NULL,
    data       text   NOT NULL, -- the event's JSON
    order_data text,            -- the order's JSON after it; notes, which are not published, have none
    UNIQUE (order_id, seq)
);

-- Positions of the events that the bus has not acknowledged. Rows come and go, so it
-- is vacuumed early and often.
CREATE TABLE outbox (pos bigint PRIMARY KEY) WITH (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 10000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 10000
);

CREATE TABLE idempotency (
    scope      text   NOT NULL,
    idem_key   text   NOT NULL,
    hash       text   NOT NULL,
    created_at bigint NOT NULL,
    result     bytea,
    PRIMARY KEY (scope, idem_key)
);
CREATE INDEX idempotency_created ON idempotency (created_at);

CREATE TABLE inbound (
    id          text   NOT NULL PRIMARY KEY,
    recorded_at bigint NOT NULL
);
CREATE INDEX inbound_recorded ON inbound (recorded_at);

-- The store makes a partition for each day (UTC) that it gets positions of, named
-- courier_positions_YYYYMMDD, and drops it whole when it is too old.
CREATE TABLE courier_positions (
    courier_id  uuid   NOT NULL,
    recorded_at bigint NOT NULL,
    received_at bigint NOT NULL,
    lat         double precision NOT NULL,
    lon         double precision NOT NULL,
    accuracy    double precision,
    speed       double precision,
    heading     double precision,
    altitude    double precision,
    battery     double precision,
    PRIMARY KEY (courier_id, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX courier_positions_time ON courier_positions USING brin (recorded_at);
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DROP TABLE courier_positions;
DROP TABLE inbound;
DROP TABLE idempotency;
DROP TABLE outbox;
DROP TABLE order_events;
DROP TABLE orders;
DROP TABLE couriers;
-- +goose StatementEnd
