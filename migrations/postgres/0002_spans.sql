-- Spans, their payloads and what they add up to. All keys and indexes begin
-- with project_id, and no table refers to another, so that the schema can be
-- distributed by project_id as it stands. Ids and names are COLLATE "C":
-- bytewise order in answers, whatever the database's collation, and cheaper
-- indexes. An absent trace, parent or session is ''.

-- +goose Up
CREATE TABLE spans (
    project_id          text COLLATE "C" NOT NULL,
    span_id             text COLLATE "C" NOT NULL,
    trace_id            text COLLATE "C" NOT NULL,
    parent_id           text COLLATE "C" NOT NULL,
    session_id          text COLLATE "C" NOT NULL,
    form                text COLLATE "C" NOT NULL,
    start_time            timestamptz NOT NULL,
    source              text COLLATE "C" NOT NULL,
    kind                text COLLATE "C" NOT NULL,
    event_type          text COLLATE "C" NOT NULL,
    status              text COLLATE "C" NOT NULL,
    duration_ms         double precision,
    first_token_ms      double precision,
    service             text COLLATE "C",
    tool_use_id         text COLLATE "C",
    tool_name           text COLLATE "C",
    is_interrupt        boolean,
    cwd                 text COLLATE "C",
    model               text COLLATE "C",
    agent_name          text COLLATE "C",
    provider            text COLLATE "C",
    model_used          text COLLATE "C",
    input_tokens        bigint,
    output_tokens       bigint,
    cost_nano_usd       bigint,
    finish_reason       text COLLATE "C",
    provider_request_id text COLLATE "C",
    edited_file         text COLLATE "C",
    payload_day         date,  -- with payload_chunk the key of a chunk; NULL without payload
    payload_chunk       bytea,
    payload_index       bigint,
    PRIMARY KEY (project_id, span_id)
);
-- Serves the list of spans, span analytics of cut buckets, retention.
CREATE INDEX spans_start_idx ON spans (project_id, start_time, span_id) WHERE form = 'span';
-- Serves call analytics of cut buckets, retention. Separate, so that a list of
-- spans does not walk over the LLM traces between them.
CREATE INDEX spans_call_start_idx ON spans (project_id, start_time, span_id) WHERE form = 'trace';
-- Serves the spans of traces. A span of form 'trace' is found by its own id,
-- which is its trace's.
CREATE INDEX spans_trace_idx ON spans (project_id, trace_id, start_time, span_id) WHERE form = 'span' AND trace_id <> '';
-- Serves the spans of a session and the counts in lists of sessions.
CREATE INDEX spans_session_idx ON spans (project_id, session_id, start_time, span_id) WHERE session_id <> '';
-- Serves lists of one tool's spans.
CREATE INDEX spans_tool_idx ON spans (project_id, tool_name, start_time, span_id) WHERE form = 'span' AND tool_name IS NOT NULL;
-- Serves the filter on services, of traces and of spans.
CREATE INDEX spans_service_idx ON spans (project_id, service, start_time, trace_id) WHERE service IS NOT NULL;

-- Payloads of several spans, compressed (see store.Chunk), by UTC day of
-- arrival: retention drops a day's partition. The writer makes partitions.
CREATE TABLE payload_chunks (
    project_id text COLLATE "C" NOT NULL,
    day        date NOT NULL,
    chunk_id   bytea NOT NULL,
    data       bytea NOT NULL,
    PRIMARY KEY (project_id, day, chunk_id)
) PARTITION BY RANGE (day);
-- The content is compressed already.
ALTER TABLE payload_chunks ALTER COLUMN data SET STORAGE EXTERNAL;

-- See trace.Trace.
CREATE TABLE traces (
    project_id    text COLLATE "C" NOT NULL,
    trace_id      text COLLATE "C" NOT NULL,
    session_id    text COLLATE "C" NOT NULL,
    form          text COLLATE "C" NOT NULL,
    start_time      timestamptz, -- NULL: no list shows it
    end_time        timestamptz NOT NULL,
    main_span_id  text COLLATE "C" NOT NULL,
    main_start timestamptz NOT NULL,
    main_llm boolean NOT NULL,
    span_count    bigint NOT NULL,
    llm_count     bigint NOT NULL,
    error_count   bigint NOT NULL,
    duration_us   bigint NOT NULL,
    sources       bigint NOT NULL, -- trace.SourceMask
    input_tokens  bigint,
    output_tokens bigint,
    cost_nano_usd bigint,
    provider_key  text COLLATE "C" NOT NULL,
    model_key     text COLLATE "C" NOT NULL,
    PRIMARY KEY (project_id, trace_id)
);
-- Serves the list of traces.
CREATE INDEX traces_start_idx ON traces (project_id, start_time, trace_id) WHERE start_time IS NOT NULL;
-- Serves the traces of a session.
CREATE INDEX traces_session_idx ON traces (project_id, session_id, start_time, trace_id)
    WHERE session_id <> '' AND start_time IS NOT NULL;

-- See trace.Session.
CREATE TABLE sessions (
    project_id      text COLLATE "C" NOT NULL,
    session_id      text COLLATE "C" NOT NULL,
    first_time        timestamptz NOT NULL,
    last_time         timestamptz NOT NULL,
    span_count      bigint NOT NULL,
    traced_count    bigint NOT NULL,
    error_count     bigint NOT NULL,
    agent_runs      bigint NOT NULL,
    sources         bigint NOT NULL, -- trace.SourceMask
    input_tokens    bigint NOT NULL,
    output_tokens   bigint NOT NULL,
    cost_nano_usd   bigint NOT NULL,
    end_duration_ms double precision,
    cwd             text COLLATE "C",
    model           text COLLATE "C",
    agent_name      text COLLATE "C",
    PRIMARY KEY (project_id, session_id)
);
-- Serves the list of sessions, the latest first.
CREATE INDEX sessions_last_idx ON sessions (project_id, last_time, session_id) WHERE traced_count > 0;

-- See fold.Sums. Differs because an index entry is at most 2.7 kB here, which
-- the names of a roll-up can pass: their digest stands for them in the key.
CREATE TABLE rollups (
    project_id    text COLLATE "C" NOT NULL,
    grain         text COLLATE "C" NOT NULL,
    bucket        timestamptz NOT NULL,
    digest        bytea NOT NULL, -- of the fields from form to tool_name
    form          text COLLATE "C" NOT NULL,
    kind          text COLLATE "C" NOT NULL,
    source        text COLLATE "C" NOT NULL,
    status        text COLLATE "C" NOT NULL,
    provider      text COLLATE "C" NOT NULL,
    model         text COLLATE "C" NOT NULL,
    tool_name     text COLLATE "C" NOT NULL,
    count         bigint NOT NULL,
    timed         bigint NOT NULL,
    duration_us   bigint NOT NULL,
    input_tokens  bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cost_nano_usd bigint NOT NULL,
    min_start     timestamptz NOT NULL,
    max_start     timestamptz NOT NULL,
    latency       bytea NOT NULL, -- sketch.Latency
    first_token   bytea NOT NULL, -- sketch.Latency
    PRIMARY KEY (project_id, grain, bucket, digest)
);

-- The distinct sessions of model calls.
CREATE TABLE rollup_sessions (
    project_id text COLLATE "C" NOT NULL,
    grain      text COLLATE "C" NOT NULL,
    bucket     timestamptz NOT NULL,
    data       bytea NOT NULL, -- sketch.Distinct
    PRIMARY KEY (project_id, grain, bucket)
);

-- How many traces a list has, by what it filters on.
CREATE TABLE trace_counts (
    project_id text COLLATE "C" NOT NULL,
    grain      text COLLATE "C" NOT NULL,
    bucket     timestamptz NOT NULL,
    provider   text COLLATE "C" NOT NULL,
    model      text COLLATE "C" NOT NULL,
    status     text COLLATE "C" NOT NULL,
    sources    bigint NOT NULL, -- trace.SourceMask
    count      bigint NOT NULL,
    PRIMARY KEY (project_id, grain, bucket, provider, model, status, sources)
);
