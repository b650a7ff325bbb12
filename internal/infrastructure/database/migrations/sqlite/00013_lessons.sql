-- +goose Up
-- +goose StatementBegin
-- What orders teach the estimates, and how far off those were. A row is made in the
-- transaction that books a parcel (kind 0) or ends an order (kind 1), once; a learner works
-- it out later and gives it the next position, which says when every replica learns it.
CREATE TABLE lessons (
    order_id    TEXT NOT NULL,
    kind        INTEGER NOT NULL,
    pos         INTEGER UNIQUE,           -- NULL until it is worked out
    at          INTEGER,                  -- when it happened
    data        TEXT,                  -- JSON; hashes of groups instead of names and places
    merchant_id TEXT,
    carrier     TEXT,
    zone        TEXT,
    error_s     REAL,                -- expected minus actual, in seconds; NULL where nothing was expected
    early       BOOLEAN,               -- before the first window
    late        BOOLEAN,               -- after it
    PRIMARY KEY (order_id, kind)
);
CREATE INDEX lessons_pending ON lessons (order_id) WHERE pos IS NULL;
CREATE INDEX lessons_at ON lessons (at) WHERE error_s IS NOT NULL;
INSERT INTO lessons (order_id, kind) SELECT id, 1 FROM orders WHERE status = 'delivered';

-- The last position, and the newest snapshot of what was learned, up to its place.
CREATE TABLE estimates (
    name  TEXT NOT NULL PRIMARY KEY,
    place INTEGER NOT NULL,
    data  BLOB
);
INSERT INTO estimates (name, place) VALUES ('last', 0), ('book', 0);

CREATE TRIGGER lessons_ended AFTER UPDATE OF status ON orders WHEN (NEW.finished AND NOT OLD.finished) BEGIN
    INSERT OR IGNORE INTO lessons (order_id, kind) VALUES (NEW.id, 1);
END;

CREATE TRIGGER lessons_restored AFTER INSERT ON orders WHEN (NEW.finished) BEGIN
    INSERT OR IGNORE INTO lessons (order_id, kind) VALUES (NEW.id, 1);
END;

CREATE TRIGGER lessons_booked AFTER INSERT ON shipments BEGIN
    INSERT OR IGNORE INTO lessons (order_id, kind) VALUES (NEW.order_id, 0);
END;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DROP TRIGGER lessons_booked;
DROP TRIGGER lessons_restored;
DROP TRIGGER lessons_ended;
DROP TABLE estimates;
DROP TABLE lessons;
-- +goose StatementEnd
