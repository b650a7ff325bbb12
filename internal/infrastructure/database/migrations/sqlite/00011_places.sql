-- +goose Up
-- +goose StatementBegin
-- What the geocoder answered, by address; quality is empty when it found nothing.
CREATE TABLE places (
    address  TEXT NOT NULL PRIMARY KEY,
    lat      REAL NOT NULL,
    lon      REAL NOT NULL,
    quality  TEXT NOT NULL,
    found_at INTEGER NOT NULL
);
-- Who may do what only one replica does at a time, and until when.
CREATE TABLE leases (
    name   TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    until  INTEGER NOT NULL
);
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DROP TABLE leases;
DROP TABLE places;
-- +goose StatementEnd
