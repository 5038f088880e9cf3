-- What traces add up to has the tokens of spans that tell of calls which no span
-- stands for (an agent's sum), and those of embeddings beside it.

-- +goose Up
ALTER TABLE traces ADD COLUMN embedding_tokens bigint;
CREATE TEMP TABLE said ON COMMIT DROP AS SELECT project_id, trace_id,
    sum(input_tokens) FILTER (WHERE kind NOT IN ('embedding', 'rerank', 'retrieval')) AS input,
    sum(output_tokens) FILTER (WHERE kind NOT IN ('embedding', 'rerank', 'retrieval')) AS output,
    sum(input_tokens) FILTER (WHERE kind = 'embedding') AS embedded
    FROM spans WHERE form = 'span' AND trace_id <> '' AND mapping_version > 0 AND kind <> 'llm_call' AND NOT repeats AND NOT patch
    AND (input_tokens IS NOT NULL OR output_tokens IS NOT NULL) GROUP BY project_id, trace_id;
UPDATE traces SET
    input_tokens = CASE WHEN input IS NULL THEN input_tokens ELSE least(coalesce(input_tokens, 0) + input, 9223372036854775807)::bigint END,
    output_tokens = CASE WHEN output IS NULL THEN output_tokens ELSE least(coalesce(output_tokens, 0) + output, 9223372036854775807)::bigint END,
    embedding_tokens = CASE WHEN embedded IS NOT NULL THEN least(embedded, 9223372036854775807)::bigint END
FROM said WHERE said.project_id = traces.project_id AND said.trace_id = traces.trace_id;
-- What follows from them.
INSERT INTO trace_counts_due SELECT DISTINCT project_id FROM said WHERE input IS NOT NULL OR output IS NOT NULL ON CONFLICT DO NOTHING;
UPDATE sessions SET turn_input_tokens = t.turn_input_tokens, turn_output_tokens = t.turn_output_tokens
FROM (SELECT project_id, session_id,
    sum(least(coalesce(input_tokens, 0), 1125899906842624))::bigint AS turn_input_tokens,
    sum(least(coalesce(output_tokens, 0), 1125899906842624))::bigint AS turn_output_tokens
    FROM traces WHERE session_id <> '' AND start_time IS NOT NULL GROUP BY project_id, session_id) t
WHERE t.project_id = sessions.project_id AND t.session_id = sessions.session_id
    AND sessions.project_id IN (SELECT project_id FROM said WHERE input IS NOT NULL OR output IS NOT NULL);
