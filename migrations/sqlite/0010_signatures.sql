-- Which texts the payloads of a chunk may hold: see store.Sign.

-- +goose Up
-- Beside payload_chunks, where a search would read the payloads to get behind
-- them. NULL until somebody has read the chunk.
CREATE TABLE payload_signatures (
    project   INTEGER NOT NULL,
    day       INTEGER NOT NULL,
    chunk_id  BLOB    NOT NULL,
    signature BLOB,
    PRIMARY KEY (project, day, chunk_id)
);
-- Serves SignChunks.
CREATE INDEX payload_signatures_none_idx ON payload_signatures (project) WHERE signature IS NULL;
INSERT INTO payload_signatures (project, day, chunk_id) SELECT project, day, chunk_id FROM payload_chunks;

-- Each chunk has a row, and a chunk that becomes another one is to be read again.
-- +goose StatementBegin
CREATE TRIGGER payload_chunks_added AFTER INSERT ON payload_chunks BEGIN
    INSERT INTO payload_signatures (project, day, chunk_id) VALUES (new.project, new.day, new.chunk_id);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payload_chunks_changed AFTER UPDATE OF data ON payload_chunks BEGIN
    UPDATE payload_signatures SET signature = NULL WHERE project = new.project AND day = new.day AND chunk_id = new.chunk_id;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payload_chunks_gone AFTER DELETE ON payload_chunks BEGIN
    DELETE FROM payload_signatures WHERE project = old.project AND day = old.day AND chunk_id = old.chunk_id;
END;
-- +goose StatementEnd
