-- What traces add up to beside their number: tokens, cost, and how long they and
-- their first tokens took, so that sums over a long range are of all of it.

-- +goose Up
-- Of the main span.
ALTER TABLE traces ADD COLUMN first_token_ms REAL;
UPDATE traces SET first_token_ms = s.first_token_ms
FROM spans s WHERE s.project = traces.project AND s.span_id = traces.main_span_id AND s.first_token_ms IS NOT NULL;
-- See fold.TraceSums.
ALTER TABLE trace_counts ADD COLUMN input_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE trace_counts ADD COLUMN output_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE trace_counts ADD COLUMN cost_nano_usd INTEGER NOT NULL DEFAULT 0;
ALTER TABLE trace_counts ADD COLUMN latency BLOB NOT NULL DEFAULT x''; -- sketch.Latency, as the next
ALTER TABLE trace_counts ADD COLUMN first_token BLOB NOT NULL DEFAULT x'';
-- Projects whose rows of trace_counts are to be made anew, which SQL cannot: the
-- program does so right after the migrations.
CREATE TABLE trace_counts_due (project INTEGER PRIMARY KEY NOT NULL);
INSERT INTO trace_counts_due SELECT DISTINCT project FROM trace_counts;
