-- What the traces of a session add up to, spans counted that do not name the
-- session themselves (trace.Turns). A trace adds no more than trace.TurnOf allows.

-- +goose Up
ALTER TABLE sessions
    ADD COLUMN turn_spans bigint NOT NULL DEFAULT 0,
    ADD COLUMN turn_errors bigint NOT NULL DEFAULT 0,
    ADD COLUMN turn_input_tokens bigint NOT NULL DEFAULT 0,
    ADD COLUMN turn_output_tokens bigint NOT NULL DEFAULT 0,
    ADD COLUMN turn_cost_nano_usd bigint NOT NULL DEFAULT 0;
UPDATE sessions SET turn_spans = t.turn_spans, turn_errors = t.turn_errors, turn_input_tokens = t.turn_input_tokens, turn_output_tokens = t.turn_output_tokens, turn_cost_nano_usd = t.turn_cost_nano_usd
FROM (SELECT project_id, session_id,
    sum(least(coalesce(span_count, 0), 1125899906842624))::bigint AS turn_spans,
    sum(least(coalesce(error_count, 0), 1125899906842624))::bigint AS turn_errors,
    sum(least(coalesce(input_tokens, 0), 1125899906842624))::bigint AS turn_input_tokens,
    sum(least(coalesce(output_tokens, 0), 1125899906842624))::bigint AS turn_output_tokens,
    sum(least(coalesce(cost_nano_usd, 0), 1125899906842624))::bigint AS turn_cost_nano_usd
    FROM traces WHERE session_id <> '' AND start_time IS NOT NULL GROUP BY project_id, session_id) t
WHERE t.project_id = sessions.project_id AND t.session_id = sessions.session_id;
