-- What the traces of a session add up to, spans counted that do not name the
-- session themselves (trace.Turns). A trace adds no more than trace.TurnOf allows.

-- +goose Up
ALTER TABLE sessions ADD COLUMN turn_spans INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN turn_errors INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN turn_input_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN turn_output_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN turn_cost_nano_usd INTEGER NOT NULL DEFAULT 0;
UPDATE sessions SET (turn_spans, turn_errors, turn_input_tokens, turn_output_tokens, turn_cost_nano_usd) = (SELECT
    CAST(total(min(span_count, 1125899906842624)) AS INTEGER),
    CAST(total(min(error_count, 1125899906842624)) AS INTEGER),
    CAST(total(min(input_tokens, 1125899906842624)) AS INTEGER),
    CAST(total(min(output_tokens, 1125899906842624)) AS INTEGER),
    CAST(total(min(cost_nano_usd, 1125899906842624)) AS INTEGER)
    FROM traces INDEXED BY traces_session_idx
    WHERE traces.project = sessions.project AND traces.session_id = sessions.session_id AND traces.session_id <> '' AND start_time IS NOT NULL);
