-- What became of what was sent: when it was stored, and what was refused.

-- +goose Up
-- NULL for what came before this migration. When it was accepted is in the
-- chunk's id, a v7.
ALTER TABLE payload_chunks ADD COLUMN stored_at timestamptz;

CREATE TABLE rejections (
    project_id text NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    minute     timestamptz NOT NULL, -- its begin
    reason     text COLLATE "C" NOT NULL,
    count      bigint NOT NULL,
    PRIMARY KEY (project_id, minute, reason)
);
-- Serves the purge of old ones.
CREATE INDEX rejections_minute_idx ON rejections (minute);
