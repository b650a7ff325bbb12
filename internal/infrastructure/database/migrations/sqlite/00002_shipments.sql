-- +goose Up
-- +goose StatementBegin
-- What is to be done about shipments: one row an order, of the shipment booked last.
CREATE TABLE shipments (
    order_id        TEXT    NOT NULL PRIMARY KEY,
    carrier         TEXT    NOT NULL,
    ref             TEXT    NOT NULL, -- the carrier's id; '' until it is known
    tracking_number TEXT    NOT NULL, -- '' until it is known
    client_ref      TEXT    NOT NULL, -- the name that we gave it
    due_at          INTEGER,          -- when to look at it next; NULL for never
    since           INTEGER NOT NULL,
    looks           INTEGER NOT NULL,
    sent            BOOLEAN NOT NULL,
    cancelling      BOOLEAN NOT NULL,
    booking         TEXT              -- JSON; NULL for a parcel that is only followed
);
CREATE INDEX shipments_due ON shipments (carrier, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX shipments_ref ON shipments (carrier, ref) WHERE ref <> '';
CREATE INDEX shipments_tracking ON shipments (tracking_number) WHERE tracking_number <> '';
CREATE INDEX shipments_client ON shipments (client_ref);

-- Hints of carriers that have not been worked on.
CREATE TABLE carrier_hooks (
    id          TEXT    NOT NULL PRIMARY KEY, -- in the order of their arrival
    carrier     TEXT    NOT NULL,
    received_at INTEGER NOT NULL,
    due_at      INTEGER NOT NULL,
    body        BLOB    NOT NULL
);

-- Printed papers of shipments.
CREATE TABLE carrier_labels (
    client_ref TEXT NOT NULL,
    kind       TEXT NOT NULL,
    pdf        BLOB NOT NULL,
    PRIMARY KEY (client_ref, kind)
);
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DROP TABLE carrier_labels;
DROP TABLE carrier_hooks;
DROP TABLE shipments;
-- +goose StatementEnd
