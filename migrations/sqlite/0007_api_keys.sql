-- Which API key a span was sent with.

-- +goose Up

-- What stands for a key in the table of spans: an id is 36 bytes, and every row
-- would repeat it. A key that is deleted keeps its number.
CREATE TABLE api_key_numbers (
    number  INTEGER PRIMARY KEY,
    project INTEGER NOT NULL,
    key_id  TEXT    NOT NULL,
    UNIQUE (project, key_id)
);
-- NULL where none is known: of what came before this migration, and of imports.
ALTER TABLE spans ADD COLUMN api_key INTEGER;
