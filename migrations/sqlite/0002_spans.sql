-- Spans and what they add up to. Every key and index starts with the project.
-- Times are integer microseconds since 1970, UTC; money is nano-dollars.
-- The data tables have no foreign key to projects: the writer checks a batch's
-- project once, not once per row.

-- +goose Up

-- What stands for a project in the tables below: an id is 36 bytes, and every
-- row and every index entry would repeat it.
CREATE TABLE project_numbers (
    number     INTEGER PRIMARY KEY,
    project_id TEXT    NOT NULL UNIQUE
);

-- The canonical record, narrow; the payload is in payload_chunks. The row
-- order is that of arrival, so that an insert with a random id touches one page
-- of the key's index, not one of the table.
CREATE TABLE spans (
    project             INTEGER NOT NULL,
    span_id             TEXT    NOT NULL,
    trace_id            TEXT    NOT NULL, -- '' for none, as the next two
    parent_id           TEXT    NOT NULL,
    session_id          TEXT    NOT NULL,
    form                TEXT    NOT NULL,
    start_time          INTEGER NOT NULL,
    source              TEXT    NOT NULL,
    kind                TEXT    NOT NULL,
    event_type          TEXT    NOT NULL,
    status              TEXT    NOT NULL,
    duration_ms         REAL,
    first_token_ms      REAL,
    service             TEXT,
    tool_use_id         TEXT,
    tool_name           TEXT,
    is_interrupt        INTEGER,
    cwd                 TEXT,
    model               TEXT,
    agent_name          TEXT,
    provider            TEXT,
    model_used          TEXT,
    input_tokens        INTEGER,
    output_tokens       INTEGER,
    cost_nano_usd       INTEGER,
    finish_reason       TEXT,
    provider_request_id TEXT,
    edited_file         TEXT,
    payload_day         INTEGER, -- these three NULL without payload
    payload_chunk       BLOB,
    payload_index       INTEGER,
    -- Of form 'trace': 1 since its trace has had other spans too. While it is 0,
    -- the trace has the span's session, and stands in for it where the index of
    -- sessions leaves it out.
    mixed               INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (project, span_id)
);
-- Serves lists of spans by time, span analytics of cut buckets, retention.
CREATE INDEX spans_start_idx ON spans (project, start_time, span_id) WHERE form = 'span';
-- Serves call analytics of cut buckets, retention. Separate, so that a list of
-- spans does not walk over the LLM traces between them.
CREATE INDEX spans_call_start_idx ON spans (project, start_time, span_id) WHERE form = 'trace';
-- Serves the spans of a trace. The span of an LLM trace has the trace's id and
-- is found by the primary key.
CREATE INDEX spans_trace_idx ON spans (project, trace_id, start_time, span_id) WHERE form = 'span' AND trace_id <> '';
-- Serves the spans of a session, but those that are found through
-- traces_session_idx: a second index entry for each LLM trace, at a random
-- place, would cost a seventh of its write.
CREATE INDEX spans_session_idx ON spans (project, session_id, start_time, span_id) WHERE session_id <> '' AND (form = 'span' OR mixed);
-- Serves lists of one tool's spans.
CREATE INDEX spans_tool_idx ON spans (project, tool_name, start_time, span_id) WHERE form = 'span' AND tool_name IS NOT NULL;
-- Serves the filter on services, of traces and of spans.
CREATE INDEX spans_service_idx ON spans (project, service, trace_id, start_time) WHERE service IS NOT NULL;

-- The compressed payloads of several spans (store.Chunk), by day of arrival.
CREATE TABLE payload_chunks (
    project    INTEGER NOT NULL,
    day        INTEGER NOT NULL, -- days since 1970, UTC
    chunk_id   BLOB    NOT NULL,
    data       BLOB    NOT NULL,
    PRIMARY KEY (project, day, chunk_id)
);

CREATE TABLE traces (
    project         INTEGER NOT NULL,
    trace_id        TEXT    NOT NULL,
    session_id      TEXT    NOT NULL, -- '' for none
    start_time      INTEGER, -- NULL: in no list
    end_time        INTEGER NOT NULL,
    main_span_id    TEXT    NOT NULL,
    main_start      INTEGER NOT NULL,
    main_llm        INTEGER NOT NULL,
    form            TEXT    NOT NULL,
    span_count      INTEGER NOT NULL,
    llm_count       INTEGER NOT NULL,
    error_count     INTEGER NOT NULL,
    duration_us     INTEGER NOT NULL,
    sources         INTEGER NOT NULL, -- trace.SourceMask
    input_tokens    INTEGER,
    output_tokens   INTEGER,
    cost_nano_usd   INTEGER,
    provider_key    TEXT    NOT NULL,
    model_key       TEXT    NOT NULL,
    PRIMARY KEY (project, trace_id)
);
-- Serves lists of traces by time.
CREATE INDEX traces_start_idx ON traces (project, start_time, trace_id);
-- Serves the traces of a session.
CREATE INDEX traces_session_idx ON traces (project, session_id, start_time, trace_id) WHERE session_id <> '';

CREATE TABLE sessions (
    project         INTEGER NOT NULL,
    session_id      TEXT    NOT NULL,
    first_time      INTEGER NOT NULL,
    last_time       INTEGER NOT NULL,
    span_count      INTEGER NOT NULL,
    traced_count    INTEGER NOT NULL,
    error_count     INTEGER NOT NULL,
    agent_runs      INTEGER NOT NULL,
    sources         INTEGER NOT NULL, -- trace.SourceMask
    input_tokens    INTEGER NOT NULL,
    output_tokens   INTEGER NOT NULL,
    cost_nano_usd   INTEGER NOT NULL,
    end_duration_ms REAL,
    cwd             TEXT,
    model           TEXT,
    agent_name      TEXT,
    PRIMARY KEY (project, session_id)
);
-- Serves the list of sessions, most recent first.
CREATE INDEX sessions_last_idx ON sessions (project, last_time, session_id) WHERE traced_count > 0;

-- Sums by five minutes, hour and day (grain), see store.Rollup and fold.Sums.
CREATE TABLE rollups (
    project       INTEGER NOT NULL,
    grain         TEXT    NOT NULL,
    bucket        INTEGER NOT NULL, -- its begin
    form          TEXT    NOT NULL,
    kind          TEXT    NOT NULL,
    source        TEXT    NOT NULL,
    status        TEXT    NOT NULL,
    provider      TEXT    NOT NULL,
    model         TEXT    NOT NULL,
    tool_name     TEXT    NOT NULL,
    count         INTEGER NOT NULL,
    timed         INTEGER NOT NULL,
    duration_us   INTEGER NOT NULL,
    input_tokens  INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cost_nano_usd INTEGER NOT NULL,
    min_start     INTEGER NOT NULL,
    max_start     INTEGER NOT NULL,
    latency       BLOB    NOT NULL, -- sketch.Latency, as the next
    first_token   BLOB    NOT NULL,
    PRIMARY KEY (project, grain, bucket, form, kind, source, status, provider, model, tool_name)
) WITHOUT ROWID;

-- Distinct sessions of model calls (sketch.Distinct).
CREATE TABLE rollup_sessions (
    project    INTEGER NOT NULL,
    grain      TEXT    NOT NULL,
    bucket     INTEGER NOT NULL,
    data       BLOB    NOT NULL,
    PRIMARY KEY (project, grain, bucket)
) WITHOUT ROWID;

-- How many traces start in a bucket, by what lists filter on.
CREATE TABLE trace_counts (
    project    INTEGER NOT NULL,
    grain      TEXT    NOT NULL,
    bucket     INTEGER NOT NULL,
    provider   TEXT    NOT NULL,
    model      TEXT    NOT NULL,
    status     TEXT    NOT NULL,
    sources    INTEGER NOT NULL,
    count      INTEGER NOT NULL,
    PRIMARY KEY (project, grain, bucket, provider, model, status, sources)
) WITHOUT ROWID;
