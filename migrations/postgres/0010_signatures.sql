-- Which texts the payloads of a chunk may hold: see store.Sign.

-- +goose Up
-- NULL until somebody has read the chunk, and again when it becomes another one.
ALTER TABLE payload_chunks ADD COLUMN signature bytea;
-- Its bits do not compress.
ALTER TABLE payload_chunks ALTER COLUMN signature SET STORAGE EXTERNAL;
-- Serves SignChunks.
CREATE INDEX payload_chunks_unsigned_idx ON payload_chunks (project_id) WHERE signature IS NULL;
