-- +goose Up
-- +goose StatementBegin
-- Where offers are found: how they stand is in their order.
CREATE TABLE offers (
    id         uuid NOT NULL PRIMARY KEY,
    order_id   uuid NOT NULL,
    courier_id uuid NOT NULL,
    due_at     bigint NOT NULL
);
CREATE INDEX offers_courier ON offers (courier_id, id);
CREATE INDEX offers_due ON offers (due_at);
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DROP TABLE offers;
-- +goose StatementEnd
