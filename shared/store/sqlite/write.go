package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pulse-traces/pulse/shared/sketch"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

// WriteBatches implements store.SpanWriter. There is one writer, so what is
// stored cannot change between the look-up of ids and the insert.
func (db *DB) WriteBatches(ctx context.Context, batches []store.Batch) ([]store.Outcome, error) {
	b, err := db.writers(ctx)
	if err != nil {
		return nil, err
	}
	var out []store.Outcome
	err = db.inTx(ctx, func(tx *sql.Tx) error {
		out, err = b.writeAll(ctx, tx, batches)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// writeAll is WriteBatches within a transaction.
func (b *bulks) writeAll(ctx context.Context, tx *sql.Tx, batches []store.Batch) ([]store.Outcome, error) {
	out := make([]store.Outcome, len(batches))
	for i := range batches {
		out[i].Inserted = make([]bool, len(batches[i].Spans))
	}
	for _, work := range fold.Group(batches) {
		if err := b.write(ctx, tx, batches, work, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (b *bulks) write(ctx context.Context, tx *sql.Tx, batches []store.Batch, work fold.Work, out []store.Outcome) error {
	project, err := numberFor(ctx, tx, work.Project)
	if err != nil {
		return err
	}
	stored, err := storedSpans(ctx, tx, project, work)
	if err != nil {
		return err
	}
	type chunkOf struct{ batch, chunk int }
	chunks := map[chunkOf]bool{}
	var spans []*trace.Span
	args := make([]any, 0, len(work.Items)*len(storedSpanColumns))
	for _, it := range work.Items {
		if stored[it.Span.ID] {
			continue
		}
		out[it.Batch].Inserted[it.Index] = true
		spans = append(spans, it.Span)
		var at *place
		if ref := batches[it.Batch].Refs[it.Index]; ref.Chunk >= 0 {
			chunks[chunkOf{it.Batch, ref.Chunk}] = true
			at = &place{
				day:       dayOf(batches[it.Batch].Arrived),
				PayloadAt: fold.PayloadAt{Chunk: batches[it.Batch].Chunks[ref.Chunk].ID, Index: ref.Index},
			}
		}
		args = appendSpan(args, project, it.Span, at)
	}
	if len(spans) == 0 {
		return nil
	}
	if err := b.spans.insert(ctx, tx, "insert spans", args); err != nil {
		return err
	}
	args = args[:0]
	for i := range batches {
		for j := range batches[i].Chunks {
			if c := &batches[i].Chunks[j]; chunks[chunkOf{i, j}] {
				args = append(args, int64(project), dayOf(batches[i].Arrived), c.ID[:], c.Data)
			}
		}
	}
	if err := b.chunks.insert(ctx, tx, "insert payload chunks", args); err != nil {
		return err
	}
	state, err := loadState(ctx, tx, project, fold.KeysOf(spans))
	if err != nil {
		return err
	}
	state.Add(spans)
	if err := b.writeState(ctx, tx, project, state); err != nil {
		return err
	}
	_, err = markMixed(ctx, tx, project, state.Traces)
	return err
}

// markMixed marks the LLM traces' spans among traces that are no longer alone
// in theirs, and tells how many were not marked.
func markMixed(ctx context.Context, tx *sql.Tx, project projectNumber, traces map[trace.TraceID]*trace.Trace) (int64, error) {
	var ids []trace.TraceID
	for id, t := range traces {
		if t.SpanCount > 1 {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return 0, nil
	}
	list, err := jsonList(ids)
	if err != nil {
		return 0, err
	}
	res, err := tx.ExecContext(ctx, `UPDATE spans SET mixed = 1 WHERE project = ? AND form = 'trace' AND NOT mixed
		AND span_id IN (SELECT value FROM json_each(?))`, int64(project), list)
	if err != nil {
		return 0, toFault("mark mixed traces", err)
	}
	return res.RowsAffected()
}

// storedSpans tells which of the work's ids are taken.
func storedSpans(ctx context.Context, tx *sql.Tx, project projectNumber, work fold.Work) (map[trace.SpanID]bool, error) {
	ids := make([]trace.SpanID, len(work.Items))
	for i := range work.Items {
		ids[i] = work.Items[i].Span.ID
	}
	list, err := jsonList(ids)
	if err != nil {
		return nil, err
	}
	stored := map[trace.SpanID]bool{}
	err = query(ctx, tx, "look up spans", func(rows *sql.Rows) error {
		var id trace.SpanID
		err := rows.Scan(&id)
		stored[id] = true
		return err
	}, `SELECT span_id FROM spans WHERE project = ? AND span_id IN (SELECT value FROM json_each(?))`, int64(project), list)
	return stored, err
}

// loadState gives a state with the rows that keys name.
func loadState(ctx context.Context, q querier, project projectNumber, keys fold.Keys) (*fold.State, error) {
	state := fold.NewState()
	traces, err := tracesByID(ctx, q, project, keys.Traces)
	if err != nil {
		return nil, err
	}
	for i := range traces {
		state.Traces[traces[i].ID] = &traces[i]
	}
	list, err := jsonList(keys.Sessions)
	if err != nil {
		return nil, err
	}
	err = query(ctx, q, "read sessions", func(rows *sql.Rows) error {
		s, err := scanSession(rows)
		state.Sessions[s.ID] = &s
		return err
	}, selectSession+`WHERE project = ? AND session_id IN (SELECT value FROM json_each(?))`, int64(project), list)
	return state, err
}

// writeState stores what a state changed.
func (b *bulks) writeState(ctx context.Context, tx *sql.Tx, project projectNumber, state *fold.State) error {
	var args []any
	for _, id := range slices.Sorted(maps.Keys(state.Traces)) {
		args = appendTrace(args, project, state.Traces[id])
	}
	if err := b.traces.insert(ctx, tx, "store traces", args); err != nil {
		return err
	}
	args = args[:0]
	for _, id := range slices.Sorted(maps.Keys(state.Sessions)) {
		args = appendSession(args, project, state.Sessions[id])
	}
	if err := b.sessions.insert(ctx, tx, "store sessions", args); err != nil {
		return err
	}
	if err := b.mergeRollups(ctx, tx, project, state.Rollups); err != nil {
		return err
	}
	if err := b.mergeDistinct(ctx, tx, project, state.Distinct); err != nil {
		return err
	}
	args = args[:0]
	for k, n := range state.TraceCounts {
		args = appendTraceCount(args, project, k, n)
	}
	if err := b.traceCounts.insert(ctx, tx, "store trace counts", args); err != nil {
		return err
	}
	// Counts that fell to nothing may stand only where traces left a key.
	for k, n := range state.TraceCounts {
		if n >= 0 {
			continue
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM trace_counts WHERE project = ? AND grain = ? AND bucket = ? AND provider = ?
			AND model = ? AND status = ? AND sources = ? AND count = 0`, appendTraceCount(nil, project, k, 0)[:7]...); err != nil {
			return toFault("delete trace counts", err)
		}
	}
	return nil
}

func appendTraceCount(args []any, project projectNumber, k fold.TraceCountKey, n int64) []any {
	return append(args, int64(project), string(k.Grain), k.Bucket, k.Provider, k.Model, string(k.Status), int64(k.Sources), n)
}

// mergeRollups adds differences to the stored rows. Sketches are merged here,
// so rows are read, merged and replaced whole.
func (b *bulks) mergeRollups(ctx context.Context, tx *sql.Tx, project projectNumber, diff fold.Rollups) error {
	buckets := map[fold.Grain][]int64{}
	for k := range diff {
		buckets[k.Grain] = append(buckets[k.Grain], k.Bucket)
	}
	for grain, of := range buckets {
		list, err := jsonList(of)
		if err != nil {
			return err
		}
		err = query(ctx, tx, "read roll-ups", func(rows *sql.Rows) error {
			k, old, err := scanRollup(rows)
			if err == nil && diff[k] != nil {
				diff[k].Merge(&old)
			}
			return err
		}, selectRollup+`WHERE project = ? AND grain = ? AND bucket IN (SELECT value FROM json_each(?))`, int64(project), string(grain), list)
		if err != nil {
			return err
		}
	}
	args := make([]any, 0, len(diff)*len(rollupColumns))
	for k, sums := range diff {
		var err error
		if args, err = appendRollup(args, project, k, sums); err != nil {
			return err
		}
	}
	return b.rollups.insert(ctx, tx, "store roll-ups", args)
}

func (b *bulks) mergeDistinct(ctx context.Context, tx *sql.Tx, project projectNumber, diff map[fold.BucketKey]*sketch.Distinct) error {
	buckets := map[fold.Grain][]int64{}
	for k := range diff {
		buckets[k.Grain] = append(buckets[k.Grain], k.Bucket)
	}
	for grain, of := range buckets {
		list, err := jsonList(of)
		if err != nil {
			return err
		}
		err = query(ctx, tx, "read session sketches", func(rows *sql.Rows) error {
			k := fold.BucketKey{Grain: grain}
			var data sql.RawBytes
			if err := rows.Scan(&k.Bucket, &data); err != nil {
				return err
			}
			var old sketch.Distinct
			if err := old.UnmarshalBinary(data); err != nil {
				return err
			}
			diff[k].Merge(&old)
			return nil
		}, `SELECT bucket, data FROM rollup_sessions WHERE project = ? AND grain = ? AND bucket IN (SELECT value FROM json_each(?))`,
			int64(project), string(grain), list)
		if err != nil {
			return err
		}
	}
	args := make([]any, 0, len(diff)*len(distinctColumns))
	for k, d := range diff {
		data, err := d.AppendBinary(nil)
		if err != nil {
			return err
		}
		args = append(args, int64(project), string(k.Grain), k.Bucket, data)
	}
	return b.distinct.insert(ctx, tx, "store session sketches", args)
}

var traceColumns = []string{
	"project", "trace_id", "session_id", "start_time", "end_time", "main_span_id", "main_start", "main_llm", "form",
	"span_count", "llm_count", "error_count", "duration_us", "sources", "input_tokens", "output_tokens", "cost_nano_usd",
	"provider_key", "model_key",
}

var selectTrace = "SELECT " + strings.Join(traceColumns[1:], ", ") + " FROM traces "

func appendTrace(args []any, project projectNumber, t *trace.Trace) []any {
	var start any
	if t.Start != nil {
		start = t.Start.UnixMicro()
	}
	return append(args, int64(project), string(t.ID), string(t.SessionID), start, t.End.UnixMicro(), string(t.Main.SpanID),
		t.Main.Start.UnixMicro(), t.Main.LLMCall, string(t.Form), t.SpanCount, t.LLMCount, t.ErrorCount, t.DurationUS, int64(t.Sources),
		orNull(t.InputTokens), orNull(t.OutputTokens), orNull(t.CostNanoUSD), t.ProviderKey, t.ModelKey)
}

// scanTrace reads a row of selectTrace.
func scanTrace(rows *sql.Rows) (trace.Trace, error) {
	var t trace.Trace
	var start *int64
	var end, mainStart int64
	err := rows.Scan(&t.ID, &t.SessionID, &start, &end, &t.Main.SpanID, &mainStart, &t.Main.LLMCall, &t.Form, &t.SpanCount, &t.LLMCount,
		&t.ErrorCount, &t.DurationUS, &t.Sources, &t.InputTokens, &t.OutputTokens, &t.CostNanoUSD, &t.ProviderKey, &t.ModelKey)
	if start != nil {
		at := time.UnixMicro(*start).UTC()
		t.Start = &at
	}
	t.End, t.Main.Start = time.UnixMicro(end).UTC(), time.UnixMicro(mainStart).UTC()
	return t, err
}

var sessionColumns = []string{
	"project", "session_id", "first_time", "last_time", "span_count", "traced_count", "error_count", "agent_runs",
	"sources", "input_tokens", "output_tokens", "cost_nano_usd", "end_duration_ms", "cwd", "model", "agent_name",
}

var selectSession = "SELECT " + strings.Join(sessionColumns[1:], ", ") + " FROM sessions "

func appendSession(args []any, project projectNumber, s *trace.Session) []any {
	return append(args, int64(project), string(s.ID), s.First.UnixMicro(), s.Last.UnixMicro(), s.SpanCount, s.TracedCount, s.ErrorCount,
		s.AgentRuns, int64(s.Sources), s.InputTokens, s.OutputTokens, s.CostNanoUSD, orNull(s.EndDurationMS), orNull(s.CWD),
		orNull(s.Model), orNull(s.AgentName))
}

// scanSession reads a row of selectSession.
func scanSession(rows *sql.Rows) (trace.Session, error) {
	var s trace.Session
	var first, last int64
	err := rows.Scan(&s.ID, &first, &last, &s.SpanCount, &s.TracedCount, &s.ErrorCount, &s.AgentRuns, &s.Sources, &s.InputTokens,
		&s.OutputTokens, &s.CostNanoUSD, &s.EndDurationMS, &s.CWD, &s.Model, &s.AgentName)
	s.First, s.Last = time.UnixMicro(first).UTC(), time.UnixMicro(last).UTC()
	return s, err
}

// rollupKeys is how many of rollupColumns are the key.
const rollupKeys = 10

var rollupColumns = []string{
	"project", "grain", "bucket", "form", "kind", "source", "status", "provider", "model", "tool_name",
	"count", "timed", "duration_us", "input_tokens", "output_tokens", "cost_nano_usd", "min_start", "max_start", "latency", "first_token",
}

var selectRollup = "SELECT " + strings.Join(rollupColumns[1:], ", ") + " FROM rollups "

func appendRollup(args []any, project projectNumber, k fold.RollupKey, s *fold.Sums) ([]any, error) {
	latency, err := s.Latency.AppendBinary([]byte{}) // never nil, which would be NULL
	if err != nil {
		return nil, err
	}
	firstToken, err := s.FirstToken.AppendBinary([]byte{})
	if err != nil {
		return nil, err
	}
	return append(args, int64(project), string(k.Grain), k.Bucket, string(k.Form), string(k.Kind), string(k.Source), string(k.Status),
		k.Provider, k.Model, k.ToolName, s.Count, s.Timed, s.DurationUS, s.InputTokens, s.OutputTokens, s.CostNanoUSD, s.MinStart,
		s.MaxStart, latency, firstToken), nil
}

// scanRollup reads a row of selectRollup.
func scanRollup(rows *sql.Rows) (fold.RollupKey, fold.Sums, error) {
	var k fold.RollupKey
	var s fold.Sums
	var latency, firstToken sql.RawBytes
	err := rows.Scan(&k.Grain, &k.Bucket, &k.Form, &k.Kind, &k.Source, &k.Status, &k.Provider, &k.Model, &k.ToolName, &s.Count, &s.Timed,
		&s.DurationUS, &s.InputTokens, &s.OutputTokens, &s.CostNanoUSD, &s.MinStart, &s.MaxStart, &latency, &firstToken)
	if err != nil {
		return k, s, err
	}
	if err := s.Latency.UnmarshalBinary(latency); err != nil {
		return k, s, fmt.Errorf("latency: %w", err)
	}
	if err := s.FirstToken.UnmarshalBinary(firstToken); err != nil {
		return k, s, fmt.Errorf("first token: %w", err)
	}
	return k, s, nil
}
