-- +goose Up
-- Where the carrier's courier is while he carries the parcel: JSON.
ALTER TABLE shipments ADD COLUMN performer TEXT;

-- +goose Down
ALTER TABLE shipments DROP COLUMN performer;
