-- +goose Up
-- +goose StatementBegin
-- Only webhooks have a log, and are settled and sent again by the ids of events; part tells
-- messages by rules apart, which are many and would pay for it at each commit.
DROP INDEX deliveries_event;
CREATE UNIQUE INDEX deliveries_event ON deliveries (receiver, event_id) WHERE part = 0;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DROP INDEX deliveries_event;
CREATE UNIQUE INDEX deliveries_event ON deliveries (receiver, event_id, part);
-- +goose StatementEnd
