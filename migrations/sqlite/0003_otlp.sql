-- What spans made from OpenTelemetry have beside. Of other spans and of their
-- traces these columns are NULL or 0, and are not written.

-- +goose Up
ALTER TABLE spans ADD COLUMN name            TEXT; -- NULL for none, as the next
ALTER TABLE spans ADD COLUMN operation       TEXT;
ALTER TABLE spans ADD COLUMN user_id         TEXT;
ALTER TABLE spans ADD COLUMN tags            TEXT; -- a JSON array; NULL for none
ALTER TABLE spans ADD COLUMN environment     TEXT;
ALTER TABLE spans ADD COLUMN "release"       TEXT;
ALTER TABLE spans ADD COLUMN service_tier    TEXT;
ALTER TABLE spans ADD COLUMN scope_name      TEXT;
ALTER TABLE spans ADD COLUMN scope_version   TEXT;
ALTER TABLE spans ADD COLUMN usage           BLOB; -- store.AppendUsage
ALTER TABLE spans ADD COLUMN cost_source     TEXT;
ALTER TABLE spans ADD COLUMN mapping_version INTEGER NOT NULL DEFAULT 0; -- 0: not made from OpenTelemetry
ALTER TABLE spans ADD COLUMN content         INTEGER; -- store.PayloadRef.Content, NULL for 0
ALTER TABLE spans ADD COLUMN patch           INTEGER NOT NULL DEFAULT 0;
ALTER TABLE spans ADD COLUMN role            TEXT;
ALTER TABLE spans ADD COLUMN call_key        TEXT; -- fold.KeyOf
ALTER TABLE spans ADD COLUMN tells           INTEGER NOT NULL DEFAULT 0; -- trace.Tells
ALTER TABLE spans ADD COLUMN repeats         INTEGER NOT NULL DEFAULT 0; -- trace.Span.Repeat
ALTER TABLE spans ADD COLUMN told_by         TEXT; -- a JSON array: the spans that complete this one, best first; NULL for none
ALTER TABLE spans ADD COLUMN own             BLOB; -- store.EncodeSpan of what it says itself, where that is not all

-- Serves the spans of a trace, as before, and without the table their tree.
DROP INDEX spans_trace_idx;
CREATE INDEX spans_trace_idx ON spans (project, trace_id, start_time, span_id, parent_id) WHERE form = 'span' AND trace_id <> '';
-- Serve the filter on services: of traces and spans of the older forms as
-- before, of spans from OpenTelemetry by time. Their traces list services
-- themselves, and nearly all of them have one: in the order of their traces'
-- ids they would go to as many places.
DROP INDEX spans_service_idx;
CREATE INDEX spans_service_idx ON spans (project, service, trace_id, start_time) WHERE service IS NOT NULL AND mapping_version = 0;
CREATE INDEX spans_service_start_idx ON spans (project, service, start_time) WHERE service IS NOT NULL AND mapping_version > 0;
-- Serves trace.Resolve: the spans that tell of one call, in whichever traces.
CREATE INDEX spans_key_idx ON spans (project, call_key, start_time) WHERE mapping_version > 0 AND call_key IS NOT NULL;

-- See trace.Trace; NULL in traces without such spans.
ALTER TABLE traces ADD COLUMN main_session   TEXT; -- the main span's own
ALTER TABLE traces ADD COLUMN any_session    TEXT;
ALTER TABLE traces ADD COLUMN root_span_id   TEXT;
ALTER TABLE traces ADD COLUMN root_start     INTEGER;
ALTER TABLE traces ADD COLUMN root_orphan    INTEGER;
ALTER TABLE traces ADD COLUMN name           TEXT; -- the root's
ALTER TABLE traces ADD COLUMN failed_span_id TEXT; -- these three NULL where none failed
ALTER TABLE traces ADD COLUMN failed_start   INTEGER;
ALTER TABLE traces ADD COLUMN failed_service TEXT;
ALTER TABLE traces ADD COLUMN services       TEXT; -- a JSON array, as the next
ALTER TABLE traces ADD COLUMN tags           TEXT;
ALTER TABLE traces ADD COLUMN environment    TEXT;
ALTER TABLE traces ADD COLUMN user_id        TEXT;
ALTER TABLE traces ADD COLUMN reports        INTEGER;

-- The prices that projects set themselves (store.Price). Times are milliseconds.
CREATE TABLE prices (
    project_id TEXT    NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    id         TEXT    NOT NULL,
    data       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (project_id, id)
) WITHOUT ROWID;
