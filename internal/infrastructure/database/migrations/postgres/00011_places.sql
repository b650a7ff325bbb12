-- +goose Up
-- What the geocoder answered, by address; quality is empty when it found nothing.
CREATE TABLE places (
    address  TEXT NOT NULL PRIMARY KEY,
    lat      double precision NOT NULL,
    lon      double precision NOT NULL,
    quality  TEXT NOT NULL,
    found_at bigint NOT NULL
);
-- Who may do what only one replica does at a time, and until when.
CREATE TABLE leases (
    name   TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    until  bigint NOT NULL
);
-- Decayed sums of what was measured, and the orders that are in them.
CREATE TABLE averages (
    name   TEXT NOT NULL PRIMARY KEY,
    weight double precision NOT NULL,
    total  double precision NOT NULL
);
CREATE TABLE averaged (
    sample TEXT NOT NULL PRIMARY KEY,
    at     bigint NOT NULL
);
CREATE INDEX averaged_at ON averaged (at);

-- +goose Down
DROP TABLE averaged;
DROP TABLE averages;
DROP TABLE leases;
DROP TABLE places;
