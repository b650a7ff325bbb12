-- +goose Up
-- +goose StatementBegin
-- By the name of a member of the document: the version that changed it last, JSON.
ALTER TABLE documents ADD COLUMN members TEXT NOT NULL DEFAULT '{}';
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
ALTER TABLE documents DROP COLUMN members;
-- +goose StatementEnd
