-- What became of what was sent: when it was stored, and what was refused.

-- +goose Up
-- Microseconds since 1970, UTC; NULL for what came before this migration. When
-- it was accepted is in the chunk's id, a v7.
ALTER TABLE payload_chunks ADD COLUMN stored_at INTEGER;

CREATE TABLE rejections (
    project_id TEXT    NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    minute     INTEGER NOT NULL, -- its begin, milliseconds since 1970, UTC
    reason     TEXT    NOT NULL,
    count      INTEGER NOT NULL,
    PRIMARY KEY (project_id, minute, reason)
) WITHOUT ROWID;
-- Serves the purge of old ones.
CREATE INDEX rejections_minute_idx ON rejections (minute);
