-- Times are microseconds since 1970 in UTC. Wide columns come last, so that the
-- narrow ones are read without following a row's overflow pages.

-- +goose Up
-- +goose StatementBegin
CREATE TABLE couriers (
    id            TEXT    NOT NULL PRIMARY KEY,
    created_at    INTEGER NOT NULL,
    on_duty       BOOLEAN NOT NULL,
    capacity      INTEGER NOT NULL,
    active_orders INTEGER NOT NULL DEFAULT 0,
    search        TEXT    NOT NULL, -- name and phone in lower case
    data          TEXT    NOT NULL  -- the courier's JSON
);
CREATE INDEX couriers_created ON couriers (created_at, id);

CREATE TABLE orders (
    id             TEXT    NOT NULL PRIMARY KEY,
    created_at     INTEGER NOT NULL,
    status         TEXT    NOT NULL,
    finished       BOOLEAN NOT NULL,
    version        INTEGER NOT NULL,
    courier_id     TEXT,
    merchant_id    TEXT    NOT NULL, -- '' is the merchant without a name
    external_id    TEXT,
    customer_phone TEXT,
    ledger         TEXT    NOT NULL, -- what the order remembers and never shows, JSON
    search         TEXT    NOT NULL, -- what people search by, in lower case
    data           TEXT    NOT NULL  -- the order's JSON as the product shows it
);
-- Also walked for a search, which then reads no wide row that it does not want.
CREATE INDEX orders_created ON orders (created_at, id, status, merchant_id, search);
CREATE INDEX orders_status ON orders (status, created_at, id);
CREATE INDEX orders_merchant ON orders (merchant_id, status, created_at, id) WHERE merchant_id <> '';
CREATE INDEX orders_courier ON orders (courier_id, finished, created_at, id) WHERE courier_id IS NOT NULL;
CREATE INDEX orders_phone ON orders (customer_phone, created_at, id) WHERE customer_phone IS NOT NULL;
CREATE UNIQUE INDEX orders_external ON orders (external_id, merchant_id) WHERE external_id IS NOT NULL;

-- Append-only: history, timeline, source of live streams and of the outbox.
CREATE TABLE order_events (
    pos        INTEGER PRIMARY KEY,
    order_id   TEXT    NOT NULL,
    seq        INTEGER NOT NULL,
    data       TEXT    NOT NULL, -- the event's JSON
    order_data TEXT,             -- the order's JSON after it; notes, which are not published, have none
    UNIQUE (order_id, seq)
);

-- Positions of the events that the bus has not acknowledged.
CREATE TABLE outbox (pos INTEGER PRIMARY KEY);

CREATE TABLE idempotency (
    scope      TEXT    NOT NULL,
    idem_key   TEXT    NOT NULL,
    hash       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    result     BLOB,
    PRIMARY KEY (scope, idem_key)
);
CREATE INDEX idempotency_created ON idempotency (created_at);

CREATE TABLE inbound (
    id          TEXT    NOT NULL PRIMARY KEY,
    recorded_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX inbound_recorded ON inbound (recorded_at);

CREATE TABLE courier_positions (
    courier_id  TEXT    NOT NULL,
    recorded_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    lat         REAL    NOT NULL,
    lon         REAL    NOT NULL,
    accuracy    REAL,
    speed       REAL,
    heading     REAL,
    altitude    REAL,
    battery     REAL,
    PRIMARY KEY (courier_id, recorded_at)
) WITHOUT ROWID;
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
