-- What traces add up to has the tokens of spans that tell of calls which no span
-- stands for (an agent's sum), and those of embeddings beside it.

-- +goose Up
ALTER TABLE traces ADD COLUMN embedding_tokens INTEGER;
CREATE TEMP TABLE said AS SELECT project, trace_id,
    total(CASE WHEN kind NOT IN ('embedding', 'rerank', 'retrieval') THEN input_tokens END) AS input,
    total(CASE WHEN kind NOT IN ('embedding', 'rerank', 'retrieval') THEN output_tokens END) AS output,
    count(CASE WHEN kind NOT IN ('embedding', 'rerank', 'retrieval') THEN input_tokens END) AS inputs,
    count(CASE WHEN kind NOT IN ('embedding', 'rerank', 'retrieval') THEN output_tokens END) AS outputs,
    total(CASE WHEN kind = 'embedding' THEN input_tokens END) AS embedded,
    count(CASE WHEN kind = 'embedding' THEN input_tokens END) AS embeddings
    FROM spans WHERE form = 'span' AND trace_id <> '' AND mapping_version > 0 AND kind <> 'llm_call' AND NOT repeats AND NOT patch
    AND (input_tokens IS NOT NULL OR output_tokens IS NOT NULL) GROUP BY project, trace_id;
UPDATE traces SET
    input_tokens = CASE WHEN inputs = 0 THEN input_tokens ELSE CAST(min(coalesce(input_tokens, 0) + input, 9.2e18) AS INTEGER) END,
    output_tokens = CASE WHEN outputs = 0 THEN output_tokens ELSE CAST(min(coalesce(output_tokens, 0) + output, 9.2e18) AS INTEGER) END,
    embedding_tokens = CASE WHEN embeddings > 0 THEN CAST(min(embedded, 9.2e18) AS INTEGER) END
    FROM said WHERE said.project = traces.project AND said.trace_id = traces.trace_id;
-- What follows from them.
INSERT OR IGNORE INTO trace_counts_due SELECT DISTINCT project FROM said WHERE inputs + outputs > 0;
UPDATE sessions SET (turn_input_tokens, turn_output_tokens) = (SELECT
    CAST(total(min(input_tokens, 1125899906842624)) AS INTEGER),
    CAST(total(min(output_tokens, 1125899906842624)) AS INTEGER)
    FROM traces INDEXED BY traces_session_idx
    WHERE traces.project = sessions.project AND traces.session_id = sessions.session_id AND traces.session_id <> '' AND start_time IS NOT NULL)
    WHERE project IN (SELECT project FROM said WHERE inputs + outputs > 0);
DROP TABLE said;
