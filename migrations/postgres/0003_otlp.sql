-- What spans made from OpenTelemetry have beside. Of other spans and of their
-- traces these columns are NULL or 0.

-- +goose Up
ALTER TABLE spans
    ADD COLUMN name            text COLLATE "C", -- NULL for none, as the next
    ADD COLUMN operation       text COLLATE "C",
    ADD COLUMN user_id         text COLLATE "C",
    ADD COLUMN tags            text COLLATE "C", -- a JSON array; NULL for none
    ADD COLUMN environment     text COLLATE "C",
    ADD COLUMN release         text COLLATE "C",
    ADD COLUMN service_tier    text COLLATE "C",
    ADD COLUMN scope_name      text COLLATE "C",
    ADD COLUMN scope_version   text COLLATE "C",
    ADD COLUMN usage           bytea, -- store.AppendUsage
    ADD COLUMN cost_source     text COLLATE "C",
    ADD COLUMN mapping_version integer NOT NULL DEFAULT 0, -- 0: not made from OpenTelemetry
    ADD COLUMN content         bigint, -- store.PayloadRef.Content, NULL for 0
    ADD COLUMN patch           boolean NOT NULL DEFAULT false,
    ADD COLUMN role            text COLLATE "C",
    ADD COLUMN call_key        text COLLATE "C", -- fold.KeyOf
    ADD COLUMN tells           smallint NOT NULL DEFAULT 0, -- trace.Tells
    ADD COLUMN repeats         boolean NOT NULL DEFAULT false, -- trace.Span.Repeat
    ADD COLUMN told_by         text COLLATE "C", -- a JSON array: the spans that complete this one, best first; NULL for none
    ADD COLUMN own             bytea; -- store.EncodeSpan of what it says itself, where that is not all

-- Serves the spans of traces, as before, and without the table their tree.
DROP INDEX spans_trace_idx;
CREATE INDEX spans_trace_idx ON spans (project_id, trace_id, start_time, span_id) INCLUDE (parent_id) WHERE form = 'span' AND trace_id <> '';
-- Serves trace.Resolve: the spans that tell of one call, in whichever traces.
CREATE INDEX spans_key_idx ON spans (project_id, call_key, start_time) WHERE mapping_version > 0 AND call_key IS NOT NULL;

-- See trace.Trace; NULL in traces without such spans.
ALTER TABLE traces
    ADD COLUMN main_session   text COLLATE "C", -- the main span's own
    ADD COLUMN any_session    text COLLATE "C",
    ADD COLUMN root_span_id   text COLLATE "C",
    ADD COLUMN root_start     timestamptz,
    ADD COLUMN root_orphan    boolean,
    ADD COLUMN name           text COLLATE "C", -- the root's
    ADD COLUMN failed_span_id text COLLATE "C", -- these three NULL where none failed
    ADD COLUMN failed_start   timestamptz,
    ADD COLUMN failed_service text COLLATE "C",
    ADD COLUMN services       text COLLATE "C", -- a JSON array, as the next
    ADD COLUMN tags           text COLLATE "C",
    ADD COLUMN environment    text COLLATE "C",
    ADD COLUMN user_id        text COLLATE "C",
    ADD COLUMN reports        boolean;

-- The prices that projects set themselves (store.Price).
CREATE TABLE prices (
    project_id text NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    id         text COLLATE "C" NOT NULL,
    data       text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (project_id, id)
);
