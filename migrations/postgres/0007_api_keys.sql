-- Which API key a span was sent with.

-- +goose Up
-- An id of api_keys, which may be gone since; NULL where none is known: of what
-- came before this migration, and of imports.
ALTER TABLE spans ADD COLUMN api_key text COLLATE "C";
