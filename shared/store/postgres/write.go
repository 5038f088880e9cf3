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
		outcomes, err = writeAll(ctx, tx, batches)
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
// there (see ensureDays).
func writeAll(ctx context.Context, tx pgx.Tx, batches []store.Batch) ([]store.Outcome, error) {
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
		if err := writeProject(ctx, tx, batches, w, outcomes); err != nil {
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

func writeProject(ctx context.Context, tx pgx.Tx, batches []store.Batch, w fold.Work, outcomes []store.Outcome) error {
	items, err := newItems(ctx, tx, w)
	if err != nil || len(items) == 0 {
		return err
	}
	rows, spans := make([]*spanRow, len(items)), make([]*trace.Span, len(items))
	cells := make([]spanRow, len(items))
	chunks := map[chunkAt]struct{}{}
	for i, item := range items {
		outcomes[item.Batch].Inserted[item.Index] = true
		spans[i] = item.Span
		b := &batches[item.Batch]
		rows[i] = &cells[i]
		cells[i].Span = *item.Span
		if ref := b.Refs[item.Index]; ref.Chunk >= 0 {
			day, index := dayOf(b.Arrived), int64(ref.Index)
			cells[i].payloadDay, cells[i].payloadChunk, cells[i].payloadIndex = &day, b.Chunks[ref.Chunk].ID[:], &index
			chunks[chunkAt{item.Batch, ref.Chunk}] = struct{}{}
		}
	}
	if err := addChunks(ctx, tx, w.Project, batches, chunks); err != nil {
		return err
	}
	// Nobody else adds spans to this project now, so that these are still new.
	if err := spanTable.copy(ctx, tx, w.Project, rows); err != nil {
		return err
	}
	state := fold.NewState()
	if err := loadState(ctx, tx, w.Project, state, fold.KeysOf(spans)); err != nil {
		return err
	}
	stored := make(map[trace.TraceID]bool, len(state.Traces))
	for id := range state.Traces {
		stored[id] = true
	}
	state.Add(spans)
	return saveState(ctx, tx, w.Project, state, stored)
}

// newItems gives the items of w that are not stored.
func newItems(ctx context.Context, q querier, w fold.Work) ([]fold.Item, error) {
	ids := make([]string, len(w.Items))
	for i, item := range w.Items {
		ids[i] = string(item.Span.ID)
	}
	stored, err := collect(ctx, q, pgx.RowTo[string],
		`SELECT span_id FROM spans WHERE project_id = $1 AND span_id = ANY($2)`, string(w.Project), ids)
	if err != nil || len(stored) == 0 {
		return w.Items, err
	}
	seen := make(map[trace.SpanID]bool, len(stored))
	for _, id := range stored {
		seen[trace.SpanID(id)] = true
	}
	return slices.DeleteFunc(w.Items, func(i fold.Item) bool { return seen[i.Span.ID] }), nil
}

// chunkAt names a chunk of a call of WriteBatches.
type chunkAt struct{ batch, chunk int }

// addChunks stores the chunks that new spans refer to. One may be there
// already: retention deletes spans by their start, chunks by their arrival.
func addChunks(ctx context.Context, tx pgx.Tx, project account.ProjectID, batches []store.Batch, chunks map[chunkAt]struct{}) error {
	rows := make(map[uuid.UUID]*chunkRow, len(chunks))
	days, ids := make([]string, 0, len(chunks)), make([][]byte, 0, len(chunks))
	for at := range chunks {
		b := &batches[at.batch]
		c := &b.Chunks[at.chunk]
		rows[c.ID] = &chunkRow{day: dayOf(b.Arrived), id: c.ID[:], data: c.Data}
		days, ids = append(days, dayOf(b.Arrived).Format(time.DateOnly)), append(ids, c.ID[:])
	}
	slices.Sort(days)
	stored, err := collect(ctx, tx, pgx.RowTo[[]byte], `SELECT chunk_id FROM payload_chunks
		WHERE project_id = $1 AND day = ANY($2::text[]::date[]) AND chunk_id = ANY($3)`, string(project), slices.Compact(days), ids)
	if err != nil {
		return err
	}
	for _, id := range stored {
		delete(rows, uuid.UUID(id))
	}
	return chunkTable.copy(ctx, tx, project, slices.Collect(maps.Values(rows)))
}

// loadState puts the stored rows that keys name into state.
func loadState(ctx context.Context, q querier, project account.ProjectID, state *fold.State, keys fold.Keys) error {
	if len(keys.Traces) > 0 {
		traces, err := collect(ctx, q, traceTable.scan,
			`SELECT `+traceTable.list+` FROM traces WHERE project_id = $1 AND trace_id = ANY($2)`, string(project), texts(keys.Traces))
		if err != nil {
			return err
		}
		for _, t := range traces {
			state.Traces[t.ID] = t
		}
	}
	if len(keys.Sessions) > 0 {
		sessions, err := collect(ctx, q, sessionTable.scan,
			`SELECT `+sessionTable.list+` FROM sessions WHERE project_id = $1 AND session_id = ANY($2)`, string(project), texts(keys.Sessions))
		if err != nil {
			return err
		}
		for _, s := range sessions {
			state.Sessions[s.ID] = s
		}
	}
	return nil
}

// texts gives ids as pgx encodes them.
func texts[T ~string](ids []T) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = string(id)
	}
	return out
}

// saveState stores what state holds; stored names the traces that have a row.
// The caller holds the project's lock since before loadState.
func saveState(ctx context.Context, tx pgx.Tx, project account.ProjectID, state *fold.State, stored map[trace.TraceID]bool) error {
	var changed, added []*trace.Trace
	for _, id := range slices.Sorted(maps.Keys(state.Traces)) {
		if stored[id] {
			changed = append(changed, state.Traces[id])
		} else {
			added = append(added, state.Traces[id])
		}
	}
	if err := traceTable.put(ctx, tx, project, changed); err != nil {
		return err
	}
	// Most traces are new, and COPY takes half the time of an upsert.
	if err := traceTable.copy(ctx, tx, project, added); err != nil {
		return err
	}
	sessions := make([]*trace.Session, 0, len(state.Sessions))
	for _, s := range state.Sessions {
		sessions = append(sessions, s)
	}
	if err := sessionTable.put(ctx, tx, project, sessions); err != nil {
		return err
	}
	if err := addRollups(ctx, tx, project, state.Rollups); err != nil {
		return err
	}
	if err := addDistinct(ctx, tx, project, state); err != nil {
		return err
	}
	return addTraceCounts(ctx, tx, project, state.TraceCounts)
}

// addRollups merges differences into the stored roll-ups.
func addRollups(ctx context.Context, tx pgx.Tx, project account.ProjectID, rollups fold.Rollups) error {
	grains, buckets, digests := make([]string, 0, len(rollups)), make([]time.Time, 0, len(rollups)), make([][]byte, 0, len(rollups))
	for k := range rollups {
		grains, buckets, digests = append(grains, string(k.Grain)), append(buckets, micros(k.Bucket)), append(digests, digestOf(&k.Rollup))
	}
	stored, err := collect(ctx, tx, rollupTable.scan, `SELECT `+rollupTable.list+` FROM rollups
		WHERE project_id = $1 AND (grain, bucket, digest) IN (SELECT * FROM unnest($2::text[], $3::timestamptz[], $4::bytea[]))`,
		string(project), grains, buckets, digests)
	if err != nil {
		return err
	}
	for _, r := range stored {
		k, sums, err := r.decode()
		if err != nil {
			return err
		}
		rollups[k].Merge(sums)
	}
	rows := make([]*rollupRow, 0, len(rollups))
	for k, sums := range rollups {
		r, err := newRollupRow(k, sums)
		if err != nil {
			return err
		}
		rows = append(rows, r)
	}
	return rollupTable.put(ctx, tx, project, rows)
}

// addDistinct merges differences into the stored distinct sessions.
func addDistinct(ctx context.Context, tx pgx.Tx, project account.ProjectID, state *fold.State) error {
	if len(state.Distinct) == 0 {
		return nil
	}
	var grains []string
	var buckets []time.Time
	for k := range state.Distinct {
		grains, buckets = append(grains, string(k.Grain)), append(buckets, micros(k.Bucket))
	}
	stored, err := collect(ctx, tx, distinctTable.scan, `SELECT `+distinctTable.list+` FROM rollup_sessions
		WHERE project_id = $1 AND (grain, bucket) IN (SELECT * FROM unnest($2::text[], $3::timestamptz[]))`, string(project), grains, buckets)
	if err != nil {
		return err
	}
	for _, r := range stored {
		k, d, err := r.decode()
		if err != nil {
			return err
		}
		state.Distinct[k].Merge(d)
	}
	rows := make([]*distinctRow, 0, len(state.Distinct))
	for k, d := range state.Distinct {
		r, err := newDistinctRow(k, d)
		if err != nil {
			return err
		}
		rows = append(rows, r)
	}
	return distinctTable.put(ctx, tx, project, rows)
}

// addTraceCounts adds differences to the stored counts; none stays at 0.
func addTraceCounts(ctx context.Context, e execer, project account.ProjectID, counts map[fold.TraceCountKey]int64) error {
	if len(counts) == 0 {
		return nil
	}
	rows := make([]*traceCountRow, 0, len(counts))
	negative := false
	for k, n := range counts {
		rows = append(rows, newTraceCountRow(k, n))
		negative = negative || n < 0
	}
	args := []any{string(project)}
	for _, c := range traceCountTable.columns {
		args = append(args, c.slice(rows))
	}
	if err := execute(ctx, e, `INSERT INTO trace_counts (project_id, `+traceCountTable.list+`)
		SELECT $1::text, r.* FROM unnest($2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[]) r
		ON CONFLICT (project_id, grain, bucket, provider, model, status, sources)
		DO UPDATE SET count = trace_counts.count + excluded.count`, args...); err != nil || !negative {
		return err
	}
	return execute(ctx, e, `DELETE FROM trace_counts
		WHERE project_id = $1 AND (grain, bucket) IN (SELECT * FROM unnest($2::text[], $3::timestamptz[])) AND count = 0`, args[:3]...)
}
