-- +goose Up
-- +goose StatementBegin
-- Messages to webhooks and customers, each about an event, which holds what they tell.
CREATE TABLE deliveries (
    receiver text    NOT NULL,
    order_id uuid    NOT NULL,
    seq      bigint  NOT NULL,
    part     integer NOT NULL,
    event_id uuid    NOT NULL,
    type     text    NOT NULL,
    template text    NOT NULL,
    state    text    NOT NULL,
    due_at   bigint, -- of the next try; NULL for none
    tries    integer NOT NULL,
    tried_at bigint,
    code     integer NOT NULL,
    error    text    NOT NULL,
    PRIMARY KEY (receiver, order_id, seq, part)
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX deliveries_due ON deliveries (receiver, due_at, order_id, seq, part) WHERE due_at IS NOT NULL;
CREATE UNIQUE INDEX deliveries_event ON deliveries (receiver, event_id, part);

-- Who sends to a receiver.
CREATE TABLE delivery_receivers (
    name          text   NOT NULL PRIMARY KEY,
    owner         text   NOT NULL,
    leased_until  bigint NOT NULL,
    failing_since bigint
) WITH (fillfactor = 50);
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DROP TABLE delivery_receivers;
DROP TABLE deliveries;
-- +goose StatementEnd
