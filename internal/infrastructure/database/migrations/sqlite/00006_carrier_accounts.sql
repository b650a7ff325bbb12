-- +goose Up
-- +goose StatementBegin
-- Shipments belong to a contract with a carrier; what came of handing one in is kept by the time of it.
ALTER TABLE shipments ADD COLUMN account TEXT NOT NULL DEFAULT '';
ALTER TABLE shipments ADD COLUMN more TEXT; -- JSON: the names of a shipment that few carriers need
ALTER TABLE shipments ADD COLUMN sent_at INTEGER; -- NULL while the carrier can't have heard of it
ALTER TABLE shipments ADD COLUMN failing_since INTEGER; -- NULL while looks succeed
UPDATE shipments SET sent_at = since WHERE sent;
ALTER TABLE shipments DROP COLUMN sent;
DROP INDEX shipments_due;
CREATE INDEX shipments_due ON shipments (carrier, account, due_at) WHERE due_at IS NOT NULL;

ALTER TABLE carrier_hooks ADD COLUMN account TEXT NOT NULL DEFAULT '';
ALTER TABLE carrier_hooks ADD COLUMN header TEXT NOT NULL DEFAULT '{}'; -- JSON
ALTER TABLE carrier_hooks ADD COLUMN query TEXT NOT NULL DEFAULT '';

-- Papers of one or several shipments, printed or being printed.
CREATE TABLE carrier_papers (
    paper TEXT   NOT NULL PRIMARY KEY,
    job   TEXT   NOT NULL, -- the carrier's id of the printing
    since INTEGER NOT NULL,
    pdf   BLOB -- NULL until it is printed
);
INSERT INTO carrier_papers (paper, job, since, pdf)
    SELECT client_ref || '/' || kind, '', 0, pdf FROM carrier_labels WHERE pdf IS NOT NULL;
DROP TABLE carrier_labels;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
CREATE TABLE carrier_labels (
    client_ref TEXT NOT NULL,
    kind       TEXT NOT NULL,
    pdf        BLOB NOT NULL,
    PRIMARY KEY (client_ref, kind)
);
DROP TABLE carrier_papers;
ALTER TABLE carrier_hooks DROP COLUMN query;
ALTER TABLE carrier_hooks DROP COLUMN header;
ALTER TABLE carrier_hooks DROP COLUMN account;
ALTER TABLE shipments ADD COLUMN sent BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE shipments SET sent = TRUE WHERE sent_at IS NOT NULL;
DROP INDEX shipments_due;
CREATE INDEX shipments_due ON shipments (carrier, due_at) WHERE due_at IS NOT NULL;
ALTER TABLE shipments DROP COLUMN failing_since;
ALTER TABLE shipments DROP COLUMN sent_at;
ALTER TABLE shipments DROP COLUMN more;
ALTER TABLE shipments DROP COLUMN account;
-- +goose StatementEnd
