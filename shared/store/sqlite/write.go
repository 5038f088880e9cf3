package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

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
		out, err = b.writeAll(ctx, tx, batches, time.Now())
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// writeAll is WriteBatches within a transaction. The zero time is that of what
// an earlier service stored.
func (b *bulks) writeAll(ctx context.Context, tx *sql.Tx, batches []store.Batch, now time.Time) ([]store.Outcome, error) {
	out := make([]store.Outcome, len(batches))
	for i := range batches {
		out[i].Inserted = make([]bool, len(batches[i].Spans))
	}
	for _, work := range fold.Group(batches) {
		if err := b.write(ctx, tx, batches, work, now, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// writing is a transaction that changes what one project has.
type writing struct {
	*bulks
	tx      *sql.Tx
	project projectNumber
	rows    map[trace.SpanID]*storedSpan // that were read
	keys    map[string]int64             // of API keys, see keyNumber
	now     time.Time                    // zero: chunks do not say when they were stored
}

func newWriting(b *bulks, tx *sql.Tx, project projectNumber) *writing {
	return &writing{bulks: b, tx: tx, project: project, rows: map[trace.SpanID]*storedSpan{}, keys: map[string]int64{}}
}

func (b *bulks) write(ctx context.Context, tx *sql.Tx, batches []store.Batch, work fold.Work, now time.Time, out []store.Outcome) error {
	project, err := numberFor(ctx, tx, work.Project)
	if err != nil {
		return err
	}
	w := newWriting(b, tx, project)
	w.now = now
	stored, err := w.lookUp(ctx, work)
	if err != nil {
		return err
	}
	arrivals := work.Arrivals(stored)
	for _, it := range arrivals.New {
		out[it.Batch].Inserted[it.Index] = true
	}
	for _, pieces := range arrivals.Joined {
		_, old := stored[pieces[0].Span.ID]
		out[pieces[0].Batch].Inserted[pieces[0].Index] = !old
	}
	joined, err := w.join(ctx, batches, arrivals.Joined, stored)
	if err != nil {
		return err
	}
	batches = append(slices.Clip(batches), joined.Batch)
	return w.store(ctx, batches, append(slices.Clip(arrivals.New), joined.New...), joined)
}

// store writes new spans and changed ones, and all that follows from them.
func (w *writing) store(ctx context.Context, batches []store.Batch, items []fold.Item, joined fold.Joined) error {
	if len(items) == 0 && len(joined.Changes) == 0 {
		return nil
	}
	spans := make([]*trace.Span, len(items))
	for i, it := range items {
		spans[i] = it.Span
	}
	verdicts, err := fold.Count(ctx, w, fold.Edit{Added: spans, Changes: joined.Changes})
	if err != nil {
		return err
	}
	chunks := chunkSet{}
	if err := w.insert(ctx, batches, items, spans, verdicts, chunks); err != nil {
		return err
	}
	if err := w.replace(ctx, batches, joined, verdicts, chunks); err != nil {
		return err
	}
	if err := w.addChunks(ctx, batches, chunks); err != nil {
		return err
	}
	if err := w.mark(ctx, verdicts.Marked); err != nil {
		return err
	}
	// All spans are written: what is stale can be made from them.
	changes := append(joined.Changes, verdicts.Changes()...)
	state, err := loadState(ctx, w.tx, w.project, fold.KeysOf(append(fold.SpansOf(changes), spans...)))
	if err != nil {
		return err
	}
	state.Change(changes)
	state.Add(spans)
	return w.writeState(ctx, state)
}

// chunkOf names a chunk of a call.
type chunkOf struct{ batch, chunk int }

type chunkSet map[chunkOf]bool

// place gives where the payload of an item is, and has its chunk stored; nil if
// it has none.
func (c chunkSet) place(batches []store.Batch, it fold.Item) *place {
	b := &batches[it.Batch]
	ref := b.Refs[it.Index]
	if ref.Chunk < 0 {
		return nil
	}
	c[chunkOf{it.Batch, ref.Chunk}] = true
	return &place{day: dayOf(b.Arrived), PayloadAt: fold.PayloadAt{Chunk: b.Chunks[ref.Chunk].ID, Index: ref.Index}}
}

// insert writes new spans, and puts what they show into spans.
func (w *writing) insert(ctx context.Context, batches []store.Batch, items []fold.Item, spans []*trace.Span, verdicts fold.Verdicts, chunks chunkSet) error {
	args := make([]any, 0, len(items)*len(plainColumns))
	var mapped []int
	var err error
	for i, it := range items {
		if !fold.Plain(it.Span) {
			mapped = append(mapped, i)
		} else if args, err = w.appendSpan(ctx, args, it.Span, chunks.place(batches, it)); err != nil {
			return err
		}
	}
	if err := w.plain.insert(ctx, w.tx, "insert spans", args); err != nil {
		return err
	}
	// By time, as most of their indexes are.
	slices.SortFunc(mapped, func(a, b int) int { return bySpanStart(items[a].Span, items[b].Span) })
	args = make([]any, 0, len(mapped)*len(spanColumns))
	for _, i := range mapped {
		it := items[i]
		v := verdicts.Of(it.Span)
		spans[i] = v.Shown
		if args, err = w.appendSpan(ctx, args, v.Shown, chunks.place(batches, it)); err != nil {
			return err
		}
		args = appendMapped(args, v.Shown, it.Content, fold.OwnOf(it.Span, v), v.From)
	}
	return w.mapped.insert(ctx, w.tx, "insert spans", args)
}

// replace writes spans over what is stored of them, and puts what they show into
// the changes.
func (w *writing) replace(ctx context.Context, batches []store.Batch, joined fold.Joined, verdicts fold.Verdicts, chunks chunkSet) error {
	var args []any
	var err error
	for i := range joined.Changes {
		c := &joined.Changes[i]
		at := w.rows[c.Now.ID].payloadAt()
		if it := joined.Items[i]; it.Span != nil {
			at = chunks.place(batches, it)
		}
		own, v := c.Now, verdicts.Of(c.Now)
		c.Now = v.Shown
		if args, err = w.appendSpan(ctx, args, c.Now, at); err != nil {
			return err
		}
		args = appendMapped(args, c.Now, joined.Items[i].Content, fold.OwnOf(own, v), v.From)
	}
	return w.changed.insert(ctx, w.tx, "change spans", args)
}

// mark writes what is shown of stored spans since others were written.
func (w *writing) mark(ctx context.Context, marked []fold.Marked) error {
	var args []any
	var err error
	for i := range marked {
		m := &marked[i]
		row := w.rows[m.Own.ID]
		shown := m.Verdict.Shown
		if args, err = w.appendSpan(ctx, args, shown, row.payloadAt()); err != nil {
			return err
		}
		args = appendMapped(args, shown, row.content, fold.OwnOf(m.Own, m.Verdict), m.Verdict.From)
	}
	return w.changed.insert(ctx, w.tx, "mark spans", args)
}

func (w *writing) addChunks(ctx context.Context, batches []store.Batch, chunks chunkSet) error {
	var args []any
	var now any
	if !w.now.IsZero() {
		now = w.now.UnixMicro()
	}
	for i := range batches {
		for j := range batches[i].Chunks {
			if c := &batches[i].Chunks[j]; chunks[chunkOf{i, j}] {
				args = append(args, int64(w.project), dayOf(batches[i].Arrived), c.ID[:], c.Data, now)
			}
		}
	}
	return w.chunks.insert(ctx, w.tx, "insert payload chunks", args)
}

// join reads what is stored of spans that came again and joins the pieces.
func (w *writing) join(ctx context.Context, batches []store.Batch, pieces [][]fold.Item, stored map[trace.SpanID]fold.Stored) (fold.Joined, error) {
	var ids []trace.SpanID
	for _, of := range pieces {
		if id := of[0].Span.ID; stored[id].Joinable {
			ids = append(ids, id)
		}
	}
	said := map[trace.SpanID]*trace.Span{}
	if len(ids) > 0 {
		list, err := jsonList(ids)
		if err != nil {
			return fold.Joined{}, err
		}
		rows, err := w.read(ctx, store.Full, `WHERE project = ? AND span_id IN (SELECT value FROM json_each(?))`, int64(w.project), list)
		if err != nil {
			return fold.Joined{}, err
		}
		for _, row := range rows {
			said[row.ID] = row.Says()
		}
	}
	joined, err := fold.Join(batches, len(batches), pieces, said)
	for i := range joined.Changes {
		joined.Changes[i].Old = w.rows[joined.Changes[i].Now.ID].peer().Shown
	}
	return joined, err
}

// read reads stored spans and keeps their rows at hand.
func (w *writing) read(ctx context.Context, detail store.Detail, rest string, args ...any) ([]*storedSpan, error) {
	rows, err := readStored(ctx, w.tx, w.project, detail, rest, args...)
	for _, row := range rows {
		w.rows[row.ID] = row
	}
	return rows, err
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

// lookUp tells which of the work's ids are taken.
func (w *writing) lookUp(ctx context.Context, work fold.Work) (map[trace.SpanID]fold.Stored, error) {
	ids := make([]trace.SpanID, len(work.Items))
	for i := range work.Items {
		ids[i] = work.Items[i].Span.ID
	}
	list, err := jsonList(ids)
	if err != nil {
		return nil, err
	}
	stored := map[trace.SpanID]fold.Stored{}
	err = query(ctx, w.tx, "look up spans", func(rows *sql.Rows) error {
		var id trace.SpanID
		var s fold.Stored
		var content sql.NullInt64
		err := rows.Scan(&id, &s.Joinable, &content)
		s.Content = uint64(content.Int64)
		stored[id] = s
		return err
	}, `SELECT span_id, form = 'span' AND mapping_version > 0, content FROM spans
		WHERE project = ? AND span_id IN (SELECT value FROM json_each(?))`, int64(w.project), list)
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
		state.StoredTrace(&traces[i])
	}
	return state, loadSessions(ctx, q, project, keys.Sessions, state)
}

// loadSessions puts stored sessions into a state.
func loadSessions(ctx context.Context, q querier, project projectNumber, ids []trace.SessionID, state *fold.State) error {
	if len(ids) == 0 {
		return nil
	}
	list, err := jsonList(ids)
	if err != nil {
		return err
	}
	return query(ctx, q, "read sessions", func(rows *sql.Rows) error {
		s, err := scanSession(rows)
		state.StoredSession(&s)
		return err
	}, selectSession+`WHERE project = ? AND session_id IN (SELECT value FROM json_each(?))`, int64(project), list)
}

// writeState stores what a state changed, and first makes anew what is stale.
func (w *writing) writeState(ctx context.Context, state *fold.State) error {
	if err := w.takeTraces(ctx, state); err != nil {
		return err
	}
	if err := w.putTraces(ctx, state.Traces, len(state.Stale.Traces) > 0); err != nil {
		return err
	}
	if _, err := markMixed(ctx, w.tx, w.project, state.Traces); err != nil {
		return err
	}
	// Sessions after traces, which lead to the spans of LLM traces.
	if err := w.takeSessions(ctx, state); err != nil {
		return err
	}
	if err := loadSessions(ctx, w.tx, w.project, state.SessionsOfTurns(), state); err != nil {
		return err
	}
	state.AddTurns()
	var args []any
	for _, id := range slices.Sorted(maps.Keys(state.Sessions)) {
		args = appendSession(args, w.project, state.Sessions[id])
	}
	if err := w.sessions.insert(ctx, w.tx, "store sessions", args); err != nil {
		return err
	}
	return state.WriteRollups(ctx, w)
}

// takeTraces makes stale traces anew.
func (w *writing) takeTraces(ctx context.Context, state *fold.State) error {
	if len(state.Stale.Traces) == 0 {
		return nil
	}
	ids := slices.Sorted(maps.Keys(state.Stale.Traces))
	anew := fold.NewState()
	if err := recountTraces(ctx, w.tx, w.project, ids, anew); err != nil {
		return err
	}
	for _, id := range ids {
		if anew.Traces[id] == nil {
			if err := exec(ctx, w.tx, "delete trace", false, `DELETE FROM traces WHERE project = ? AND trace_id = ?`, int64(w.project), string(id)); err != nil {
				return err
			}
		}
	}
	state.Take(anew)
	return nil
}

// takeSessions is takeTraces for sessions.
func (w *writing) takeSessions(ctx context.Context, state *fold.State) error {
	if len(state.Stale.Sessions) == 0 {
		return nil
	}
	ids := slices.Sorted(maps.Keys(state.Stale.Sessions))
	anew := fold.NewState()
	if err := recountSessions(ctx, w.tx, w.project, ids, anew); err != nil {
		return err
	}
	for _, id := range ids {
		if anew.Sessions[id] == nil {
			if err := exec(ctx, w.tx, "delete session", false, `DELETE FROM sessions WHERE project = ? AND session_id = ?`, int64(w.project), string(id)); err != nil {
				return err
			}
		}
	}
	state.Take(anew)
	return nil
}

// putTraces stores traces. Those that never had a span made from OpenTelemetry
// have nothing to say in its columns; anew says that some may have had one.
func (w *writing) putTraces(ctx context.Context, traces map[trace.TraceID]*trace.Trace, anew bool) error {
	var plain, mapped []any
	for _, id := range slices.Sorted(maps.Keys(traces)) {
		if t := traces[id]; t.Root.SpanID == "" && !anew {
			plain = appendTrace(plain, w.project, t)
		} else {
			mapped = appendMappedTrace(appendTrace(mapped, w.project, t), t)
		}
	}
	if err := w.traces.insert(ctx, w.tx, "store traces", plain); err != nil {
		return err
	}
	return w.mappedTraces.insert(ctx, w.tx, "store traces", mapped)
}

// plainTraceColumns are the columns of every trace, in the order of appendTrace.
var plainTraceColumns = []string{
	"project", "trace_id", "session_id", "start_time", "end_time", "main_span_id", "main_start", "main_llm", "form",
	"span_count", "llm_count", "error_count", "duration_us", "sources", "input_tokens", "output_tokens", "cost_nano_usd",
	"provider_key", "model_key", "first_token_ms",
}

// mappedTraceColumns are what traces with spans made from OpenTelemetry have
// beside, in the order of appendMappedTrace.
var mappedTraceColumns = []string{
	"main_session", "any_session", "root_span_id", "root_start", "root_orphan", "name", "failed_span_id", "failed_start", "failed_service",
	"services", "tags", "environment", "user_id", "reports", "embedding_tokens",
}

// traceColumns are all columns.
var traceColumns = slices.Concat(plainTraceColumns, mappedTraceColumns)

var selectTrace = "SELECT " + strings.Join(traceColumns[1:], ", ") + " FROM traces "

func appendTrace(args []any, project projectNumber, t *trace.Trace) []any {
	var start any
	if t.Start != nil {
		start = t.Start.UnixMicro()
	}
	return append(args, int64(project), string(t.ID), string(t.SessionID), start, t.End.UnixMicro(), string(t.Main.SpanID),
		t.Main.Start.UnixMicro(), t.Main.LLMCall, string(t.Form), t.SpanCount, t.LLMCount, t.ErrorCount, t.DurationUS, int64(t.Sources),
		orNull(t.InputTokens), orNull(t.OutputTokens), orNull(t.CostNanoUSD), t.ProviderKey, t.ModelKey, orNull(t.Main.FirstTokenMS))
}

func appendMappedTrace(args []any, t *trace.Trace) []any {
	if t.Root.SpanID == "" {
		return append(args, make([]any, len(mappedTraceColumns))...)
	}
	args = append(args, string(t.Main.SessionID), string(t.AnySession), string(t.Root.SpanID), t.Root.Start.UnixMicro(), t.Root.Orphan, t.Root.Name)
	if f := t.Failure; f.SpanID == "" {
		args = append(args, nil, nil, nil)
	} else {
		args = append(args, string(f.SpanID), f.Start.UnixMicro(), f.Service)
	}
	return append(args, orNull(fold.EncodeList(t.Services)), orNull(fold.EncodeList(t.Tags)), orNull(t.Environment), orNull(t.UserID), t.Reports,
		orNull(t.EmbeddingTokens))
}

// scanTrace reads a row of selectTrace.
func scanTrace(rows *sql.Rows) (trace.Trace, error) {
	var t trace.Trace
	var start *int64
	var end, mainStart int64
	var mainSession, anySession, root, name, failed, failedService sql.NullString
	var rootStart, failedStart sql.NullInt64
	var rootOrphan, reports sql.NullBool
	var services, tags *string
	err := rows.Scan(&t.ID, &t.SessionID, &start, &end, &t.Main.SpanID, &mainStart, &t.Main.LLMCall, &t.Form, &t.SpanCount, &t.LLMCount,
		&t.ErrorCount, &t.DurationUS, &t.Sources, &t.InputTokens, &t.OutputTokens, &t.CostNanoUSD, &t.ProviderKey, &t.ModelKey, &t.Main.FirstTokenMS,
		&mainSession, &anySession, &root, &rootStart, &rootOrphan, &name, &failed, &failedStart, &failedService,
		&services, &tags, &t.Environment, &t.UserID, &reports, &t.EmbeddingTokens)
	if err != nil {
		return t, err
	}
	if start != nil {
		at := time.UnixMicro(*start).UTC()
		t.Start = &at
	}
	t.End, t.Main.Start = time.UnixMicro(end).UTC(), time.UnixMicro(mainStart).UTC()
	if !root.Valid {
		t.Main.SessionID = t.SessionID
		return t, nil
	}
	t.Reports = reports.Bool
	t.Main.SessionID, t.AnySession = trace.SessionID(mainSession.String), trace.SessionID(anySession.String)
	t.Root = trace.Root{SpanID: trace.SpanID(root.String), Name: name.String, Start: time.UnixMicro(rootStart.Int64).UTC(), Orphan: rootOrphan.Bool}
	if failed.Valid {
		t.Failure = trace.Failure{SpanID: trace.SpanID(failed.String), Service: failedService.String, Start: time.UnixMicro(failedStart.Int64).UTC()}
	}
	if t.Services, err = fold.DecodeList[string](services); err != nil {
		return t, err
	}
	t.Tags, err = fold.DecodeList[string](tags)
	return t, err
}

var sessionColumns = []string{
	"project", "session_id", "first_time", "last_time", "span_count", "traced_count", "error_count", "agent_runs",
	"sources", "input_tokens", "output_tokens", "cost_nano_usd", "end_duration_ms", "cwd", "model", "agent_name",
	"turn_spans", "turn_errors", "turn_input_tokens", "turn_output_tokens", "turn_cost_nano_usd",
}

var selectSession = "SELECT " + strings.Join(sessionColumns[1:], ", ") + " FROM sessions "

func appendSession(args []any, project projectNumber, s *trace.Session) []any {
	return append(args, int64(project), string(s.ID), s.First.UnixMicro(), s.Last.UnixMicro(), s.SpanCount, s.TracedCount, s.ErrorCount,
		s.AgentRuns, int64(s.Sources), s.InputTokens, s.OutputTokens, s.CostNanoUSD, orNull(s.EndDurationMS), orNull(s.CWD),
		orNull(s.Model), orNull(s.AgentName), s.Turns.Spans, s.Turns.Errors, s.Turns.InputTokens, s.Turns.OutputTokens, s.Turns.CostNanoUSD)
}

// scanSession reads a row of selectSession.
func scanSession(rows *sql.Rows) (trace.Session, error) {
	var s trace.Session
	var first, last int64
	err := rows.Scan(&s.ID, &first, &last, &s.SpanCount, &s.TracedCount, &s.ErrorCount, &s.AgentRuns, &s.Sources, &s.InputTokens,
		&s.OutputTokens, &s.CostNanoUSD, &s.EndDurationMS, &s.CWD, &s.Model, &s.AgentName,
		&s.Turns.Spans, &s.Turns.Errors, &s.Turns.InputTokens, &s.Turns.OutputTokens, &s.Turns.CostNanoUSD)
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

// traceCountKeys is how many of traceCountColumns are the key.
const traceCountKeys = 7

var traceCountColumns = []string{
	"project", "grain", "bucket", "provider", "model", "status", "sources", "count", "input_tokens", "output_tokens", "cost_nano_usd", "latency", "first_token",
}

var selectTraceCount = "SELECT " + strings.Join(traceCountColumns[1:], ", ") + " FROM trace_counts "

func traceCountKey(project projectNumber, k fold.TraceCountKey) []any {
	return []any{int64(project), string(k.Grain), k.Bucket, k.Provider, k.Model, string(k.Status), int64(k.Sources)}
}

func appendTraceCount(args []any, project projectNumber, k fold.TraceCountKey, s *fold.TraceSums) ([]any, error) {
	latency, err := s.Latency.AppendBinary([]byte{}) // never nil, which would be NULL
	if err != nil {
		return nil, err
	}
	firstToken, err := s.FirstToken.AppendBinary([]byte{})
	args = append(args, traceCountKey(project, k)...)
	return append(args, s.Count, s.InputTokens, s.OutputTokens, s.CostNanoUSD, latency, firstToken), err
}

// scanTraceCount reads a row of selectTraceCount.
func scanTraceCount(rows *sql.Rows) (fold.TraceCountKey, fold.TraceSums, error) {
	var k fold.TraceCountKey
	var s fold.TraceSums
	var latency, firstToken sql.RawBytes
	err := rows.Scan(&k.Grain, &k.Bucket, &k.Provider, &k.Model, &k.Status, &k.Sources, &s.Count, &s.InputTokens, &s.OutputTokens, &s.CostNanoUSD,
		&latency, &firstToken)
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
