-- +goose Up
-- By the name of a member of the document: the version that changed it last, JSON.
ALTER TABLE documents ADD COLUMN members TEXT NOT NULL DEFAULT '{}';

-- +goose Down
ALTER TABLE documents DROP COLUMN members;
