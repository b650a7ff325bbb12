-- +goose Up
-- How far the journal of an account with a delivery company was read.
CREATE TABLE carrier_cursors (
    carrier text NOT NULL,
    account text NOT NULL,
    cursor  text NOT NULL,
    PRIMARY KEY (carrier, account)
);

-- +goose Down
DROP TABLE carrier_cursors;
