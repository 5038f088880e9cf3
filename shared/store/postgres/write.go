package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

// Keys of advisory locks, all held until the end of a transaction. Those of
// projects are made by projectLock and have the highest bit set.
const (
	lockMigrate    int64 = 0x70756c7365_01
	lockFirstUser  int64 = 0x70756c7365_02
	lockPartitions int64 = 0x70756c7365_03
	lockSetAside   int64 = 0x70756c7365_04
)

// projectLock gives the key of a project's lock. Whoever changes a project's
// spans or what they add up to holds it, so that reading sums, merging and
// writing them back is exact, and ids that were not there stay so.
func projectLock(project account.ProjectID) int64 {
	sum := sha256.Sum256([]byte(project))
	return int64(binary.BigEndian.Uint64(sum[:]) | 1<<63)
}

func lockProject(ctx context.Context, e execer, project account.ProjectID) error {
	return execute(ctx, e, `SELECT pg_advisory_xact_lock($1)`, projectLock(project))
}

// WriteBatches stores batches in one transaction.
func (db *DB) WriteBatches(ctx context.Context, batches []store.Batch) ([]store.Outcome, error) {
	if err := db.ensureDays(ctx, batches); err != nil {
		return nil, err
	}
	var outcomes []store.Outcome
	err := db.inTx(ctx, func(tx pgx.Tx) (err error) {
		outcomes, err = writeAll(ctx, tx, batches, time.Now())
		return err
	})
	if e, ok := errors.AsType[*sqlError](err); ok && e.state == noPartition {
		db.days.Clear() // another process dropped a day that this one knew
	}
	if err != nil {
		return nil, err
	}
	return outcomes, nil
}

// writeAll is WriteBatches within a transaction. The days of the batches must be
// there (see ensureDays). The zero time is that of what an earlier service
// stored.
func writeAll(ctx context.Context, tx pgx.Tx, batches []store.Batch, now time.Time) ([]store.Outcome, error) {
	outcomes := make([]store.Outcome, len(batches))
	for b := range batches {
		outcomes[b].Inserted = make([]bool, len(batches[b].Spans))
	}
	works := fold.Group(batches)
	// works are in the order of projects, whoever calls: no deadlock.
	for _, w := range works {
		if err := lockProject(ctx, tx, w.Project); err != nil {
			return nil, err
		}
	}
	if err := checkProjects(ctx, tx, works); err != nil {
		return nil, err
	}
	for _, w := range works {
		if err := writeProject(ctx, tx, batches, w, now, outcomes); err != nil {
			return nil, err
		}
	}
	return outcomes, nil
}

// checkProjects does what a foreign key would do: data tables have none, so
// that they can be distributed.
func checkProjects(ctx context.Context, q querier, works []fold.Work) error {
	ids := make([]string, len(works))
	for i, w := range works {
		ids[i] = string(w.Project)
	}
	n, err := collectOne(ctx, q, pgx.RowTo[int64], `SELECT count(*) FROM projects WHERE id = ANY($1)`, ids)
	if err != nil {
		return err
	}
	if n != int64(len(ids)) {
		return fault.New(fault.Invalid, "the project does not exist")
	}
	return nil
}

// writing is a transaction that changes what one project has, whose lock it
// holds.
type writing struct {
	tx      pgx.Tx
	project account.ProjectID
	from    time.Time                 // what is made anew leaves out spans that started before
	rows    map[trace.SpanID]*spanRow // that were read
	now     time.Time                 // zero: chunks do not say when they were stored
}

func newWriting(tx pgx.Tx, project account.ProjectID) *writing {
	return &writing{tx: tx, project: project, rows: map[trace.SpanID]*spanRow{}}
}

func writeProject(ctx context.Context, tx pgx.Tx, batches []store.Batch, work fold.Work, now time.Time, outcomes []store.Outcome) error {
	w := newWriting(tx, work.Project)
	w.now = now
	stored, err := w.lookUp(ctx, work)
	if err != nil {
		return err
	}
	arrivals := work.Arrivals(stored)
	for _, it := range arrivals.New {
		outcomes[it.Batch].Inserted[it.Index] = true
	}
	for _, pieces := range arrivals.Joined {
		_, old := stored[pieces[0].Span.ID]
		outcomes[pieces[0].Batch].Inserted[pieces[0].Index] = !old
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
	chunks := map[chunkAt]struct{}{}
	plain, mapped := make([]*spanRow, 0, len(items)), []*spanRow(nil)
	for i, it := range items {
		v := verdicts.Of(it.Span)
		spans[i] = v.Shown
		r := newSpanRow(v.Shown, it.Content, fold.OwnOf(it.Span, v), v.From)
		if ref := batches[it.Batch].Refs[it.Index]; ref.Chunk >= 0 {
			r.put(&batches[it.Batch], ref)
			chunks[chunkAt{it.Batch, ref.Chunk}] = struct{}{}
		}
		if fold.Plain(it.Span) {
			plain = append(plain, r)
		} else {
			mapped = append(mapped, r)
		}
	}
	changed := append(w.changedRows(batches, joined, verdicts, chunks), w.markedRows(verdicts.Marked)...)
	if err := w.addChunks(ctx, batches, chunks); err != nil {
		return err
	}
	// Nobody else adds spans to this project now, so that these are still new.
	if err := plainSpanTable.copy(ctx, w.tx, w.project, plain); err != nil {
		return err
	}
	if err := spanTable.copy(ctx, w.tx, w.project, mapped); err != nil {
		return err
	}
	if err := spanTable.put(ctx, w.tx, w.project, changed); err != nil {
		return err
	}
	// All spans are written: what is stale can be made from them.
	changes := append(joined.Changes, verdicts.Changes()...)
	state, stored, err := loadState(ctx, w.tx, w.project, fold.KeysOf(append(fold.SpansOf(changes), spans...)))
	if err != nil {
		return err
	}
	state.Change(changes)
	state.Add(spans)
	return w.saveState(ctx, state, stored)
}

// changedRows gives the rows of changed spans, and puts what they show into the
// changes.
func (w *writing) changedRows(batches []store.Batch, joined fold.Joined, verdicts fold.Verdicts, chunks map[chunkAt]struct{}) []*spanRow {
	rows := make([]*spanRow, len(joined.Changes))
	for i := range joined.Changes {
		c := &joined.Changes[i]
		own, v := c.Now, verdicts.Of(c.Now)
		c.Now = v.Shown
		it := joined.Items[i]
		rows[i] = newSpanRow(v.Shown, it.Content, fold.OwnOf(own, v), v.From)
		if it.Span == nil { // the payload is what it was
			rows[i].keep(w.rows[own.ID])
			continue
		}
		ref := batches[it.Batch].Refs[it.Index]
		rows[i].put(&batches[it.Batch], ref)
		chunks[chunkAt{it.Batch, ref.Chunk}] = struct{}{}
	}
	return rows
}

// markedRows gives the rows of stored spans that show something else since others
// were written.
func (w *writing) markedRows(marked []fold.Marked) []*spanRow {
	rows := make([]*spanRow, len(marked))
	for i := range marked {
		m := &marked[i]
		old := w.rows[m.Own.ID]
		rows[i] = newSpanRow(m.Verdict.Shown, old.contentOf(), fold.OwnOf(m.Own, m.Verdict), m.Verdict.From)
		rows[i].keep(old)
	}
	return rows
}

// lookUp tells which of the work's ids are stored.
func (w *writing) lookUp(ctx context.Context, work fold.Work) (map[trace.SpanID]fold.Stored, error) {
	ids := make([]string, len(work.Items))
	for i, item := range work.Items {
		ids[i] = string(item.Span.ID)
	}
	type found struct {
		id string
		fold.Stored
	}
	list, err := collect(ctx, w.tx, func(row pgx.CollectableRow) (found, error) {
		var f found
		var content *int64
		err := row.Scan(&f.id, &f.Joinable, &content)
		if content != nil {
			f.Content = uint64(*content)
		}
		return f, err
	}, `SELECT span_id, form = 'span' AND mapping_version > 0, content FROM spans WHERE project_id = $1 AND span_id = ANY($2)`,
		string(w.project), ids)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	stored := make(map[trace.SpanID]fold.Stored, len(list))
	for _, f := range list {
		stored[trace.SpanID(f.id)] = f.Stored
	}
	return stored, nil
}

// join reads what is stored of spans that came again and joins the pieces.
func (w *writing) join(ctx context.Context, batches []store.Batch, pieces [][]fold.Item, stored map[trace.SpanID]fold.Stored) (fold.Joined, error) {
	var ids []string
	for _, of := range pieces {
		if id := of[0].Span.ID; stored[id].Joinable {
			ids = append(ids, string(id))
		}
	}
	said := map[trace.SpanID]*trace.Span{}
	if len(ids) > 0 {
		rows, err := w.read(ctx, `s.span_id = ANY($2)`, ids)
		if err != nil {
			return fold.Joined{}, err
		}
		if err := fillPayloads(ctx, w.tx, w.project, rows, anySize); err != nil {
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

// read reads the rows of "spans s" that a condition selects, whose parameters
// from $2 on are args, and keeps them at hand.
func (w *writing) read(ctx context.Context, condition string, args ...any) ([]*spanRow, error) {
	rows, err := collect(ctx, w.tx, scanSpan, `SELECT `+spanColumns+` FROM spans s WHERE s.project_id = $1 AND `+condition,
		append([]any{string(w.project)}, args...)...)
	for _, row := range rows {
		w.rows[row.ID] = row
	}
	return rows, err
}

// chunkAt names a chunk of a call of WriteBatches.
type chunkAt struct{ batch, chunk int }

// addChunks stores the chunks that new spans refer to. One may be there
// already: retention deletes spans by their start, chunks by their arrival.
func (w *writing) addChunks(ctx context.Context, batches []store.Batch, chunks map[chunkAt]struct{}) error {
	rows := make(map[uuid.UUID]*chunkRow, len(chunks))
	days, ids := make([]string, 0, len(chunks)), make([][]byte, 0, len(chunks))
	var now *time.Time
	if !w.now.IsZero() {
		now = &w.now
	}
	for at := range chunks {
		b := &batches[at.batch]
		c := &b.Chunks[at.chunk]
		rows[c.ID] = &chunkRow{day: dayOf(b.Arrived), id: c.ID[:], data: c.Data, storedAt: now}
		days, ids = append(days, dayOf(b.Arrived).Format(time.DateOnly)), append(ids, c.ID[:])
	}
	slices.Sort(days)
	stored, err := collect(ctx, w.tx, pgx.RowTo[[]byte], `SELECT chunk_id FROM payload_chunks
		WHERE project_id = $1 AND day = ANY($2::text[]::date[]) AND chunk_id = ANY($3)`, string(w.project), slices.Compact(days), ids)
	if err != nil {
		return err
	}
	for _, id := range stored {
		delete(rows, uuid.UUID(id))
	}
	return chunkTable.copy(ctx, w.tx, w.project, slices.Collect(maps.Values(rows)))
}

// loadState gives a state with the stored rows that keys name, and says which
// traces these are.
func loadState(ctx context.Context, q querier, project account.ProjectID, keys fold.Keys) (*fold.State, map[trace.TraceID]bool, error) {
	state := fold.NewState()
	stored := map[trace.TraceID]bool{}
	if len(keys.Traces) > 0 {
		traces, err := collect(ctx, q, scanTrace,
			`SELECT `+traceTable.list+` FROM traces WHERE project_id = $1 AND trace_id = ANY($2)`, string(project), texts(keys.Traces))
		if err != nil {
			return nil, nil, err
		}
		for _, t := range traces {
			state.StoredTrace(t)
			stored[t.ID] = true
		}
	}
	return state, stored, loadSessions(ctx, q, project, keys.Sessions, state)
}

// loadSessions puts stored sessions into a state.
func loadSessions(ctx context.Context, q querier, project account.ProjectID, ids []trace.SessionID, state *fold.State) error {
	if len(ids) == 0 {
		return nil
	}
	sessions, err := collect(ctx, q, sessionTable.scan,
		`SELECT `+sessionTable.list+` FROM sessions WHERE project_id = $1 AND session_id = ANY($2)`, string(project), texts(ids))
	for _, s := range sessions {
		state.StoredSession(s)
	}
	return err
}

// texts gives ids as pgx encodes them.
func texts[T ~string](ids []T) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = string(id)
	}
	return out
}

// saveState stores what state holds, and first makes anew what is stale; stored
// names the traces that have a row.
func (w *writing) saveState(ctx context.Context, state *fold.State, stored map[trace.TraceID]bool) error {
	if err := w.takeStale(ctx, state); err != nil {
		return err
	}
	var changed, plain, mapped []*traceRow
	for _, id := range slices.Sorted(maps.Keys(state.Traces)) {
		r := newTraceRow(state.Traces[id])
		switch {
		case stored[id]:
			changed = append(changed, r)
		case r.Root.SpanID == "":
			plain = append(plain, r)
		default:
			mapped = append(mapped, r)
		}
	}
	if err := traceTable.put(ctx, w.tx, w.project, changed); err != nil {
		return err
	}
	// Most traces are new, and COPY takes half the time of an upsert.
	if err := plainTraceTable.copy(ctx, w.tx, w.project, plain); err != nil {
		return err
	}
	if err := traceTable.copy(ctx, w.tx, w.project, mapped); err != nil {
		return err
	}
	if err := loadSessions(ctx, w.tx, w.project, state.SessionsOfTurns(), state); err != nil {
		return err
	}
	state.AddTurns()
	sessions := make([]*trace.Session, 0, len(state.Sessions))
	for _, s := range state.Sessions {
		sessions = append(sessions, s)
	}
	if err := sessionTable.put(ctx, w.tx, w.project, sessions); err != nil {
		return err
	}
	return state.WriteRollups(ctx, w)
}

// takeStale makes stale traces and sessions anew from their spans.
func (w *writing) takeStale(ctx context.Context, state *fold.State) error {
	traces, sessions := slices.Collect(maps.Keys(state.Stale.Traces)), slices.Collect(maps.Keys(state.Stale.Sessions))
	if len(traces)+len(sessions) == 0 {
		return nil
	}
	anew := fold.NewState()
	if len(traces) > 0 {
		err := each(ctx, w.tx, scanSpan, func(r *spanRow) error {
			anew.AddToTrace(&r.Span)
			return nil
		}, `SELECT `+spanColumns+` FROM spans s WHERE s.project_id = $1 AND s.form = 'span' AND s.trace_id <> '' AND s.trace_id = ANY($2) AND s.start_time >= $3
			UNION ALL SELECT `+spanColumns+` FROM (SELECT * FROM spans WHERE project_id = $1 AND span_id = ANY($2) OFFSET 0) s
			WHERE s.form = 'trace' AND s.start_time >= $3`, string(w.project), texts(traces), w.from)
		if err != nil {
			return err
		}
	}
	if len(sessions) > 0 {
		err := each(ctx, w.tx, scanSpan, func(r *spanRow) error {
			anew.AddToSession(&r.Span)
			return nil
		}, `SELECT `+spanColumns+` FROM spans s WHERE s.project_id = $1 AND s.session_id <> '' AND s.session_id = ANY($2) AND s.start_time >= $3`,
			string(w.project), texts(sessions), w.from)
		if err != nil {
			return err
		}
	}
	if err := deleteAbsent(ctx, w.tx, `DELETE FROM traces WHERE project_id = $1 AND trace_id = ANY($2)`, w.project, traces, anew.Traces); err != nil {
		return err
	}
	if err := deleteAbsent(ctx, w.tx, `DELETE FROM sessions WHERE project_id = $1 AND session_id = ANY($2)`, w.project, sessions, anew.Sessions); err != nil {
		return err
	}
	state.Take(anew)
	return nil
}

// deleteAbsent deletes rows of which no spans are left.
func deleteAbsent[K ~string, V any](ctx context.Context, e execer, sql string, project account.ProjectID, ids []K, now map[K]V) error {
	gone := slices.DeleteFunc(ids, func(k K) bool {
		_, ok := now[k]
		return ok
	})
	if len(gone) == 0 {
		return nil
	}
	return execute(ctx, e, sql, string(project), texts(gone))
}
