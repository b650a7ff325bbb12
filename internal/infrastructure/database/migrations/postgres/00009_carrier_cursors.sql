-- +goose Up
-- +goose StatementBegin
-- How far the journal of an account with a delivery company was read.
CREATE TABLE carrier_cursors (
    carrier text NOT NULL,
    account text NOT NULL,
    cursor  text NOT NULL,
    PRIMARY KEY (carrier, account)
);
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DROP TABLE carrier_cursors;
-- +goose StatementEnd
