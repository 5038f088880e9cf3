-- What traces add up to beside their number: tokens, cost, and how long they and
-- their first tokens took, so that sums over a long range are of all of it.

-- +goose Up
-- Of the main span.
ALTER TABLE traces ADD COLUMN first_token_ms double precision;
UPDATE traces SET first_token_ms = s.first_token_ms
FROM spans s WHERE s.project_id = traces.project_id AND s.span_id = traces.main_span_id AND s.first_token_ms IS NOT NULL;
-- See fold.TraceSums.
ALTER TABLE trace_counts
    ADD COLUMN input_tokens bigint NOT NULL DEFAULT 0,
    ADD COLUMN output_tokens bigint NOT NULL DEFAULT 0,
    ADD COLUMN cost_nano_usd bigint NOT NULL DEFAULT 0,
    ADD COLUMN latency bytea NOT NULL DEFAULT '', -- sketch.Latency, as the next
    ADD COLUMN first_token bytea NOT NULL DEFAULT '';
-- Projects whose rows of trace_counts are to be made anew, which SQL cannot: the
-- program does so right after the migrations.
CREATE TABLE trace_counts_due (project_id text COLLATE "C" PRIMARY KEY);
INSERT INTO trace_counts_due SELECT DISTINCT project_id FROM trace_counts;
