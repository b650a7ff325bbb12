-- +goose Up
-- +goose StatementBegin
-- Messages to webhooks and customers, each about an event, which holds what they tell.
CREATE TABLE deliveries (
    receiver TEXT    NOT NULL,
    order_id TEXT    NOT NULL,
    seq      INTEGER NOT NULL,
    part     INTEGER NOT NULL,
    event_id TEXT    NOT NULL,
    type     TEXT    NOT NULL,
    template TEXT    NOT NULL,
    state    TEXT    NOT NULL,
    due_at   INTEGER, -- of the next try; NULL for none
    tries    INTEGER NOT NULL,
    tried_at INTEGER,
    code     INTEGER NOT NULL,
    error    TEXT    NOT NULL,
    PRIMARY KEY (receiver, order_id, seq, part)
) WITHOUT ROWID;
CREATE INDEX deliveries_due ON deliveries (receiver, due_at, order_id, seq, part) WHERE due_at IS NOT NULL;
CREATE UNIQUE INDEX deliveries_event ON deliveries (receiver, event_id, part);

-- Who sends to a receiver.
CREATE TABLE delivery_receivers (
    name          TEXT    NOT NULL PRIMARY KEY,
    owner         TEXT    NOT NULL,
    leased_until  INTEGER NOT NULL,
    failing_since INTEGER
);
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DROP TABLE delivery_receivers;
DROP TABLE deliveries;
-- +goose StatementEnd
