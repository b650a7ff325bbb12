-- +goose Up
-- +goose StatementBegin
-- What orders teach the estimates, and how far off those were. A row is made in the
-- transaction that books a parcel (kind 0) or ends an order (kind 1), once; a learner works
-- it out later and gives it the next position, which says when every replica learns it.
CREATE TABLE lessons (
    order_id    uuid NOT NULL,
    kind        bigint NOT NULL,
    pos         bigint UNIQUE,           -- NULL until it is worked out
    at          bigint,                  -- when it happened
    data        text,                  -- JSON; hashes of groups instead of names and places
    merchant_id text,
    carrier     text,
    zone        text,
    error_s     double precision,                -- expected minus actual, in seconds; NULL where nothing was expected
    early       boolean,               -- before the first window
    late        boolean,               -- after it
    PRIMARY KEY (order_id, kind)
);
CREATE INDEX lessons_pending ON lessons (order_id) WHERE pos IS NULL;
CREATE INDEX lessons_at ON lessons (at) WHERE error_s IS NOT NULL;
INSERT INTO lessons (order_id, kind) SELECT id, 1 FROM orders WHERE status = 'delivered';

-- The last position, and the newest snapshot of what was learned, up to its place.
CREATE TABLE estimates (
    name  text NOT NULL PRIMARY KEY,
    place bigint NOT NULL,
    data  bytea
);
INSERT INTO estimates (name, place) VALUES ('last', 0), ('book', 0);

CREATE FUNCTION lesson_ends() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO lessons (order_id, kind) VALUES (NEW.id, 1) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE FUNCTION lesson_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO lessons (order_id, kind) VALUES (NEW.order_id, 0) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE TRIGGER lessons_ended AFTER UPDATE OF status ON orders FOR EACH ROW WHEN (NEW.finished AND NOT OLD.finished) EXECUTE FUNCTION lesson_ends();

CREATE TRIGGER lessons_restored AFTER INSERT ON orders FOR EACH ROW WHEN (NEW.finished) EXECUTE FUNCTION lesson_ends();

CREATE TRIGGER lessons_booked AFTER INSERT ON shipments FOR EACH ROW EXECUTE FUNCTION lesson_begins();
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DROP TRIGGER lessons_booked ON shipments;
DROP TRIGGER lessons_restored ON orders;
DROP TRIGGER lessons_ended ON orders;
DROP FUNCTION lesson_begins();
DROP FUNCTION lesson_ends();
DROP TABLE estimates;
DROP TABLE lessons;
-- +goose StatementEnd
