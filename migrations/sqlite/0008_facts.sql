-- What traces are compared by, in the index of lists by time: orders, filters
-- and sums over tens of thousands of traces read it alone, not a row of the table
-- for each.

-- +goose Up
DROP INDEX traces_start_idx;
-- Serves lists of traces by time, and what is asked of those of a range.
CREATE INDEX traces_start_idx ON traces (project, start_time, trace_id,
    end_time, error_count, sources, input_tokens, output_tokens, cost_nano_usd, provider_key, model_key);
