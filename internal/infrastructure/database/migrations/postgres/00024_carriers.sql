-- +goose Up
-- +goose StatementBegin
-- Where the carrier's courier is while he carries the parcel: JSON.
ALTER TABLE shipments ADD COLUMN performer TEXT;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
ALTER TABLE shipments DROP COLUMN performer;
-- +goose StatementEnd
