-- +goose Up
-- +goose StatementBegin
-- What is to be done about shipments: one row an order, of the shipment booked last.
CREATE TABLE shipments (
    order_id        uuid    NOT NULL PRIMARY KEY,
    carrier         text    NOT NULL,
    ref             text    NOT NULL, -- the carrier's id; '' until it is known
    tracking_number text    NOT NULL, -- '' until it is known
    client_ref      text    NOT NULL, -- the name that we gave it
    due_at          bigint,           -- when to look at it next; NULL for never
    since           bigint  NOT NULL,
    looks           bigint  NOT NULL,
    sent            boolean NOT NULL,
    cancelling      boolean NOT NULL,
    booking         text              -- JSON; NULL for a parcel that is only followed
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX shipments_due ON shipments (carrier, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX shipments_ref ON shipments (carrier, ref) WHERE ref <> '';
CREATE INDEX shipments_tracking ON shipments (tracking_number) WHERE tracking_number <> '';
CREATE INDEX shipments_client ON shipments (client_ref);

-- Hints of carriers that have not been worked on.
CREATE TABLE carrier_hooks (
    id          text   NOT NULL PRIMARY KEY, -- in the order of their arrival
    carrier     text   NOT NULL,
    received_at bigint NOT NULL,
    due_at      bigint NOT NULL,
    body        bytea  NOT NULL
);

-- Printed papers of shipments.
CREATE TABLE carrier_labels (
    client_ref text  NOT NULL,
    kind       text  NOT NULL,
    pdf        bytea NOT NULL,
    PRIMARY KEY (client_ref, kind)
);
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DROP TABLE carrier_labels;
DROP TABLE carrier_hooks;
DROP TABLE shipments;
-- +goose StatementEnd
